/* What somebody put where we read: links, FIFOs, and files that others can read or write (C-30, D-30). */
#include "e2e/world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Suite *planted_suite(void);

static struct world w;
static char out[8192];

static void
setup(void)
{
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "", "");
}

static void
teardown(void)
{
	world_free(&w);
}

/* In the world's directory. */
static void
shell(const char *how)
{
	char command[600];

	snprintf(command, sizeof command, "cd %s && %s", w.dir, how);
	ck_assert_msg(system(command) == 0, "%s", how);
}

static void
expect(const char *what)
{
	ck_assert_msg(strstr(out, what) != NULL, "%s not in\n%s", what, out);
}

/* --- the spool ---------------------------------------------------------------------- */

static const struct {
	const char *how, *command, *what;
} spools[] = {
	{ "echo only-for-root >kept && ln -sf ../../kept spool/tls/ca.pem", "ca", "ca.pem: is a symbolic link" },
	{ "rm spool/tls/ca.pem && mkfifo spool/tls/ca.pem", "ca", "ca.pem: is not a regular file" },
	{ "mv spool/tls spool/real && ln -s real spool/tls", "ca", "Not a directory" },
	{ "rm spool/tls/cert.pem && mkfifo spool/tls/cert.pem", "check", "cert.pem: is not a regular file" },
	{ "rm spool/tls/cert.pem && ln -s ../../secret spool/tls/cert.pem", "check", "cert.pem: is a symbolic link" },
	{ "rm spool/log/00000001.seg && mkfifo spool/log/00000001.seg", "spool check", "not a regular file" },
	{ "rm spool/log/00000001.seg && ln -s ../../secret spool/log/00000001.seg", "spool dump", "00000001.seg" },
};

START_TEST(a_command_is_not_led_astray)
{
	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	shell(spools[_i].how);
	ck_assert_int_ne(world_run(&w, out, sizeof out, NULL, spools[_i].command), 0);
	expect(spools[_i].what);
	ck_assert_msg(strstr(out, "only-for-root") == NULL, "%s", out);
}
END_TEST

START_TEST(a_fifo_does_not_keep_the_daemon_waiting)
{
	static const char *const files[] = { "key.pem", "cert.pem", "ca.pem" };
	char how[200], *log;

	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	snprintf(how, sizeof how, "rm spool/tls/%s && mkfifo spool/tls/%s", files[_i], files[_i]);
	shell(how);
	ck_assert(!world_try_start(&w));
	ck_assert_int_eq(world_stop(&w, 0), 78);
	log = world_read_log(&w);
	snprintf(how, sizeof how, "%s: is not a regular file", files[_i]);
	ck_assert_msg(strstr(log, how) != NULL, "%s", log);
	free(log);
}
END_TEST

Suite *
planted_suite(void)
{
	Suite *s = suite_create("planted");
	TCase *t = tcase_create("planted");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_command_is_not_led_astray, 0, sizeof spools / sizeof spools[0]);
	tcase_add_loop_test(t, a_fifo_does_not_keep_the_daemon_waiting, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
