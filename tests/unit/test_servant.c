/* The helper process: what it keeps of the daemon when it has been forked, and how long it stays. */
#include "errand/errand.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

enum { TIMES = 30 };

static const struct names nowhere;
static char file[] = "/tmp/gatepost-servant.XXXXXX";

static void
setup(void)
{
	static const char text[] = "hostname = \"mail.example\"\nupstream \"x\" { host = \"127.0.0.1\" auth = \"none\" }\n";
	int fd = mkstemp(file);

	log_open(LOG_ERROR, LOG_LOGFMT);
	ck_assert_int_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	close(fd);
}

static void
teardown(void)
{
	unlink(file);
}

static int
fork_one(void)
{
	const struct config_options o = { .file = file };
	struct config *c;
	struct why why;
	int fd;

	ck_assert_msg(config_load(&c, &o, NULL, NULL, &why) == 0, "%s", why.text);
	ck_assert_msg(servant_fork(&fd, &o, &nowhere, c, &why) == 0, "%s", why.text);
	config_unref(&c);
	return fd;
}

/*
 * A daemon may be killed as soon as the helper is there.  Its ports must be free then, or the next one would find them in use for
 * as long as the helper takes to die.
 */
START_TEST(it_holds_no_socket_of_the_daemon)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };	/* the kernel gives it one */
	socklen_t size;

	for (unsigned i = 0; i < TIMES; i++) {
		int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

		ck_assert_int_eq(bind(listening, (struct sockaddr *)&name, sizeof name.sun_family), 0);
		ck_assert_int_eq(listen(listening, 1), 0);
		size = sizeof name;
		ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&name, &size), 0);
		fd = fork_one();
		close(listening);
		ck_assert_msg(connect(client, (struct sockaddr *)&name, size) < 0, "%u: somebody listens on", i);
		close(client);
		close(fd);
	}
}
END_TEST

START_TEST(it_ends_when_nobody_can_ask_it)
{
	int fd = fork_one(), status;

	close(fd);
	ck_assert_int_gt(wait(&status), 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

Suite *test_servant(void);

Suite *
test_servant(void)
{
	Suite *s = suite_create("test_servant");
	TCase *t = tcase_create("servant");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, it_holds_no_socket_of_the_daemon);
	tcase_add_test(t, it_ends_when_nobody_can_ask_it);
	suite_add_tcase(s, t);
	return s;
}
