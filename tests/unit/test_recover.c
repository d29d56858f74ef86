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

Suite *test_recover(void);
Suite *
test_recover(void)
{
	Suite *s = suite_create("test_recover");
	TCase *tc = tcase_create("recover");

	tcase_add_checked_fixture(tc, rig_make, rig_remove);
	tcase_add_loop_test(tc, stray_numbers, 0, sizeof stray / sizeof stray[0]);
	tcase_add_test(tc, last_number);
	suite_add_tcase(s, tc);
	return s;
}
