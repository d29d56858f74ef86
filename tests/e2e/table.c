/*
 * The table of CONTRACT.md 4, row by row, end to end: what happened, and what gatepost does; chain.c has the first two rows in
 * detail.  And what a sender is told, by RFC 3461's parameters, and where local recipients go.
 */
#include "e2e/world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT "Subject: hello\r\nFrom: app@client.example\r\nMessage-ID: <m1@client.example>\r\n\r\nbody\r\n"
#define QUEUE "queue { delay_warning = \"0\" }\n"

static char out[65536];

/* A world whose provider follows the script on its first port, and has no other. */
static void
up(struct world *w, const char *script, const char *upstream, const char *rest)
{
	world_new(w, PROVIDER_STARTTLS, script, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(w, upstream, rest);
	world_start(w);
}

static void
down(struct world *w)
{
	ck_assert_msg(provider_complaints(w->provider) == 0, "%s", provider_transcript(w->provider));
	ck_assert_int_eq(world_stop(w, SIGTERM), 0);
	world_free(w);
}

static struct client *
log_in(struct world *w)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);

	ck_assert_ptr_nonnull(c);
	ck_assert(client_login(c));
	return c;
}

/* MAIL and RCPT as given (what follows the verb), the text, and its number. */
static const char *
submit_as(struct world *w, const char *mail, const char *const *rcpt)
{
	static char id[32];
	struct client *c = log_in(w);
	char line[600];

	snprintf(line, sizeof line, "MAIL FROM:%s\r\n", mail);
	ck_assert_msg(client_ask(c, line) == 250, "%s", client_text(c));
	for (; *rcpt != NULL; rcpt++) {
		snprintf(line, sizeof line, "RCPT TO:%s\r\n", *rcpt);
		ck_assert_msg(client_ask(c, line) == 250, "%s", client_text(c));
	}
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	ck_assert_int_eq(client_ask(c, TEXT ".\r\n"), 250);
	snprintf(id, sizeof id, "%s", client_id(c));
	client_free(&c);
	return id;
}

static const char *
submit(struct world *w)
{
	static const char *const to[] = { "<you@far.example>", NULL };

	return submit_as(w, "<app@client.example>", to);
}

/* `gatepost status --json' has the text, soon. */
static bool
status_has(struct world *w, const char *text)
{
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(world_run(w, out, sizeof out, NULL, "status --json"), 0);
		if (strstr(out, text) != NULL)
			return true;
		usleep(20000);
	}
	return false;
}

static bool
queue_has(struct world *w, const char *text)
{
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(world_run(w, out, sizeof out, NULL, "queue --json"), 0);
		if (strstr(out, text) != NULL)
			return true;
		usleep(20000);
	}
	return false;
}

static bool
is_bounce(const struct provider_message *m)
{
	return strncmp(m->sender, "<>", 2) == 0;
}

static unsigned
bounces(struct world *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < provider_count(w->provider); i++)
		n += is_bounce(provider_message(w->provider, i));
	return n;
}

/* --- before mail --------------------------------------------------------------- */

