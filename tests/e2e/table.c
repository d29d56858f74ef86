/*
 * The table of CONTRACT.md 4, row by row, end to end: what happened, and what gatepost does; chain.c has the first two rows in
 * detail.
 */
#include "e2e/story.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- before mail --------------------------------------------------------------- */

/* Row 3: no port works: the message waits, the reason is told, and all goes when it is back. */
START_TEST(nothing_works_and_then_it_does)
{
	struct world w;

	story_up(&w, "connect: !close", "", STORY_QUEUE);
	story_submit(&w);
	story_submit(&w);
	ck_assert_msg(story_status_has(&w, "\"state\":\"down\""), "%s", story_out);
	ck_assert_msg(story_queue_has(&w, "\"state\":\"deferred\",\"attempts\":0"), "%s", story_out);
	ck_assert_uint_eq(provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL), w.p587);
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 2, 30000));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_msg(story_status_has(&w, "\"state\":\"up\""), "%s", story_out);
	ck_assert_uint_eq(story_bounces(&w), 0);
	story_down(&w);
}
END_TEST

/* Rows 3 and 5: the next upstream of the route takes over from one that is unreachable, refuses the login or is over quota. */
static const struct { const char *script, *state; } seconds[] = {
	{ "connect: !close", "down" },
	{ "auth: 535 5.7.8 no", "auth_failed" },
	{ "mail: 454 4.7.0 Throttling failure", "paused" },
};

START_TEST(the_next_upstream)
{
	char first[512], state[64];
	struct world w;
	unsigned port;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	port = provider_listen(w.provider, "127.0.0.1", 0, PROVIDER_STARTTLS, seconds[_i].script);
	snprintf(first, sizeof first, STORY_QUEUE "upstream \"first\" { host = \"127.0.0.1\" chain = {\"%u/starttls\"} username = \"apikey\"\n"
	    "password_file = \"secret\" tls_ca = \"%s\" }\n", port, provider_ca(w.provider));
	world_configure(&w, "", first);
	world_start(&w);
	story_submit(&w);
	snprintf(state, sizeof state, "upstream=first state=%s", seconds[_i].state);
	ck_assert_msg(world_wait_log(&w, state, 30000), "%s", world_read_log(&w));
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_uint_eq(provider_message(w.provider, 0)->port, w.p587);
	ck_assert_uint_eq(story_bounces(&w), 0);
	story_down(&w);
}
END_TEST

/* Row 4: whatever is said before TLS is verified: it bounces nothing, condemns no password, is no capability (D5, B-110). */
static const char *const talk[] = {
	"banner: 554 5.7.1 you may not", "banner: 535 5.7.8 wrong password", "ehlo: 550 5.1.1 no such user", "ehlo: 535 5.7.8 bad",
	"starttls: 535 5.7.8 bad credentials", "starttls: 552 5.3.4 too big", "ehlo: 250-x|250 SIZE 1",
	"plain-caps: SIZE 1,AUTH PLAIN;strip: 1", "starttls: 220 go|250-AUTH PLAIN|250 SIZE 1",
};

START_TEST(before_tls_nothing_counts)
{
	struct world w;
	char *log;

	story_up(&w, talk[_i], "", STORY_QUEUE);
	story_submit(&w);
	ck_assert_msg(world_wait_log(&w, "upstream=provider state=down", 30000), "%s", world_read_log(&w));
	ck_assert_msg(story_queue_has(&w, "\"state\":\"deferred\",\"attempts\":0"), "%s", story_out);
	log = world_read_log(&w);
	ck_assert_ptr_null(strstr(log, "auth_failed"));
	ck_assert_ptr_null(strstr(log, "event=refused"));
	free(log);
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 0);
	ck_assert_uint_eq(provider_said(w.provider, "MAIL"), 0);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_uint_eq(story_bounces(&w), 0);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);	/* the client's bytes after a forged 220 are the script's doing */
	world_free(&w);
}
END_TEST

/* Row 6: AUTH 4xx: later, not wrong; nothing bounces. */
static const char *const logins[] = { "auth#1: 454 4.7.0 later", "auth#1: !last 421 4.7.0 bye", "auth#1: 451 4.3.0 hm", "auth#1: !close" };

