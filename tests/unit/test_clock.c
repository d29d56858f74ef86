/* Clocks, spans and dates. */
#include "base/clock.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

START_TEST(is_real)
{
	int64_t now = clock_now_ms();
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	ck_assert_int_le(now, (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000);
	ck_assert_int_gt(now, (int64_t)boot.tv_sec * 1000 - 60000);
	ck_assert_int_ge(clock_now_ms(), now);
	ck_assert_int_le(llabs(clock_wall_s() - time(NULL)), 1);
	ck_assert_int_le(llabs(clock_wall_us() / 1000000 - time(NULL)), 1);
}
END_TEST

START_TEST(is_false)
{
	clock_fake(5000, 1000000000);
	ck_assert_int_eq(clock_now_ms(), 5000);
	ck_assert_int_eq(clock_wall_us(), INT64_C(1000000000000000));
	clock_fake_add(1500);
	ck_assert_int_eq(clock_now_ms(), 6500);
	ck_assert_int_eq(clock_wall_s(), 1000000001);
	ck_assert_int_eq(clock_wall_us(), INT64_C(1000000001500000));
}
END_TEST

static const struct {
	const char *text;
	int64_t ms;	/* -1: refused */
} spans[] = {
	{ "0", 0 }, { "0s", 0 }, { "500ms", 500 }, { "30s", 30000 },
	{ "5m", 300000 }, { "4h", 14400000 }, { "5d", 432000000 },
	{ "007s", 7000 }, { "3650d", INT64_C(315360000000) },
	{ "", -1 }, { "5", -1 }, { "s", -1 }, { "-1s", -1 }, { "1.5h", -1 },
	{ "1 s", -1 }, { " 1s", -1 }, { "1s ", -1 }, { "1S", -1 }, { "1w", -1 },
	{ "1mss", -1 }, { "1h30m", -1 }, { "00", -1 }, { "4000d", -1 },
	{ "99999999999999999999s", -1 }, { "18446744073709551616ms", -1 },
	{ "315619200000d", -1 },
};

START_TEST(parses_spans)
{
	int64_t ms = -1;
	bool ok = clock_parse_span(str_of(spans[_i].text), &ms);

	ck_assert_int_eq(ok, spans[_i].ms >= 0);
	ck_assert_int_eq(ms, spans[_i].ms);
}
END_TEST

static const struct {
	int64_t ms;
	const char *text;
} printed[] = {
	{ -5, "0 s" }, { 0, "0 s" }, { 1, "1 ms" }, { 500, "500 ms" },
	{ 1000, "1 s" }, { 10000, "10 s" }, { 10499, "10 s" }, { 10500, "11 s" },
	{ 60000, "1 min" }, { 90000, "90 s" }, { 180000, "3 min" },
	{ 7200000, "2 h" }, { 345600000, "4 d" }, { 3600000, "1 h" },
	{ 86400000, "1 d" }, { 100 * INT64_C(86400000), "100 d" },
	{ INT64_MAX, "106751991167 d" },
};

START_TEST(prints_spans)
{
	char text[32];

	clock_print_span(text, sizeof text, printed[_i].ms);
	ck_assert_str_eq(text, printed[_i].text);
}
END_TEST

static const struct {
	const char *zone;
	int64_t wall_s;
	const char *text;
} dates[] = {
	{ "UTC", 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
	{ "UTC", 1795297911, "Sat, 21 Nov 2026 21:51:51 +0000" },
	{ "XXX-5:30", 1795297911, "Sun, 22 Nov 2026 03:21:51 +0530" },
	{ "XXX3:30", 1795297911, "Sat, 21 Nov 2026 18:21:51 -0330" },
	{ "XXX0:30", 1795297911, "Sat, 21 Nov 2026 21:21:51 -0030" },
};

START_TEST(prints_dates)	/* RFC 5322 3.3 */
{
	char text[64], small[8];

	setenv("TZ", dates[_i].zone, 1);
	tzset();
	clock_print_date(text, sizeof text, dates[_i].wall_s);
	ck_assert_str_eq(text, dates[_i].text);
	clock_print_date(small, sizeof small, dates[_i].wall_s);
	ck_assert_uint_eq(strlen(small), sizeof small - 1);
}
END_TEST

#define LOOP(tc, fn, table)                                                    \
	tcase_add_loop_test(tc, fn, 0, (int)(sizeof table / sizeof table[0]))

Suite *test_clock(void);
Suite *
test_clock(void)
{
	Suite *s = suite_create("test_clock");
	TCase *tc = tcase_create("clock");

	tcase_add_test(tc, is_real);
	LOOP(tc, parses_spans, spans);
	LOOP(tc, prints_spans, printed);
	LOOP(tc, prints_dates, dates);
	tcase_add_test(tc, is_false);
	suite_add_tcase(s, tc);
	return s;
}
