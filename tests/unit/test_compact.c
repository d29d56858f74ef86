/* The log gives back what is not needed, and loses nothing over it (I8, D-22; tests/crash cuts the power). */
#include "unit/spool_rig.h"

static uint64_t
bound(void)
{
	/* Twice what lives, the active segment, one spare, one being compacted. */
	return 2 * spool_live_bytes(rig.s) + 3 * RIG_SEGMENT;
}

static void
compact(uint64_t octets)
{
	bool more;

	do {
		more = spool_compact(rig.s, octets);
		if (spool_is_dirty(rig.s))
			rig_commit();
	} while (more);
}

START_TEST(nothing_to_do)
{
	rig_open();
	ck_assert(!spool_compact(rig.s, 1 << 20));
	for (uint64_t id = 1; id < 20; id++)
		rig_put(id, 20000);
	ck_assert(!spool_compact(rig.s, 1 << 20));
	rig_commit();
	ck_assert(!spool_compact(rig.s, 1 << 20));	/* all of it lives */
	ck_assert(!spool_is_dirty(rig.s));
}
END_TEST

START_TEST(dead_segments_just_go)
{
	rig_open();
	for (uint64_t id = 1; id < 200; id++) {
		rig_put(id, 20000);
		rig_commit();
		rig_done(id);
		ck_assert_uint_le(spool_disk_bytes(rig.s), 4 * RIG_SEGMENT);
	}
	rig_commit();
	ck_assert(!spool_compact(rig.s, 1 << 20));
	ck_assert_uint_le(spool_disk_bytes(rig.s), bound());
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.kept.n, 0);
}
END_TEST

/* One message in ten stays for ever, in slices of all sizes. */
START_TEST(keeps_what_lives)
{
	static const uint64_t slices[] = { 1, 5000, 30000, 1 << 20 };
	enum { N = 400, SIZE = 3000 };
	char text[40];

	rig_open();
	for (uint64_t id = 1; id <= N; id++) {
		rig_put(id, SIZE);
		snprintf(text, sizeof text, "note of %" PRIu64, id);
		if (id % 20 == 0)
			rig_note(id, text);
		if (id > 7 && (id - 7) % 10 != 0)
			rig_done(id - 7);
		if (id % 3 == 0)
			rig_commit();
		if (id % 9 == 0)
			compact(slices[_i]);
		ck_assert_uint_le(spool_disk_bytes(rig.s), bound() + RIG_SEGMENT);
	}
	rig_commit();
	compact(slices[_i]);
	ck_assert_uint_le(spool_disk_bytes(rig.s), bound());
	for (int again = 0; again < 2; again++) {
		for (uint64_t id = 10; id <= N; id += 10) {
			rig_read(id, SIZE);
			snprintf(text, sizeof text, "note of %" PRIu64, id);
			if (id % 20 == 0 && again > 0)
				ck_assert_str_eq(((struct kept *)rig_item(id))->note, text);
		}
		rig_kill();
		rig_open();
		ck_assert_uint_eq(rig.damaged, 0);
		ck_assert_uint_eq(rig.kept.n, N / 10 + 6);
	}
}
END_TEST

/* A few old messages among many that went, wherever the active segment ends: in quiet hours two segments do. */
START_TEST(rests)
{
	unsigned n = 40 + (unsigned)_i * 7;

	rig_open();
	for (uint64_t id = 1; id <= n; id++) {
		rig_put(id, 5000);
		if (id > 9 && (id - 9) % 16 != 0)
			rig_done(id - 9);
		rig_commit();
	}
	for (unsigned quiet = 0; quiet < 4; quiet++) {
		spool_rest(rig.s);
		compact(30000);
		if (spool_is_dirty(rig.s))
			rig_commit();
	}
	ck_assert_uint_le(spool_disk_bytes(rig.s), 2 * spool_live_bytes(rig.s) + 2 * RIG_SEGMENT);
	for (uint64_t id = 16; id <= n - 9; id += 16)
		rig_read(id, 5000);
	rig_put(n + 1, 5000);
	rig_commit();
}
END_TEST

START_TEST(reads_while_moving)
{
	struct spool_reader *r;
	char octets[4096];
	int64_t n = 0, part;

	rig_open();
	rig_put(1, 25000);
	for (uint64_t id = 2; id < 12; id++)
		rig_put(id, 20000);
	rig_commit();
	ck_assert_int_eq(spool_read_open(rig.s, rig_item(1), &r, &rig.why), 0);
	n = spool_read(r, octets, sizeof octets, &rig.why);
	for (uint64_t id = 2; id < 12; id++)
		rig_done(id);
	ck_assert(spool_compact(rig.s, 1 << 20) || true);
	rig_commit();
	compact(1 << 20);
	rig_read(1, 25000);		/* staged or moved: found */
	for (uint64_t id = 20; id < 40; id++) {
		rig_put(id, 20000);
		rig_commit();
		rig_done(id);
	}
	while ((part = spool_read(r, octets, sizeof octets, &rig.why)) > 0)
		n += part;
	ck_assert_int_eq(part, 0);
	ck_assert_int_eq(n, 25000);
	spool_read_close(&r);
}
END_TEST

