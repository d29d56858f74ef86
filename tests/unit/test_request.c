/* Requests to the control socket: what is taken, and that nothing else is (PROTOCOL.md C-15). */
#include "control/request.h"

#include <check.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "unit/bytes.h"

#define ID "01ARZ3NDEKTSV"

static const struct {
	const char *line;
	unsigned given;
	unsigned nid;
} good[] = {
	{ "{\"command\":\"status\"}", 0, 0 },
	{ " {\"command\" : \"status\"}\r", 0, 0 },
	{ "{\"command\":\"queue\",\"from\":\"*@a\",\"to\":\"b@c\",\"older_s\":0,\"held\":false,\"limit\":10}",
	  REQUEST_FROM | REQUEST_TO | REQUEST_OLDER | REQUEST_HELD | REQUEST_LIMIT, 0 },
	{ "{\"command\":\"show\",\"id\":\"" ID "\"}", REQUEST_ID, 1 },
	{ "{\"ids\":[\"" ID "\",\"" ID "\"],\"command\":\"hold\"}", REQUEST_IDS, 2 },
	{ "{\"command\":\"retry\",\"all\":true,\"upstream\":\"x\"}", REQUEST_ALL | REQUEST_UPSTREAM, 0 },
	{ "{\"command\":\"[[[[[[{{{{\\\"\"}", 0, 0 },
};

START_TEST(takes)
{
	struct request r;
	struct why why;
	char *copy = mem_copy(good[_i].line, strlen(good[_i].line));

	ck_assert_int_eq(request_parse(&r, (struct str){ copy, strlen(good[_i].line) }, &why), 0);
	ck_assert_uint_eq(r.given, good[_i].given);
	ck_assert_uint_eq(r.nid, good[_i].nid);
	ck_assert_ptr_nonnull(r.command);
	request_clear(&r);
	free(copy);
}
END_TEST

START_TEST(values)
{
	struct request r;
	struct why why;

	ck_assert_int_eq(request_parse(&r, STR("{\"command\":\"queue\",\"from\":\"a\",\"to\":\"\\u00e9\",\"older_s\":7,"
	    "\"held\":true,\"limit\":2147483647}"), &why), 0);
	ck_assert_str_eq(r.command, "queue");
	ck_assert_str_eq(r.from, "a");
	ck_assert_str_eq(r.to, "\xc3\xa9");
	ck_assert_int_eq(r.older_s, 7);
	ck_assert_int_eq(r.limit, 2147483647);
	ck_assert(r.held && !r.all && !r.headers);
	request_clear(&r);
	ck_assert_ptr_null(r.command);
}
END_TEST

static const struct {
	const char *line, *says;
} bad[] = {
	{ "", "one JSON object" },
	{ "status", "one JSON object" },
	{ "[]", "one JSON object" },
	{ "\"status\"", "one JSON object" },
	{ "{}", "needs a \"command\"" },
	{ "{\"command\":\"status\"} {}", "one JSON object" },
	{ "{\"command\":\"status\"", "one JSON object" },
	{ "{\"command\":\"status\",\"command\":\"queue\"}", "one JSON object" },
	{ "{\"command\":7}", "must be a string" },
	{ "{\"command\":\"a\\u0000b\"}", "one JSON object" },
	{ "{\"command\":\"\xff\"}", "one JSON object" },
	{ "{\"command\":\"queue\",\"form\":\"a\"}", "unknown field" },
	{ "{\"command\":\"queue\",\"held\":1}", "true or false" },
	{ "{\"command\":\"queue\",\"limit\":-1}", "number" },
	{ "{\"command\":\"queue\",\"limit\":2147483648}", "number" },
	{ "{\"command\":\"queue\",\"older_s\":2147483648}", "number" },
	{ "{\"command\":\"flush\",\"wait_s\":301}", "number" },
	{ "{\"command\":\"queue\",\"limit\":99999999999999999999999}", "one JSON object" },
	{ "{\"command\":\"queue\",\"limit\":1.5}", "number" },
	{ "{\"command\":\"show\",\"id\":\"\"}", "no message id" },
	{ "{\"command\":\"show\",\"id\":\"../../etc/passwd\"}", "no message id" },
	{ "{\"command\":\"show\",\"id\":[\"" ID "\"]}", "must be a string" },
	{ "{\"command\":\"hold\",\"ids\":\"" ID "\"}", "must be a list" },
	{ "{\"command\":\"hold\",\"ids\":[]}", "empty" },
	{ "{\"command\":\"hold\",\"ids\":[\"" ID "\",null]}", "no message id" },
	{ "{\"command\":\"hold\",\"ids\":[\"" ID "\"],\"id\":\"" ID "\"}", "do not go together" },
	{ "{\"command\":\"hold\",\"ids\":[[[[[\"" ID "\"]]]]]}", "nested" },
};

START_TEST(refuses)
{
	struct request r;
	struct why why = { "" };
	size_t n = strlen(bad[_i].line);
	char *copy = mem_copy(n == 0 ? "x" : bad[_i].line, n + (n == 0));

	ck_assert_int_eq(request_parse(&r, (struct str){ copy, n }, &why), -1);
	ck_assert_msg(strstr(why.text, bad[_i].says) != NULL, "%s: %s", bad[_i].line, why.text);
	ck_assert_ptr_null(r.command);
	ck_assert_ptr_null(r.id);
	free(copy);
}
END_TEST

/* Depth and length cost nothing, whatever the JSON library thinks of them. */
START_TEST(bounds)
{
	struct buf line = { 0 };
	struct request r;
	struct why why;

	for (unsigned i = 0; i < REQUEST_MAX; i++)
		buf_putc(&line, '[');
	ck_assert_int_eq(request_parse(&r, buf_str(&line), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "nested"));
	buf_putc(&line, '[');
	ck_assert_int_eq(request_parse(&r, buf_str(&line), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "octets"));
	buf_clear(&line);
}
END_TEST

/* Good requests with octets changed: an answer, never a crash. */
START_TEST(mangled)
{
	uint32_t seed = 4711 + (uint32_t)_i;
	struct request r;
	struct why why;

	for (unsigned round = 0; round < 20000; round++) {
		const char *line = good[bytes_random(&seed, sizeof good / sizeof good[0])].line;
		size_t n = strlen(line);
		char *copy = mem_copy(line, n);

		for (uint32_t k = bytes_random(&seed, 4); k > 0; k--)
			copy[bytes_random(&seed, (uint32_t)n)] = (char)bytes_random(&seed, 256);
		n -= bytes_random(&seed, 3);
		if (request_parse(&r, (struct str){ copy, n }, &why) == 0)
			ck_assert_ptr_nonnull(r.command);
		request_clear(&r);
		free(copy);
	}
}
END_TEST

Suite *test_request(void);

Suite *
test_request(void)
{
	Suite *s = suite_create("test_request");
	TCase *t = tcase_create("request");

	tcase_add_loop_test(t, takes, 0, sizeof good / sizeof good[0]);
	tcase_add_loop_test(t, refuses, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(t, values);
	tcase_add_test(t, bounds);
	tcase_add_loop_test(t, mangled, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
