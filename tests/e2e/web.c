/* /metrics, /healthz and the status page of the real program, and who may read what there. */
#include "e2e/world.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char heard[256 * 1024];

static struct sockaddr_in
port_address(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Starts the world with its web on a free port, which is returned. */
static unsigned
up(struct world *w, const char *script587, const char *options)
{
	unsigned port = world_free_port();
	char rest[256];

	world_new(w, PROVIDER_STARTTLS, script587, PROVIDER_IMPLICIT, script587, PROVIDER_STARTTLS, script587);
	snprintf(rest, sizeof rest, "metrics { listen = \"127.0.0.1:%u\" %s }", port, options);
	world_configure(w, "", rest);
	world_start(w);
	return port;
}

static int
open_to(unsigned port)
{
	struct sockaddr_in sa = port_address(port);
	struct timeval tv = { 30, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	return fd;
}

static void
read_all(int fd)
{
	size_t got = 0;
	ssize_t r;

	while ((r = recv(fd, heard + got, sizeof heard - 1 - got, 0)) > 0)
		got += (size_t)r;
	heard[got] = '\0';
	close(fd);
}

/* The status of the answer, which is in `heard'; host NULL: our own. */
static int
get(unsigned port, const char *path, const char *host)
{
	char request[512];
	int fd = open_to(port);

	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host != NULL ? host : "localhost");
	ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	read_all(fd);
	ck_assert_msg(strncmp(heard, "HTTP/1.1 ", 9) == 0, "%.100s", heard);
	return atoi(heard + 9);
}

/* Until the page has that text. */
static bool
wait_page(unsigned port, const char *path, const char *text)
{
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(get(port, path, NULL), 200);
		if (strstr(heard, text) != NULL)
			return true;
		usleep(50000);
	}
	return false;
}

static void
submit(struct world *w, const char *to)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);

	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "canary.sender@client.example", to, "Subject: x\r\n\r\ny\r\n"), 250);
	client_free(&c);
}

static void
rewrite(struct world *w, unsigned port, const char *options)
{
	char rest[256];

	snprintf(rest, sizeof rest, "metrics { listen = \"127.0.0.1:%u\" %s }", port, options);
	world_configure(w, "", rest);
	kill(w->pid, SIGHUP);
}