/* Row 3: no port works: the message waits, the reason is told, and all goes when it is back. */
START_TEST(nothing_works_and_then_it_does)
{
	struct world w;

	up(&w, "connect: !close", "", QUEUE);
	submit(&w);
	submit(&w);
	ck_assert_msg(status_has(&w, "\"state\":\"down\""), "%s", out);
	ck_assert_msg(queue_has(&w, "\"state\":\"deferred\",\"attempts\":0"), "%s", out);
	ck_assert_uint_eq(provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL), w.p587);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 2, 15000));
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	ck_assert_msg(status_has(&w, "\"state\":\"up\""), "%s", out);
	ck_assert_uint_eq(bounces(&w), 0);
	down(&w);
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
	snprintf(first, sizeof first, QUEUE "upstream \"first\" { host = \"127.0.0.1\" chain = {\"%u/starttls\"} username = \"apikey\"\n"
	    "password_file = \"secret\" tls_ca = \"%s\" }\n", port, provider_ca(w.provider));
	world_configure(&w, "", first);
	world_start(&w);
	submit(&w);
	/* what the first has answered to MAIL is an attempt: the next one is the second upstream's */
	snprintf(state, sizeof state, "upstream=first state=%s", seconds[_i].state);
	ck_assert_msg(world_wait_log(&w, state, 15000), "%s", world_read_log(&w));
	if (_i == 2) {
		ck_assert_msg(queue_has(&w, "\"attempts\":1"), "%s", out);
		submit(&w);
	}
	ck_assert(provider_wait(w.provider, 1, 15000));
	ck_assert_uint_eq(provider_message(w.provider, 0)->port, w.p587);
	ck_assert_uint_eq(bounces(&w), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, seconds[_i].state) != NULL, "%s", out);
	down(&w);
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

	up(&w, talk[_i], "", QUEUE);
	submit(&w);
	ck_assert_msg(world_wait_log(&w, "upstream=provider state=down", 15000), "%s", world_read_log(&w));
	ck_assert_msg(queue_has(&w, "\"state\":\"deferred\",\"attempts\":0"), "%s", out);
	log = world_read_log(&w);
	ck_assert_ptr_null(strstr(log, "auth_failed"));
	ck_assert_ptr_null(strstr(log, "event=refused"));
	free(log);
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 0);
	ck_assert_uint_eq(provider_said(w.provider, "MAIL"), 0);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 15000));
	ck_assert_uint_eq(bounces(&w), 0);
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

	up(&w, logins[_i], "", QUEUE);
	submit(&w);
	ck_assert_msg(world_wait_log(&w, "upstream=provider state=down", 15000), "%s", world_read_log(&w));
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 1);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 15000));
	log = world_read_log(&w);
	ck_assert_ptr_null(strstr(log, "auth_failed"));
	free(log);
	ck_assert_uint_eq(bounces(&w), 0);
	down(&w);
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

	up(&w, refusals[_i], "", QUEUE);
	submit(&w);
	ck_assert(provider_wait(w.provider, 1, 15000));
	m = provider_message(w.provider, 0);
	ck_assert(is_bounce(m));
	ck_assert_uint_eq(m->nrcpt, 1);
	ck_assert_ptr_nonnull(strstr(m->rcpt[0], "<app@client.example>"));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; you@far.example\r\nAction: failed\r\nStatus: 5.7.1\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "5.7.1 refused here"));
	ck_assert_ptr_nonnull(strstr(m->text, TEXT));
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	ck_assert_msg(strstr(out, "\"bounced\":1,") != NULL, "%s", out);
	down(&w);
}
END_TEST

/* …but never a bounce of a bounce: A-209, A-200.  Held, with its reason, over a restart too, until the operator decides. */
START_TEST(a_refused_bounce_is_held)
{
	struct world w;
	char id[32], command[64];
	char *at;

	up(&w, "rcpt/you@far: 550 5.1.1 nobody;mail/<>: 550 5.7.1 no null senders here", "", QUEUE);
	submit(&w);
	ck_assert_msg(status_has(&w, "\"held\":1"), "%s", out);
	for (unsigned process = 0; process < 2; process++) {
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "queue --json --held"), 0);
		ck_assert_msg(strstr(out, "\"state\":\"held\"") != NULL && strstr(out, "no null senders here") != NULL, "%s", out);
		ck_assert_msg(strstr(out, "\"from\":\"\",\"to\":[\"app@client.example\"]") != NULL, "%s", out);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
		ck_assert_uint_eq(provider_said(w.provider, "MAIL FROM:<>"), 1);	/* and no loop */
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
		world_start(&w);
	}
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "queue --json"), 0);
	at = strstr(out, "\"id\":\"");
	ck_assert_msg(at != NULL && strchr(out, '\n') == strrchr(out, '\n'), "%s", out);	/* one message alone */
	snprintf(id, sizeof id, "%.13s", at + 6);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	snprintf(command, sizeof command, "release %s", id);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, command), 0);
	ck_assert(provider_wait(w.provider, 1, 15000));
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	down(&w);
}
END_TEST

/* Rows 7 and 12, each recipient for itself: sent, refused, put off, too many (B-041, B-042, B-043). */
static const char *const surplus[] = { "552 too many recipients", "552 5.5.3 too many", "452 4.5.3 too many", "452 later" };

