/* The hour that the plots draw: gaps, minutes, and the oldest sample's end. */
#include "web/ring.h"

#include <check.h>
#include <string.h>

static struct ring ring;

static void
put(int64_t at_s, int64_t waiting, int64_t accepted)
{
	const int64_t value[RING_KINDS] = { [RING_WAITING] = waiting, [RING_ACCEPTED] = accepted };

	ring_put(&ring, at_s * 1000, value);
}

static void
setup(void)
{
	memset(&ring, 0, sizeof ring);
}

START_TEST(empty)
{
	int64_t out[RING_MINUTES];

	ring_series(&ring, RING_WAITING, out);
	for (unsigned i = 0; i < RING_MINUTES; i++)
		ck_assert_int_eq(out[i], -1);
	ck_assert_int_eq(ring_growth(&ring, RING_ACCEPTED, 0), 0);
}
END_TEST

START_TEST(minutes)
{
	int64_t out[RING_MINUTES];

	put(0, 5, 100);
	put(10, 9, 103);
	put(20, 1, 103);
	put(140, 2, 110);	/* a minute without any sample lies between */
	ring_series(&ring, RING_WAITING, out);
	ck_assert_int_eq(out[59], 2);
	ck_assert_int_eq(out[58], -1);
	ck_assert_int_eq(out[57], 9);	/* the most of it */
	ring_series(&ring, RING_ACCEPTED, out);
	ck_assert_int_eq(out[59], -1);	/* nobody knows when they came */
	ck_assert_int_eq(out[58], -1);
	ck_assert_int_eq(out[57], 3);
	ck_assert_int_eq(out[56], -1);
	ck_assert_int_eq(ring_growth(&ring, RING_ACCEPTED, 110), 10);
}
END_TEST

START_TEST(never_more_than_an_hour)
{
	int64_t out[RING_MINUTES], sum = 0;

	for (int i = 0; i < 1000; i++)
		put(i * 10, i, i * 2);
	ck_assert_uint_eq(ring.n, RING_SAMPLES);
	ck_assert_int_eq(ring_growth(&ring, RING_ACCEPTED, 999 * 2), 720);	/* two each 10 s */
	ring_series(&ring, RING_ACCEPTED, out);
	for (unsigned i = 0; i < RING_MINUTES; i++) {
		ck_assert_int_eq(out[i], 12);
		sum += out[i];
	}
	ck_assert_int_eq(sum, 720);
	ring_series(&ring, RING_WAITING, out);
	ck_assert_int_eq(out[59], 999);
	ck_assert_int_eq(out[0], 999 - 59 * 6);
}
END_TEST

/* Neither a clock that stands still nor a counter that starts anew gives a negative rate. */
START_TEST(nonsense)
{
	int64_t out[RING_MINUTES];

	put(100, 1, 50);
	put(100, 1, 60);
	put(90, 1, 70);
	ck_assert_uint_eq(ring.n, 1);
	put(110, 1, 0);
	ring_series(&ring, RING_ACCEPTED, out);
	ck_assert_int_eq(out[59], 0);
	ck_assert_int_eq(ring_growth(&ring, RING_ACCEPTED, 0), 0);
}
END_TEST

Suite *test_ring(void);

Suite *
test_ring(void)
{
	Suite *s = suite_create("test_ring");
	TCase *t = tcase_create("ring");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, empty);
	tcase_add_test(t, minutes);
	tcase_add_test(t, never_more_than_an_hour);
	tcase_add_test(t, nonsense);
	suite_add_tcase(s, t);
	return s;
}
