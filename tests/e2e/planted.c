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

/* --- modes and owners -------------------------------------------------------------------- */

/* What others could read or write is refused by `run' and `check' alike (C-30, C-32). */
static const struct {
	const char *how, *rest, *what;
	bool as_root;
} open_files[] = {
	{ "chmod 644 secret", "", "secret: others can read it (mode 644); chmod 640 or 600 it", false },
	{ "chmod 666 gatepost.conf", "", "gatepost.conf: anybody can write it (mode 666); chmod o-w it", false },
	{ "chmod 646 users", "", "users: anybody can write it (mode 646); chmod o-w it", false },
	{ "chmod 646 more", "aliases_file = \"more\"\n", "more: anybody can write it", false },
	{ "chmod 646 more", "include(\"more\")\n", "more: anybody can write it", false },
	{ "chmod 777 .", "", "gatepost.conf: anybody can put another in its place; chmod o-w its directory (mode 777)", false },
	{ "chmod 644 key.pem", "tls { certificate = \"cert.pem\" key = \"key.pem\" }\n", "key.pem: others can read it (mode 644)", false },
	{ "chmod 602 key.pem", "tls { certificate = \"cert.pem\" key = \"key.pem\" }\n", "key.pem: others can read it (mode 602)", false },
	{ "chown 12345 secret", "", "secret: belongs to user 12345, who is neither root nor the daemon's user; chown root it", true },
};

START_TEST(what_others_could_change_is_refused)
{
	char *log;

	if (open_files[_i].as_root && geteuid() != 0)
		return;
	world_start(&w);			/* makes a certificate and a key */
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	shell("cp -p spool/tls/cert.pem spool/tls/key.pem . && echo '# nothing' >more && chmod 600 more");
	world_configure(&w, "", open_files[_i].rest);
	shell("chmod 600 secret");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	shell(open_files[_i].how);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	expect(open_files[_i].what);
	ck_assert(!world_try_start(&w));
	ck_assert_int_eq(world_stop(&w, 0), 78);
	log = world_read_log(&w);
	ck_assert_msg(strstr(log, open_files[_i].what) != NULL, "%s", log);
	free(log);
}
END_TEST

/* As secrets are mounted into containers, and /tmp is. */
static const char *const fine_files[] = {
	"chmod 440 secret",
	"chmod 1777 .",
	"chmod 640 users && chmod 644 gatepost.conf",
	"chown 0:12345 secret && chmod 440 secret",
};

START_TEST(what_is_usual_is_taken)
{
	if (strstr(fine_files[_i], "chown") != NULL && geteuid() != 0)
		return;
	shell(fine_files[_i]);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "check") == 0, "%s", out);
	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
}
END_TEST

START_TEST(hashes_that_others_can_read_are_told_of)
{
	shell("chmod 644 users");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	expect("has password hashes that anybody can read");
	world_start(&w);
	ck_assert(world_wait_log(&w, "event=users_readable", 15000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
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
	tcase_add_loop_test(t, what_others_could_change_is_refused, 0, sizeof open_files / sizeof open_files[0]);
	tcase_add_loop_test(t, what_is_usual_is_taken, 0, sizeof fine_files / sizeof fine_files[0]);
	tcase_add_test(t, hashes_that_others_can_read_are_told_of);
	suite_add_tcase(s, t);
	return s;
}
