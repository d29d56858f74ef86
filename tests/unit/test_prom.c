/* The text format: escaped, one HELP and TYPE a name, counters that end in _total. */
#include "web/prom.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char document[] = "{\"version\":\"0.1\\\"\\n\\\\\",\"uptime_s\":7,"
    "\"queue\":{\"messages\":3,\"recipients\":5,\"active\":1,\"deferred\":2,\"held\":0,\"bytes\":4096,\"oldest_s\":60},"
    "\"counters\":{\"accepted\":9,\"relayed\":8,\"deferred\":7,\"bounced\":6,\"duplicates_possible\":5,\"auth_failures\":4},"
    "\"upstreams\":[{\"name\":\"main\",\"state\":\"up\",\"connections\":2,\"quota_left\":12,\"reason\":\"x\",\"candidates\":["
    "{\"port\":587,\"tls\":\"starttls\",\"address\":\"192.0.2.1\",\"state\":\"blocked\"},"
    "{\"port\":465,\"tls\":\"implicit\",\"address\":\"2001:db8::1\",\"state\":\"up\"}]},"
    "{\"name\":\"back\",\"state\":\"auth_failed\",\"connections\":0,\"quota_left\":-1,\"candidates\":[]}]}";

static struct buf out;

static void
setup(void)
{
	json_t *doc = json_loads(document, 0, NULL);

	ck_assert_ptr_nonnull(doc);
	prom_put(&out, doc, 1800000000);
	json_decref(doc);
}

static void
teardown(void)
{
	buf_clear(&out);
}

static const char *const lines[] = {
	"gatepost_build_info{version=\"0.1\\\"\\n\\\\\"} 1\n",
	"gatepost_start_time_seconds 1800000000\n",
	"gatepost_accepted_total 9\n", "gatepost_relayed_total 8\n", "gatepost_deferred_total 7\n",
	"gatepost_bounced_total 6\n", "gatepost_duplicates_possible_total 5\n", "gatepost_auth_failures_total 4\n",
	"gatepost_queue_recipients 5\n", "gatepost_queue_bytes 4096\n", "gatepost_queue_oldest_seconds 60\n",
	"gatepost_damaged 0\n",
	"gatepost_queue_messages{state=\"active\"} 1\n", "gatepost_queue_messages{state=\"deferred\"} 2\n",
	"gatepost_queue_messages{state=\"held\"} 0\n",
	"gatepost_upstream_state{upstream=\"main\",state=\"up\"} 1\n",
	"gatepost_upstream_state{upstream=\"main\",state=\"down\"} 0\n",
	"gatepost_upstream_state{upstream=\"back\",state=\"auth_failed\"} 1\n",
	"gatepost_upstream_connections{upstream=\"main\"} 2\n",
	"gatepost_upstream_quota_left{upstream=\"main\"} 12\n",
	"gatepost_candidate_state{upstream=\"main\",port=\"587\",tls=\"starttls\",address=\"192.0.2.1\",state=\"blocked\"} 1\n",
	"gatepost_candidate_state{upstream=\"main\",port=\"465\",tls=\"implicit\",address=\"2001:db8::1\",state=\"up\"} 1\n",
};

START_TEST(has_line)
{
	ck_assert_msg(strstr(out.data, lines[_i]) != NULL, "%s is not in:\n%s", lines[_i], out.data);
}
END_TEST

START_TEST(no_quota_no_number)
{
	ck_assert_ptr_null(strstr(out.data, "quota_left{upstream=\"back\"}"));
}
END_TEST

/* Every line belongs to the family announced above it, each family is announced once. */
START_TEST(families)
{
	struct str rest = buf_str(&out), line;
	char name[96] = "", kind[16] = "", seen[96];
	unsigned n = 0;

	while (str_split(&rest, '\n', &line) && line.n > 0) {
		char text[256];

		str_fit(text, sizeof text, line);
		if (sscanf(text, "# HELP %95s", seen) == 1) {
			char head[128];

			snprintf(head, sizeof head, "# TYPE %s ", seen);
			ck_assert_ptr_nonnull(strstr(out.data, head));
			ck_assert_ptr_null(strstr(strstr(out.data, head) + 1, head));
			ck_assert_int_eq(text[strlen(text) - 1], '.');
			n++;
			continue;
		}
		if (sscanf(text, "# TYPE %95s %15s", name, kind) == 2) {
			bool total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;

			ck_assert_msg(total == (strcmp(kind, "counter") == 0), "%s", name);
			ck_assert_int_eq(strncmp(name, "gatepost_", 9), 0);
			continue;
		}
		ck_assert_uint_gt(strlen(name), 0);
		ck_assert_msg(strncmp(text, name, strlen(name)) == 0 && strchr("{ ", text[strlen(name)]) != NULL, "%s", text);
	}
	ck_assert_uint_ge(n, 18);
}
END_TEST

Suite *test_prom(void);

Suite *
test_prom(void)
{
	Suite *s = suite_create("test_prom");
	TCase *t = tcase_create("prom");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, has_line, 0, sizeof lines / sizeof lines[0]);
	tcase_add_test(t, no_quota_no_number);
	tcase_add_test(t, families);
	suite_add_tcase(s, t);
	return s;
}
