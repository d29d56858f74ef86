/* What a sender is told, by RFC 3461's parameters and the message's age, and where local recipients go. */
#include "e2e/story.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

	story_up(&w, NULL, "", STORY_QUEUE);
	story_submit_as(&w, dsn_mail, dsn_rcpt);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert_msg(strstr(m->sender, " RET=HDRS ENVID=QQ+2B1") != NULL, "%s", m->sender);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_str_eq(m->rcpt[i], want[i]);
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	ck_assert(world_wait_log(&w, "ok queued as F00001", 30000));	/* B-053: the provider's number is in the log */
	story_down(&w);
}
END_TEST

/* A-203, A-204, A-205, A-206: where it cannot, we report: "relayed" to whom asked for it, the failure of bad@ alone, with its ORCPT and
 * ENVID, the header only, and of mute@ nothing. */
START_TEST(dsn_is_answered_by_us)
{
	const char *relayed = NULL, *failed = NULL;
	struct world w;

	story_up(&w, "caps: PIPELINING,SIZE;rcpt/bad@: 550 5.1.1 nobody;rcpt/mute@: 550 5.1.1 nobody", "", STORY_QUEUE);
	story_submit_as(&w, dsn_mail, dsn_rcpt);
	ck_assert(provider_wait(w.provider, 3, 30000));
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
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 3);
	story_down(&w);
}
END_TEST

/* A-204, A-207: one notice for all who failed; none for whom NOTIFY does not ask for it, whatever the message's own text says. */
START_TEST(failures_are_told_of_once)
{
	static const char *const to[] = { "<one@far.example>", "<two@far.example> NOTIFY=FAILURE", "<success@far.example> NOTIFY=SUCCESS",
	    "<delay@far.example> NOTIFY=DELAY", "<never@far.example> NOTIFY=NEVER", NULL };
	const struct provider_message *m;
	struct client *c;
	struct world w;

	story_up(&w, "rcpt/@far: 550 5.1.1 nobody;caps: PIPELINING,SIZE", "", STORY_QUEUE);
	story_submit_as(&w, "<app@client.example>", to);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert(story_is_bounce(m));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; one@far.example\r\nAction: failed\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; two@far.example\r\nAction: failed\r\n"));
	for (unsigned i = 2; i < 5; i++)
		ck_assert_ptr_null(strstr(m->text, (const char *[]){ "; success@", "; delay@", "; never@" }[i - 2]));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	c = story_log_in(&w);
	ck_assert_int_eq(client_mail(c, "app@client.example", "one@far.example", "Auto-Submitted: auto-generated\r\nPrecedence: bulk\r\n"
	    "X-Auto-Response-Suppress: All\r\nSubject: please send no notice\r\n\r\nno notice\r\n"), 250);
	ck_assert(provider_wait(w.provider, 2, 30000));
	ck_assert(story_is_bounce(provider_message(w.provider, 1)));
	client_free(&c);
	story_down(&w);
}
END_TEST

/* A-205: all of a message comes back up to 64 KB, else its header; and that alone where it was asked for. */
static const struct { const char *mail; unsigned lines; bool whole; } originals[] = {
	{ "<app@client.example>", 600, true }, { "<app@client.example> RET=FULL", 600, true }, { "<app@client.example> RET=HDRS", 600, false },
	{ "<app@client.example>", 700, false }, { "<app@client.example> RET=FULL", 700, false },
};

