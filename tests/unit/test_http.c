/* The HTTP client against a server of ours on the same loop, plain and under TLS. */
#include "net/http.h"

#include "support_tls.h"

#include "net/dns.h"

static struct dns *d;
static struct http *h;
static int listening = -1;
static struct watch *door;
static unsigned port, arrivals;
static const char *script;	/* the server's answer; NULL: it says nothing */
static size_t step;		/* octets of it at a time */
static struct buf asked;
static bool secure, free_inside, answered;
static struct { int status; char body[256], why[400]; int64_t retry_after_s; } got;

static void
say_more(struct end *e)
{
	size_t n = strlen(script);

	for (size_t at = 0; at < n; at += step)
		stream_write(e->s, script + at, n - at < step ? n - at : step);
	stream_finish(&e->s, 1000);
}

static void
on_request(struct end *e)
{
	struct str in = stream_input(e->s);
	const char *blank, *length;

	buf_put(&asked, in.p, in.n);
	stream_consume(e->s, in.n);
	blank = strstr(asked.data, "\r\n\r\n");
	length = strstr(asked.data, "Content-Length: ");
	if (blank == NULL || (length != NULL &&
	    asked.len < (size_t)(blank + 4 - asked.data) + strtoul(length + 16, NULL, 10)))
		return;
	if (script != NULL)
		say_more(e);
}

static void
on_door(void *arg, int lfd)
{
	int s = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)arg;
	arrivals++;
	end_clear(&server);
	memset(&server, 0, sizeof server);
	server.on_data = on_request;
	server.s = stream_accept(l, s, end_on, &server);
	if (secure)
		ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
}

static void
setup(void)
{
	struct sockaddr_in sin;

	rig_setup();
	d = dns_start(l);
	cert_clear(&leaf);
	leaf = cert_make(&(struct cert_spec){ .cn = "web", .san = "DNS:localhost" }, &root);
	rig_good_contexts();
	listening = end_listen(&sin);
	port = ntohs(sin.sin_port);
	door = loop_watch(l, listening, on_door, NULL);
	script = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	step = 1000;
	arrivals = 0;
	secure = free_inside = answered = false;
	memset(&got, 0, sizeof got);
}

static void
teardown(void)
{
	http_free(&h);
	watch_free(&door);
	close(listening);
	buf_clear(&asked);
	dns_stop(&d);
	rig_teardown();
}

static void
on_answer(void *arg, const struct http_answer *a)
{
	ck_assert_ptr_eq(arg, &got);
	ck_assert(!answered);
	answered = true;
	got.status = a->status;
	got.retry_after_s = a->retry_after_s;
	snprintf(got.body, sizeof got.body, "%.*s", (int)a->body.n, a->body.p != NULL ? a->body.p : "");
	snprintf(got.why, sizeof got.why, "%s", a->why);
	if (free_inside)
		http_free(&h);
}

static void
start(const char *url, const char *type, const char *body, int64_t timeout_ms)
{
	struct http_request r = { .url = url, .content_type = type, .body = str_of(body), .timeout_ms = timeout_ms, .tls = cs };

	answered = false;
	h = http_start(l, d, &r, on_answer, &got);
	ck_assert(!answered);
}

static void
ask(const char *scheme, const char *host, const char *path)
{
	char url[256];

	secure = strcmp(scheme, "https") == 0;
	snprintf(url, sizeof url, "%s://%s:%u%s", scheme, host, port, path);
	start(url, NULL, NULL, 0);
	UNTIL(l, answered);
}

