/* What is taken into the queue, and what not. */
#include "queue_rig.h"

#define LIMITED(rate) "limits { user_rate = \"" rate "\" }\n" \
    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n"

static enum verdict
verdict_on(struct rig *r, const char *user)
{
	unsigned before = r->verdicts;

	submit_whole(r, user, "app@client.example", "you@b.example", NULL);
	turn_until(r, r->verdicts == before + 1);
	return r->last_verdict;
}

/* Each user has his own allowance, and it comes back. */
START_TEST(user_rate)
{
	struct rig r;

	rig_up(&r, LIMITED("2/m"));
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_TOO_FAST);
	ck_assert_int_eq(verdict_on(&r, "cron"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, ""), VERDICT_KEPT);	/* a trusted peer has no name */
	ck_assert_int_eq(verdict_on(&r, ""), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, ""), VERDICT_KEPT);
	clock_fake_add(30 * 1000);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_TOO_FAST);
	rig_down(&r);
}
END_TEST

Suite *test_admit(void);
Suite *
test_admit(void)
{
	Suite *s = suite_create("test_admit");
	TCase *t = tcase_create("admit");

	tcase_add_test(t, user_rate);
	suite_add_tcase(s, t);
	return s;
}
