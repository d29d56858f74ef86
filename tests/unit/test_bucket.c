/* Token buckets. */
#include "base/bucket.h"

#include <check.h>

static const struct {
	const char *text;
	bool ok;
	uint32_t count;
	int64_t per_ms;
} rates[] = {
	{ "", true, 0, 0 }, { "14/s", true, 14, 1000 },
	{ "100/m", true, 100, 60000 }, { "500/h", true, 500, 3600000 },
	{ "9/d", true, 9, 86400000 }, { "4294967295/s", true, UINT32_MAX, 1000 },
	{ "4294967296/s", false, 0, 0 }, { "0/h", false, 0, 0 },
	{ "5", false, 0, 0 }, { "5/", false, 0, 0 }, { "/s", false, 0, 0 },
	{ "5/w", false, 0, 0 }, { "5/ms", false, 0, 0 }, { "5/s/s", false, 0, 0 },
	{ "-5/s", false, 0, 0 }, { "5 /s", false, 0, 0 }, { "5/s ", false, 0, 0 },
	{ "1.5/s", false, 0, 0 },
};

START_TEST(parses)
{
	struct rate r = { 0 };
	bool ok = bucket_parse(str_of(rates[_i].text), &r);

	ck_assert_int_eq(ok, rates[_i].ok);
	ck_assert_uint_eq(r.count, rates[_i].count);
	ck_assert_int_eq(r.per_ms, rates[_i].per_ms);
}
END_TEST

START_TEST(burst_then_rate)
{
	struct bucket b;

	bucket_init(&b, (struct rate){ 10, 1000 }, 5000);
	for (int i = 0; i < 10; i++)
		ck_assert(bucket_take(&b, 5000));
	ck_assert(!bucket_take(&b, 5000));
	ck_assert(!bucket_take(&b, 5099));
	ck_assert(bucket_take(&b, 5101));
	ck_assert(!bucket_take(&b, 5101));
	for (int i = 0; i < 10; i++)	/* full again, and no fuller */
		ck_assert(bucket_take(&b, 99000));
	ck_assert(!bucket_take(&b, 99000));
	ck_assert(!bucket_take(&b, 6000));	/* no way to gain by going back */
}
END_TEST

/* Fractions that are added up a thousand times still make whole tokens. */
START_TEST(asked_every_ms)
{
	struct bucket b;
	int late = 0;

	bucket_init(&b, (struct rate){ 100, 1000 }, 0);
	while (bucket_take(&b, 0))
		;
	for (int ms = 1; ms <= 10000; ms++)
		if (bucket_take(&b, ms) != (ms % 10 == 0))
			late++;
	ck_assert_int_eq(late, 0);
}
END_TEST

START_TEST(no_limit)
{
	struct bucket b;

	bucket_init(&b, (struct rate){ 0 }, 0);
	for (int i = 0; i < 1000; i++)
		ck_assert(bucket_take(&b, 0));
}
END_TEST

Suite *test_bucket(void);
Suite *
test_bucket(void)
{
	Suite *s = suite_create("test_bucket");
	TCase *tc = tcase_create("bucket");

	tcase_add_loop_test(tc, parses, 0, sizeof rates / sizeof rates[0]);
	tcase_add_test(tc, burst_then_rate);
	tcase_add_test(tc, asked_every_ms);
	tcase_add_test(tc, no_limit);
	suite_add_tcase(s, tc);
	return s;
}
