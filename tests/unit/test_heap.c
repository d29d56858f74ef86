/* The heap against a plain search for the smallest. */
#include "base/heap.h"

#include <check.h>
#include <stdlib.h>

enum { NODES = 200, STEPS = 5000 };

START_TEST(in_order)
{
	struct heap h = { 0 };
	struct heap_node n[50] = { 0 };

	ck_assert_ptr_null(heap_find(&h));
	for (int i = 0; i < 50; i++)
		heap_put(&h, &n[i], i * 37 % 50);
	for (int i = 0; i < 50; i++) {
		struct heap_node *least = heap_find(&h);

		ck_assert_int_eq(least->key, i);
		heap_remove(&h, least);
		ck_assert(!heap_has(least));
		heap_remove(&h, least);
	}
	ck_assert_ptr_null(heap_find(&h));
	heap_clear(&h);
}
END_TEST

static void
check_least(const struct heap *h, const struct heap_node *n)
{
	const struct heap_node *least = NULL;
	size_t count = 0;

	for (int i = 0; i < NODES; i++) {
		if (!heap_has(&n[i]))
			continue;
		count++;
		if (h->v[n[i].at - 1] != &n[i])
			ck_abort_msg("node %d is not where it says", i);
		if (least == NULL || n[i].key < least->key)
			least = &n[i];
	}
	ck_assert_uint_eq(h->n, count);
	for (size_t i = 1; i < h->n; i++)
		if (h->v[(i - 1) / 2]->key > h->v[i]->key)
			ck_abort_msg("place %zu is less than its parent", i);
	if (least == NULL)
		ck_assert_ptr_null(heap_find(h));
	else
		ck_assert_int_eq(heap_find(h)->key, least->key);
}

START_TEST(at_random)
{
	struct heap h = { 0 };
	struct heap_node n[NODES] = { 0 };

	srand(1);
	for (int step = 0; step < STEPS; step++) {
		struct heap_node *one = &n[rand() % NODES];

		switch (rand() % 3) {
		case 0:
			heap_remove(&h, one);
			break;
		case 1:
			heap_move(&h, one, rand() % 100);
			break;
		case 2:
			heap_move(&h, one, (rand() - RAND_MAX / 2) * (INT64_C(1) << 30));
			break;
		}
		check_least(&h, n);
	}
	heap_clear(&h);
}
END_TEST

Suite *test_heap(void);
Suite *
test_heap(void)
{
	Suite *s = suite_create("test_heap");
	TCase *tc = tcase_create("heap");

	tcase_add_test(tc, in_order);
	tcase_add_test(tc, at_random);
	suite_add_tcase(s, tc);
	return s;
}
