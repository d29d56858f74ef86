/* Socket activation: sockets that were opened by another, who keeps them over a restart. */
#include "e2e/world.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT "Subject: x\r\n\r\ny\r\n"

static void
pass_tcp(struct world *w, unsigned port, int type)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	if (type == SOCK_STREAM)
		ck_assert_int_eq(listen(fd, 128), 0);
	w->pass[w->npass++] = fd;
}

static struct sockaddr_un
submit_address(const struct world *w, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s/%s", w->dir, name);
	return sun;
}

static void
pass_unix(struct world *w, const char *name)
{
	struct sockaddr_un sun = submit_address(w, name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	ck_assert_int_eq(listen(fd, 128), 0);
	w->pass[w->npass++] = fd;
}

static void
end(struct world *w)
{
	for (unsigned i = 0; i < w->npass; i++)
		close(w->pass[i]);
	world_free(w);
}

static void
begin(struct world *w)
{
	world_new(w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(w, "", "");
}

static void
greeted(int fd)
{
	char line[4] = "";

	ck_assert_int_eq(recv(fd, line, 3, MSG_WAITALL), 3);
	ck_assert_str_eq(line, "220");
	close(fd);
}

static int
connect_to(const void *sa, socklen_t n, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 10 }, sizeof(struct timeval));
	ck_assert_msg(connect(fd, sa, n) == 0, "a client was refused");
	return fd;
}

/* Who comes while nobody serves waits, at the ports and at submit_socket. */
START_TEST(a_restart_refuses_nobody)
{
	struct world w;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un sun;
	struct client *c;
	int tcp, local;

	begin(&w);
	pass_unix(&w, "submit.sock");
	pass_tcp(&w, w.l2525, SOCK_STREAM);	/* any order: the address counts */
	pass_tcp(&w, w.l587, SOCK_STREAM);
	pass_tcp(&w, w.l465, SOCK_STREAM);
	sun = submit_address(&w, "submit.sock");
	sa.sin_port = htons((uint16_t)w.l587);
	world_start(&w);
	for (int i = 0; i < 2; i++) {
		c = client_new(&w, i == 0 ? w.l587 : w.l465, i == 0 ? CLIENT_STARTTLS : CLIENT_IMPLICIT);
		ck_assert(client_login(c));
		ck_assert_int_eq(client_mail(c, "app@relay.example", "you@far.example", TEXT), 250);
		client_free(&c);
	}
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	tcp = connect_to(&sa, sizeof sa, AF_INET);
	local = connect_to(&sun, sizeof sun, AF_UNIX);
	world_start(&w);
	greeted(tcp);
	greeted(local);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert_int_eq(access(sun.sun_path, F_OK), 0);
	end(&w);
}
END_TEST

/* What was passed and what is configured differ: told, and nothing is left to guess. */
START_TEST(a_mismatch_is_an_error)
{
	static const char *const words[] = {
		"listen 127.0.0.1:%u: no socket for it was passed by who started us; add ListenStream=127.0.0.1:%u",
		"a socket for 127.0.0.1:%u was passed by who started us, and nothing is configured for it",
		"submit.sock: another unix socket was passed by who started us",
		"descriptor 6, passed by who started us, is no listening stream socket"
	};
	struct world w;
	char out[4096], text[256];
	unsigned port;

	begin(&w);
	pass_tcp(&w, w.l587, SOCK_STREAM);
	pass_tcp(&w, w.l465, SOCK_STREAM);
	port = w.l2525;
	if (_i != 0)
		pass_tcp(&w, w.l2525, SOCK_STREAM);
	if (_i == 1) {
		struct sockaddr_in sa;
		socklen_t n = sizeof sa;

		pass_tcp(&w, 0, SOCK_STREAM);
		ck_assert_int_eq(getsockname(w.pass[w.npass - 1], (struct sockaddr *)&sa, &n), 0);
		port = ntohs(sa.sin_port);
	} else if (_i == 2)
		pass_unix(&w, "other.sock");
	else if (_i == 3)
		pass_tcp(&w, 0, SOCK_DGRAM);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, words[_i], port, port);
#pragma GCC diagnostic pop
	ck_assert_msg(strstr(out, text) != NULL, "%s", out);
	end(&w);
}
END_TEST

/* Ports alone may be passed, or submit_socket alone: the rest is ours, and goes with us. */
START_TEST(each_kind_for_itself)
{
	struct world w;
	struct sockaddr_un sun;
	struct client *c;

	begin(&w);
	if (_i == 0)
		pass_unix(&w, "submit.sock");
	else {
		pass_tcp(&w, w.l587, SOCK_STREAM);
		pass_tcp(&w, w.l465, SOCK_STREAM);
		pass_tcp(&w, w.l2525, SOCK_STREAM);
	}
	sun = submit_address(&w, "submit.sock");
	world_start(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	client_free(&c);
	greeted(connect_to(&sun, sizeof sun, AF_UNIX));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert_int_eq(access(sun.sun_path, F_OK), _i == 0 ? 0 : -1);
	end(&w);
}
END_TEST

Suite *activation_suite(void);
Suite *
activation_suite(void)
{
	Suite *s = suite_create("activation");
	TCase *tc = tcase_create("activation");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_restart_refuses_nobody);
	tcase_add_loop_test(tc, a_mismatch_is_an_error, 0, 4);
	tcase_add_loop_test(tc, each_kind_for_itself, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