/* It moves as it is, so that its reader and nobody else finds out. */
START_TEST(damaged_messages_move_too)
{
	char name[40];
	uint32_t before;

	rig_open();
	rig_put(1, 20000);
	rig_put(2, 20000);
	rig_put(3, 20000);
	for (uint64_t id = 4; id < 12; id++)
		rig_put(id, 20000);
	rig_commit();
	before = rig_item(1)->segment;
	snprintf(name, sizeof name, "log/%08x.seg", before);
	rig_flip(name, rig_item(1)->offset + 10000);
	for (uint64_t id = 3; id < 12; id++)
		rig_done(id);
	rig_commit();
	compact(1 << 20);
	ck_assert_uint_ne(rig_item(1)->segment, before);
	ck_assert_int_eq(rig_try_read(1, 20000, 4096), -1);
	rig_read(2, 20000);
	ck_assert_uint_eq(rig.damaged, 0);
}
END_TEST

START_TEST(lost_while_running)	/* its head is gone: the segment stays, and the next start sets it aside */
{
	rig_open();
	rig_put(1, 20000);
	rig_put(2, 20000);
	for (uint64_t id = 3; id < 12; id++)
		rig_put(id, 20000);
	rig_commit();
	rig_flip("log/00000001.seg", rig_item(1)->offset + 20);
	for (uint64_t id = 3; id < 12; id++)
		rig_done(id);
	rig_commit();
	compact(1 << 20);
	ck_assert_uint_eq(rig.damaged, 1);
	rig_read(2, 20000);
	ck_assert(!spool_compact(rig.s, 1 << 20));
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert(rig_has(rig.damaged_file));
	ck_assert_uint_eq(rig.kept.n, 1);
	rig_read(2, 20000);
}
END_TEST

/* The message was copied behind its note, and power went before the note's copy was there (tests/fuzz/corpus/segment/twice). */
START_TEST(note_is_followed)
{
	char zeros[256] = { 0 }, name[40];
	struct buf old = { 0 };
	struct spool_item item, before;
	int fd;

	rig_open();
	for (uint64_t id = 1; id < 12; id++)
		rig_put(id, 20000);
	rig_commit();
	rig_note(1, "told");
	rig_commit();
	before = *rig_item(1);
	rig_load("log/00000001.seg", &old);
	for (uint64_t id = 2; id < 12; id++)
		rig_done(id);
	rig_commit();
	compact(1 << 20);
	item = *rig_item(1);
	ck_assert_uint_eq(before.segment, 1);
	ck_assert(item.segment == before.note_segment && item.offset > before.note_offset && item.note_offset > item.offset);
	ck_assert_uint_le(item.note_length, sizeof zeros);
	rig_kill();
	rig_save("log/00000001.seg", old.data, old.len);
	buf_clear(&old);
	snprintf(name, sizeof name, "log/%08x.seg", item.segment);
	fd = open(rig_path(name), O_RDWR);
	ck_assert_int_eq(pwrite(fd, zeros, item.note_length, item.note_offset), item.note_length);
	close(fd);
	for (int start = 0; start < 3; start++) {
		rig_open();
		ck_assert_str_eq(((struct kept *)rig_item(1))->note, "told");
		rig_put(100 + (uint64_t)start, 100);	/* what is dead goes with it */
		rig_commit();
		rig_kill();
	}
}
END_TEST

Suite *test_compact(void);
Suite *
test_compact(void)
{
	Suite *s = suite_create("test_compact");
	TCase *tc = tcase_create("compact");

	tcase_add_checked_fixture(tc, rig_make, rig_remove);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, nothing_to_do);
	tcase_add_test(tc, dead_segments_just_go);
	tcase_add_loop_test(tc, keeps_what_lives, 0, 4);
	tcase_add_loop_test(tc, rests, 0, 12);
	tcase_add_test(tc, reads_while_moving);
	tcase_add_test(tc, damaged_messages_move_too);
	tcase_add_test(tc, lost_while_running);
	tcase_add_test(tc, note_is_followed);
	suite_add_tcase(s, tc);
	return s;
}
