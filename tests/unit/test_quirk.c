/* What is remembered of a server: replies are proof, failed links only when they fail twice. */
#include "queue/private.h"

#include <check.h>

#include "base/clock.h"
#include "base/log.h"

enum { P = QUIRK_STEPS, B = QUIRK_STEPS | QUIRK_ALONE };

/* Jobs one after the other, and what is known after the last. */
static const struct {
	const char *name;
	struct { unsigned quirks, leaned, suspect; enum outcome_kind kind; } job[4];
	unsigned known;
} rows[] = {
	{ "nothing", { { 0, B, 0, OUTCOME_SENT }, { 0, B, 0, OUTCOME_DEFER } }, 0 },
	{ "a reply", { { QUIRK_NO_BDAT, P, 0, OUTCOME_AGAIN } }, QUIRK_NO_BDAT },
	{ "and it stays", { { QUIRK_NO_DSN, P, 0, OUTCOME_AGAIN }, { 0, P, 0, OUTCOME_SENT } }, QUIRK_NO_DSN },
	{ "once", { { 0, P, QUIRK_STEPS, OUTCOME_DEFER } }, 0 },
	{ "twice", { { 0, P, QUIRK_STEPS, OUTCOME_DEFER }, { 0, P, QUIRK_STEPS, OUTCOME_DEFER } }, QUIRK_STEPS },
	{ "another", { { 0, P, QUIRK_STEPS, OUTCOME_DEFER }, { 0, B, QUIRK_ALONE, OUTCOME_DEFER } }, 0 },
	{ "success between", { { 0, P, QUIRK_STEPS, OUTCOME_DEFER }, { 0, P, 0, OUTCOME_SENT }, { 0, P, QUIRK_STEPS, OUTCOME_DEFER } }, 0 },
	{ "no success between", { { 0, P, QUIRK_STEPS, OUTCOME_DEFER }, { 0, P, 0, OUTCOME_DEFER }, { 0, P, QUIRK_STEPS, OUTCOME_DEFER } },
	  QUIRK_STEPS },
	{ "success of the first says nothing of the second", { { 0, B, QUIRK_ALONE, OUTCOME_DEFER }, { 0, P, 0, OUTCOME_SENT },
	  { 0, B, QUIRK_ALONE, OUTCOME_DEFER } }, QUIRK_ALONE },
	{ "success of a second does", { { 0, B, QUIRK_ALONE, OUTCOME_DEFER }, { 0, B, 0, OUTCOME_SENT },
	  { 0, B, QUIRK_ALONE, OUTCOME_DEFER } }, 0 },
};

START_TEST(what_is_remembered)
{
	struct queue q = { 0 };
	struct gateway g = { .name = (char *)(uintptr_t)"up", .queue = &q };

	log_open(LOG_ERROR, LOG_LOGFMT);
	for (unsigned i = 0; i < 4; i++) {
		struct job *j = memo_job_new(1);

		outcome_set(&j->result[0], rows[_i].job[i].kind, 0, "", STR(""));
		j->quirks = rows[_i].job[i].quirks;
		j->leaned = rows[_i].job[i].leaned;
		j->suspect = rows[_i].job[i].suspect;
		quirk_hear(&g, j);
		memo_job_free(&j);
	}
	ck_assert_msg(g.quirks == rows[_i].known, "%s: %u", rows[_i].name, g.quirks);
}
END_TEST

START_TEST(it_is_forgotten_in_the_end)
{
	static const struct { int64_t age_s; unsigned known; } ages[] = {
		{ 0, QUIRK_STEPS }, { 6 * 86400, QUIRK_STEPS }, { 8 * 86400, 0 }, { -5, 0 },
	};
	struct gateway g = { 0 };

	quirk_recall(&g, QUIRK_STEPS, clock_wall_s() - ages[_i].age_s);
	ck_assert_uint_eq(g.quirks, ages[_i].known);
}
END_TEST

Suite *test_quirk(void);

Suite *
test_quirk(void)
{
	Suite *s = suite_create("test_quirk");
	TCase *t = tcase_create("quirks");

	tcase_add_loop_test(t, what_is_remembered, 0, (int)(sizeof rows / sizeof rows[0]));
	tcase_add_loop_test(t, it_is_forgotten_in_the_end, 0, 4);
	suite_add_tcase(s, t);
	return s;
}
