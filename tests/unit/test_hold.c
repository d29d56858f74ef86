/* One at a time: waiting, giving up, taking over. */
#include "config/hold.h"

#include "unit/scratch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"

START_TEST(one_at_a_time)
{
	struct hold h, other;
	struct why why;
	struct stat st;
	int64_t from = clock_now_ms();

	ck_assert_int_eq(hold_take(&h, scratch_path("users"), 0, &why), 0);
	ck_assert_int_eq(stat(scratch_path("users.lock"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(hold_take(&other, scratch_path("users"), 100, &why), -1);
	ck_assert_msg(strstr(why.text, "another program changes it") != NULL, "%s", why.text);
	ck_assert_int_ge(clock_now_ms() - from, 100);
	ck_assert_int_lt(clock_now_ms() - from, 10000);
	hold_drop(&h);
	ck_assert_int_ne(access(scratch_path("users.lock"), F_OK), 0);	/* nothing is left */
	ck_assert_int_eq(hold_take(&h, scratch_path("users"), 0, &why), 0);
	hold_drop(&h);
}
END_TEST

/* Another process lets it go while we wait: by its end, which leaves the file, or as it should. */
START_TEST(it_is_let_go)
{
	struct hold h;
	struct why why;
	int ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (hold_take(&h, scratch_path("users"), 0, &why) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
		if (_i == 0)
			hold_drop(&h);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	ck_assert_msg(hold_take(&h, scratch_path("users"), 10000, &why) == 0, "%s", why.text);
	hold_drop(&h);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert_int_ne(access(scratch_path("users.lock"), F_OK), 0);
}
END_TEST

static const struct {
	const char *how, *why;
} refused[] = {
	{ "ln -s elsewhere users.lock", "users.lock behind: " },
	{ "mkdir users.lock", "users.lock behind: " },
};

START_TEST(what_is_no_file_is_refused_at_once)
{
	struct hold h;
	struct why why;
	char command[256];

	snprintf(command, sizeof command, "cd %s && %s", scratch_dir, refused[_i].how);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(hold_take(&h, scratch_path("users"), 10000, &why), -1);
	ck_assert_msg(strstr(why.text, refused[_i].why) != NULL, "%s", why.text);
	ck_assert_int_ne(access(scratch_path("elsewhere"), F_OK), 0);
}
END_TEST

/* Another user's, who left it or is at work. */
START_TEST(a_foreign_one_is_named)
{
	struct hold h;
	struct why why;
	int result;

	if (geteuid() != 0)
		return;
	scratch_write("users.lock", "");
	ck_assert_int_eq(chmod(scratch_path("users.lock"), 0600) | chmod(scratch_dir, 0777), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	result = hold_take(&h, scratch_path("users"), 50, &why);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(result, -1);
	ck_assert_msg(strstr(why.text, "another user changes it, or left") != NULL, "%s", why.text);
}
END_TEST

Suite *test_hold(void);

Suite *
test_hold(void)
{
	Suite *s = suite_create("test_hold");
	TCase *t = tcase_create("hold");

	tcase_set_timeout(t, 20);
	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_test(t, one_at_a_time);
	tcase_add_loop_test(t, it_is_let_go, 0, 2);
	tcase_add_loop_test(t, what_is_no_file_is_refused_at_once, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(t, a_foreign_one_is_named);
	suite_add_tcase(s, t);
	return s;
}