START_TEST(posts_under_tls)
{
	char url[128], want[128];

	secure = true;
	step = _i == 0 ? 1000 : (size_t)_i;
	script = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
	snprintf(url, sizeof url, "https://localhost:%u/token?x=1#part", port);
	start(url, "application/x-www-form-urlencoded", "a=b&c=d", 0);
	UNTIL(l, answered);
	ck_assert_str_eq(got.why, "");
	ck_assert_int_eq(got.status, 200);
	ck_assert_str_eq(got.body, "hello");
	ck_assert_int_eq(strncmp(asked.data, "POST /token?x=1 HTTP/1.1\r\n", 26), 0);
	snprintf(want, sizeof want, "\r\nHost: localhost:%u\r\n", port);
	ck_assert_ptr_nonnull(strstr(asked.data, want));
	ck_assert_ptr_nonnull(strstr(asked.data, "\r\nContent-Length: 7\r\n"));
	ck_assert_ptr_nonnull(strstr(asked.data, "\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
	ck_assert_ptr_nonnull(strstr(asked.data, "\r\nConnection: close\r\n"));
	ck_assert_str_eq(asked.data + asked.len - 11, "\r\n\r\na=b&c=d");
	ck_assert_uint_eq(arrivals, 1);
}
END_TEST

START_TEST(gets_in_plain_from_this_machine)
{
	script = "HTTP/1.0 503 later\r\nRetry-After: 7\r\n\r\nwords";
	ask("http", _i == 0 ? "127.0.0.1" : "localhost", "");
	ck_assert_str_eq(got.why, "");
	ck_assert_int_eq(got.status, 503);
	ck_assert_int_eq(got.retry_after_s, 7);
	ck_assert_str_eq(got.body, "words");
	ck_assert_int_eq(strncmp(asked.data, "GET / HTTP/1.1\r\n", 16), 0);
	ck_assert_ptr_null(strstr(asked.data, "Content-Length"));
}
END_TEST

START_TEST(redirects_are_not_followed)
{
	script = "HTTP/1.1 307 Go\r\nLocation: http://localhost/elsewhere\r\nContent-Length: 0\r\n\r\n";
	ask("https", "localhost", "/");
	ck_assert_int_eq(got.status, 307);
	ck_assert_uint_eq(arrivals, 1);
}
END_TEST

START_TEST(another_name_is_not_trusted)	/* B-126, B-127 */
{
	ask("https", "127.0.0.1", "/");
	ck_assert_int_eq(got.status, 0);
	ck_assert_str_eq(got.why, "127.0.0.1: certificate is for other names");
	ck_assert_uint_eq(asked.len, 0);
}
END_TEST

START_TEST(a_strange_issuer_is_not_trusted)	/* B-126, B-127 */
{
	struct cert other = cert_make(&(struct cert_spec){ .cn = "Other Root", .ca = true }, NULL);

	tls_unref(&cs);
	cs = rig_client_context(&other, true);
	ask("https", "localhost", "/");
	ck_assert_int_eq(got.status, 0);
	ck_assert_ptr_nonnull(strstr(got.why, "certificate"));
	ck_assert_uint_eq(asked.len, 0);
	cert_clear(&other);
}
END_TEST

START_TEST(https_never_becomes_plain)
{
	char url[64];

	secure = false;		/* the server speaks no TLS */
	snprintf(url, sizeof url, "https://localhost:%u/", port);
	start(url, NULL, NULL, 0);
	UNTIL(l, answered || asked.len > 0);
	if (!answered)		/* it takes our hello for a request that never ends */
		stream_close(&server.s);
	UNTIL(l, answered);
	ck_assert_int_eq(got.status, 0);
	ck_assert_ptr_null(strstr(asked.data != NULL ? asked.data : "", "GET"));
}
END_TEST

START_TEST(words_for_what_fails)
{
	static const struct { const char *script, *why; } bad[] = {
		{ "220 mail.test ESMTP\r\n", "localhost: the answer is not HTTP/1.1" },
		{ "", "localhost: the server closed the connection without an answer" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "localhost: the connection ended in the middle of the answer" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", "localhost: the answer is longer than 64 KB" },
	};

	script = bad[_i].script;
	ask("https", "localhost", "/");
	ck_assert_int_eq(got.status, 0);
	ck_assert_str_eq(got.why, bad[_i].why);
}
END_TEST

START_TEST(nobody_there)
{
	watch_free(&door);
	close(listening);
	listening = -1;
	ask("http", "127.0.0.1", "/");
	ck_assert_str_eq(got.why, "127.0.0.1: connection refused");
}
END_TEST

START_TEST(time_has_an_end)
{
	char url[64];

	script = NULL;		/* connected, asked, and silent */
	secure = _i == 1;
	snprintf(url, sizeof url, "%s://localhost:%u/", secure ? "https" : "http", port);
	start(url, NULL, NULL, 300);
	UNTIL(l, answered);
	ck_assert_int_eq(got.status, 0);
	ck_assert_str_eq(got.why, "localhost: no answer in 300 ms");
	ck_assert_uint_gt(asked.len, 0);
}
END_TEST

static const struct { const char *url, *why; } unusable[] = {
	{ "ftp://x/", "begins neither" },
	{ "https://", "no valid host" },
	{ "https:///x", "no valid host" },
	{ "https://user:pw@host/", "no valid" },
	{ "https://user@host/", "no valid host" },
	{ "https://h:0/", "no valid port" },
	{ "https://h:65536/", "no valid port" },
	{ "https://h:1:2/", "no valid port" },
	{ "https://[::1/", "no `]'" },
	{ "https://[::1]x/", "no `]'" },
	{ "https://h/a b", "blanks" },
	{ "https://h/\r\nX: y", "blanks" },
	{ "https://h\xc3\xa4/", "blanks" },
	{ "http://192.0.2.1/", "plain http to another machine" },
	{ "http://[2001:db8::1]:8080/", "plain http to another machine" },
};

START_TEST(what_is_not_asked)
{
	start(unusable[_i].url, NULL, NULL, 0);
	UNTIL(l, answered);
	ck_assert_int_eq(got.status, 0);
	ck_assert_msg(strstr(got.why, unusable[_i].why) != NULL, "%s: %s", unusable[_i].url, got.why);
}
END_TEST

START_TEST(without_tls_no_https)
{
	tls_unref(&cs);
	ask("https", "localhost", "/");
	ck_assert_str_eq(got.why, "there is no TLS to ask by");
	ck_assert_uint_eq(arrivals, 0);
}
END_TEST

/* At every stage: while it resolves, connects, shakes hands, waits; inside the answer. */
START_TEST(freed_at_any_time)
{
	char url[64];

	secure = true;
	script = NULL;
	snprintf(url, sizeof url, "https://localhost:%u/", port);
	start(url, "text/plain", "secret", 0);
	if (_i == 1)
		UNTIL(l, arrivals == 1);
	if (_i == 2)
		UNTIL(l, end_has(&server, 'S'));
	if (_i == 3)
		UNTIL(l, asked.len > 0);
	http_free(&h);
	for (int i = 0; i < 5; i++)
		loop_turn(l, false);
	ck_assert(!answered);
}
END_TEST

START_TEST(freed_inside_the_answer)
{
	free_inside = true;
	if (_i == 0)
		ask("https", "localhost", "/");
	else
		ask("ftp", "localhost", "/");
	ck_assert_ptr_null(h);
	ck_assert_int_eq(got.status, _i == 0 ? 200 : 0);
}
END_TEST

Suite *test_http(void);

Suite *
test_http(void)
{
	Suite *s = suite_create("test_http");
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, posts_under_tls, 0, 4);
	tcase_add_loop_test(t, gets_in_plain_from_this_machine, 0, 2);
	tcase_add_test(t, redirects_are_not_followed);
	tcase_add_test(t, another_name_is_not_trusted);
	tcase_add_test(t, a_strange_issuer_is_not_trusted);
	tcase_add_test(t, https_never_becomes_plain);
	tcase_add_loop_test(t, words_for_what_fails, 0, 4);
	tcase_add_test(t, nobody_there);
	tcase_add_loop_test(t, time_has_an_end, 0, 2);
	tcase_add_loop_test(t, what_is_not_asked, 0, sizeof unusable / sizeof unusable[0]);
	tcase_add_test(t, without_tls_no_https);
	tcase_add_loop_test(t, freed_at_any_time, 0, 4);
	tcase_add_loop_test(t, freed_inside_the_answer, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
