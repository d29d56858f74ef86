/* Which program would be started: by its path, by its name, and why none. */
#include "errand/errand.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
may_run(void *arg, const struct stat *st)
{
	unsigned *asked = arg;

	(*asked)++;
	return (st->st_mode & 0111) != 0;
}

static bool
may_not(void *arg, const struct stat *st)
{
	return may_run(arg, st) && false;
}

static const struct {
	const char *command, *path, *why;	/* path: its end */
} commands[] = {
	{ "/bin/sh", "/bin/sh", NULL },
	{ "/bin/sh -c true", "/bin/sh", NULL },
	{ "  \t/bin/sh\t-c", "/bin/sh", NULL },
	{ "sh", "/bin/sh", NULL },
	{ "sh -c true", "/bin/sh", NULL },
	{ "bin/sh", "/bin/sh", NULL },		/* it is started in / */
	{ "", NULL, "it is empty" },
	{ " \t ", NULL, "it is empty" },
	{ "gatepost-no-such-program x", NULL, "gatepost-no-such-program is not in any of /usr/local/sbin:" },
	{ "/nonexistent/program", NULL, "/nonexistent/program: No such file or directory; " },
	{ "/bin/sh/x", NULL, "/bin/sh/x: Not a directory; " },
	{ "/etc/passwd", NULL, "/etc/passwd is no program that the daemon's user may run; chmod +x" },
	{ "/usr/bin", NULL, "/usr/bin is no program" },
	{ "./", NULL, "./ is no program" },
	{ "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "
	  "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a", NULL, "it has 65 words" },
};

START_TEST(finds_what_would_be_started)
{
	const char *end = commands[_i].path;
	unsigned asked = 0;
	struct why why;
	char *path;
	int r = program_find(commands[_i].command, may_run, &asked, &path, &why);

	if (end == NULL) {
		ck_assert_int_eq(r, -1);
		ck_assert_ptr_null(path);
		ck_assert_msg(strncmp(why.text, commands[_i].why, strlen(commands[_i].why)) == 0, "%s", why.text);
		return;
	}
	ck_assert_msg(r == 0, "%s", why.text);
	ck_assert_uint_eq(asked, 1);
	ck_assert_msg(strcmp(path + strlen(path) - strlen(end), end) == 0, "%s", path);
	free(path);
}
END_TEST

/* As execvp(3) does, it looks on where one may not be run. */
START_TEST(says_that_it_is_there)
{
	unsigned asked = 0;
	struct why why;
	char *path;

	ck_assert_int_eq(program_find("sh", may_not, &asked, &path, &why), -1);
	ck_assert_uint_ge(asked, 1);
	ck_assert_msg(strstr(why.text, "sh is no program that the daemon's user may run in /usr/local/sbin:") != NULL, "%s", why.text);
	ck_assert_int_eq(program_find("/bin/sh", may_not, &asked, &path, &why), -1);
	ck_assert_msg(strstr(why.text, "/bin/sh is no program that") != NULL, "%s", why.text);
}
END_TEST

Suite *test_program(void);

Suite *
test_program(void)
{
	Suite *s = suite_create("test_program");
	TCase *t = tcase_create("program");

	tcase_add_loop_test(t, finds_what_would_be_started, 0, (int)(sizeof commands / sizeof commands[0]));
	tcase_add_test(t, says_that_it_is_there);
	suite_add_tcase(s, t);
	return s;
}