START_TEST(the_original_comes_back)
{
	static char text[120000];
	const struct provider_message *m;
	struct client *c;
	struct world w;
	char line[100];
	char *at = text;

	story_up(&w, "rcpt/@far: 550 5.1.1 nobody;caps: PIPELINING,SIZE", "", STORY_QUEUE);
	at += sprintf(at, "Subject: long\r\nX-Last: field\r\n\r\n");
	for (unsigned i = 0; i < originals[_i].lines; i++)
		at += sprintf(at, "%04u %093u\r\n", i, i);
	c = story_log_in(&w);
	snprintf(line, sizeof line, "MAIL FROM:%s\r\n", originals[_i].mail);
	ck_assert_int_eq(client_ask(c, line), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<no@far.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	ck_assert_int_eq(client_send(c, text, strlen(text)), 0);
	ck_assert_int_eq(client_ask(c, ".\r\n"), 250);
	client_free(&c);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert_ptr_nonnull(strstr(m->text, originals[_i].whole ? "Content-Type: message/rfc822\r\n" : "Content-Type: text/rfc822-headers\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "\r\nX-Last: field\r\n"));
	ck_assert((strstr(m->text, text) != NULL) == originals[_i].whole);
	ck_assert((strstr(m->text, "\r\n0000 0") != NULL) == originals[_i].whole);
	story_down(&w);
}
END_TEST

/* A-206: what a server announces and then refuses has not been passed on either: we report.  (B-031) */
static const char *const unlearned[] = { "rcpt/NOTIFY: 555 5.5.4 what", "mail/RET=: 555 5.5.4 what" };

START_TEST(dsn_is_refused)
{
	static const char *const to[] = { "<ok@far.example> NOTIFY=SUCCESS", NULL };
	struct world w;

	story_up(&w, unlearned[_i], "", STORY_QUEUE);
	story_submit_as(&w, "<app@client.example> RET=FULL", to);
	ck_assert_msg(provider_wait(w.provider, 2, 30000), "%s", provider_transcript(w.provider));
	ck_assert_str_eq(provider_message(w.provider, 0)->rcpt[0], "<ok@far.example>");
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 1)->text, "Action: relayed\r\n"));
	story_down(&w);
}
END_TEST

/* One warning a message, to those who did not ask for none; never about a bounce. */
START_TEST(a_delay_is_told_once)
{
	static const char *const to[] = { "<slow@far.example>", "<asked@far.example> NOTIFY=DELAY", "<not@far.example> NOTIFY=FAILURE",
	    "<never@far.example> NOTIFY=NEVER", NULL };
	const struct provider_message *m;
	struct world w;

	story_up(&w, "rcpt/@far: 450 4.2.1 full;caps: PIPELINING,SIZE", "", "queue { retry = {\"300ms\"} delay_warning = \"1s\" }");
	story_submit_as(&w, "<app@client.example>", to);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert(story_is_bounce(m));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; slow@far.example\r\nAction: delayed\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "Final-Recipient: rfc822; asked@far.example\r\nAction: delayed\r\n"));
	ck_assert_ptr_nonnull(strstr(m->text, "Will-Retry-Until: "));
	ck_assert_ptr_null(strstr(m->text, "not@far"));
	ck_assert_ptr_null(strstr(m->text, "never@far"));
	ck_assert_msg(story_status_has(&w, "\"messages\":1,"), "%s", story_out);	/* the warning has its answer */
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);			/* nor again by the next process */
	for (unsigned before = provider_said(w.provider, "RCPT TO:<slow@"); provider_said(w.provider, "RCPT TO:<slow@") < before + 3;)
		usleep(50000);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	story_down(&w);
}
END_TEST

/* A-208, B-140: its time is up after an attempt that failed: 4.4.7, "failed". */
START_TEST(time_is_up)
{
	struct world w;

	story_up(&w, "rcpt/you@: 450 4.2.1 full", "", "queue { retry = {\"300ms\"} expire = \"1s\" delay_warning = \"0\" }");
	story_submit(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "Action: failed\r\nStatus: 4.4.7\r\n"));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "450 4.2.1 full"));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	story_down(&w);
}
END_TEST

