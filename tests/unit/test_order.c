/* Entries by id: sorted, with holes. */
#include "queue/private.h"

#include <check.h>
#include <stdlib.h>

START_TEST(finds_what_was_put_in_any_order)
{
	struct order o = { 0 };
	struct entry *e = calloc(1000, sizeof *e);

	for (unsigned i = 0; i < 1000; i++) {
		unsigned k = (i * 7 + 3) % 1000;	/* 7 and 1000 have no common divisor */

		e[k].item.id = 100 + k;
		order_put(&o, &e[k]);
	}
	for (unsigned k = 0; k < 1000; k++)
		ck_assert_ptr_eq(order_find(&o, 100 + k), &e[k]);
	ck_assert_ptr_null(order_find(&o, 99));
	ck_assert_ptr_null(order_find(&o, 1100));
	order_clear(&o);
	free(e);
}
END_TEST

START_TEST(walks_by_age_over_holes)
{
	enum { N = 10000 };
	struct order o = { 0 };
	struct entry *e = calloc(N, sizeof *e), *found;
	uint64_t after = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++) {
		e[i].item.id = 10 + i;
		order_put(&o, &e[i]);
	}
	for (unsigned i = 0; i < N; i++)
		if (i % 10 != 4)
			order_take(&o, 10 + i);
	while ((found = order_next(&o, after)) != NULL) {
		ck_assert_uint_gt(found->item.id, after);
		after = found->item.id;
		ck_assert_uint_eq((after - 10) % 10, 4);
		n++;
	}
	ck_assert_uint_eq(n, N / 10);
	ck_assert_uint_lt(o.n, N / 2);		/* the holes were closed */
	order_clear(&o);
	free(e);
}
END_TEST

START_TEST(an_id_may_come_again_after_it_went)
{
	struct order o = { 0 };
	struct entry a = { .item.id = 5 }, b = { .item.id = 7 }, c = { .item.id = 5 };

	order_put(&o, &a);
	order_put(&o, &b);
	order_take(&o, 5);
	order_put(&o, &c);
	ck_assert_ptr_eq(order_find(&o, 5), &c);
	order_take(&o, 5);
	order_take(&o, 7);
	order_take(&o, 7);
	ck_assert_ptr_null(order_next(&o, 0));
	ck_assert_uint_eq(o.n, 0);
	order_clear(&o);
}
END_TEST

Suite *test_order(void);

Suite *
test_order(void)
{
	Suite *s = suite_create("test_order");
	TCase *t = tcase_create("order");

	tcase_add_test(t, finds_what_was_put_in_any_order);
	tcase_add_test(t, walks_by_age_over_holes);
	tcase_add_test(t, an_id_may_come_again_after_it_went);
	suite_add_tcase(s, t);
	return s;
}