START_TEST(each_recipient_for_itself)
{
	static const char *const to[] = { "<ok@far.example>", "<no@far.example>", "<many@far.example>", "<slow@far.example>", NULL };
	const struct provider_message *first, *second;
	char script[200];
	struct world w;

	snprintf(script, sizeof script, "rcpt/no@: 550 5.1.1 nobody;rcpt/slow@: 450 4.2.1 full;rcpt#1/many@: %s", surplus[_i]);
	up(&w, script, "", QUEUE);
	submit_as(&w, "<app@client.example>", to);
	ck_assert(provider_wait(w.provider, 3, 15000));	/* at once: the next transaction, and the bounce */
	first = provider_message(w.provider, 0);
	second = provider_message(w.provider, 1);
	ck_assert_uint_eq(first->nrcpt, 1);
	ck_assert_ptr_nonnull(strstr(first->rcpt[0], "<ok@"));
	ck_assert(!is_bounce(second));
	ck_assert_uint_eq(second->nrcpt, 1);
	ck_assert_ptr_nonnull(strstr(second->rcpt[0], "<many@"));
	ck_assert_uint_eq(bounces(&w), 1);
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 2)->text, "Final-Recipient: rfc822; no@far.example"));
	ck_assert_ptr_null(strstr(provider_message(w.provider, 2)->text, "Final-Recipient: rfc822; many@"));
	ck_assert_msg(queue_has(&w, "\"state\":\"deferred\",\"attempts\":1"), "%s", out);
	ck_assert_msg(status_has(&w, "\"relayed\":3,\"deferred\":1,\"bounced\":1,"), "%s", out);	/* the bounce is relayed too */
	down(&w);
}
END_TEST

/* Row 8: lost before the end of data: not delivered; at once again, over another connection.  (In the middle of the content:
 * test_client's refused_midway.) */
static const char *const losses[] = { "mail#1: !close", "rcpt#1: !reset", "data#1: !close", "data#1: !reset" };

START_TEST(lost_before_the_end)
{
	struct world w;

	up(&w, losses[_i], "", QUEUE);
	submit(&w);
	ck_assert(provider_wait(w.provider, 1, 15000));
	ck_assert_uint_eq(provider_message(w.provider, 0)->connection, 2);
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	ck_assert_msg(strstr(out, "\"relayed\":1,\"deferred\":0,\"bounced\":0,\"duplicates_possible\":0") != NULL, "%s", out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	down(&w);
}
END_TEST

/* Row 9, B-055, D7: lost between the end of data and its reply: perhaps delivered.  Counted, said, and tried again by the
 * schedule, not at once nor by another port; the same bytes, and the same key for a provider that drops repeats. */
static const char *const unsure[] = { "eod#1: !close", "eod#1: !reset", "eod#1: !raw what|", "eod#1: !raw 250-a|550 b|" };

START_TEST(lost_after_the_end)
{
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, unsure[_i], PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "idempotency_header = \"Idempotency-Key\"", QUEUE);
	world_start(&w);
	submit(&w);
	ck_assert_msg(status_has(&w, "\"duplicates_possible\":1"), "%s", out);
	ck_assert(world_wait_log(&w, "maybe_delivered=yes", 5000));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "queue --json"), 0);
	ck_assert_msg(strstr(out, "\"state\":\"deferred\",\"attempts\":1,\"next_attempt_s\":") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "\"next_attempt_s\":0") == NULL, "%s", out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 2, 15000));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "Idempotency-Key: "));
	ck_assert_str_eq(provider_message(w.provider, 1)->text, provider_message(w.provider, 0)->text);
	ck_assert_uint_ne(provider_message(w.provider, 1)->connection, provider_message(w.provider, 0)->connection);
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	ck_assert_uint_eq(bounces(&w), 0);
	down(&w);
}
END_TEST

/* Row 10: too fast, over quota, though it is a 5xx: the upstream rests, the message waits, nobody is told. */
static const char *const paces[] = { "mail#1: 550 5.4.5 quota", "rcpt#1: 550 5.4.5 quota", "eod#1: 550 5.4.5 quota", "mail#1: 421 4.7.0 slow" };

START_TEST(too_fast)
{
	struct world w;

	up(&w, paces[_i], "too_fast = {\"421\", \"550 5.4.5\"}", QUEUE);
	submit(&w);
	ck_assert_msg(status_has(&w, "\"state\":\"paused\""), "%s", out);
	ck_assert_msg(queue_has(&w, "\"state\":\"deferred\""), "%s", out);
	ck_assert_msg(strstr(out, strncmp(paces[_i], "mail#1: 421", 11) == 0 ? "slow" : "quota") != NULL, "%s", out);
	ck_assert_uint_eq(provider_said(w.provider, "MAIL"), 1);
	ck_assert_uint_eq(provider_count(w.provider), 0);
	down(&w);
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

	up(&w, misfits[_i].script, "", QUEUE);
	submit(&w);
	ck_assert_msg(status_has(&w, misfits[_i].state), "%s", out);
	if (_i >= 2) {
		ck_assert_msg(queue_has(&w, "\"state\":\"deferred\""), "%s", out);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	}
	ck_assert(provider_wait(w.provider, 1, 15000));
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	ck_assert_uint_eq(bounces(&w), 0);
	down(&w);
}
END_TEST

