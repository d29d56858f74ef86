/* The chain, end to end: what a network does to a provider's ports, and how mail gets out all the same. */
#include "e2e/world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT "Subject: hello\r\nFrom: app@client.example\r\n\r\nbody \xc3\xa9\r\nlast\r\n"

/* What a network or a provider does to each port; which of the three must carry the message. */
static const struct {
	const char *what;
	enum provider_mode m587;
	const char *s587;
	enum provider_mode m465;
	const char *s465;
	unsigned through;	/* 587, 465, 2525 */
	const char *state;	/* of 587 in the end, as `status' says it */
	const char *reason;	/* part of it */
} stories[] = {
	{ "all open", PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, 587, "up", "" },
	{ "587 refused (B-003)", PROVIDER_REFUSE, NULL, PROVIDER_IMPLICIT, NULL, 465, "blocked", "refused" },
	{ "587 dropped (B-003)", PROVIDER_DROP, NULL, PROVIDER_IMPLICIT, NULL, 465, "blocked", "no answer" },
	{ "587 and 465 refused", PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL, 2525, "blocked", "refused" },
	{ "STARTTLS stripped (B-012, C-04)", PROVIDER_STARTTLS, "strip: 1", PROVIDER_IMPLICIT, NULL, 465, "unsafe", "STARTTLS" },
	{ "STARTTLS refused (B-013)", PROVIDER_STARTTLS, "starttls: 454 4.7.0 no", PROVIDER_IMPLICIT, NULL, 465, "unsafe", "STARTTLS" },
	{ "reply injected (B-014, C-03)", PROVIDER_STARTTLS, "starttls: !inject 250-AUTH PLAIN|250 ok|", PROVIDER_IMPLICIT, NULL, 465, "unsafe", "" },
	{ "other name (B-016)", PROVIDER_STARTTLS, "cert: wrong-name", PROVIDER_IMPLICIT, NULL, 465, "unsafe", "certificate" },
	{ "expired (B-016)", PROVIDER_STARTTLS, "cert: expired", PROVIDER_IMPLICIT, NULL, 465, "unsafe", "expired" },
	{ "closed before the banner (B-006)", PROVIDER_STARTTLS, "connect: !close", PROVIDER_IMPLICIT, NULL, 465, "blocked", "" },
	{ "a captive portal (B-009)", PROVIDER_STARTTLS, "banner: !raw HTTP/1.1 400 Bad Request||", PROVIDER_IMPLICIT, NULL, 465, "blocked", "" },
	{ "banner 554 (B-008)", PROVIDER_STARTTLS, "banner: 554 5.7.1 no", PROVIDER_IMPLICIT, NULL, 465, "blocked", "" },
};

START_TEST(a_message_gets_out)
{
	struct world w;
	struct client *c;
	const struct provider_message *m;
	char out[8192], want[64];
	unsigned port;

	world_new(&w, stories[_i].m587, stories[_i].s587, stories[_i].m465, stories[_i].s465, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert_ptr_nonnull(c);
	ck_assert(client_login(c));
	ck_assert_msg(client_mail(c, "app@client.example", "you@far.example", TEXT) == 250, "%s", client_text(c));
	ck_assert_msg(provider_wait(w.provider, 1, 30000), "%s: nothing came", stories[_i].what);
	m = provider_message(w.provider, 0);
	port = stories[_i].through == 587 ? w.p587 : stories[_i].through == 465 ? w.p465 : w.p2525;
	ck_assert_msg(m->port == port, "%s: through %u", stories[_i].what, m->port);
	ck_assert(m->secure);
	ck_assert_str_eq(m->user, "apikey");
	ck_assert_ptr_nonnull(strstr(m->text, TEXT));
	ck_assert_ptr_nonnull(strstr(m->text, "Received: from test.example"));
	ck_assert_ptr_nonnull(strstr(m->text, "ESMTPSA"));
	ck_assert_uint_eq(provider_complaints(w.provider), 0);
	/* The port's own verdict may come later than the message. */
	snprintf(want, sizeof want, "port=%u tls=starttls address=127.0.0.1 state=%s", w.p587, stories[_i].state);
	ck_assert_msg(world_wait_log(&w, want, 30000), "%s: %s", stories[_i].what, want);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 0);
	ck_assert_msg(strstr(out, stories[_i].state) != NULL, "%s", out);
	ck_assert_msg(strstr(out, stories[_i].reason) != NULL, "%s", out);
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

START_TEST(nothing_plain_ever)	/* C-04: all ports without TLS */
{
	struct world w;
	struct client *c;
	char *said;

	world_new(&w, PROVIDER_STARTTLS, "strip: 1", PROVIDER_NONE, NULL, PROVIDER_STARTTLS, "strip: 1");
	world_configure(&w, "", "");
	world_start(&w);
	c = client_new(&w, w.l465, CLIENT_IMPLICIT);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	ck_assert(world_wait_log(&w, "state=down", 30000));
	said = provider_transcript(w.provider);
	ck_assert_ptr_null(strstr(said, "C: MAIL"));
	ck_assert_ptr_null(strstr(said, "C: AUTH"));
	ck_assert_uint_eq(provider_count(w.provider), 0);
	free(said);
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

START_TEST(a_wrong_password_waits_and_a_reload_tries_again)	/* B-019 */
{
	struct world w;
	struct client *c;
	char path[128], out[8192];
	FILE *f;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	snprintf(path, sizeof path, "%s/secret", w.dir);
	f = fopen(path, "w");
	fputs("wrong\n", f);
	fclose(f);
	world_start(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	ck_assert(world_wait_log(&w, "state=auth_failed", 30000));
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 1);	/* one port, one try */
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "auth_failed") != NULL, "%s", out);
	f = fopen(path, "w");
	fputs("provider-secret\n", f);
	fclose(f);
	kill(w.pid, SIGHUP);
	ck_assert(provider_wait(w.provider, 1, 30000));
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

START_TEST(a_refused_recipient_comes_back_as_a_bounce)	/* A-200…A-202 */
{
	struct world w;
	struct client *c;
	const struct provider_message *m;

	world_new(&w, PROVIDER_STARTTLS, "rcpt/nobody@far: 550 5.1.1 no such user", PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	c = client_new(&w, w.l2525, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "nobody@far.example", TEXT), 250);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert_ptr_nonnull(strstr(m->sender, "<>"));
	ck_assert_ptr_nonnull(strstr(m->rcpt[0], "app@client.example"));
	ck_assert_ptr_nonnull(strstr(m->text, "no such user"));
	ck_assert_ptr_nonnull(strstr(m->text, "multipart/report"));
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

Suite *chain_suite(void);

Suite *
chain_suite(void)
{
	Suite *s = suite_create("chain");
	TCase *t = tcase_create("chain");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_message_gets_out, 0, (int)(sizeof stories / sizeof stories[0]));
	tcase_add_test(t, nothing_plain_ever);
	tcase_add_test(t, a_wrong_password_waits_and_a_reload_tries_again);
	tcase_add_test(t, a_refused_recipient_comes_back_as_a_bounce);
	suite_add_tcase(s, t);
	return s;
}
