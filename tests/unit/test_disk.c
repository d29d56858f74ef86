/* A disk that interrupts, writes little at a time, and fails: what the spool makes of it (D-07, D-09, D-12). */
#include "unit/spool_rig.h"

static struct disk odd;
static const struct disk *real;
static unsigned turn;		/* of calls that may be disturbed */
static int fail_at, fail_with;	/* the sync of this number, counted down */

static bool
disturbed(int error)
{
	if (turn++ % 2 == 0)
		return false;
	errno = error;
	return true;
}

static int64_t
odd_read(int fd, void *p, size_t n, uint64_t at)
{
	return disturbed(EINTR) ? -1 : real->read(fd, p, n > 1000 ? n / 3 : n, at);
}

static int64_t
odd_write(int fd, const void *p, size_t n, uint64_t at)
{
	return disturbed(turn % 3 != 0 ? EINTR : EAGAIN) ? -1 : real->write(fd, p, n > 1 ? n / 2 : n, at);
}

static int
odd_datasync(int fd)
{
	return disturbed(EINTR) ? -1 : real->datasync(fd);
}

static int
odd_allocate(int fd, uint64_t at, uint64_t n, bool keep_size)
{
	(void)fd, (void)at, (void)n, (void)keep_size;
	errno = EOPNOTSUPP;
	return -1;
}

static int
failing_datasync(int fd)
{
	if (fail_at > 0 && --fail_at == 0) {
		errno = fail_with;
		return -1;
	}
	return real->datasync(fd);
}

static int
failing_allocate(int fd, uint64_t at, uint64_t n, bool keep_size)
{
	(void)fd, (void)at, (void)n, (void)keep_size;
	errno = fail_with;
	return -1;
}

static void
make(void)
{
	rig_make();
	real = disk_replace(&odd);
	odd = *real;
	turn = 0;
	fail_at = 0;
}

START_TEST(patience)	/* D-09; and a file system that cannot allocate ahead */
{
	odd.read = odd_read;
	odd.write = odd_write;
	odd.datasync = odd_datasync;
	odd.allocate = odd_allocate;
	rig_open();
	for (uint64_t id = 1; id < 8; id++)
		rig_put(id, 20000);
	ck_assert_int_eq(rig_try_put(8, 9000, 8000), 0);
	rig_commit();
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	for (uint64_t id = 1; id < 8; id++)
		rig_read(id, 20000);
	rig_read(8, 9000);
	ck_assert_uint_gt(turn, 100);
}
END_TEST

START_TEST(failed_sync)	/* D-07: no success for that batch, and the next start goes on */
{
	static const int errors[] = { EIO, ENOSPC, EDQUOT };
	struct spool_sync *y;
	int n = _i / 3 + 1;

	odd.datasync = failing_datasync;
	rig_open();
	rig_put(1, 100);
	rig_commit();
	fail_with = errors[_i % 3];
	fail_at = n;
	for (uint64_t id = 2; id < 8; id++)
		rig_put(id, 20000);	/* several segments: several syncs */
	ck_assert_int_eq(rig_try_put(8, 9000, 8000), 0);
	y = spool_write(rig.s, &rig.why);
	ck_assert_ptr_nonnull(y);
	ck_assert_int_lt(spool_sync_run(y, &rig.why), 0);
	ck_assert_ptr_nonnull(strstr(rig.why.text, strerror(fail_with)));
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	rig_read(1, 100);
	rig_put(9, 100);
	rig_commit();
}
END_TEST

START_TEST(no_room)	/* D-12: refused whole, and what is there can be ended */
{
	static const int errors[] = { ENOSPC, EDQUOT, EFBIG, EROFS };
	uint64_t id = 1;

	odd.allocate = failing_allocate;
	fail_with = errors[_i];
	odd.allocate = real->allocate;
	rig_open();
	odd.allocate = failing_allocate;
	for (errno = 0; rig_try_put(id, 5000, 0) == 0; errno = 0) {
		ck_assert_uint_lt(id, 100);
		rig_commit();
		id++;
	}
	ck_assert_int_eq(errno, fail_with);
	ck_assert(!spool_is_dirty(rig.s));
	ck_assert_uint_gt(id, 2);
	rig_note(1, "on the reserve");
	while (--id > 0) {
		rig_read(id, 5000);
		rig_done(id);
	}
	rig_commit();
	ck_assert_uint_eq(spool_live_bytes(rig.s), 0);
	odd.allocate = real->allocate;
	rig_put(200, 5000);
	rig_commit();
}
END_TEST

static int
no_link(int fd, int dir, const char *name)
{
	(void)fd, (void)dir, (void)name;
	errno = ENOENT;		/* no /proc here */
	return -1;
}

START_TEST(blobs_with_names)	/* where files cannot be named later */
{
	struct spool_blob *b;

	odd.link = no_link;
	rig_open();
	ck_assert_int_eq(rig_try_put(1, 9000, 8000), 0);
	ck_assert_int_eq(spool_blob_new(spool_get_blobs(rig.s), &b, &rig.why), 0);
	spool_blob_free(&b);	/* leaves nothing behind */
	rig_commit();
	rig_read(1, 9000);
	rig_kill();
	rig_open();
	rig_read(1, 9000);
	rig_done(1);
	rig_commit();
	ck_assert_int_eq(rmdir(rig_path("blob")), 0);
}
END_TEST

static uint64_t bad_from, bad_to;

