/* fail(): what a reason may hold, and how it is cut; and how a bug() ends. */
#include "base/why.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#undef fail	/* check's own */

START_TEST(says_why)
{
	struct why why;

	errno = ENOENT;
	ck_assert_int_eq(fail(&why, "cannot open %s", "a\nb\x7f\xfc"), -1);
	ck_assert_str_eq(why.text, "cannot open a?b??");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(fail(NULL, "nobody asks"), -1);
}
END_TEST

START_TEST(wraps_itself)
{
	struct why why;

	fail(&why, "inner");
	fail(&why, "outer: %s", why.text);
	ck_assert_str_eq(why.text, "outer: inner");
}
END_TEST

/* A long reason ends with its last whole character. */
START_TEST(is_cut)
{
	struct why why;
	char text[2 * sizeof why.text];

	for (size_t lead = 0; lead < 3; lead++) {
		memset(text, 'x', lead);
		for (size_t i = lead; i + 3 < sizeof text; i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		fail(&why, "%s", text);
		ck_assert_uint_eq((strlen(why.text) - lead) % 3, 0);
		ck_assert_uint_gt(strlen(why.text), sizeof why.text - 4);
	}
}
END_TEST

START_TEST(bug_says_so)
{
	char line[200];
	int out[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(out[1], STDERR_FILENO);
		bug("state %d of %s", 7, "x");
	}
	close(out[1]);
	n = read(out[0], line, sizeof line - 1);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	ck_assert_ptr_nonnull(strstr(line, "event=bug level=error"));
	ck_assert_ptr_nonnull(strstr(line, "what=\"state 7 of x\"\n"));
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

Suite *test_why(void);
Suite *
test_why(void)
{
	Suite *s = suite_create("test_why");
	TCase *tc = tcase_create("why");

	tcase_add_test(tc, says_why);
	tcase_add_test(tc, wraps_itself);
	tcase_add_test(tc, is_cut);
	tcase_add_test(tc, bug_says_so);
	suite_add_tcase(s, tc);
	return s;
}