/* --- what the sender is told -------------------------------------------------------- */

static const char dsn_mail[] = "<app@client.example> RET=HDRS ENVID=QQ+2B1";
static const char *const dsn_rcpt[] = {
	"<ok@far.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bk@far.example", "<plain@far.example> NOTIFY=FAILURE",
	"<bad@far.example> ORCPT=rfc822;b+2Bad@far.example", "<mute@far.example> NOTIFY=NEVER", NULL
};

/* B-135: passed on as given, where the provider can take it; then the success is the provider's to report. */
START_TEST(dsn_is_passed_on)
{
	static const char *const want[] = { "<ok@far.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bk@far.example",
	    "<plain@far.example> NOTIFY=FAILURE", "<bad@far.example> ORCPT=rfc822;b+2Bad@far.example", "<mute@far.example> NOTIFY=NEVER" };
	const struct provider_message *m;
	struct world w;

	up(&w, NULL, "", QUEUE);
	submit_as(&w, dsn_mail, dsn_rcpt);
	ck_assert(provider_wait(w.provider, 1, 15000));
	m = provider_message(w.provider, 0);
	ck_assert_msg(strstr(m->sender, " RET=HDRS ENVID=QQ+2B1") != NULL, "%s", m->sender);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_str_eq(m->rcpt[i], want[i]);
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	down(&w);
}
END_TEST

/* A-203…A-207: where it cannot, we report: "relayed" to whom asked for it, the failure of bad@ alone, with its ORCPT and
 * ENVID, the header only, and of mute@ nothing. */
START_TEST(dsn_is_answered_by_us)
{
	const char *relayed = NULL, *failed = NULL;
	struct world w;

	up(&w, "caps: PIPELINING,SIZE;rcpt/bad@: 550 5.1.1 nobody;rcpt/mute@: 550 5.1.1 nobody", "", QUEUE);
	submit_as(&w, dsn_mail, dsn_rcpt);
	ck_assert(provider_wait(w.provider, 3, 15000));
	ck_assert_str_eq(provider_message(w.provider, 0)->rcpt[0], "<ok@far.example>");
	ck_assert_uint_eq(provider_message(w.provider, 0)->nrcpt, 2);
	for (unsigned i = 1; i < 3; i++)
		*(strstr(provider_message(w.provider, i)->text, "Action: relayed") != NULL ? &relayed : &failed) =
		    provider_message(w.provider, i)->text;
	ck_assert(relayed != NULL && failed != NULL);
	ck_assert_ptr_nonnull(strstr(relayed, "Original-Envelope-Id: QQ+1\r\n"));
	ck_assert_ptr_nonnull(strstr(relayed, "Original-Recipient: rfc822; o+k@far.example\r\nFinal-Recipient: rfc822; ok@far.example\r\n"
	    "Action: relayed\r\nStatus: 2."));
	ck_assert_ptr_null(strstr(relayed, "plain@"));
	ck_assert_ptr_null(strstr(relayed, "bad@"));
	ck_assert_ptr_nonnull(strstr(failed, "Original-Envelope-Id: QQ+1\r\n"));
	ck_assert_ptr_nonnull(strstr(failed, "Original-Recipient: rfc822; b+ad@far.example\r\nFinal-Recipient: rfc822; bad@far.example\r\n"
	    "Action: failed\r\nStatus: 5.1.1"));
	ck_assert_ptr_null(strstr(failed, "Final-Recipient: rfc822; mute@"));
	ck_assert_ptr_nonnull(strstr(failed, "text/rfc822-headers"));
	ck_assert_ptr_nonnull(strstr(failed, "Subject: hello"));
	ck_assert_ptr_null(strstr(failed, "\r\nbody\r\n"));
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	ck_assert_uint_eq(provider_count(w.provider), 3);
	down(&w);
}
END_TEST

