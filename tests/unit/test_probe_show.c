/* `gatepost probe --json' to the letter of CONTRACT.md 5, and the same in words. */
#include "command/probe_show.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char name[] = "sg", host[] = "smtp.x";
static const struct upstream upstream = { .name = name, .host = host };

static const struct probe_result results[] = {
	{ .candidate = { "192.0.2.1", 587, TLS_STARTTLS, 0 }, .stage = PROBE_TCP, .heard = HEARD_BLOCKED,
	  .reason = "no answer to TCP in 10 s", .advice = "this network blocks port 587", .ms = 10000,
	  .step = { { PROBE_NAME, 0 }, { PROBE_TCP, 10000 } }, .nstep = 2 },
	{ .candidate = { "2001:db8::1", 2525, TLS_STARTTLS, 2 }, .ok = true, .stage = PROBE_DONE, .heard = HEARD_UP, .ms = 90,
	  .tls_version = "TLSv1.3" },
	{ .candidate = { "192.0.2.1", 465, TLS_IMPLICIT, 1 }, .ok = true, .stage = PROBE_DONE, .heard = HEARD_UP, .ms = 80,
	  .tls_version = "TLSv1.3", .has_certificate = true,
	  .certificate = { .subject = "CN=smtp.x", .issuer = "CN=CA", .chain = "CN=CA; CN=Root",
	    .not_after_wall_s = 1000 + 86400 * 30 + 5 },
	  .auth = PROBE_AUTH_OK },
};

/* Open ports, and credentials that nobody takes. */
static const struct probe_result shut_out[] = {
	{ .candidate = { "192.0.2.1", 587, TLS_STARTTLS, 0 }, .stage = PROBE_AUTH, .heard = HEARD_UP, .auth = PROBE_AUTH_REFUSED,
	  .reason = "535 5.7.8 no", .advice = "Wrong user name or password.", .ms = 30,
	  .step = { { PROBE_TCP, 10 }, { PROBE_AUTH, 20 } }, .nstep = 2 },
	{ .candidate = { "192.0.2.1", 465, TLS_IMPLICIT, 1 }, .ok = true, .stage = PROBE_DONE, .heard = HEARD_UP, .ms = 80 },
};

/* One port without a mechanism that we know, and another that has one. */
static const struct probe_result second[] = {
	{ .candidate = { "192.0.2.1", 587, TLS_STARTTLS, 0 }, .stage = PROBE_AUTH, .heard = HEARD_UNSAFE, .reason = "none" },
	{ .candidate = { "192.0.2.1", 465, TLS_IMPLICIT, 1 }, .ok = true, .stage = PROBE_DONE, .auth = PROBE_AUTH_OK },
};

START_TEST(json)
{
	json_t *doc = probe_show_json(&upstream, results, 3, 1000);
	char *text = json_dumps(doc, JSON_COMPACT);

	ck_assert_str_eq(text, "{\"upstream\":\"sg\",\"host\":\"smtp.x\",\"ok\":true,\"best\":\"465/implicit\",\"candidates\":["
	    "{\"port\":587,\"tls\":\"starttls\",\"address\":\"192.0.2.1\",\"ok\":false,\"stage\":\"tcp\","
	    "\"reason\":\"no answer to TCP in 10 s\",\"advice\":\"this network blocks port 587\",\"ms\":10000,"
	    "\"tls_version\":\"\",\"certificate\":null,\"auth\":\"not tried\",\"steps\":["
	    "{\"stage\":\"name\",\"ok\":true,\"ms\":0},{\"stage\":\"tcp\",\"ok\":false,\"ms\":10000}]},"
	    "{\"port\":2525,\"tls\":\"starttls\",\"address\":\"2001:db8::1\",\"ok\":true,\"stage\":\"done\",\"reason\":\"\","
	    "\"advice\":\"\",\"ms\":90,\"tls_version\":\"TLSv1.3\",\"certificate\":null,\"auth\":\"not tried\",\"steps\":[]},"
	    "{\"port\":465,\"tls\":\"implicit\",\"address\":\"192.0.2.1\",\"ok\":true,\"stage\":\"done\",\"reason\":\"\","
	    "\"advice\":\"\",\"ms\":80,\"tls_version\":\"TLSv1.3\",\"certificate\":{\"subject\":\"CN=smtp.x\","
	    "\"issuer\":\"CN=CA\",\"days_left\":30,\"chain\":\"CN=CA; CN=Root\"},"
	    "\"auth\":\"ok\",\"steps\":[]}]}");
	free(text);
	json_decref(doc);
}
END_TEST

START_TEST(json_of_nothing_usable)
{
	json_t *doc = probe_show_json(&upstream, results, 1, 1000);

	ck_assert(json_is_false(json_object_get(doc, "ok")));
	ck_assert(json_is_null(json_object_get(doc, "best")));
	json_decref(doc);
}
END_TEST

/* B-019: credentials are refused on every port, whatever its number. */
START_TEST(a_refused_login_makes_no_port_usable)
{
	json_t *doc = probe_show_json(&upstream, shut_out, 2, 1000);
	struct buf out = { 0 };

	ck_assert(json_is_false(json_object_get(doc, "ok")));
	ck_assert(json_is_null(json_object_get(doc, "best")));
	probe_show_words(&out, doc, false);
	ck_assert_msg(strstr(out.data, "the login fails: no port is usable") != NULL, "%s", out.data);
	ck_assert_msg(strstr(out.data, "TCP ok 10 ms, login FAILED 20 ms") != NULL, "%s", out.data);
	json_decref(doc);
	buf_clear(&out);
	doc = probe_show_json(&upstream, second, 2, 1000);
	ck_assert_str_eq(json_string_value(json_object_get(doc, "best")), "465/implicit");
	json_decref(doc);
}
END_TEST

START_TEST(words)
{
	json_t *doc = probe_show_json(&upstream, results, 3, 1000);
	struct buf out = { 0 };

	probe_show_words(&out, doc, false);
	ck_assert_str_eq(out.data, "sg (smtp.x): usable, best by 465/implicit\n"
	    "     587 starttls  192.0.2.1    FAILED  10 s   no answer to TCP in 10 s\n"
	    "        name ok <1 ms, TCP FAILED 10 s\n"
	    "        this network blocks port 587\n"
	    "    2525 starttls  2001:db8::1  ok      90 ms  ready for mail\n"
	    "     465 implicit  192.0.2.1    ok      80 ms  ready for mail, login ok\n"
	    "        TLSv1.3, certificate CN=smtp.x, issued by CN=CA, 30 days left; sent with it: CN=CA; CN=Root\n");
	json_decref(doc);
	doc = probe_show_json(&upstream, results, 0, 1000);
	buf_cut(&out, 0);
	probe_show_words(&out, doc, false);
	ck_assert_str_eq(out.data, "sg (smtp.x): no port is usable\n");
	json_decref(doc);
	buf_clear(&out);
}
END_TEST

Suite *test_probe_show(void);

Suite *
test_probe_show(void)
{
	Suite *s = suite_create("test_probe_show");
	TCase *t = tcase_create("probe_show");

	tcase_add_test(t, json);
	tcase_add_test(t, json_of_nothing_usable);
	tcase_add_test(t, a_refused_login_makes_no_port_usable);
	tcase_add_test(t, words);
	suite_add_tcase(s, t);
	return s;
}
