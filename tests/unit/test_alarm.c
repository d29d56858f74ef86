/* Conditions on a false clock: when they begin, when they are over, and that they make no storm. */
#include "queue/alarm.h"

#include <check.h>

/* A level, second by second: '.' not so, 'x' so; below it what is said: 'B'egins, 'E'nds. */
static const struct {
	int64_t after_s;
	const char *is, *said;
} levels[] = {
	{ 0,  "..x.....", "  B   E " },
	{ 0,  "x.x.x....", "B       E" },
	{ 1,  "..x....x", "        " },
	{ 3,  ".xx.xxxxx", "       B " },
	{ 3,  "xxxx....x", "   B   E " },
	{ 3,  "xxxx.x.x.x....", "   B         E" },	/* comes and goes: one pair */
	{ 3,  "xxxx....xxxx....", "   B   E   B   E" },
};

START_TEST(a_level)
{
	struct alarm a = { 0 };
	static const char names[] = { [ALARM_NOTHING] = ' ', [ALARM_BEGINS] = 'B', [ALARM_GROWS] = 'G', [ALARM_ENDS] = 'E' };

	for (int i = 0; levels[_i].is[i] != '\0'; i++) {
		enum alarm_news n = alarm_level(&a, levels[_i].is[i] == 'x', levels[_i].after_s * 1000, 3000, 5000 + i * 1000);

		ck_assert_msg(names[n] == levels[_i].said[i], "second %d: '%c' for '%c'", i, names[n], levels[_i].said[i]);
	}
}
END_TEST

START_TEST(what_begins_at_once_ends_after_a_minute)
{
	struct alarm a = { 0 };

	ck_assert_int_eq(alarm_level(&a, true, 0, ALARM_MINUTE_MS, 0), ALARM_BEGINS);
	ck_assert_int_eq(alarm_level(&a, false, 0, ALARM_MINUTE_MS, 1000), ALARM_NOTHING);
	ck_assert(alarm_is_raised(&a));
	ck_assert_int_eq(alarm_level(&a, false, 0, ALARM_MINUTE_MS, 60999), ALARM_NOTHING);
	ck_assert_int_eq(alarm_level(&a, false, 0, ALARM_MINUTE_MS, 61000), ALARM_ENDS);
	ck_assert(!alarm_is_raised(&a));
}
END_TEST

START_TEST(a_storm_is_told_by_the_minute)
{
	struct alarm a = { 0 };
	uint64_t told, all = 0;
	unsigned news = 0;

	for (int64_t s = 0; s < 600; s++) {
		enum alarm_news n = alarm_count(&a, 10, false, 600000, s * 1000, &told);

		ck_assert_int_eq(n, s == 0 ? ALARM_BEGINS : s % 60 == 0 ? ALARM_GROWS : ALARM_NOTHING);
		news += n != ALARM_NOTHING;
		all += told;
	}
	ck_assert_uint_eq(news, 10);
	ck_assert_int_eq(alarm_count(&a, 0, false, 600000, 600000, &told), ALARM_GROWS);
	ck_assert_uint_eq(all + told, 6000);		/* none is left out */
	ck_assert_int_eq(alarm_count(&a, 0, false, 600000, 599000 + 599999, &told), ALARM_NOTHING);
	ck_assert_int_eq(alarm_count(&a, 0, false, 600000, 599000 + 600000, &told), ALARM_ENDS);
	ck_assert_int_eq(alarm_count(&a, 0, false, 600000, 2000000, &told), ALARM_NOTHING);
	ck_assert_int_eq(alarm_count(&a, 1, false, 600000, 2000000, &told), ALARM_BEGINS);
}
END_TEST

START_TEST(what_lasts_is_not_over)
{
	struct alarm a = { 0 };
	uint64_t told;

	ck_assert_int_eq(alarm_count(&a, 3, true, 0, 0, &told), ALARM_BEGINS);
	ck_assert_uint_eq(told, 3);
	ck_assert_int_eq(alarm_count(&a, 0, true, 0, 3600000, &told), ALARM_NOTHING);
	ck_assert_int_eq(alarm_count(&a, 0, false, 0, 3601000, &told), ALARM_ENDS);
}
END_TEST

Suite *test_alarm(void);
Suite *
test_alarm(void)
{
	Suite *s = suite_create("test_alarm");
	TCase *tc = tcase_create("alarm");

	tcase_add_loop_test(tc, a_level, 0, (int)(sizeof levels / sizeof levels[0]));
	tcase_add_test(tc, what_begins_at_once_ends_after_a_minute);
	tcase_add_test(tc, a_storm_is_told_by_the_minute);
	tcase_add_test(tc, what_lasts_is_not_over);
	suite_add_tcase(s, tc);
	return s;
}
