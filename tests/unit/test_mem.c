/* Memory: the corner cases, and the end when there is none. */
#include "base/mem.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(nothing_is_something)
{
	void *p[] = {
		mem_alloc(0), mem_zero(0), mem_array(0, 8), mem_array(8, 0),
		mem_copy(NULL, 0), mem_resize(NULL, 0, 8), mem_textn(NULL, 0)
	};

	for (size_t i = 0; i < sizeof p / sizeof p[0]; i++) {
		ck_assert_ptr_nonnull(p[i]);
		free(p[i]);
	}
	ck_assert_ptr_null(mem_text(NULL));
}
END_TEST

START_TEST(texts)
{
	char *text = mem_printf("%s-%d", "a", 7), *copy = mem_textn(text, 2);

	ck_assert_str_eq(text, "a-7");
	ck_assert_str_eq(copy, "a-");
	free(text);
	mem_free_secret(&copy);
	ck_assert_ptr_null(copy);
	mem_free_secret(&copy);
	mem_wipe(NULL, 0);
}
END_TEST

/* Sanitizers have an end of their own for such requests. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define CAN_RUN_OUT

static void
ask_too_much(int how)
{
	volatile size_t much = SIZE_MAX / 4;

	switch (how) {
	case 0:
		free(mem_alloc(much));
		break;
	case 1:
		free(mem_array(much, 8));
		break;
	case 2:
		free(mem_resize(NULL, much, 8));
		break;
	}
}

START_TEST(none_left)
{
	char text[100];
	int out[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		ask_too_much(_i);
		_exit(0);
	}
	close(out[1]);
	n = read(out[0], text, sizeof text - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, "gatepost: out of memory\n");
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 75);
}
END_TEST
#endif

Suite *test_mem(void);
Suite *
test_mem(void)
{
	Suite *s = suite_create("test_mem");
	TCase *tc = tcase_create("mem");

	tcase_add_test(tc, nothing_is_something);
	tcase_add_test(tc, texts);
#ifdef CAN_RUN_OUT
	tcase_add_loop_test(tc, none_left, 0, 3);
#endif
	suite_add_tcase(s, tc);
	return s;
}
