/* The spool at a start: what it makes of files and octets that are not as it left them. */
#include "unit/spool_rig.h"

/* --- numbers from which none can go on ------------------------------------------------- */

static const struct {
	const char *file;	/* empty, in log/ */
	bool whole_log;		/* nothing else is there */
	unsigned damaged;	/* reports */
} stray[] = {
	{ "log/ffffffff.new", false, 0 }, { "log/fffffff0.new", true, 0 }, { "log/80000000.new", false, 0 },
	{ "log/7fffffff.new", true, 0 }, { "log/ffffffff.seg", true, 1 }, { "log/ffffffff.seg", false, 1 },
	{ "log/7fffffff.seg", true, 1 }, { "log/fffffff0.seg", true, 1 },
};

START_TEST(stray_numbers)	/* D-30 */
{
	enum { N = 30 };

	rig_open();
	if (!stray[_i].whole_log) {
		rig_put(1, 100);
		rig_commit();
	}
	rig_close();
	if (stray[_i].whole_log)
		ck_assert_int_eq(unlink(rig_path("log/00000001.seg")), 0);
	rig_save(stray[_i].file, "", 0);
	for (uint64_t from = 100; from < 300; from += 100) {
		rig_open();
		ck_assert_uint_eq(rig.damaged, from == 100 ? stray[_i].damaged : 0);
		for (uint64_t id = from; id < from + N; id++) {
			rig_put(id, 20000);
			rig_commit();
		}
		rig_kill();
	}
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);
	ck_assert_uint_eq(rig.kept.n, 2 * N + !stray[_i].whole_log);
	for (uint64_t id = 100; id < 200 + N; id += id == 100 + N - 1 ? 100 - N + 1 : 1)
		rig_read(id, 20000);
}
END_TEST

/* A segment that says itself that it has the last of all numbers is not lost, and not gone on from. */
START_TEST(last_number)
{
	struct segment_head head = { .number = SEGMENT_LAST, .first_seq = 1 };
	struct segment *g = segment_recycle(NULL, 1, RIG_SEGMENT);
	struct buf b = { 0 };

	rig_open();
	rig_close();
	segment_begin(g, &head, &b);
	rig_save("log/7fffffff.seg", b.data, b.len);
	ck_assert_int_lt(rig_try_open(), 0);
	ck_assert_ptr_nonnull(strstr(rig.why.text, "log/7fffffff.seg"));
	ck_assert(rig_has("log/7fffffff.seg"));
	buf_clear(&b);
	segment_free(&g);
}
END_TEST

/* --- the last record, after a kill --------------------------------------------------------- */

enum { LAST_TEXT, LAST_META, LAST_NOTE, LAST_DONE, LAST_LARGE, LASTS };

/* A message that is well, and behind it the record in question; returns where that is. */
static uint32_t
last_record(int kind, uint32_t *size)
{
	uint32_t at;

	rig_open();
	rig_put(1, 700);
	rig_commit();
	at = rig.s->active->end;
	if (kind == LAST_NOTE)
		rig_note(1, "how far it has come");
	else if (kind == LAST_DONE)
		rig_done(1);
	else
		rig_put(2, kind == LAST_LARGE ? 12000 : 700);
	rig_commit();
	*size = rig.s->active->end - at;
	rig_kill();
	return at;
}

static void
count_line(void *arg, const char *line)
{
	*(unsigned *)arg += strstr(line, "never acknowledged") != NULL;
}

static void
expect_reported(uint64_t id)
{
	unsigned lines = 0;

	ck_assert_int_eq(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 1);
	ck_assert_uint_eq(lines, 1);
	rig_open();
	ck_assert_uint_eq(rig.damaged, 1);
	ck_assert_uint_eq(rig.damaged_id, id);
	ck_assert_msg(strstr(rig.damaged_what, "damaged") != NULL, "%s", rig.damaged_what);
	ck_assert(rig_has(rig.damaged_file));
	rig_read(1, 700);
	ck_assert_uint_eq(rig.kept.n, 1);
	rig_put(3, 700);
	rig_commit();
	rig_kill();
	rig_open();
	ck_assert_uint_eq(rig.damaged, 0);	/* once is enough */
	ck_assert_uint_eq(rig.kept.n, 2);
	rig_read(3, 700);
	rig_kill();
	rig_remove();
	rig_make();
}

START_TEST(last_record_flipped)	/* D-05 */
{
	uint32_t size, end = _i == LAST_NOTE ? 60 : _i == LAST_DONE ? FRAME_HEAD : _i == LAST_META ? 56 : 700;

	for (uint32_t at = 0; at < end; at += at < 60 ? 1 : 90) {
		uint32_t from = last_record(_i, &size);

		rig_flip("log/00000001.seg", from + at);
		expect_reported(_i == LAST_NOTE || _i == LAST_DONE ? 1 : 2);
	}
}
END_TEST

/* More than one octet of the head: what it says is not known, but that there was something is. */
START_TEST(last_record_hurt)	/* D-05 */
{
	uint32_t size, from = last_record(LAST_TEXT, &size);

	rig_flip("log/00000001.seg", from + 8);
	rig_flip("log/00000001.seg", from + 17);
	expect_reported(0);
}
END_TEST

