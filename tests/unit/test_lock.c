/* One daemon on a spool, whatever is done to the file in it (D-19, D-30). */
#include "unit/spool_rig.h"

#include <sys/file.h>
#include <sys/wait.h>

static int
try_second(struct why *why)
{
	const struct spool_owner nobody = { 0 };
	struct spool *second = NULL;
	int r = spool_open(&second, &(struct spool_options){ rig.dir, 0, 0 }, &nobody, why);

	ck_assert_int_lt(r, 0);
	return r;
}

static void
no_line(void *arg, const char *line)
{
	(void)arg, (void)line;
}

static int
try_inspect(struct why *why)
{
	return spool_inspect(rig.dir, false, no_line, NULL, why);
}

START_TEST(names_the_holder)
{
	char mine[40];

	rig_open();
	try_second(&rig.why);
	snprintf(mine, sizeof mine, "is in use by process %ld", (long)getpid());
	ck_assert_msg(strstr(rig.why.text, mine) != NULL, "%s", rig.why.text);
	ck_assert_int_lt(try_inspect(&rig.why), 0);
	ck_assert_msg(strstr(rig.why.text, mine) != NULL, "%s", rig.why.text);
}
END_TEST

START_TEST(file_removed)
{
	rig_open();
	ck_assert_int_eq(unlink(rig_path("lock")), 0);
	if (_i > 0)
		rig_save("lock", "4711\n", 5 * (_i > 1));	/* somebody else's */
	try_second(&rig.why);
	ck_assert_msg(strstr(rig.why.text, _i > 1 ? "in use by process 4711" : "in use by another process") != NULL, "%s", rig.why.text);
	ck_assert_int_lt(try_inspect(&rig.why), 0);
	rig_kill();
	rig_open();
}
END_TEST

/* The number in the file is that of a daemon long gone. */
START_TEST(looked_at)
{
	const char *held[] = { ".", "lock" };
	int fd;

	rig_open();
	rig_close();
	rig_save("lock", "4711                \n", 21);
	ck_assert_int_ge(fd = open(rig_path(held[_i]), O_RDONLY | O_CLOEXEC), 0);
	ck_assert_int_eq(flock(fd, LOCK_SH | LOCK_NB), 0);
	try_second(&rig.why);
	ck_assert_msg(strstr(rig.why.text, "looked at") != NULL && strstr(rig.why.text, "4711") == NULL, "%s", rig.why.text);
	ck_assert_int_eq(try_inspect(&rig.why), 0);	/* two may look */
	close(fd);
	rig_open();
}
END_TEST

/* Someone before us knows the file only. */
START_TEST(file_locked)
{
	int fd;

	rig_open();
	rig_close();
	ck_assert_int_ge(fd = open(rig_path("lock"), O_RDONLY | O_CLOEXEC), 0);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	try_second(&rig.why);
	ck_assert_int_lt(try_inspect(&rig.why), 0);
	close(fd);
}
END_TEST

START_TEST(fifo)
{
	rig_open();
	rig_close();
	ck_assert_int_eq(unlink(rig_path("lock")), 0);
	ck_assert_int_eq(mkfifo(rig_path("lock"), 0600), 0);
	ck_assert_int_eq(try_inspect(&rig.why), 0);	/* and does not wait for a writer */
	rig_open();
	try_second(&rig.why);
	ck_assert_msg(strstr(rig.why.text, "in use by another process") != NULL, "%s", rig.why.text);
}
END_TEST

static const struct disk *real;

static int
lock_no_dirs(int fd, bool shared)
{
	struct disk_stat st;

	if (real->stat(fd, "", &st) == 0 && st.is_dir) {
		errno = EBADF;
		return -1;
	}
	return real->lock(fd, shared);
}

START_TEST(no_locks_on_directories)	/* as NFS has them */
{
	struct disk d;

	real = disk_replace(NULL);
	d = *real;
	d.lock = lock_no_dirs;
	disk_replace(&d);
	rig_open();
	try_second(&rig.why);
	rig_close();
	rig_open();
	rig_close();
	disk_replace(NULL);
}
END_TEST

Suite *test_lock(void);
Suite *
test_lock(void)
{
	Suite *s = suite_create("test_lock");
	TCase *tc = tcase_create("lock");

	tcase_add_checked_fixture(tc, rig_make, rig_remove);
	tcase_add_test(tc, names_the_holder);
	tcase_add_loop_test(tc, file_removed, 0, 3);
	tcase_add_loop_test(tc, looked_at, 0, 2);
	tcase_add_test(tc, file_locked);
	tcase_add_test(tc, fifo);
	tcase_add_test(tc, no_locks_on_directories);
	suite_add_tcase(s, tc);
	return s;
}
