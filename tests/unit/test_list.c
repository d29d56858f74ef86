/* Intrusive lists. */
#include "base/list.h"

#include <check.h>

struct thing {
	int n;
	struct node on_list;
};

static int
number(struct node *head)
{
	int all = 0;

	list_each(n, head)
		all = all * 10 + container_of(n, struct thing, on_list)->n;
	return all;
}

START_TEST(keeps_order)
{
	struct node head;
	struct thing t[5] = { { .n = 1 }, { .n = 2 }, { .n = 3 }, { .n = 4 } };

	list_init(&head);
	ck_assert(list_is_empty(&head));
	ck_assert_ptr_null(list_take(&head));
	list_put(&head, &t[1].on_list);
	list_put(&head, &t[2].on_list);
	list_push(&head, &t[0].on_list);
	ck_assert_int_eq(number(&head), 123);
	ck_assert(list_is_linked(&t[0].on_list));
	ck_assert(!list_is_linked(&t[3].on_list));

	list_remove(&t[1].on_list);
	list_remove(&t[1].on_list);
	list_remove(&t[3].on_list);
	ck_assert_int_eq(number(&head), 13);
	ck_assert(!list_is_linked(&t[1].on_list));
	ck_assert_ptr_eq(list_take(&head), &t[0].on_list);
	ck_assert_ptr_eq(list_take(&head), &t[2].on_list);
	ck_assert(list_is_empty(&head));
}
END_TEST

START_TEST(each_may_remove)
{
	struct node head, other;
	struct thing t[4] = { { .n = 1 }, { .n = 2 }, { .n = 3 }, { .n = 4 } };

	list_init(&head);
	list_init(&other);
	for (int i = 0; i < 4; i++)
		list_put(&head, &t[i].on_list);
	list_each(n, &head) {
		if (container_of(n, struct thing, on_list)->n % 2 == 0)
			continue;
		list_remove(n);
		list_put(&other, n);
	}
	ck_assert_int_eq(number(&head), 24);
	ck_assert_int_eq(number(&other), 13);
}
END_TEST

Suite *test_list(void);
Suite *
test_list(void)
{
	Suite *s = suite_create("test_list");
	TCase *tc = tcase_create("list");

	tcase_add_test(tc, keeps_order);
	tcase_add_test(tc, each_may_remove);
	suite_add_tcase(s, tc);
	return s;
}
