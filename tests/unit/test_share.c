/* Shares: one message may have nearly all, many of one holder a part, and others always find room. */
#include "listener/share.h"

#include <check.h>

#include "base/count.h"

enum { MB = 1 << 20, MANY = 200 };

static const struct {
	int64_t own, others, left;
	bool fair;
} rules[] = {
	{ 1, 0, 0, true }, { 1, 0, -1, false },
	{ 150, 0, 10, true }, { 15 * MB, 0, MB, true }, { 16 * MB, 0, MB - 1, false },	/* alone: but for a sixteenth */
	{ 10, 50, 100, true }, { 10, 51, 100, false }, { 10, 1, 1, false },
	{ INT64_MAX - 1, 0, INT64_MAX, true },
};

START_TEST(rule)
{
	ck_assert_int_eq(share_is_fair(rules[_i].own, rules[_i].others, rules[_i].left), rules[_i].fair);
}
END_TEST

static struct share shares[MANY];

/* One of them, by steps, up to so much; how much it got. */
static int64_t
grow(struct share *s, int64_t step, int64_t most)
{
	while (s->octets[SHARE_STAGED] + step <= most && share_may_take(s, SHARE_STAGED, step))
		share_take(s, SHARE_STAGED, step);
	return s->octets[SHARE_STAGED];
}

/* Of 100 MB: many at a time, or one after the other, of any size; someone else then has a message of 25 MB, and of what is left then the same. */
static const struct {
	unsigned many;
	int64_t each;
	bool in_turn;
	int64_t most;	/* in all */
} greedy[] = {
	{ MANY, 100 * MB, true, 36 * MB }, { MANY, 4 * MB, true, 36 * MB }, { MANY, 1 * MB, false, 36 * MB },
	{ 4, 49 * MB, true, 51 * MB }, { 2, 49 * MB, true, 51 * MB }, { 2, 30 * MB, false, 51 * MB },
};

START_TEST(nobody_takes_all)
{
	struct share other;
	int64_t sum = 0;

	count_set(COUNT_STAGING_ROOM, 100 * MB);
	for (unsigned i = 0; i < greedy[_i].many; i++)
		share_init(&shares[i], 7);
	for (int64_t each = greedy[_i].in_turn ? MB / 4 : greedy[_i].each; each <= greedy[_i].each; each += MB / 4)
		for (unsigned i = 0; i < greedy[_i].many; i++)
			grow(&shares[i], MB / 4, each);
	for (unsigned i = 0; i < greedy[_i].many; i++)
		sum += shares[i].octets[SHARE_STAGED];
	ck_assert_int_eq(count_get(COUNT_STAGED_OCTETS), sum);
	ck_assert_int_le(sum, greedy[_i].most);
	ck_assert_int_ge(sum, 30 * MB);
	for (unsigned i = 0; i < 2; i++) {
		share_init(&other, 8 + i);
		ck_assert_int_eq(grow(&other, MB / 4, i == 0 ? 25 * MB : 12 * MB), i == 0 ? 25 * MB : 12 * MB);
		share_return(&other, SHARE_STAGED);
	}
	for (unsigned i = 0; i < greedy[_i].many; i++)
		share_return(&shares[i], SHARE_STAGED);
	ck_assert_int_eq(count_get(COUNT_STAGED_OCTETS), 0);
}
END_TEST

/* What one has of the one it has not of the other; and a holder's number is never beyond the table. */
START_TEST(they_are_apart)
{
	struct share s, again;

	share_init(&s, 7 + SHARE_HOLDERS);
	share_init(&again, 7);
	ck_assert_uint_eq(s.holder, 7);
	share_take(&s, SHARE_RECIPIENTS, 40 * MB);
	ck_assert_int_eq(count_get(COUNT_OPEN_OCTETS), 40 * MB);
	ck_assert(!share_may_take(&again, SHARE_RECIPIENTS, 1));
	ck_assert(share_may_take(&again, SHARE_STAGED, 1));
	share_return(&s, SHARE_RECIPIENTS);
	ck_assert(share_may_take(&again, SHARE_RECIPIENTS, 1));
	ck_assert_int_eq(count_get(COUNT_OPEN_OCTETS) + count_get(COUNT_STAGED_OCTETS), 0);
}
END_TEST

Suite *test_share(void);
Suite *
test_share(void)
{
	Suite *s = suite_create("test_share");
	TCase *t = tcase_create("share");

	tcase_add_loop_test(t, rule, 0, sizeof rules / sizeof rules[0]);
	tcase_add_loop_test(t, nobody_takes_all, 0, sizeof greedy / sizeof greedy[0]);
	tcase_add_test(t, they_are_apart);
	suite_add_tcase(s, t);
	return s;
}
