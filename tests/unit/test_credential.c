/* The secret of an upstream, on its way from the settings or a source to who opens connections. */
#include "queue/private.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

struct rig {
	struct queue queue;
	struct upstream settings;
	struct gateway gateway;
	unsigned told;
	enum credential_answer answer;
	uint32_t issue;
	bool had_secret;
	char secret[64], words[128];
};

static void
on_told(struct gateway *g, const struct credential_said *s)
{
	struct rig *r = container_of(g, struct rig, gateway);

	r->told++;
	r->answer = s->answer;
	r->issue = s->issue;
	r->had_secret = s->secret != NULL;
	snprintf(r->secret, sizeof r->secret, "%s", s->secret != NULL ? s->secret : "");
	snprintf(r->words, sizeof r->words, "%s", s->words);
}

static void
rig_up(struct rig *r)
{
	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	r->queue.loop = loop_new("test");
	r->gateway.queue = &r->queue;
	r->gateway.name = (char *)(uintptr_t)"up";
	r->gateway.settings = &r->settings;
	r->settings.password_command = (char *)(uintptr_t)"";
}

static void
rig_down(struct rig *r)
{
	credential_clear(&r->gateway);
	loop_free(&r->queue.loop);
}

START_TEST(the_settings_password_is_given_at_the_end_of_the_turn)
{
	struct rig r;

	rig_up(&r);
	r.settings.password = (char *)(uintptr_t)"one";
	credential_ask(&r.gateway, on_told);
	ck_assert_uint_eq(r.told, 0);
	loop_turn(r.queue.loop, false);
	ck_assert_uint_eq(r.told, 1);
	ck_assert_int_eq(r.answer, CREDENTIAL_HERE);
	ck_assert_str_eq(r.secret, "one");
	ck_assert(!credential_refused(&r.gateway, r.issue));	/* the file has no other: B-019 */
	rig_down(&r);
}
END_TEST

START_TEST(no_password_is_an_answer_too)
{
	struct rig r;

	rig_up(&r);
	credential_ask(&r.gateway, on_told);
	loop_turn(r.queue.loop, false);
	ck_assert_uint_eq(r.told, 1);
	ck_assert(!r.had_secret);
	rig_down(&r);
}
END_TEST

START_TEST(a_reload_between_gives_the_new_one)
{
	struct rig r;
	struct upstream other = { .password_command = (char *)(uintptr_t)"", .password = (char *)(uintptr_t)"two" };

	rig_up(&r);
	r.settings.password = (char *)(uintptr_t)"one";
	credential_ask(&r.gateway, on_told);
	r.gateway.settings = &other;
	credential_configure(&r.gateway);
	loop_turn(r.queue.loop, false);
	ck_assert_str_eq(r.secret, "two");
	credential_ask(&r.gateway, on_told);
	r.gateway.settings = NULL;
	credential_configure(&r.gateway);
	loop_turn(r.queue.loop, false);
	ck_assert_uint_eq(r.told, 2);
	ck_assert_int_eq(r.answer, CREDENTIAL_LATER);
	rig_down(&r);
}
END_TEST

Suite *test_credential(void);
Suite *
test_credential(void)
{
	Suite *s = suite_create("test_credential");
	TCase *tc = tcase_create("credential");

	tcase_add_test(tc, the_settings_password_is_given_at_the_end_of_the_turn);
	tcase_add_test(tc, no_password_is_an_answer_too);
	tcase_add_test(tc, a_reload_between_gives_the_new_one);
	suite_add_tcase(s, tc);
	return s;
}
