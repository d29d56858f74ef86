/* Records between daemon and helper. */
#include "errand/record.h"

#include <check.h>
#include <string.h>

static const struct record records[] = {
	{ .kind = RECORD_RELOAD },
	{ .kind = RECORD_RUN, .number = 7, .command = 3, .digest = { 1, 2, 3 }, .text = { "{}", 2 } },
	{ .kind = RECORD_ENDED, .number = 0xffffffff, .result = ERRAND_LATE, .status = 9, .text = { "", 0 } },
	{ .kind = RECORD_ENDED, .number = 1, .result = ERRAND_DONE, .text = { "secret", 6 } },
};

START_TEST(there_and_back)
{
	const struct record *r = &records[_i];
	struct buf b = { 0 };
	struct record got;

	record_put(&b, r);
	ck_assert(record_get(buf_str(&b), &got));
	ck_assert_int_eq(got.kind, r->kind);
	ck_assert_uint_eq(got.number, r->number);
	ck_assert_uint_eq(got.command, r->command);
	ck_assert_int_eq(got.result, r->result);
	ck_assert_uint_eq(got.status, r->status);
	ck_assert_int_eq(memcmp(got.digest, r->digest, sizeof got.digest), 0);
	ck_assert(str_eq(got.text, r->text));
	for (size_t n = 0; n < b.len; n++)	/* torn */
		ck_assert(!record_get((struct str){ b.data, n }, &got));
	buf_putc(&b, 'x');			/* more than it says */
	ck_assert(!record_get(buf_str(&b), &got));
	buf_clear(&b);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	struct record r = records[3], got;
	struct buf b = { 0 };

	r.result = ERRAND_RESULTS;
	record_put(&b, &r);
	ck_assert(!record_get(buf_str(&b), &got));
	b.data[0] = 77;
	ck_assert(!record_get(buf_str(&b), &got));
	buf_clear(&b);
	r = records[1];
	r.text = (struct str){ (char[ERRAND_INPUT_MAX + 1]){ 0 }, ERRAND_INPUT_MAX + 1 };
	record_put(&b, &r);
	ck_assert(!record_get(buf_str(&b), &got));
	buf_clear(&b);
}
END_TEST

Suite *test_record(void);
Suite *
test_record(void)
{
	Suite *s = suite_create("test_record");
	TCase *tc = tcase_create("record");

	tcase_add_loop_test(tc, there_and_back, 0, (int)(sizeof records / sizeof records[0]));
	tcase_add_test(tc, nonsense_is_refused);
	suite_add_tcase(s, tc);
	return s;
}
