/* What replies mean, as a pure function; test_client has the rows as a server shows them. */
#include "relay/judge.h"

#include <stdio.h>

#include <check.h>

Suite *test_judge(void);

static struct judgement
ask(enum judge_step step, int code, const char *status, unsigned accepted)
{
	static const struct too_fast slow[] = { { 550, "5.4.5" }, { 452, "" } };
	const struct judge_case c = { .step = step, .code = code, .status = status, .accepted = accepted,
		.too_fast = slow, .ntoo_fast = 2 };

	return judge(&c);
}

/* No reply of any code breaks these. */
START_TEST(every_code)
{
	enum judge_step step = (enum judge_step)_i;

	for (int code = 200; code < 600; code++) {
		struct judgement j = ask(step, code, "", 1);

		ck_assert(j.kind != OUTCOME_NONE);
		ck_assert((j.kind == OUTCOME_SENT) == (code / 100 == (step == JUDGE_DATA ? 3 : 2)));
		ck_assert(j.kind != OUTCOME_REFUSE || code >= 500);		/* only a 5xx bounces */
		ck_assert(!j.maybe || (step == JUDGE_CONTENT && code < 400));	/* B-055 */
		ck_assert(code >= 400 || j.kind == OUTCOME_SENT || j.act == JUDGE_CLOSE);
		ck_assert(code != 421 || j.act == JUDGE_CLOSE);
		ck_assert(code < 400 || code >= 500 || j.kind == OUTCOME_DEFER);
	}
}
END_TEST

START_TEST(too_fast_first)
{
	ck_assert_int_eq(ask(JUDGE_CONTENT, 550, "5.4.5", 1).upstream, UPSTREAM_TOO_FAST);
	ck_assert_int_eq(ask(JUDGE_CONTENT, 550, "5.4.5", 1).kind, OUTCOME_DEFER);
	ck_assert_int_eq(ask(JUDGE_CONTENT, 550, "5.4.6", 1).kind, OUTCOME_REFUSE);
	ck_assert_int_eq(ask(JUDGE_RCPT, 452, "4.5.3", 1).kind, OUTCOME_DEFER);	/* listed: not "too many recipients" */
}
END_TEST

/* B-041, B-043, B-142: a reply about one recipient never stops the others', unless the server goes away. */
START_TEST(one_recipient)
{
	static const char *const statuses[] = { "", ".7.1", ".3.2", ".4.5", ".7.0" };

	for (int code = 400; code < 600; code++) {
		for (unsigned i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
			char status[24] = "";
			struct judgement j;

			if (i > 0)
				snprintf(status, sizeof status, "%d%s", code / 100, statuses[i]);
			j = ask(JUDGE_RCPT, code, status, 0);
			if (code == 421 || code == 452 || code == 550)	/* the last two: listed as too fast above */
				continue;
			ck_assert_int_eq(j.upstream, UPSTREAM_FINE);
			ck_assert_int_eq(j.kind, code < 500 ? OUTCOME_DEFER : OUTCOME_REFUSE);
			ck_assert_int_eq(j.act, JUDGE_GO_ON);
			ck_assert_int_ne(ask(JUDGE_CONTENT, code, status, 1).upstream, UPSTREAM_LOGIN);
			ck_assert_int_ne(ask(JUDGE_DATA, code, status, 1).upstream, UPSTREAM_LOGIN);
		}
	}
	ck_assert_int_eq(ask(JUDGE_MAIL, 530, "5.7.0", 0).upstream, UPSTREAM_LOGIN);
	ck_assert_int_eq(ask(JUDGE_MAIL, 454, "4.7.0", 0).upstream, UPSTREAM_TOO_FAST);
	ck_assert_int_eq(ask(JUDGE_CONTENT, 432, "4.3.2", 1).upstream, UPSTREAM_TOO_FAST);
}
END_TEST

START_TEST(worse)
{
	for (int a = 0; a < UPSTREAM_VERDICTS; a++) {
		ck_assert_int_eq(judge_worse((enum outcome_upstream)a, UPSTREAM_FINE), a);
		ck_assert_int_eq(judge_worse((enum outcome_upstream)a, UPSTREAM_LOGIN), UPSTREAM_LOGIN);
		for (int b = 0; b < UPSTREAM_VERDICTS; b++)
			ck_assert_int_eq(judge_worse((enum outcome_upstream)a, (enum outcome_upstream)b),
			    judge_worse((enum outcome_upstream)b, (enum outcome_upstream)a));
	}
}
END_TEST

START_TEST(status)
{
	ck_assert_str_eq(judge_status(250, ""), "2.0.0");
	ck_assert_str_eq(judge_status(451, ""), "4.0.0");
	ck_assert_str_eq(judge_status(550, ""), "5.0.0");
	ck_assert_str_eq(judge_status(550, "5.1.1"), "5.1.1");
}
END_TEST

Suite *
test_judge(void)
{
	Suite *s = suite_create("test_judge");
	TCase *t = tcase_create("pure");

	tcase_add_loop_test(t, every_code, JUDGE_MAIL, JUDGE_CONTENT + 1);
	tcase_add_test(t, too_fast_first);
	tcase_add_test(t, one_recipient);
	tcase_add_test(t, worse);
	tcase_add_test(t, status);
	suite_add_tcase(s, t);
	return s;
}