START_TEST(a_login_for_later)
{
	struct world w;
	char *log;

	story_up(&w, logins[_i], "", STORY_QUEUE);
	story_submit(&w);
	ck_assert_msg(world_wait_log(&w, "upstream=provider state=down", 30000), "%s", world_read_log(&w));
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 1);
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	log = world_read_log(&w);
	ck_assert_ptr_null(strstr(log, "auth_failed"));
	free(log);
	ck_assert_uint_eq(story_bounces(&w), 0);
	story_down(&w);
}
END_TEST

/* --- a transaction -------------------------------------------------------------- */

/* Row 7: a 5xx to MAIL, RCPT, DATA or the content is that recipient's end, and a bounce. */
static const char *const refusals[] = {
	"mail/app@client: 550 5.7.1 refused here", "rcpt/you@far: 550 5.7.1 refused here", "data#1: 554 5.7.1 refused here",
	"eod#1: 554 5.7.1 refused here",
};

START_TEST(a_refusal_bounces)
{
	const struct provider_message *m;
	struct world w;

	story_up(&w, refusals[_i], "", STORY_QUEUE);
	story_submit(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert(story_is_bounce(m));
	ck_assert_uint_eq(m->nrcpt, 1);
	ck_assert_ptr_nonnull(strstr(m->rcpt[0], "<app@client.example>"));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; you@far.example\r\nAction: failed\r\nStatus: 5.7.1\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "5.7.1 refused here"));
	ck_assert_ptr_nonnull(strstr(m->text, STORY_TEXT));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_msg(strstr(story_out, "\"bounced\":1,") != NULL, "%s", story_out);
	story_down(&w);
}
END_TEST

/* …but never a bounce of a bounce: A-209, A-200.  Held, with its reason, over a restart too, until the operator decides. */
START_TEST(a_refused_bounce_is_held)
{
	struct world w;
	char id[32], command[64];
	char *at;

	story_up(&w, "rcpt/you@far: 550 5.1.1 nobody;mail/<>: 550 5.7.1 no null senders here", "", STORY_QUEUE);
	story_submit(&w);
	ck_assert_msg(story_status_has(&w, "\"held\":1"), "%s", story_out);
	ck_assert(world_wait_log(&w, "event=held level=error ", 30000));
	for (unsigned process = 0; process < 2; process++) {
		ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "queue --json --held"), 0);
		ck_assert_msg(strstr(story_out, "\"state\":\"held\"") != NULL && strstr(story_out, "no null senders here") != NULL, "%s", story_out);
		ck_assert_msg(strstr(story_out, "\"from\":\"\",\"to\":[\"app@client.example\"]") != NULL, "%s", story_out);
		ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "retry --all"), 0);
		ck_assert_uint_eq(provider_said(w.provider, "MAIL FROM:<>"), 1);	/* and no loop */
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
		world_start(&w);
	}
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "queue --json"), 0);
	at = strstr(story_out, "\"id\":\"");
	ck_assert_msg(at != NULL && strchr(story_out, '\n') == strrchr(story_out, '\n'), "%s", story_out);	/* one message alone */
	snprintf(id, sizeof id, "%.13s", at + 6);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	snprintf(command, sizeof command, "release %s", id);
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, command), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	story_down(&w);
}
END_TEST

/* Rows 7 and 12, each recipient for itself: sent, refused, put off, too many (B-041, B-042, B-043). */
static const char *const surplus[] = { "552 too many recipients", "552 5.5.3 too many", "452 4.5.3 too many", "452 later" };

START_TEST(each_recipient_for_itself)
{
	static const char *const to[] = { "<ok@far.example>", "<no@far.example>", "<many@far.example>", "<slow@far.example>", NULL };
	const struct provider_message *first, *second, *bounce;
	char script[200];
	struct world w;

	snprintf(script, sizeof script, "rcpt/no@: 550 5.1.1 nobody;rcpt/slow@: 450 4.2.1 full;rcpt#1/many@: %s", surplus[_i]);
	story_up(&w, script, "", STORY_QUEUE);
	story_submit_as(&w, "<app@client.example>", to);
	ck_assert(provider_wait(w.provider, 3, 30000));	/* at once: the next transaction, and the bounce */
	first = provider_message(w.provider, 0);
	second = provider_message(w.provider, 1);
	bounce = provider_message(w.provider, 2);
	ck_assert_uint_eq(first->nrcpt, 1);
	ck_assert_ptr_nonnull(strstr(first->rcpt[0], "<ok@"));
	if (story_is_bounce(second)) {	/* over another connection, and it was faster */
		second = provider_message(w.provider, 2);
		bounce = provider_message(w.provider, 1);
	}
	ck_assert(!story_is_bounce(second));
	ck_assert_uint_eq(second->nrcpt, 1);
	ck_assert_ptr_nonnull(strstr(second->rcpt[0], "<many@"));
	ck_assert_uint_eq(story_bounces(&w), 1);
	ck_assert_ptr_nonnull(strstr(bounce->text, "Final-Recipient: rfc822; no@far.example"));
	ck_assert_ptr_null(strstr(bounce->text, "Final-Recipient: rfc822; many@"));
	ck_assert_msg(story_queue_has(&w, "\"state\":\"deferred\",\"attempts\":1"), "%s", story_out);
	ck_assert_msg(story_status_has(&w, "\"relayed\":3,\"deferred\":1,\"bounced\":1,"), "%s", story_out);	/* the bounce is relayed too */
	story_down(&w);
}
END_TEST

