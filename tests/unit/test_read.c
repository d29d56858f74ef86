/* Reading back when files are many, and when the disk does not answer at once. */
#include "unit/spool_rig.h"

enum { MANY = 600, OCTETS = 27000 };

/* More segments than may be open: one is closed and opened again while somebody reads from it. */
START_TEST(reader_keeps_its_segment)
{
	char got[OCTETS], *want = rig_content(1, OCTETS);
	struct spool_reader *r;
	int64_t n, part;
	uint64_t id;

	rig_open();
	for (id = 1; id <= MANY; id++) {
		rig_put(id, OCTETS);
		rig_commit();
	}
	rig_close();
	rig_open();
	ck_assert_uint_gt(rig.s->nsegments, 270);
	ck_assert_int_eq(spool_read_open(rig.s, rig_item(1), &r, &rig.why), 0);
	n = spool_read(r, got, 9000, &rig.why);
	ck_assert_int_gt(n, 0);
	for (id = 3; id <= MANY; id++)
		rig_read(id, OCTETS);
	rig_read(2, OCTETS);	/* beside the first */
	for (id = 3; id <= MANY; id++)
		rig_done(id);
	rig_commit();
	spool_rest(rig.s);
	spool_rest(rig.s);	/* so that files are wanted again */
	rig_done(1);
	rig_done(2);
	rig_commit();
	for (id = 2000; id < 2020; id++) {
		rig_put(id, OCTETS);
		rig_commit();
	}
	for (; n < OCTETS; n += part) {
		part = spool_read(r, got + n, (size_t)(OCTETS - n), &rig.why);
		ck_assert_msg(part > 0, "%s", rig.why.text);
	}
	ck_assert_int_eq(memcmp(got, want, OCTETS), 0);
	spool_read_close(&r);
	free(want);
}
END_TEST

/* --- a disk that fails now and then -------------------------------------------------- */

static const struct disk *real;
static int reads_fail, opens_fail;	/* so many more; -1: all */
static struct { uint64_t at; int fails; } hole[2];	/* places that cannot be read so often */

static bool
count_down(int *left)
{
	if (*left > 0)
		return (*left)--, true;
	return *left < 0;
}

static int64_t
bad_read(int fd, void *p, size_t n, uint64_t at)
{
	bool in_hole = false;

	for (size_t i = 0; i < 2 && !in_hole; i++)
		in_hole = at <= hole[i].at && hole[i].at < at + n && count_down(&hole[i].fails);
	if (!in_hole && !count_down(&reads_fail))
		return real->read(fd, p, n, at);
	errno = EIO;
	return -1;
}

static int
bad_open(int dir, const char *name, int flags)
{
	if (strstr(name, ".seg") == NULL || !count_down(&opens_fail))
		return real->open(dir, name, flags);
	errno = EMFILE;
	return -1;
}

static struct disk bad;

static void
make_bad(void)
{
	rig_make();
	real = disk_replace(NULL);
	bad = *real;
	bad.read = bad_read;
	bad.open = bad_open;
	disk_replace(&bad);
	reads_fail = opens_fail = 0;
	memset(hole, 0, sizeof hole);
}

static int
read_note(uint64_t id, const char *want)
{
	struct buf note = { 0 };
	int r;

	errno = 0;
	if ((r = spool_read_note(rig.s, rig_item(id), &note, &rig.why)) == 0)
		ck_assert_msg(str_is(buf_str(&note), want), "%.*s", (int)note.len, note.data);
	buf_clear(&note);
	return r;
}

START_TEST(asks_again)
{
	for (uint64_t id = 1; id <= 3; id++) {
		size_t n = id == 1 ? 100 : 20000;

		if (rig.s == NULL)
			rig_open();
		ck_assert_int_eq(rig_try_put(id, n, id == 3 ? 15000 : 0), 0);
		rig_note(id, "note");
		rig_commit();
		for (reads_fail = 1; reads_fail < 3; reads_fail++) {
			int times = reads_fail;

			rig_read(id, n);
			reads_fail = times;
			ck_assert_int_eq(read_note(id, "note"), 0);
			reads_fail = times;
		}
		reads_fail = -1;
		errno = 0;
		ck_assert_int_lt(rig_try_read(id, n, 4096), 0);
		ck_assert_int_eq(errno, EIO);
		ck_assert_int_lt(read_note(id, "note"), 0);
		ck_assert_int_eq(errno, EIO);
		reads_fail = 0;
		rig_read(id, n);
	}
	rig_flip("log/00000001.seg", rig_item(1)->offset + (_i == 0 ? 10 : _i == 1 ? 50 : 100));
	errno = 0;
	ck_assert_int_lt(rig_try_read(1, 100, 4096), 0);
	ck_assert_int_eq(errno, EBADMSG);
	rig_flip("blob/0000000000003", 100);
	errno = 0;
	ck_assert_int_lt(rig_try_read(3, 20000, 4096), 0);
	ck_assert_int_eq(errno, EBADMSG);
}
END_TEST