/* One warning a message, to those who did not ask for none; never about a bounce. */
START_TEST(a_delay_is_told_once)
{
	static const char *const to[] = { "<slow@far.example>", "<asked@far.example> NOTIFY=DELAY", "<not@far.example> NOTIFY=FAILURE",
	    "<never@far.example> NOTIFY=NEVER", NULL };
	const struct provider_message *m;
	struct world w;

	up(&w, "rcpt/@far: 450 4.2.1 full;caps: PIPELINING,SIZE", "", "queue { retry = {\"300ms\"} delay_warning = \"1s\" }");
	submit_as(&w, "<app@client.example>", to);
	ck_assert(provider_wait(w.provider, 1, 15000));
	m = provider_message(w.provider, 0);
	ck_assert(is_bounce(m));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; slow@far.example\r\nAction: delayed\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; asked@far.example\r\nAction: delayed\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "Will-Retry-Until: "));
	ck_assert_ptr_null(strstr(m->text, "not@far"));
	ck_assert_ptr_null(strstr(m->text, "never@far"));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);			/* nor again by the next process */
	for (unsigned before = provider_said(w.provider, "RCPT TO:<slow@"); provider_said(w.provider, "RCPT TO:<slow@") < before + 3;)
		usleep(50000);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	down(&w);
}
END_TEST

/* A-208, B-140: its time is up after an attempt that failed: 4.4.7, "failed". */
START_TEST(time_is_up)
{
	struct world w;

	up(&w, "rcpt/you@: 450 4.2.1 full", "", "queue { retry = {\"300ms\"} expire = \"1s\" delay_warning = \"0\" }");
	submit(&w);
	ck_assert(provider_wait(w.provider, 1, 15000));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "Action: failed\r\nStatus: 4.4.7\r\n"));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "450 4.2.1 full"));
	ck_assert_msg(status_has(&w, "\"messages\":0"), "%s", out);
	down(&w);
}
END_TEST

/* --- local recipients ------------------------------------------------------------- */

static void
write_aliases(const struct world *w, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/aliases", w->dir);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

/* A-113, A-122, B-137: by aliases_file, several targets, each once; else by postmaster; a reload reads it anew. */
START_TEST(local_recipients)
{
	static const char *const to[] = { "<root>", "<Staff@relay.example>", "<nobody@LOCALHOST>", "<ann@home.example>", NULL };
	const struct provider_message *m;
	struct client *c;
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "", "aliases_file = \"aliases\"\npostmaster = \"post@home.example\"\n" QUEUE);
	write_aliases(&w, "root: admin\nadmin: ann@home.example,\n\tbob@home.example\nstaff: bob@home.example, root, cy@home.example\n");
	world_start(&w);
	submit_as(&w, "<app@client.example> AUTH=<>", to);
	ck_assert(provider_wait(w.provider, 1, 15000));
	m = provider_message(w.provider, 0);
	ck_assert_uint_eq(m->nrcpt, 4);
	ck_assert_str_eq(m->rcpt[0], "<ann@home.example>");
	ck_assert_str_eq(m->rcpt[1], "<bob@home.example>");
	ck_assert_str_eq(m->rcpt[2], "<cy@home.example>");
	ck_assert_str_eq(m->rcpt[3], "<post@home.example>");
	ck_assert_ptr_null(strstr(m->sender, "AUTH="));
	c = log_in(&w);
	write_aliases(&w, "root: loop\nloop: root\n");		/* refused whole; the old one stays */
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	ck_assert_msg(strstr(out, "leads back to itself") != NULL, "%s", out);
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reload_refused", 10000));
	ck_assert_int_eq(client_mail(c, "app@client.example", "root", TEXT), 250);
	ck_assert(provider_wait(w.provider, 2, 15000));
	ck_assert_uint_eq(provider_message(w.provider, 1)->nrcpt, 2);
	world_configure(&w, "", "aliases_file = \"aliases\"\n" QUEUE);
	write_aliases(&w, "root: dee@home.example\n");
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reloaded", 10000));
	client_free(&c);
	c = log_in(&w);
	ck_assert_int_eq(client_mail(c, "app@client.example", "root@relay.example", TEXT), 250);
	ck_assert(provider_wait(w.provider, 3, 15000));
	ck_assert_str_eq(provider_message(w.provider, 2)->rcpt[0], "<dee@home.example>");
	ck_assert_int_eq(client_mail(c, "app@client.example", "nobody", TEXT), 550);
	ck_assert_msg(strstr(client_text(c), "550 5.1.1 ") != NULL, "%s", client_text(c));
	client_free(&c);
	down(&w);
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
	suite_add_tcase(s, t);
	t = tcase_create("senders and recipients");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, dsn_is_passed_on);
	tcase_add_test(t, dsn_is_answered_by_us);
	tcase_add_test(t, a_delay_is_told_once);
	tcase_add_test(t, time_is_up);
	tcase_add_test(t, local_recipients);
	suite_add_tcase(s, t);
	return s;
}
