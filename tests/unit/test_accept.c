/* Listening sockets: addresses, the words of failures, and life without descriptors. */
#include "net/accept.h"

#include "base/count.h"
#include "base/log.h"
#include "support_net.h"
#include "support_certs.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct loop *l;
static struct accept *a;
static struct why why;
static int got[8], ngot;

static void
setup(void)
{
	log_open(LOG_ERROR, LOG_LOGFMT);
	l = loop_new("test");
	ngot = 0;
	cert_dir_open();
}

static void
teardown(void)
{
	accept_stop(&a);
	while (ngot > 0)
		close(got[--ngot]);
	loop_free(&l);
	cert_dir_remove();
}

static const struct parse_case {
	const char *text;
	int family;		/* 0: refused */
	unsigned port;
} parse_cases[] = {
	{ "127.0.0.1:587", AF_INET, 587 },
	{ "0.0.0.0:25", AF_INET, 25 },
	{ "[::1]:465", AF_INET6, 465 },
	{ "[::]:65535", AF_INET6, 65535 },
	{ "[2001:db8::25]:25", AF_INET6, 25 },
	{ "[::ffff:127.0.0.1]:25", AF_INET6, 25 },
	{ "127.0.0.1:0", AF_INET, 0 },
	{ "", 0, 0 },
	{ ":587", 0, 0 },
	{ "587", 0, 0 },
	{ "127.0.0.1", 0, 0 },
	{ "127.0.0.1:", 0, 0 },
	{ "127.0.0.1:65536", 0, 0 },
	{ "127.0.0.1:99999999999999999999", 0, 0 },
	{ "127.0.0.1:-1", 0, 0 },
	{ "127.0.0.1:25 ", 0, 0 },
	{ "127.0.0.1:0x19", 0, 0 },
	{ "127.1:25", 0, 0 },
	{ "127.0.0.1.:25", 0, 0 },
	{ "localhost:587", 0, 0 },
	{ "::1:465", 0, 0 },
	{ "[::1]465", 0, 0 },
	{ "[::1:465", 0, 0 },
	{ "[]:465", 0, 0 },
	{ "[127.0.0.1]:465", 0, 0 },
	{ "[:25", 0, 0 },
	{ "[2001:0db8:0000:0000:0000:0000:0000:00250000000000000000000000000]:25", 0, 0 },
};

START_TEST(addresses)
{
	const struct parse_case *c = &parse_cases[_i];
	struct sockaddr_storage sa;
	socklen_t len;
	int r = accept_parse(c->text, &sa, &len);

	ck_assert_int_eq(r, c->family == 0 ? -1 : 0);
	if (c->family == 0)
		return;
	ck_assert_int_eq(sa.ss_family, c->family);
	ck_assert_uint_eq(ntohs(((struct sockaddr_in *)&sa)->sin_port), c->port);
	ck_assert_uint_eq(len, c->family == AF_INET ? sizeof(struct sockaddr_in) :
	    sizeof(struct sockaddr_in6));
}
END_TEST

START_TEST(failures_in_words)
{
	struct sockaddr_in sin;
	char address[32];
	int other = end_listen(&sin);

	snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(sin.sin_port));
	ck_assert_int_eq(accept_bind(address, &why), -1);
	ck_assert_msg(strstr(why.text, "is in use by another program") != NULL, "%s", why.text);
	ck_assert_msg(strstr(why.text, address) != NULL, "%s", why.text);
	ck_assert_int_eq(accept_bind("192.0.2.1:25252", &why), -1);
	ck_assert_msg(strstr(why.text, "not an address of this machine") != NULL, "%s", why.text);
	ck_assert_int_eq(accept_bind("localhost:25", &why), -1);
	ck_assert_msg(strstr(why.text, "localhost:25 is not an address and a port") != NULL, "%s", why.text);
	close(other);
}
END_TEST

/* --- unix sockets ------------------------------------------------------------------- */

static int
connect_unix(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sun.sun_path, sizeof sun.sun_path, "%s", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
		return fd;
	close(fd);
	return -1;
}

