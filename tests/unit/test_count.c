/* Counters, up and down, from two threads. */
#include "base/count.h"

#include <check.h>
#include <pthread.h>

enum { TIMES = 20000 };

static void *
count_up(void *arg)
{
	(void)arg;
	for (int i = 0; i < TIMES; i++)
		count_add(COUNT_SYNCS, 1);
	return NULL;
}

START_TEST(counts)
{
	int64_t syncs = count_get(COUNT_SYNCS), others = count_get(COUNT_DAMAGED);
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, count_up, NULL), 0);
	count_up(NULL);
	pthread_join(thread, NULL);
	ck_assert_int_eq(count_get(COUNT_SYNCS), syncs + 2 * TIMES);
	count_add(COUNT_SYNCS, -2 * TIMES);
	ck_assert_int_eq(count_get(COUNT_SYNCS), syncs);
	ck_assert_int_eq(count_get(COUNT_DAMAGED), others);
	ck_assert_int_eq(count_get(COUNT_STAGING_ROOM), INT64_MAX);	/* until somebody knows */
	count_set(COUNT_STAGING_ROOM, 5);
	count_add(COUNT_STAGING_ROOM, -2);
	ck_assert_int_eq(count_get(COUNT_STAGING_ROOM), 3);
}
END_TEST

Suite *test_count(void);
Suite *
test_count(void)
{
	Suite *s = suite_create("test_count");
	TCase *tc = tcase_create("count");

	tcase_add_test(tc, counts);
	suite_add_tcase(s, tc);
	return s;
}
