/* The web room with a control room played by the test: looks, limits, and time (CONTRACT.md 5). */
#include "web/web.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>

#include "base/log.h"
#include "support_net.h"
#include "web/visitor.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"

static struct loop *l;
static struct channel *control;
static struct web *web;
static struct config *config;
static struct sockaddr_in at;
static int listener;
static struct look *look;	/* asked for and not answered */
static unsigned looks;
static bool answers;
static char upstream[4096];	/* a reason to be shown */

static void
answer_look(void)
{
	struct look *k = look;
	char text[8192];

	look = NULL;
	snprintf(text, sizeof text, "{\"version\":\"1\",\"uptime_s\":1,\"hostname\":\"relay.example\",\"queue\":{\"messages\":1},"
	    "\"counters\":{\"accepted\":%u},\"upstreams\":[{\"name\":\"main\",\"state\":\"down\",\"reason\":\"%s\"}]}", looks, upstream);
	k->status = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(k->status);
	k->oldest = json_array();
	memo_post(k->back, &k->memo);
}

static void
on_look(void *arg, struct link *link)
{
	(void)arg;
	ck_assert_ptr_null(look);	/* one at a time */
	look = (struct look *)container_of(link, struct memo, link);
	looks++;
	if (answers)
		answer_look();
}

static void
setup(void)
{
	struct config_options o = { 0 };
	char path[] = "/tmp/gatepost-unit-XXXXXX";
	int fd = mkstemp(path);
	struct why why;

	ck_assert_int_ge(fd, 0);
	dprintf(fd, "hostname = \"relay.example\"\nmetrics { listen = \"127.0.0.1:9587\" }\n"
	    "upstream u { host = \"127.0.0.1\" chain = {\"25/none\"} auth = none }\n");
	close(fd);
	o.file = path;
	ck_assert_msg(config_load(&config, &o, NULL, NULL, &why) == 0, "%s", why.text);
	unlink(path);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	l = loop_new("test");
	listener = end_listen(&at);
	ck_assert_int_eq(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	control = channel_new(l, on_look, NULL);
	look = NULL;
	looks = 0;
	answers = true;
	upstream[0] = '\0';
	web = web_new(l, listener, config, control);
}

static void
teardown(void)
{
	channel_drain(control);
	memo_look_free(&look);
	web_free(&web);
	channel_free(&control);
	close(listener);
	loop_free(&l);
	config_unref(&config);
}

static int
visit(const char *request)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	return fd;
}

/* Turns the loop until the peer has ended; true if it did.  What it said is in text, ended by NUL. */
static bool
hear(int fd, char *text, size_t size)
{
	size_t n = 0;

	for (unsigned i = 0; i < 15000; i++) {
		ssize_t r = recv(fd, text + n, size - 1 - n, MSG_DONTWAIT);

		text[n + (r > 0 ? (size_t)r : 0)] = '\0';
		if (r == 0 || (r < 0 && errno != EAGAIN))
			return true;
		n += r > 0 ? (size_t)r : 0;
		loop_turn(l, false);
		poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, r > 0 ? 0 : 1);
	}
	return false;
}

static void
turn(void)		/* what can happen now, happens */
{
	for (unsigned i = 0; i < 20; i++)
		loop_turn(l, false);
}

static char heard[64 * 1024];

static void
expect(int fd, const char *status, const char *text)
{
	ck_assert(hear(fd, heard, sizeof heard));
	close(fd);
	ck_assert_msg(strncmp(heard, status, strlen(status)) == 0, "%.200s", heard);
	ck_assert_msg(strstr(heard, text) != NULL, "%.200s: no %s", heard, text);
}