START_TEST(counts_what_goes)
{
	struct world w;
	unsigned port = up(&w, NULL, "");

	ck_assert_int_eq(get(port, "/healthz", NULL), 200);
	ck_assert_int_eq(get(port, "/metrics", NULL), 200);
	ck_assert_ptr_nonnull(strstr(heard, "\ngatepost_accepted_total 0\n"));
	submit(&w, "you@far.example");
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert(wait_page(port, "/metrics", "\ngatepost_relayed_total 1\n"));
	ck_assert_ptr_nonnull(strstr(heard, "\ngatepost_accepted_total 1\n"));
	ck_assert_ptr_nonnull(strstr(heard, "\ngatepost_upstream_state{upstream=\"provider\",state=\"up\"} 1\n"));
	ck_assert_int_eq(get(port, "/", NULL), 200);
	ck_assert_ptr_nonnull(strstr(heard, "Mail is going out."));
	ck_assert_ptr_nonnull(strstr(heard, "<span class=\"pill good\">works</span> <span class=\"pill none\">in use</span>"));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* What a provider says is shown as text; addresses only where they are wanted, which a reload may change. */
START_TEST(shows_reasons_and_hides_addresses)	/* C-16 */
{
	struct world w;
	unsigned port = up(&w, "rcpt: 451 4.7.1 <script>alert(1)</script> canary.rcpt@far.example, canary.rcpt is busy", "");

	submit(&w, "canary.rcpt@far.example");
	ck_assert(wait_page(port, "/", "is busy"));
	ck_assert_ptr_nonnull(strstr(heard, "&lt;script&gt;alert(1)&lt;/script&gt; [address], [address] is busy"));
	ck_assert_ptr_null(strstr(heard, "<script>alert"));
	ck_assert_ptr_null(strstr(heard, "canary"));
	ck_assert_ptr_null(strstr(heard, "provider-secret"));
	ck_assert_int_eq(get(port, "/metrics", NULL), 200);
	ck_assert_ptr_null(strstr(heard, "canary"));
	rewrite(&w, port, "addresses = true");
	ck_assert(world_wait_log(&w, "event=reloaded", 30000));
	ck_assert(wait_page(port, "/", "<bdi>canary.sender@client.example</bdi> to <bdi>canary.rcpt@far.example</bdi>"));
	ck_assert_ptr_null(strstr(heard, "<script>alert"));
	rewrite(&w, world_free_port(), "");
	ck_assert(world_wait_log(&w, "metrics.listen cannot change while running: restart", 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

START_TEST(names_and_methods)
{
	static const char post[] = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc";
	struct world w;
	unsigned port = up(&w, NULL, "");
	char host[64];
	int fd;

	snprintf(host, sizeof host, "127.0.0.1:%u", port);
	ck_assert_int_eq(get(port, "/", host), 200);
	ck_assert_int_eq(get(port, "/", "evil.example"), 403);
	ck_assert_ptr_null(strstr(heard, "relay.example"));
	ck_assert_int_eq(get(port, "/", "relay.example"), 403);
	ck_assert_int_eq(get(port, "/other", NULL), 404);
	fd = open_to(port);
	ck_assert_int_eq(send(fd, post, sizeof post - 1, MSG_NOSIGNAL), (ssize_t)sizeof post - 1);
	read_all(fd);
	ck_assert_int_eq(strncmp(heard, "HTTP/1.1 405 ", 13), 0);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 8 KB, 32 connections, 10 s though an octet comes all the time; mail goes on meanwhile. */
START_TEST(limits)
{
	struct world w;
	unsigned port = up(&w, NULL, "");
	static char large[12000];
	int fd[32], extra;
	int64_t began;

	memset(large, 'x', sizeof large - 1);
	memcpy(large, "GET / HTTP/1.1\r\nX:", 18);
	extra = open_to(port);
	ck_assert_int_gt(send(extra, large, sizeof large - 1, MSG_NOSIGNAL), 0);
	read_all(extra);
	ck_assert_int_eq(strncmp(heard, "HTTP/1.1 431 ", 13), 0);
	began = now_ms();
	for (unsigned i = 0; i < 32; i++)
		fd[i] = open_to(port);
	extra = open_to(port);
	read_all(extra);
	ck_assert_int_eq(strncmp(heard, "HTTP/1.1 503 ", 13), 0);
	submit(&w, "you@far.example");
	ck_assert(provider_wait(w.provider, 1, 30000));
	while (poll(&(struct pollfd){ fd[0], POLLIN, 0 }, 1, 500) == 0 && now_ms() - began < 60000)
		ck_assert_int_eq(send(fd[0], "G", 1, MSG_NOSIGNAL), 1);
	ck_assert_int_ge(now_ms() - began, 9900);
	read_all(fd[0]);
	ck_assert_int_eq(strncmp(heard, "HTTP/1.1 408 ", 13), 0);
	for (unsigned i = 1; i < 32; i++)
		read_all(fd[i]);	/* they have ended too */
	ck_assert_int_eq(get(port, "/healthz", NULL), 200);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

static char text[128 * 1024];

static void
read_text(const char *path)
{
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
}

/* How many names of metrics stand in `in'; each must stand in `of', after `before'. */
static unsigned
names_of(const char *in, const char *mark, const char *of, const char *before)
{
	unsigned n = 0;

	for (const char *p = in; (p = strstr(p, mark)) != NULL; n++) {
		const char *name = strstr(p, "gatepost_");
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
		char wanted[96];

		snprintf(wanted, sizeof wanted, "%s%.*s", before, (int)len, name);
		ck_assert_msg(strstr(of, wanted) != NULL, "%s is missing", wanted);
		p = name + len;
	}
	return n;
}

/* Each name in the dashboard is one that /metrics has, and each that it has is in the manual. */
START_TEST(dashboard_and_manual)
{
	struct world w;
	unsigned port = up(&w, NULL, "");

	ck_assert_int_eq(get(port, "/metrics", NULL), 200);
	read_text("conf/grafana.json");
	ck_assert_uint_ge(names_of(text, "gatepost_", heard, "\n# TYPE "), 15);
	read_text("docs/man/gatepost.1");
	ck_assert_uint_ge(names_of(heard, "# TYPE gatepost_", text, ""), 18);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

START_TEST(beyond_loopback_only_with_a_warning)
{
	unsigned port = world_free_port();
	struct world w;
	char rest[128], out[4096];

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	snprintf(rest, sizeof rest, "metrics { listen = \"0.0.0.0:%u\" }", port);
	world_configure(&w, "", rest);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	ck_assert_msg(strstr(out, "can read the status page") != NULL, "%s", out);
	snprintf(rest, sizeof rest, "metrics { listen = \"127.0.0.1:%u\" }", port);
	world_configure(&w, "", rest);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	ck_assert_msg(strstr(out, "can read the status page") == NULL, "%s", out);
	world_free(&w);
}
END_TEST

/* Also where it is said of the upstream, and where only a part of the address is. */
START_TEST(hides_what_the_messages_know)	/* C-16 */
{
	static const char reason[] = "451 4.7.1 [address] and [address] wait (defer.example)";
	struct world w;
	unsigned port = up(&w, "mail: 451 4.7.1 \"quoted guy\"@defer.example and jane.doe wait (defer.example)", "");
	struct client *c = client_new(&w, w.l587, CLIENT_STARTTLS);
	const char *first = NULL;

	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "\"quoted guy\"@defer.example", "jane.doe@defer.example", "Subject: x\r\n\r\ny\r\n"), 250);
	client_free(&c);
	for (int i = 0; i < 300 && (first == NULL || strstr(first + 1, reason) == NULL); i++) {
		usleep(50000);
		ck_assert_int_eq(get(port, "/", NULL), 200);
		first = strstr(heard, reason);
	}
	ck_assert_msg(first != NULL && strstr(first + 1, reason) != NULL, "%s", heard);	/* of the upstream, and of the message */
	ck_assert_ptr_null(strstr(heard, "quoted guy"));
	ck_assert_ptr_null(strstr(heard, "jane.doe"));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

Suite *web_suite(void);

Suite *
web_suite(void)
{
	Suite *s = suite_create("web");
	TCase *t = tcase_create("web");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, counts_what_goes);
	tcase_add_test(t, shows_reasons_and_hides_addresses);
	tcase_add_test(t, hides_what_the_messages_know);
	tcase_add_test(t, names_and_methods);
	tcase_add_test(t, limits);
	tcase_add_test(t, dashboard_and_manual);
	tcase_add_test(t, beyond_loopback_only_with_a_warning);
	suite_add_tcase(s, t);
	return s;
}
