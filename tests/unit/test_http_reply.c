/* Answers of an HTTP server, whole and in trickles. */
#include "net/http_reply.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

static void
feed(struct http_reply *r, const char *text, size_t n, size_t step)
{
	http_reply_init(r);
	for (size_t at = 0; at < n; at += step)
		http_reply_feed(r, text + at, n - at < step ? n - at : step);
}

static const size_t steps[] = { 1000000, 1, 2, 3 };
enum { STEPS = sizeof steps / sizeof steps[0] };

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *text, *body;
	int status;
	bool at_end;		/* complete only when the peer closes */
} good[] = {
	{ OK "Content-Length: 5\r\n\r\nhello", "hello", 200, false },
	{ OK "content-length:5\n\nhello and more", "hello", 200, false },
	{ OK "Content-Length: 0\r\n\r\n", "", 200, false },
	{ "HTTP/1.0 400\r\n\r\n{}", "{}", 400, true },
	{ "HTTP/1.1 204 \r\n\r\n", "", 204, false },
	{ "HTTP/1.1 503 Sorry\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", "", 503, false },
	{ OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX: y\r\n\r\n", "hello world", 200, false },
	{ OK "Transfer-Encoding: Chunked\r\n\r\n00A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 200, false },
	{ "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK "Content-Length: 2\r\n\r\nok", "ok", 200, false },
	{ "HTTP/1.1 103 Early\r\nTransfer-Encoding: chunked\r\n\r\n" OK "Content-Length: 2\r\n\r\nok", "ok", 200, false },
	{ "HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 1\r\n\r\nx", "x", 302, false },
	{ OK "Content-Encoding: identity\r\nContent-Length: 1\r\n\r\nx", "x", 200, false },
};
enum { GOOD = sizeof good / sizeof good[0] };

START_TEST(reads_answers)
{
	struct http_reply r;
	size_t at = (size_t)_i / STEPS;

	feed(&r, good[at].text, strlen(good[at].text), steps[_i % STEPS]);
	if (good[at].at_end) {
		ck_assert_int_eq(r.state, HTTP_BODY_TO_END);
		http_reply_end(&r);
	}
	ck_assert_msg(r.state == HTTP_DONE, "%s: %d %s", good[at].text, (int)r.state, r.why != NULL ? r.why : "");
	ck_assert_int_eq(r.status, good[at].status);
	ck_assert_uint_eq(r.body.len, strlen(good[at].body));
	ck_assert_int_eq(memcmp(r.body.len > 0 ? r.body.data : "", good[at].body, r.body.len), 0);
	ck_assert_int_eq(r.retry_after_s, r.status == 503 ? 120 : 0);
	http_reply_end(&r);
	ck_assert_int_eq(r.state, HTTP_DONE);
	http_reply_clear(&r);
}
END_TEST

static const struct {
	const char *text, *why;
} refused[] = {
	{ "220 mail.test ESMTP\r\n", "not HTTP/1.1" },
	{ "HTTP/2 200\r\n\r\n", "not HTTP/1.1" },
	{ "HTTP/1.1 20x OK\r\n\r\n", "not HTTP/1.1" },
	{ "HTTP/1.1 2000 OK\r\n\r\n", "not HTTP/1.1" },
	{ "HTTP/1.1 099 OK\r\n\r\n", "not HTTP/1.1" },
	{ "\r\n", "not HTTP/1.1" },
	{ "HTTP/1.1 101 Switching\r\n\r\n", "changes the protocol" },
	{ OK "nonsense\r\n\r\n", "no header field" },
	{ OK "Length : 1\r\n\r\n", "no header field" },
	{ OK "A: b\r\n folded\r\n\r\n", "no header field" },
	{ OK ": x\r\n\r\n", "no header field" },
	{ OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "Content-Length" },
	{ OK "Content-Length: -1\r\n\r\n", "Content-Length" },
	{ OK "Content-Length: 0x10\r\n\r\n", "Content-Length" },
	{ OK "Content-Length: 65537\r\n\r\n", "longer than 64 KB" },
	{ OK "Content-Length: 99999999999999999999999\r\n\r\n", "longer than 64 KB" },
	{ OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "both a length and chunks" },
	{ OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "transfer encoding" },
	{ OK "Content-Encoding: gzip\r\n\r\n", "compressed" },
	{ OK "Transfer-Encoding: chunked\r\n\r\nx\r\n", "chunks" },
	{ OK "Transfer-Encoding: chunked\r\n\r\n\r\n", "chunks" },
	{ OK "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "chunks" },
	{ OK "Transfer-Encoding: chunked\r\n\r\n123456789\r\n", "chunks" },
	{ OK "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", "longer than 64 KB" },
	{ OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n10000\r\n", "longer than 64 KB" },
	{ OK "A: b\rc\r\n\r\n", "bare CR" },
};
enum { REFUSED = sizeof refused / sizeof refused[0] };

START_TEST(refuses)
{
	struct http_reply r;
	size_t at = (size_t)_i / STEPS;

	feed(&r, refused[at].text, strlen(refused[at].text), steps[_i % STEPS]);
	ck_assert_msg(r.state == HTTP_BAD, "%s", refused[at].text);
	ck_assert_msg(strstr(r.why, refused[at].why) != NULL, "%s: %s", refused[at].text, r.why);
	http_reply_feed(&r, "x", 1);
	http_reply_end(&r);
	ck_assert_int_eq(r.state, HTTP_BAD);
	http_reply_clear(&r);
}
END_TEST

START_TEST(refuses_a_nul)
{
	static const char text[] = OK "A: b\0c\r\n\r\n";
	struct http_reply r;

	feed(&r, text, sizeof text - 1, steps[_i]);
	ck_assert_int_eq(r.state, HTTP_BAD);
	http_reply_clear(&r);
}
END_TEST

/* However it is said: a head of 8 KB and a body of 64 KB is all that it gets. */
START_TEST(is_bounded)
{
	static const struct { const char *start, *again, *why; size_t most; } forever[] = {
		{ OK, "X-Pad: 0123456789\r\n", "longer than 8 KB", 9000 },
		{ OK "A: ", "aaaaaaaaaaaaaaaa", "longer than 8 KB", 9000 },
		{ "", "HTTP/1.1 100 Continue\r\n\r\n", "longer than 8 KB", 9000 },
		{ OK "\r\n", "0123456789abcdef", "longer than 64 KB", 70000 },
		{ OK "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", "longer than 8 KB", 30000 },
		{ OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", "longer than 8 KB", 9000 },
	};
	struct http_reply r;
	size_t fed = 0;

	feed(&r, forever[_i].start, strlen(forever[_i].start), 1000);
	while (r.state != HTTP_BAD) {
		http_reply_feed(&r, forever[_i].again, strlen(forever[_i].again));
		fed += strlen(forever[_i].again);
		ck_assert_uint_lt(fed, forever[_i].most);
		ck_assert_int_ne(r.state, HTTP_DONE);
	}
	ck_assert_msg(strstr(r.why, forever[_i].why) != NULL, "%s", r.why);
	http_reply_clear(&r);
}
END_TEST

START_TEST(takes_a_body_of_full_size)
{
	struct http_reply r;
	char *text = mem_zero(HTTP_BODY_MAX + 100);
	int n = snprintf(text, 100, OK "Content-Length: %d\r\n\r\n", HTTP_BODY_MAX);

	memset(text + n, 'x', HTTP_BODY_MAX);
	feed(&r, text, (size_t)n + HTTP_BODY_MAX, 7777);
	ck_assert_int_eq(r.state, HTTP_DONE);
	ck_assert_uint_eq(r.body.len, HTTP_BODY_MAX);
	http_reply_clear(&r);
	free(text);
}
END_TEST

START_TEST(ends_too_early)
{
	static const char text[] = OK "Content-Length: 5\r\n\r\nhello";

	for (size_t n = 0; n < sizeof text - 1; n++) {
		struct http_reply r;

		feed(&r, text, n, 1000);
		http_reply_end(&r);
		ck_assert_msg(r.state == HTTP_BAD, "after %zu octets", n);
		ck_assert_ptr_nonnull(strstr(r.why, n == 0 ? "without an answer" : "in the middle"));
		http_reply_clear(&r);
	}
}
END_TEST

Suite *test_http_reply(void);

Suite *
test_http_reply(void)
{
	Suite *s = suite_create("test_http_reply");
	TCase *t = tcase_create("reply");

	tcase_add_loop_test(t, reads_answers, 0, GOOD * STEPS);
	tcase_add_loop_test(t, refuses, 0, REFUSED * STEPS);
	tcase_add_loop_test(t, refuses_a_nul, 0, STEPS);
	tcase_add_loop_test(t, is_bounded, 0, 6);
	tcase_add_test(t, takes_a_body_of_full_size);
	tcase_add_test(t, ends_too_early);
	suite_add_tcase(s, t);
	return s;
}