/* A sector that was never written: the write did not end. */
START_TEST(last_record_torn)	/* D-05 */
{
	for (uint32_t keep = 0; keep < 12000; keep += 512) {
		uint32_t size, from = last_record(LAST_LARGE, &size), cut = from + keep;
		unsigned lines = 0;

		cut -= cut % 512;
		ck_assert_int_eq(truncate(rig_path("log/00000001.seg"), cut > from ? cut : from), 0);
		ck_assert_int_eq(truncate(rig_path("log/00000001.seg"), RIG_SEGMENT), 0);
		ck_assert_int_eq(spool_inspect(rig.dir, false, count_line, &lines, &rig.why), 0);
		rig_open();
		ck_assert_uint_eq(rig.damaged, 0);
		ck_assert(!rig_has("damaged"));
		ck_assert_uint_eq(rig.kept.n, 1);
		rig_read(1, 700);
		rig_kill();
		rig_remove();
		rig_make();
	}
}
END_TEST

/* Behind the last word of a run: what comes after it is not in order. */
START_TEST(last_record_after_clean_end)
{
	uint32_t at;

	rig_open();
	rig_put(1, 700);
	rig_commit();
	rig_close();
	rig_open();
	at = rig.s->active->end;
	rig_put(2, 700);
	rig_commit();
	rig_kill();
	rig_flip("log/00000001.seg", at + (_i == 0 ? 3 : 500));
	expect_reported(2);
}
END_TEST

/* What lay in the file in its earlier life is nothing. */
START_TEST(leftovers)	/* D-06 */
{
	rig_open();
	for (uint64_t id = 1; id < 40; id++) {
		rig_put(id, 9000);
		rig_commit();
		rig_done(id);
		rig_commit();
		rig_kill();
		rig_open();
		ck_assert_uint_eq(rig.damaged, 0);
	}
}
END_TEST

/* The content that goes with a record that is set aside is kept with it. */
START_TEST(blob_goes_along)
{
	uint32_t at;

	rig_open();
	rig_put(1, 700);
	rig_commit();
	at = rig.s->active->end;
	ck_assert_int_eq(rig_try_put(2, 5000, 4000), 0);
	rig_commit();
	rig_kill();
	rig_flip("log/00000001.seg", at + FRAME_HEAD + 20);
	rig_open();
	ck_assert_uint_eq(rig.damaged_id, 2);
	ck_assert(rig_has("damaged/0000000000002.blob"));
	ck_assert(!rig_has("blob/0000000000002"));
}
END_TEST

/* The segment that held the largest id is gone, and only the heads of others know of it. */
START_TEST(no_id_twice)
{
	rig_open();
	rig_put(1000, 100);
	rig_commit();
	rig_done(1000);
	for (uint64_t id = 1; id < 30; id++) {
		rig_put(id, 20000);
		rig_commit();
		rig_done(id);
	}
	rig_commit();
	ck_assert(!rig_has("log/00000001.seg"));
	rig_kill();
	rig_open();
	ck_assert_uint_eq(spool_last_id(rig.s), 1000);
	rig_close();
	rig_open();
	ck_assert_uint_eq(spool_last_id(rig.s), 1000);
}
END_TEST

/* Octets of another spool's segment of the same number are no records here. */
/* Nothing may end the message for a copy's sake (tests/fuzz/corpus/segment/two-copies-hurt). */
START_TEST(two_copies_hurt)
{
	uint32_t at[3];

	rig_open();
	for (int copy = 0; copy < 3; copy++) {
		rig_put(1, 100);
		rig_commit();
		at[copy] = rig_item(1)->offset;
		rig_forget();
	}
	rig_kill();
	rig_flip("log/00000001.seg", at[0] + FRAME_HEAD);
	rig_flip("log/00000001.seg", at[1] + FRAME_HEAD);
	for (int start = 0; start < 3; start++) {
		rig_open();
		rig_read(1, 100);
		rig_kill();
	}
}
END_TEST

START_TEST(seeds_differ)	/* D-06 */
{
	uint32_t seed;

	rig_open();
	seed = rig.s->active->seed;
	rig_kill();
	rig_remove();
	rig_make();
	rig_open();
	ck_assert_uint_eq(rig.s->active->number, 1);
	ck_assert_uint_ne(rig.s->active->seed, seed);
}
END_TEST

Suite *test_recover(void);
Suite *
test_recover(void)
{
	Suite *s = suite_create("test_recover");
	TCase *tc = tcase_create("recover");

	tcase_add_checked_fixture(tc, rig_make, rig_remove);
	tcase_add_loop_test(tc, stray_numbers, 0, sizeof stray / sizeof stray[0]);
	tcase_add_test(tc, last_number);
	tcase_add_loop_test(tc, last_record_flipped, 0, LASTS);
	tcase_add_test(tc, last_record_hurt);
	tcase_add_test(tc, last_record_torn);
	tcase_add_loop_test(tc, last_record_after_clean_end, 0, 2);
	tcase_add_test(tc, leftovers);
	tcase_add_test(tc, no_id_twice);
	tcase_add_test(tc, two_copies_hurt);
	tcase_add_test(tc, seeds_differ);
	tcase_add_test(tc, blob_goes_along);
	suite_add_tcase(s, tc);
	return s;
}
