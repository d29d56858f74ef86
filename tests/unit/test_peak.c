/* When memory is given back: on a clock of the test's. */
#include "base/peak.h"

#include <check.h>

enum { LEAST = 100 };

/* Each look comes a second after the one before. */
static const struct {
	const char *what;
	uint64_t n[24];
	int over_at;		/* the look that says so; -1: none */
} lives[] = {
	{ "there were never many", { 99, 50, 0 }, -1 },
	{ "still more than half", { 100, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51, 51 }, -1 },
	{ "half for six seconds", { 100, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 50 }, 7 },
	{ "all gone at once", { 100, 0 }, 7 },
	{ "slowly", { 100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 0 }, 11 },
	{ "they come again", { 100, 0, 0, 0, 51, 0 }, 11 },
	{ "and more than before", { 100, 0, 0, 0, 1000, 400, 400, 501, 500, 0 }, 14 },
};

static int64_t now_ms = 1000 * 1000;	/* never back: what threads share remembers */

START_TEST(half_have_been_gone_for_a_while)
{
	struct peak p = { 0 };
	int over_at = -1;

	now_ms += 1000 * 1000 * (_i + 1);	/* each in a process of its own, or not */
	for (int look = 0; look < 24; look++, now_ms += 1000) {
		if (!peak_is_over(&p, lives[_i].n[look], LEAST, now_ms))
			continue;
		ck_assert_msg(over_at < 0, "%s: twice", lives[_i].what);
		over_at = look;
	}
	ck_assert_msg(over_at == lives[_i].over_at, "%s: at %d", lives[_i].what, over_at);
}
END_TEST

START_TEST(what_comes_and_goes_between_looks)
{
	struct peak p = { 0 };

	now_ms += 100 * 1000 * 1000;
	peak_note(&p, 100);
	peak_note(&p, 3);
	ck_assert(!peak_is_over(&p, 0, LEAST, now_ms));
	ck_assert(!peak_is_over(&p, 0, LEAST, now_ms + 5999));
	ck_assert(peak_is_over(&p, 0, LEAST, now_ms + 6000));
	ck_assert_uint_eq(p.most, 0);
}
END_TEST

START_TEST(one_of_all_threads)
{
	struct peak a = { 0 }, b = { 0 }, c = { 0 };

	now_ms += 200 * 1000 * 1000;
	peak_note(&a, 100);
	peak_note(&b, 100);
	peak_note(&c, 100);
	ck_assert(!peak_is_over(&a, 0, LEAST, now_ms));
	ck_assert(!peak_is_over(&b, 0, LEAST, now_ms + 2000));
	ck_assert(!peak_is_over(&c, 0, LEAST, now_ms + 4000));
	ck_assert(peak_is_over(&a, 0, LEAST, now_ms + 6000));
	ck_assert(!peak_is_over(&b, 0, LEAST, now_ms + 8000));	/* was gone when a gave back */
	ck_assert_uint_eq(b.most, 0);
	ck_assert(peak_is_over(&c, 0, LEAST, now_ms + 10000));	/* later */
}
END_TEST

Suite *test_peak(void);
Suite *
test_peak(void)
{
	Suite *s = suite_create("test_peak");
	TCase *t = tcase_create("peak");

	tcase_add_loop_test(t, half_have_been_gone_for_a_while, 0, sizeof lives / sizeof lives[0]);
	tcase_add_test(t, what_comes_and_goes_between_looks);
	tcase_add_test(t, one_of_all_threads);
	suite_add_tcase(s, t);
	return s;
}