START_TEST(note_before_counts)
{
	rig_open();
	rig_put(1, 100);
	rig_put(2, 100);
	rig_note(1, "first");
	rig_commit();
	if (_i > 0) {	/* in another segment */
		for (uint64_t id = 3; id < 6; id++)
			rig_put(id, 27000);
	}
	rig_note(2, "not mine");
	rig_note(1, "second");
	rig_commit();
	rig_flip(_i > 0 ? "log/00000002.seg" : "log/00000001.seg", rig_item(1)->note_offset + 50);
	ck_assert_int_lt(read_note(1, ""), 0);
	ck_assert_int_eq(errno, EBADMSG);
	spool_note_lost(rig.s, rig_item(1));
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_uint_eq(rig.damaged_id, 1);
	ck_assert(rig_has(rig.damaged_file));
	ck_assert_int_eq(read_note(1, "first"), 0);
	rig_flip("log/00000001.seg", rig_item(1)->note_offset + 50);
	ck_assert_int_lt(read_note(1, ""), 0);
	spool_note_lost(rig.s, rig_item(1));
	ck_assert_int_eq(read_note(1, ""), 0);
	rig_read(1, 100);
	rig_note(1, "third");
	rig_done(2);
	rig_commit();
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);	/* it had been told */
	ck_assert_int_eq(read_note(1, "third"), 0);
}
END_TEST

/* The note of the message that moves, and the message itself, are not left behind because the disk failed once. */
START_TEST(compaction_waits_for_the_disk)
{
	uint32_t was;

	rig_open();
	rig_put(1, 20000);
	for (uint64_t id = 2; id < 300; id++)
		rig_put(id, 20000);
	rig_note(1, "far away");
	rig_commit();
	for (uint64_t id = 300; id < 304; id++)
		rig_put(id, 27000);
	rig_commit();
	rig_close();
	rig_open();
	for (uint64_t id = 2; id < 303; id++)
		rig_done(id);
	rig_commit();
	was = rig_item(1)->segment;
	for (unsigned i = 0; i < 3; i++) {
		if (_i == 0)
			reads_fail = -1;
		else
			segment_shut(account_segment(rig.s, rig_item(1)->note_segment)), opens_fail = -1;
		ck_assert(!spool_compact(rig.s, 1 << 20));
		ck_assert_uint_eq(rig_item(1)->segment, was);
		ck_assert_uint_eq(rig.damaged, 0);
		reads_fail = opens_fail = 0;
	}
	while (spool_compact(rig.s, 1 << 20))
		rig_commit();
	rig_commit();
	ck_assert_uint_gt(rig_item(1)->segment, was);
	ck_assert_uint_gt(rig_item(1)->note_segment, was);
	ck_assert_int_eq(read_note(1, "far away"), 0);
	rig_read(1, 20000);
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	ck_assert_int_eq(read_note(1, "far away"), 0);
}
END_TEST

/* Nor because it failed where little was read, behind a large message, and more was read next; nor what is before another that
 * cannot be read. */
START_TEST(compaction_waits_behind_the_large)
{
	enum { LARGE = 40000, NLARGE = 7, SMALL = NLARGE + 1, NEXT = SMALL + 5, LAST = 60 };
	uint32_t was;

	rig.segment = 8 * RIG_SEGMENT;
	rig_open();
	for (uint64_t id = 1; id <= LAST; id++)
		rig_put(id, id <= NLARGE ? LARGE : id == SMALL ? 300 : 20000);
	rig_commit();
	for (uint64_t id = 1; id <= LAST; id++)
		if (id != SMALL && (_i == 0 || id != NEXT))
			rig_done(id);
	rig_commit();
	was = rig_item(SMALL)->segment;
	hole[0].at = rig_item(SMALL)->offset;
	hole[0].fails = 2;		/* the whole, and then that block of it */
	if (_i > 0) {
		hole[1].at = rig_item(NEXT)->offset + 5000;
		hole[1].fails = 2;
	}
	ck_assert(!spool_compact(rig.s, 1 << 20));
	ck_assert_int_eq(hole[0].fails + hole[1].fails, 0);
	ck_assert_uint_eq(rig.damaged, 0);
	while (spool_compact(rig.s, 1 << 20))
		rig_commit();
	rig_commit();
	ck_assert_uint_eq(rig.damaged, 0);
	ck_assert_uint_gt(rig_item(SMALL)->segment, was);
	rig_read(SMALL, 300);
	if (_i > 0) {
		ck_assert_uint_gt(rig_item(NEXT)->segment, was);
		rig_read(NEXT, 20000);
	}
}
END_TEST

/* A part that stays unreadable stops the segment from going, not the daemon. */
START_TEST(compaction_gives_up)
{
	rig_open();
	for (uint64_t id = 1; id < 40; id++)
		rig_put(id, 20000);
	rig_commit();
	for (uint64_t id = 2; id < 40; id++)
		rig_done(id);
	rig_commit();
	reads_fail = -1;
	for (unsigned i = 0; i < 20 && rig.damaged == 0; i++)
		(void)spool_compact(rig.s, 1 << 20);
	ck_assert_uint_eq(rig.damaged, 1);
	reads_fail = 0;
	rig_read(1, 20000);
	rig_commit();
	rig_read(1, 20000);
}
END_TEST

Suite *test_read(void);
Suite *
test_read(void)
{
	Suite *s = suite_create("test_read");
	TCase *tc = tcase_create("read");

	tcase_add_checked_fixture(tc, rig_make, rig_remove);
	tcase_add_test(tc, reader_keeps_its_segment);
	suite_add_tcase(s, tc);
	tc = tcase_create("failing disk");
	tcase_add_checked_fixture(tc, make_bad, rig_remove);
	tcase_add_loop_test(tc, asks_again, 0, 3);
	tcase_add_loop_test(tc, note_before_counts, 0, 2);
	tcase_add_loop_test(tc, compaction_waits_for_the_disk, 0, 2);
	tcase_add_loop_test(tc, compaction_waits_behind_the_large, 0, 2);
	tcase_add_test(tc, compaction_gives_up);
	suite_add_tcase(s, tc);
	return s;
}
