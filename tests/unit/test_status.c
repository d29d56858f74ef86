/* The status document in words: each port's story. */
#include "command/status.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "\"version\":\"1\",\"uptime_s\":7200,\"hostname\":\"h.example\","
#define QUEUE(n) "\"queue\":{\"messages\":" #n ",\"recipients\":14,\"active\":3,\"deferred\":9,\"held\":1,"              \
	"\"bytes\":1258291,\"oldest_s\":7200},"
#define COUNTERS(accepted) "\"counters\":{\"accepted\":" #accepted ",\"relayed\":0,\"deferred\":0,\"bounced\":0,"        \
	"\"duplicates_possible\":2,\"auth_failures\":1},"
#define UP(body) "\"upstreams\":[{\"name\":\"sg\",\"host\":\"smtp.x\"," body "}]"
#define PORT(port, tls, state, reason, since, retry) "{\"port\":" #port ",\"tls\":\"" tls "\",\"address\":\"192.0.2.1\"," \
	"\"state\":\"" state "\",\"reason\":\"" reason "\",\"since_s\":" #since ",\"retry_in_s\":" #retry "}"

static const struct {
	const char *doc, *says;
} cases[] = {
	{ "{" HEAD QUEUE(12) COUNTERS(120) "\"upstreams\":[]}",
	  "gatepost 1 on h.example, up 2 h\n"
	  "queue: 12 messages to 14 recipients, 1.2 MB: 3 active, 9 deferred, 1 held; the oldest is 2 h old\n"
	  "since the start: 120 accepted (1.0/min), 0 relayed, 0 deferred, 0 bounced"
	  "; 2 perhaps delivered twice; 1 local login refused\n" },
	{ "{" HEAD QUEUE(0) COUNTERS(3) "\"upstreams\":[]}", "queue: empty\n" },
	{ "{" HEAD QUEUE(0) COUNTERS(3) "\"upstreams\":[]}", "3 accepted (1.5/h)" },
	{ "{" HEAD QUEUE(0) COUNTERS(0) UP("\"state\":\"up\",\"reason\":\"\",\"connections\":2,\"active\":\"465/implicit\","
	  "\"quota_left\":-1,\"candidates\":["
	  PORT(587, "starttls", "blocked", "no answer to TCP in 10 s", 7200, 180) ","
	  PORT(465, "implicit", "up", "", 7200, 0) ","
	  PORT(2525, "starttls", "unknown", "", 0, 0) "]") "}",
	  "\nsg (smtp.x): up by 465/implicit, 2 connections\n"
	  "     587 starttls  192.0.2.1  blocked  no answer to TCP in 10 s, 2 h ago; next try in 3 min\n"
	  "     465 implicit  192.0.2.1  up       for 2 h\n"
	  "    2525 starttls  192.0.2.1  unknown  no verdict yet\n" },
	{ "{" HEAD QUEUE(0) COUNTERS(0) UP("\"state\":\"auth_failed\",\"reason\":\"535 5.7.8 no\",\"connections\":0,"
	  "\"active\":null,\"quota_left\":7,\"candidates\":[]") "}",
	  "\nsg (smtp.x): login refused: 535 5.7.8 no, 7 left of the day's quota\n    correct its credentials" },
	{ "{" HEAD QUEUE(0) COUNTERS(0) UP("\"state\":\"tired\",\"reason\":\"\\u001b[2J\"") "}",
	  "\nsg (smtp.x): tired: \\x1B[2J\n" },
	{ "{\"queue\":7,\"counters\":[],\"upstreams\":{}}", "gatepost  on , up 0 s\nqueue: empty\n" },
	{ "{\"upstreams\":[7,null,{\"candidates\":[1]}]}", "queue: empty\n" },
};

START_TEST(tells)
{
	json_t *doc = json_loads(cases[_i].doc, 0, NULL);
	struct buf out = { 0 };

	ck_assert_ptr_nonnull(doc);
	status_format(&out, doc, NULL, 0, false);
	ck_assert_msg(strstr(out.data, cases[_i].says) != NULL, "got: %s", out.data);
	buf_clear(&out);
	json_decref(doc);
}
END_TEST

START_TEST(rates_of_an_interval)
{
	json_t *before = json_loads("{" HEAD COUNTERS(100) "\"x\":0}", 0, NULL);
	json_t *doc = json_loads("{" HEAD COUNTERS(150) "\"x\":0}", 0, NULL);
	json_t *restarted = json_loads("{\"uptime_s\":1," COUNTERS(4) "\"x\":0}", 0, NULL);
	struct buf out = { 0 };

	status_format(&out, doc, before, 2.0, false);
	ck_assert_ptr_nonnull(strstr(out.data, "150 accepted (25.0/s)"));
	buf_cut(&out, 0);
	status_format(&out, restarted, before, 2.0, false);
	ck_assert_ptr_nonnull(strstr(out.data, "4 accepted (4.0/s)"));
	buf_clear(&out);
	json_decref(before);
	json_decref(doc);
	json_decref(restarted);
}
END_TEST

START_TEST(colours)
{
	json_t *doc = json_loads("{" UP("\"state\":\"down\",\"reason\":\"all ports\"") "}", 0, NULL);
	struct buf out = { 0 };

	status_format(&out, doc, NULL, 0, true);
	ck_assert_ptr_nonnull(strstr(out.data, "\033[31mdown\033[0m: all ports\n"));
	buf_cut(&out, 0);
	status_format(&out, doc, NULL, 0, false);
	ck_assert_ptr_null(strchr(out.data, '\033'));
	buf_clear(&out);
	json_decref(doc);
}
END_TEST

Suite *test_status(void);

Suite *
test_status(void)
{
	Suite *s = suite_create("test_status");
	TCase *t = tcase_create("status");

	tcase_add_loop_test(t, tells, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, rates_of_an_interval);
	tcase_add_test(t, colours);
	suite_add_tcase(s, t);
	return s;
}