static int64_t
bad_read(int fd, void *p, size_t n, uint64_t at)
{
	struct disk_stat st;

	if (real->stat(fd, "", &st) == 0 && st.size == RIG_SEGMENT && at < bad_to && at + n > bad_from) {
		errno = EIO;
		return -1;
	}
	return real->read(fd, p, n, at);
}

START_TEST(bad_blocks)	/* what cannot be read costs what lies there and nothing else */
{
	rig_open();
	for (uint64_t id = 1; id <= 10; id++) {
		rig_put(id, 2000);
		rig_commit();
	}
	rig_kill();
	odd.read = bad_read;
	bad_from = 3 * 4096;
	bad_to = bad_from + 4096;
	rig_open();
	ck_assert_uint_ge(rig.damaged, 1);
	ck_assert(rig_has(rig.damaged_file));
	ck_assert_uint_ge(rig.kept.n, 7);
	ck_assert_uint_lt(rig.kept.n, 10);
	odd.read = real->read;
	rig_read(1, 2000);
	rig_read(9, 2000);
	rig_read(10, 2000);
}
END_TEST

START_TEST(unreadable_while_running)
{
	uint64_t id;

	rig_open();
	rig_put(1, 20000);
	rig_put(2, 100);
	rig_note(2, "noted");
	rig_commit();
	odd.read = bad_read;
	bad_from = 0;
	bad_to = RIG_SEGMENT;
	for (id = 1; id <= 2; id++)
		ck_assert_int_eq(rig_try_read(id, id == 1 ? 20000 : 100, 4096), -1);
	{
		struct buf note = { 0 };

		ck_assert_int_lt(spool_read_note(rig.s, rig_item(2), &note, &rig.why), 0);
	}
	bad_from = 4 * 4096;
	ck_assert_int_eq(rig_try_read(1, 20000, 4096), -1);	/* its later part */
	spool_set_aside(rig.s, rig_item(1), "cannot be read");
	free(map_take(&rig.kept, 1));
	rig_commit();
	ck_assert(rig_has(rig.damaged_file));
}
END_TEST

START_TEST(no_room_to_set_aside)	/* then it stays where it is, and the next start finds it */
{
	rig_open();
	rig_put(1, 100);
	rig_commit();
	rig_save("damaged", "in the way", 10);
	spool_set_aside(rig.s, rig_item(1), "odd");
	free(map_take(&rig.kept, 1));
	rig_put(2, 100);
	rig_commit();
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.kept.n, 2);
	rig_read(1, 100);
}
END_TEST

START_TEST(many_segments)	/* more than are kept open */
{
	enum { N = 600 };

	rig_open();
	for (uint64_t id = 1; id <= N; id++) {
		rig_put(id, 27000);
		if (id % 20 == 0)
			rig_commit();
	}
	for (uint64_t id = N; id > 0; id--)
		rig_read(id, 27000);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.kept.n, N);
	for (uint64_t id = 1; id <= N; id += 7)
		rig_read(id, 27000);
}
END_TEST

static char order[4096];

static int64_t
noted_write(int fd, const void *p, size_t n, uint64_t at)
{
	strcat(order, "w");
	return real->write(fd, p, n, at);
}

static int
noted_datasync(int fd)
{
	strcat(order, "s");
	return real->datasync(fd);
}

static int
noted_sync(int fd)
{
	strcat(order, "d");
	return real->sync(fd);
}

static int
noted_rename(int dir, const char *from, int to_dir, const char *to)
{
	strcat(order, "r");
	return real->rename(dir, from, to_dir, to);
}

static int
noted_link(int fd, int dir, const char *name)
{
	strcat(order, "l");
	return real->link(fd, dir, name);
}

START_TEST(what_is_durable_when)	/* A-130, D-01, D-27 */
{
	rig_open();
	odd.write = noted_write;
	odd.datasync = noted_datasync;
	odd.sync = noted_sync;
	odd.rename = noted_rename;
	odd.link = noted_link;

	for (uint64_t id = 1; id <= 5; id++)
		rig_put(id, 2000);
	rig_commit();
	ck_assert_str_eq(order, "ws");		/* five messages, one sync */

	order[0] = '\0';
	ck_assert_int_eq(rig_try_put(6, 9000, 8000), 0);
	order[0] = '\0';
	rig_commit();
	ck_assert_str_eq(order, "sldws");	/* content, its name, then the record */

	rig_put(7, 20000);
	rig_put(8, 20000);
	rig_commit();
	order[0] = '\0';
	rig_put(9, 20000);			/* into the next segment */
	rig_commit();
	ck_assert_ptr_nonnull(strstr(order, "wswsrdws"));	/* the old one; head and name; the new one */
}
END_TEST

Suite *test_disk(void);
Suite *
test_disk(void)
{
	Suite *s = suite_create("test_disk");
	TCase *tc = tcase_create("disk");

	tcase_add_checked_fixture(tc, make, rig_remove);
	tcase_add_test(tc, patience);
	tcase_add_loop_test(tc, failed_sync, 0, 15);
	tcase_add_loop_test(tc, no_room, 0, 4);
	tcase_add_test(tc, blobs_with_names);
	tcase_add_test(tc, bad_blocks);
	tcase_add_test(tc, unreadable_while_running);
	tcase_add_test(tc, no_room_to_set_aside);
	tcase_add_test(tc, many_segments);
	tcase_add_test(tc, what_is_durable_when);
	suite_add_tcase(s, tc);
	return s;
}