START_TEST(unix_sockets)
{
	const char *path = cert_path("s");
	struct stat st;
	int fd = accept_bind_unix(path, 0660, &why), client;

	ck_assert_msg(fd >= 0, "%s", why.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	client = connect_unix(path);
	ck_assert_int_ge(client, 0);
	close(client);

	ck_assert_int_eq(accept_bind_unix(path, 0660, &why), -1);	/* a live one */
	ck_assert_msg(strstr(why.text, "in use") != NULL, "%s", why.text);

	close(fd);			/* a stale one */
	fd = accept_bind_unix(path, 0600, &why);
	ck_assert_msg(fd >= 0, "%s", why.text);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	close(fd);
}
END_TEST

START_TEST(no_unix_socket)
{
	char longer[200];
	const char *path = cert_path("file");

	cert_write_text("file", "precious");
	ck_assert_int_eq(accept_bind_unix(path, 0660, &why), -1);
	ck_assert_msg(strstr(why.text, "not a socket") != NULL, "%s", why.text);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(symlink(path, cert_path("link")), 0);
	ck_assert_int_eq(accept_bind_unix(cert_path("link"), 0660, &why), -1);
	ck_assert_msg(strstr(why.text, "not a socket") != NULL, "%s", why.text);
	memset(longer, 'x', sizeof longer);
	longer[108] = '\0';
	ck_assert_int_eq(accept_bind_unix(longer, 0660, &why), -1);
	ck_assert_msg(strstr(why.text, "107 octets") != NULL, "%s", why.text);
	ck_assert_int_eq(accept_bind_unix("/nonexistent/s", 0660, &why), -1);
	ck_assert_msg(strstr(why.text, "/nonexistent/s: its directory does not exist; make it") != NULL, "%s", why.text);
}
END_TEST

/* --- accepting ------------------------------------------------------------------------ */

static struct sockaddr_in at;

static int
listen_here(void)
{
	socklen_t len = sizeof at;
	int fd = accept_bind("127.0.0.1:0", &why);

	ck_assert_msg(fd >= 0, "%s", why.text);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	return fd;
}

static int
connect_here(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

static void
on_client(void *arg, int fd)
{
	ck_assert_ptr_eq(arg, got);
	got[ngot++] = fd;
}

START_TEST(clients_are_handed_over)
{
	int fd = listen_here(), c[3];

	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	a = accept_start(l, fd, on_client, got);
	for (int i = 0; i < 3; i++)
		c[i] = connect_here();
	UNTIL(l, ngot == 3);
	ck_assert(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	ck_assert(fcntl(got[0], F_GETFL) & O_NONBLOCK);
	accept_stop(&a);
	ck_assert_ptr_null(a);
	close(connect_here());		/* still listening: another thread may */
	loop_turn(l, false);
	ck_assert_int_eq(ngot, 3);
	for (int i = 0; i < 3; i++)
		close(c[i]);
	close(fd);
}
END_TEST

static void
stop_at_once(void *arg, int fd)
{
	(void)arg;
	got[ngot++] = fd;
	accept_stop(&a);
}

START_TEST(stopping_inside)
{
	int fd = listen_here(), c[2] = { connect_here(), connect_here() };

	a = accept_start(l, fd, stop_at_once, NULL);
	UNTIL(l, a == NULL);
	loop_turn(l, false);
	ck_assert_int_eq(ngot, 1);
	close(c[0]);
	close(c[1]);
	close(fd);
}
END_TEST

/* Sets the limit so that the next descriptor is one too many. */
static void
starve(struct rlimit *before)
{
	struct rlimit r;
	int next = dup(0);

	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, before), 0);
	r = *before;
	r.rlim_cur = (rlim_t)next;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
}

static const char full[] = "421 4.3.2 no room\r\n";

static bool
was_told(int fd)
{
	char text[64] = "";

	return recv(fd, text, sizeof text - 1, MSG_DONTWAIT) > 0 && strcmp(text, full) == 0 &&
	    recv(fd, text, 1, MSG_DONTWAIT) == 0;
}

START_TEST(without_descriptors)		/* C-20 */
{
	int64_t errors = count_get(COUNT_ACCEPT_ERRORS);
	int fd = listen_here(), c[3];
	struct rlimit before;

	clock_fake(1000, 1);
	for (int i = 0; i < 3; i++)
		c[i] = connect_here();
	a = accept_start(l, fd, on_client, got);
	accept_say_full(a, full);
	starve(&before);
	for (int i = 0; i < 50; i++)	/* no spin */
		loop_turn(l, false);
	ck_assert_int_eq(count_get(COUNT_ACCEPT_ERRORS) - errors, 1);
	ck_assert(was_told(c[0]));
	ck_assert(!was_told(c[1]));
	clock_fake_add(99);
	loop_turn(l, false);
	ck_assert(!was_told(c[1]));
	clock_fake_add(1);
	loop_turn(l, false);
	loop_turn(l, false);
	ck_assert(was_told(c[1]));
	ck_assert_int_eq(count_get(COUNT_ACCEPT_ERRORS) - errors, 2);
	setrlimit(RLIMIT_NOFILE, &before);
	clock_fake_add(100);
	UNTIL(l, ngot == 1);		/* and there it is again */
	ck_assert(!was_told(c[2]));
	for (int i = 0; i < 3; i++)
		close(c[i]);
	close(fd);
}
END_TEST

static bool
makes_room(void *arg)
{
	*(unsigned *)arg += 1;
	return true;
}

/* C-20: where somebody is asked, that one may make room first, and the client waits. */
START_TEST(without_descriptors_for_a_moment)
{
	static unsigned asked;
	int fd = listen_here(), c[2] = { connect_here(), connect_here() };
	struct rlimit before;

	clock_fake(1000, 1);
	a = accept_start(l, fd, on_client, &asked);
	accept_ask(a, makes_room);
	accept_say_full(a, full);
	starve(&before);
	loop_turn(l, false);
	ck_assert_uint_eq(asked, 1);
	ck_assert(!was_told(c[0]));
	clock_fake_add(20);
	for (int i = 0; i < 3; i++)
		loop_turn(l, false);
	ck_assert_uint_eq(asked, 2);
	ck_assert(was_told(c[0]) && !was_told(c[1]));	/* there was none */
	setrlimit(RLIMIT_NOFILE, &before);
	accept_stop(&a);
	close(c[0]);
	close(c[1]);
	close(fd);
}
END_TEST

/* A descriptor that was shut down: clients are refused by the kernel, and the loop rests. */
START_TEST(shut_down)
{
	int fd = listen_here(), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t errors = count_get(COUNT_ACCEPT_ERRORS);

	a = accept_start(l, fd, on_client, got);
	ck_assert_int_eq(shutdown(fd, SHUT_RD), 0);
	for (int i = 0; i < 5; i++)
		loop_turn(l, false);
	ck_assert_int_lt(connect(c, (struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert_int_eq(ngot, 0);
	ck_assert_int_eq(count_get(COUNT_ACCEPT_ERRORS), errors);
	accept_stop(&a);
	close(c);
	close(fd);
}
END_TEST

START_TEST(stopping_in_the_pause)
{
	int fd = listen_here(), c = connect_here();
	struct rlimit before;

	clock_fake(1000, 1);
	a = accept_start(l, fd, on_client, got);
	starve(&before);
	loop_turn(l, false);
	accept_stop(&a);
	setrlimit(RLIMIT_NOFILE, &before);
	clock_fake_add(200);
	loop_turn(l, false);
	ck_assert_int_eq(ngot, 0);
	close(c);
	close(fd);
}
END_TEST

Suite *test_accept(void);
Suite *
test_accept(void)
{
	Suite *s = suite_create("test_accept");
	TCase *tc = tcase_create("accept");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, addresses, 0, sizeof parse_cases / sizeof parse_cases[0]);
	tcase_add_test(tc, failures_in_words);
	tcase_add_test(tc, unix_sockets);
	tcase_add_test(tc, no_unix_socket);
	tcase_add_test(tc, clients_are_handed_over);
	tcase_add_test(tc, stopping_inside);
	tcase_add_test(tc, without_descriptors);
	tcase_add_test(tc, without_descriptors_for_a_moment);
	tcase_add_test(tc, shut_down);
	tcase_add_test(tc, stopping_in_the_pause);
	suite_add_tcase(s, tc);
	return s;
}