/* Row 8: lost before the end of data: not delivered; at once again, over another connection.  (In the middle of the content:
 * test_client's refused_midway.) */
static const char *const losses[] = { "mail#1: !close", "rcpt#1: !reset", "data#1: !close", "data#1: !reset" };

START_TEST(lost_before_the_end)
{
	struct world w;

	story_up(&w, losses[_i], "", STORY_QUEUE);
	story_submit(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_uint_eq(provider_message(w.provider, 0)->connection, 2);
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_msg(strstr(story_out, "\"relayed\":1,\"deferred\":0,\"bounced\":0,\"duplicates_possible\":0") != NULL, "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	story_down(&w);
}
END_TEST

/* Row 9, B-055, D7: lost between the end of data and its reply: perhaps delivered.  Counted, said, and tried again by the
 * schedule, not at once nor by another port; the same bytes, and the same key for a provider that drops repeats. */
static const char *const unsure[] = { "eod#1: !close", "eod#1: !reset", "eod#1: !raw what|", "eod#1: !raw 250-a|550 b|" };

START_TEST(lost_after_the_end)
{
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, unsure[_i], PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "idempotency_header = \"Idempotency-Key\"", STORY_QUEUE);
	world_start(&w);
	story_submit(&w);
	ck_assert_msg(story_status_has(&w, "\"duplicates_possible\":1"), "%s", story_out);
	ck_assert(world_wait_log(&w, "maybe_delivered=yes", 30000));
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "queue --json"), 0);
	ck_assert_msg(strstr(story_out, "\"state\":\"deferred\",\"attempts\":1,\"next_attempt_s\":") != NULL, "%s", story_out);
	ck_assert_msg(strstr(story_out, "\"next_attempt_s\":0") == NULL, "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 2, 30000));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "Idempotency-Key: "));
	ck_assert_str_eq(provider_message(w.provider, 1)->text, provider_message(w.provider, 0)->text);
	ck_assert_uint_ne(provider_message(w.provider, 1)->connection, provider_message(w.provider, 0)->connection);
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_uint_eq(story_bounces(&w), 0);
	story_down(&w);
}
END_TEST

/* Row 10: too fast, over quota, though it is a 5xx: the upstream rests, the message waits, nobody is told. */
static const char *const paces[] = { "mail: 550 5.4.5 quota", "rcpt: 550 5.4.5 quota", "eod: 550 5.4.5 quota", "mail: 421 4.7.0 slow" };

START_TEST(too_fast)
{
	struct world w;
	time_t began;

	story_up(&w, paces[_i], "too_fast = {\"421\", \"550 5.4.5\"}", STORY_QUEUE);
	began = time(NULL);
	story_submit(&w);
	ck_assert_msg(story_status_has(&w, "\"state\":\"paused\""), "%s", story_out);
	ck_assert_msg(story_queue_has(&w, "\"state\":\"deferred\""), "%s", story_out);
	ck_assert_msg(strstr(story_out, strncmp(paces[_i], "mail: 421", 9) == 0 ? "slow" : "quota") != NULL, "%s", story_out);
	ck_assert_uint_ge(provider_said(w.provider, "MAIL"), 1);
	ck_assert_uint_le(provider_said(w.provider, "MAIL"), 1 + (unsigned)(time(NULL) - began) / 4);	/* 5 s, and longer again */
	ck_assert_uint_eq(provider_count(w.provider), 0);
	story_down(&w);
}
END_TEST