START_TEST(serves)
{
	expect(visit(GET("/healthz")), "HTTP/1.1 200 OK\r\n", "\r\n\r\nok\n");
	expect(visit(GET("/metrics")), "HTTP/1.1 200 OK\r\n", "\ngatepost_accepted_total ");
	ck_assert_ptr_nonnull(strstr(heard, "Content-Type: text/plain; version=0.0.4"));
	expect(visit(GET("/")), "HTTP/1.1 200 OK\r\n", "</html>");
	ck_assert_ptr_nonnull(strstr(heard, "Content-Security-Policy: default-src 'none'; style-src 'sha256-"));
	expect(visit("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 200 OK\r\n", "Content-Length: ");
	ck_assert_ptr_null(strstr(heard, "html>"));
	expect(visit("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "HTTP/1.1 405 ", "\r\nAllow: GET, HEAD\r\n");
	expect(visit("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), "HTTP/1.1 403 ", "not the name of this server");
	expect(visit(GET("/etc/passwd")), "HTTP/1.1 404 ", "there are /, /metrics and /healthz");
}
END_TEST

START_TEST(reasons_are_text)
{
	snprintf(upstream, sizeof upstream, "<script>alert(1)</script>");
	expect(visit(GET("/")), "HTTP/1.1 200 ", "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>");
}
END_TEST

/* A crowd within a second costs one look; the page, which wants messages too, one more. */
START_TEST(looks_are_shared)
{
	for (unsigned i = 0; i < 5; i++)
		expect(visit(GET("/metrics")), "HTTP/1.1 200 ", "gatepost_accepted_total 1\n");
	ck_assert_uint_eq(looks, 1);
	expect(visit(GET("/")), "HTTP/1.1 200 ", "</html>");
	expect(visit(GET("/")), "HTTP/1.1 200 ", "</html>");
	ck_assert_uint_eq(looks, 2);
	clock_fake_add(1000);
	expect(visit(GET("/metrics")), "HTTP/1.1 200 ", "gatepost_accepted_total 3\n");
}
END_TEST

/* A queue that does not answer is told of, at once after five seconds; then it answers again. */
START_TEST(stuck)
{
	int fd;

	answers = false;
	fd = visit(GET("/healthz"));
	turn();
	ck_assert_int_lt(recv(fd, heard, sizeof heard, MSG_DONTWAIT), 0);	/* it waits */
	clock_fake_add(5000);
	expect(fd, "HTTP/1.1 503 ", "\r\n\r\nstuck\n");
	expect(visit(GET("/metrics")), "HTTP/1.1 503 ", "stuck\n");
	ck_assert_uint_eq(looks, 1);
	answers = true;
	answer_look();
	turn();
	expect(visit(GET("/healthz")), "HTTP/1.1 200 ", "ok\n");
}
END_TEST

START_TEST(stopping)
{
	memo_post(web_get_channel(web), memo_new(MEMO_DRAIN, sizeof(struct memo)));
	turn();
	expect(visit(GET("/healthz")), "HTTP/1.1 503 ", "stopping\n");
	expect(visit(GET("/metrics")), "HTTP/1.1 200 ", "gatepost_");
}
END_TEST

/* Ten seconds are all there is: however often an octet comes. */
START_TEST(slow_question)
{
	int fd = visit("GET / HTTP/1.1\r\nX: ");

	for (unsigned s = 0; s < 9; s++) {
		turn();
		clock_fake_add(1000);
		ck_assert_int_eq(send(fd, "x", 1, MSG_NOSIGNAL), 1);
	}
	turn();
	ck_assert_int_lt(recv(fd, heard, sizeof heard, MSG_DONTWAIT), 0);
	clock_fake_add(1000);
	expect(fd, "HTTP/1.1 408 ", "took too long");
}
END_TEST

START_TEST(slow_reader)
{
	static char request[] = GET("/");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 2048;
	char end[16];

	for (unsigned i = 0; i + 7 < sizeof upstream; i += 5)
		memcpy(upstream + i, "<<<<<", 6);	/* four times as long when escaped */
	setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(send(fd, request, sizeof request - 1, 0), (int)sizeof request - 1);
	turn();
	ck_assert_int_gt(recv(fd, end, sizeof end, 0), 0);
	clock_fake_add(10000);
	turn();
	ck_assert(hear(fd, heard, sizeof heard));
	ck_assert_ptr_null(strstr(heard, "</html>"));	/* it was cut off */
	close(fd);
}
END_TEST

START_TEST(the_33rd)
{
	int fd[VISITORS_MAX];

	for (unsigned i = 0; i < VISITORS_MAX; i++) {
		fd[i] = visit("GET ");
		turn();
	}
	expect(visit(""), "HTTP/1.1 503 ", "too many connections at once\n");
	close(fd[0]);
	turn();
	expect(visit(GET("/healthz")), "HTTP/1.1 200 ", "ok\n");
	for (unsigned i = 1; i < VISITORS_MAX; i++)
		close(fd[i]);
	turn();
}
END_TEST

START_TEST(eight_kilobytes)
{
	static char request[9000];

	memset(request, 'x', sizeof request - 1);
	memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
	expect(visit(request), "HTTP/1.1 431 ", "larger than 8 KB");
	turn();
}
END_TEST

/* Who has gone before the answer harms nobody; nor does an end with visitors and a look under way. */
START_TEST(leaves_early)
{
	int fd;

	answers = false;
	close(visit(GET("/")));
	close(visit("GET"));
	turn();
	answer_look();
	turn();
	fd = visit(GET("/"));
	clock_fake_add(2000);
	turn();
	close(fd);
}
END_TEST

Suite *test_web(void);

Suite *
test_web(void)
{
	Suite *s = suite_create("test_web");
	TCase *t = tcase_create("web");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, serves);
	tcase_add_test(t, reasons_are_text);
	tcase_add_test(t, looks_are_shared);
	tcase_add_test(t, stuck);
	tcase_add_test(t, stopping);
	tcase_add_test(t, slow_question);
	tcase_add_test(t, slow_reader);
	tcase_add_test(t, the_33rd);
	tcase_add_test(t, eight_kilobytes);
	tcase_add_test(t, leaves_early);
	suite_add_tcase(s, t);
	return s;
}
