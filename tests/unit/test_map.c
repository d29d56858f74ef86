/* The map against a plain array. */
#include "base/map.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

enum { KEYS = 500, STEPS = 30000 };

static char things[KEYS + 1];

/* Keys that begin in few places, and keys that are spread. */
static uint64_t
key_of(int kind, int i)
{
	return kind == 0 ? (uint64_t)i : kind == 1 ? (uint64_t)i << 40 :
	    (uint64_t)i * UINT64_C(0xf1de83e19937733d);	/* undoes the hash */
}

START_TEST(empty)
{
	struct map m = { 0 };
	size_t at = 0;

	ck_assert_ptr_null(map_find(&m, 1));
	ck_assert_ptr_null(map_find(&m, 0));
	ck_assert_ptr_null(map_take(&m, 1));
	ck_assert_ptr_null(map_next(&m, &at, NULL));
	map_put(&m, 1, things);
	ck_assert_ptr_null(map_find(&m, 0));
	ck_assert_ptr_null(map_take(&m, 0));
	ck_assert_ptr_null(map_find(&m, 2));
	map_clear(&m);
	ck_assert_ptr_null(map_find(&m, 1));
}
END_TEST

static void
check_walk(const struct map *m, int kind, char *const *there)
{
	unsigned seen[KEYS + 1] = { 0 };
	size_t at = 0, n = 0;
	uint64_t key;
	char *value;

	while ((value = map_next(m, &at, &key)) != NULL) {
		int i = (int)(value - things);

		ck_assert_uint_eq(key, key_of(kind, i));
		ck_assert_ptr_eq(there[i], value);
		ck_assert_uint_eq(seen[i]++, 0);
		n++;
	}
	ck_assert_uint_eq(n, m->n);
}

START_TEST(at_random)
{
	struct map m = { 0 };
	char *there[KEYS + 1] = { 0 };
	size_t n = 0, most = 0;

	srand(1);
	for (int step = 0; step < STEPS; step++) {
		int i = rand() % KEYS + 1;
		bool filling = step / 5000 % 2 == 0;

		if (rand() % 10 < (filling ? 7 : 2)) {
			n += there[i] == NULL;
			there[i] = &things[i];
			map_put(&m, key_of(_i, i), there[i]);
		} else {
			ck_assert_ptr_eq(map_take(&m, key_of(_i, i)), there[i]);
			n -= there[i] != NULL;
			there[i] = NULL;
		}
		i = rand() % KEYS + 1;
		if (map_find(&m, key_of(_i, i)) != there[i] || m.n != n)
			ck_abort_msg("step %d: %zu of %zu", step, m.n, n);
		if (m.cap > most)
			most = m.cap;
		if (step % 1000 == 0)
			check_walk(&m, _i, there);
	}
	ck_assert_uint_le(most, 2 * KEYS);
	for (int i = 1; i <= KEYS; i++)
		ck_assert_ptr_eq(map_take(&m, key_of(_i, i)), there[i]);
	ck_assert_uint_eq(m.n, 0);
	ck_assert_uint_lt(m.cap, most);	/* a crowd leaves no hall behind */
	map_clear(&m);
}
END_TEST

START_TEST(replaces)
{
	struct map m = { 0 };

	map_put(&m, 7, &things[1]);
	map_put(&m, 7, &things[2]);
	ck_assert_uint_eq(m.n, 1);
	ck_assert_ptr_eq(map_find(&m, 7), &things[2]);
	map_clear(&m);
}
END_TEST

Suite *test_map(void);
Suite *
test_map(void)
{
	Suite *s = suite_create("test_map");
	TCase *tc = tcase_create("map");

	tcase_add_test(tc, empty);
	tcase_add_loop_test(tc, at_random, 0, 3);
	tcase_add_test(tc, replaces);
	suite_add_tcase(s, tc);
	return s;
}