/* Row 11, B-031: not about the message. */
static const struct { const char *script, *state; } misfits[] = {
	{ "mail#1: 555 5.5.4 parameter", "\"state\":\"up\"" },		/* at once, without it */
	{ "mail#1: 501 5.5.4 parameter", "\"state\":\"up\"" },
	{ "mail#1: 503 5.5.1 out of step", "\"state\":\"up\"" },		/* by the schedule */
	{ "mail#1: 530 5.7.0 log in first", "\"state\":\"auth_failed\"" },	/* the upstream's matter */
};

START_TEST(not_about_the_message)
{
	struct world w;

	story_up(&w, misfits[_i].script, "", STORY_QUEUE);
	story_submit(&w);
	ck_assert_msg(story_status_has(&w, misfits[_i].state), "%s", story_out);
	if (_i >= 2) {
		ck_assert_msg(story_queue_has(&w, "\"state\":\"deferred\""), "%s", story_out);
		ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "retry --all"), 0);
	}
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	ck_assert_uint_eq(story_bounces(&w), 0);
	story_down(&w);
}
END_TEST

/* B-142: one that kills every connection, or is never sure, holds up nobody, and is not tried for ever at once. */
static const char *const poisons[] = { "mail/poison@: !close", "rcpt/poison@: !reset", "eod#1: !close;rcpt/poison@: 451 4.3.0 no" };

START_TEST(a_poisoned_message)
{
	static const char *const to[] = { "<poison@far.example>", NULL };
	struct world w;

	story_up(&w, poisons[_i], "connections = 1", STORY_QUEUE);
	story_submit_as(&w, "<poison@client.example>", to);
	for (unsigned i = 0; i < 5; i++)
		story_submit(&w);
	ck_assert(provider_wait(w.provider, 5, 30000));
	ck_assert_msg(story_queue_has(&w, "\"state\":\"deferred\",\"attempts\":1"), "%s", story_out);
	ck_assert_uint_le(provider_said(w.provider, "MAIL FROM:<poison@"), 3);
	ck_assert_uint_eq(story_bounces(&w), 0);
	story_down(&w);
}
END_TEST

/* B-108: what a provider says is made safe before the log, the queue's record and the bounce. */
START_TEST(a_hostile_reply)
{
	struct world w;
	char *log;

	story_up(&w, "rcpt/you@far: 553-5.1.1 no\x1b]0x\x07|553 5.1.1 type: mda\xff", "", STORY_QUEUE);
	story_submit(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "no\\x1B]0x\\x07"));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "type: mda\\xFF"));
	ck_assert_ptr_null(strpbrk(provider_message(w.provider, 0)->text, "\x1b\x07\xff"));
	ck_assert_ptr_null(strstr(provider_message(w.provider, 0)->text, "\ntype:"));
	log = world_read_log(&w);
	ck_assert_ptr_nonnull(strstr(log, "type: mda"));
	ck_assert_ptr_null(strpbrk(log, "\x1b\x07\xff"));
	free(log);
	story_down(&w);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

Suite *table_suite(void);

Suite *
table_suite(void)
{
	Suite *s = suite_create("table");
	TCase *t = tcase_create("before mail");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, nothing_works_and_then_it_does);
	tcase_add_loop_test(t, the_next_upstream, 0, COUNT(seconds));
	tcase_add_loop_test(t, before_tls_nothing_counts, 0, COUNT(talk));
	tcase_add_loop_test(t, a_login_for_later, 0, COUNT(logins));
	suite_add_tcase(s, t);
	t = tcase_create("transaction");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_refusal_bounces, 0, COUNT(refusals));
	tcase_add_test(t, a_refused_bounce_is_held);
	tcase_add_loop_test(t, each_recipient_for_itself, 0, COUNT(surplus));
	tcase_add_loop_test(t, lost_before_the_end, 0, COUNT(losses));
	tcase_add_loop_test(t, lost_after_the_end, 0, COUNT(unsure));
	tcase_add_loop_test(t, too_fast, 0, COUNT(paces));
	tcase_add_loop_test(t, not_about_the_message, 0, COUNT(misfits));
	tcase_add_loop_test(t, a_poisoned_message, 0, COUNT(poisons));
	tcase_add_test(t, a_hostile_reply);
	suite_add_tcase(s, t);
	return s;
}
