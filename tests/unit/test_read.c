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

Suite *test_read(void);
Suite *
test_read(void)
{
	Suite *s = suite_create("test_read");
	TCase *tc = tcase_create("read");

	tcase_add_checked_fixture(tc, rig_make, rig_remove);
	tcase_add_test(tc, reader_keeps_its_segment);
	suite_add_tcase(s, tc);
	return s;
}