/* B-140: there is no connection until the time is up; it is tried all the same, and what is said then is told. */
START_TEST(tried_after_its_time)
{
	const char *tried, *told;
	char *transcript;
	struct world w;

	world_new(&w, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "", STORY_QUEUE);
	world_start(&w);
	story_submit(&w);
	ck_assert(world_wait_log(&w, "connection refused", 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_configure(&w, "", "queue { retry = {\"300ms\"} expire = \"1s\" delay_warning = \"0\" }");
	ck_assert_uint_ne(provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "rcpt/you@: 450 4.2.1 full"), 0);
	sleep(2);			/* its age is in whole seconds */
	world_start(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert(story_is_bounce(provider_message(w.provider, 0)));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "Action: failed\r\nStatus: 4.4.7\r\n"));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "450 4.2.1 full"));
	transcript = provider_transcript(w.provider);
	tried = strstr(transcript, "C: RCPT TO:<you@");
	told = strstr(transcript, "C: RCPT TO:<app@");
	ck_assert_msg(tried != NULL && told != NULL && tried < told, "%s", transcript);
	free(transcript);
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	story_down(&w);
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
	world_configure(&w, "", "aliases_file = \"aliases\"\npostmaster = \"post@home.example\"\n" STORY_QUEUE);
	write_aliases(&w, "root: admin\nadmin: ann@home.example,\n\tbob@home.example\nstaff: bob@home.example, root, cy@home.example\n");
	world_start(&w);
	story_submit_as(&w, "<app@client.example> AUTH=<>", to);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert_uint_eq(m->nrcpt, 4);
	ck_assert_str_eq(m->rcpt[0], "<ann@home.example>");
	ck_assert_str_eq(m->rcpt[1], "<bob@home.example>");
	ck_assert_str_eq(m->rcpt[2], "<cy@home.example>");
	ck_assert_str_eq(m->rcpt[3], "<post@home.example>");
	ck_assert_ptr_null(strstr(m->sender, "AUTH="));
	c = story_log_in(&w);
	write_aliases(&w, "root: loop\nloop: root\n");		/* refused whole; the old one stays */
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "check"), 78);
	ck_assert_msg(strstr(story_out, "leads back to itself") != NULL, "%s", story_out);
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reload_refused", 30000));
	ck_assert_int_eq(client_mail(c, "app@client.example", "root", STORY_TEXT), 250);
	ck_assert(provider_wait(w.provider, 2, 30000));
	ck_assert_uint_eq(provider_message(w.provider, 1)->nrcpt, 2);
	world_configure(&w, "", "aliases_file = \"aliases\"\n" STORY_QUEUE);
	write_aliases(&w, "root: dee@home.example\n");
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reloaded", 30000));
	client_free(&c);
	c = story_log_in(&w);
	ck_assert_int_eq(client_mail(c, "app@client.example", "root@relay.example", STORY_TEXT), 250);
	ck_assert(provider_wait(w.provider, 3, 30000));
	ck_assert_str_eq(provider_message(w.provider, 2)->rcpt[0], "<dee@home.example>");
	ck_assert_int_eq(client_mail(c, "app@client.example", "nobody", STORY_TEXT), 550);
	ck_assert_msg(strstr(client_text(c), "550 5.1.1 ") != NULL, "%s", client_text(c));
	client_free(&c);
	story_down(&w);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

Suite *told_suite(void);

Suite *
told_suite(void)
{
	Suite *s = suite_create("told");
	TCase *t;

	t = tcase_create("senders and recipients");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, dsn_is_passed_on);
	tcase_add_test(t, dsn_is_answered_by_us);
	tcase_add_test(t, failures_are_told_of_once);
	tcase_add_loop_test(t, the_original_comes_back, 0, COUNT(originals));
	tcase_add_loop_test(t, dsn_is_refused, 0, COUNT(unlearned));
	tcase_add_test(t, a_delay_is_told_once);
	tcase_add_test(t, time_is_up);
	tcase_add_test(t, tried_after_its_time);
	tcase_add_test(t, local_recipients);
	suite_add_tcase(s, t);
	return s;
}
