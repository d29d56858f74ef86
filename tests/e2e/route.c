/* Several upstreams: who takes over when, which mail goes where, and mail that goes nowhere at all. */
#include "e2e/world.h"

#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT "From: App <app@client.example>\r\nSubject: x\r\n\r\ny\r\n"

/* --- what is captured ------------------------------------------------------------ */

/* How many messages are in the Maildir; the last one's text goes to out. */
static unsigned
captured(const struct world *w, char *out, size_t size)
{
	char dir[128], path[512];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;
	FILE *f;

	snprintf(dir, sizeof dir, "%s/mail/new", w->dir);
	d = opendir(dir);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		out[fread(out, 1, size - 1, f)] = '\0';
		fclose(f);
		n++;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

static bool
wait_captured(const struct world *w, unsigned n, char *out, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		if (captured(w, out, size) >= n)
			return true;
		usleep(10000);
	}
	return false;
}

static void
submit(struct world *w, const char *from, const char *to, char *id, size_t size)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);

	ck_assert(client_login(c));
	ck_assert_msg(client_mail(c, from, to, TEXT) == 250, "%s", client_text(c));
	if (id != NULL)
		snprintf(id, size, "%s", client_id(c));
	client_free(&c);
}

/* Staging: the whole of production's configuration, one line more, and nothing leaves the machine. */
START_TEST(captured_mail_goes_nowhere)
{
	static const char head[] = "Return-Path: <app@client.example>\nX-Original-To: you@far.example\n"
	    "Delivered-To: you@far.example\nReceived: ";
	char out[16384], id[32], trace[64];
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "capture = \"mail\"", "");
	world_start(&w);
	ck_assert(world_wait_log(&w, "its mail goes to /", 30000));
	submit(&w, "app@client.example", "you@far.example", id, sizeof id);
	ck_assert(wait_captured(&w, 1, out, sizeof out));
	ck_assert_msg(strncmp(out, head, strlen(head)) == 0, "%s", out);
	ck_assert_msg(strstr(out, "\nSubject: x\n\ny\n") != NULL, "%s", out);
	ck_assert(world_wait_log(&w, "event=relayed", 30000));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 0);
	ck_assert_msg(strstr(out, "its mail goes nowhere: it is captured in /") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "/mail\"") != NULL && strstr(out, "\"state\":\"up\"") != NULL, "%s", out);
	snprintf(trace, sizeof trace, "trace %s", id);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, trace), 0);
	ck_assert_msg(strstr(out, "relayed   you@far.example via provider in ") != NULL &&
	    strstr(out, ": captured as /") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	ck_assert_msg(strstr(out, "and nowhere else") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "capture: the Maildir /") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "probe"), 0);
	ck_assert_msg(strstr(out, "provider: its mail is captured in /") != NULL, "%s", out);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "test you@far.example") == 0, "%s", out);
	ck_assert_uint_eq(provider_connections(w.provider, 0), 0);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* --- two upstreams ------------------------------------------------------------------ */

struct pair {
	struct world w;		/* its provider is the second upstream, `provider' */
	struct provider *one;	/* the first, `first' */
	unsigned port;
};

/* `rest' stands before the upstreams; the second has three ports, the first one. */
static void
configure(struct pair *p, const char *first, const char *rest)
{
	char text[2048];

	snprintf(text, sizeof text, "%s\nupstream \"first\" { host = \"127.0.0.1\" chain = {\"%u/starttls\"} username = \"apikey\"\n"
	    " password_file = \"secret\" tls_ca = \"%s\" connect_timeout = \"1s\"\n%s }", rest, p->port, provider_ca(p->one), first);
	world_configure(&p->w, "", text);
}

static void
pair_new(struct pair *p, const char *password, enum provider_mode mode, const char *script, const char *script2)
{
	const struct provider_options o = { .user = "apikey", .password = password };

	world_new(&p->w, PROVIDER_STARTTLS, script2, PROVIDER_IMPLICIT, script2, PROVIDER_STARTTLS, script2);
	p->one = provider_new(&o);
	ck_assert_ptr_nonnull(p->one);
	p->port = provider_listen(p->one, "127.0.0.1", 0, mode, script);
	ck_assert_uint_ne(p->port, 0);
}

static void
pair_free(struct pair *p)
{
	ck_assert_int_eq(world_stop(&p->w, SIGTERM), 0);
	provider_free(&p->one);
	world_free(&p->w);
}

static void
come_back(struct pair *p)
{
	char out[4096];

	ck_assert_uint_eq(provider_listen(p->one, "127.0.0.1", p->port, PROVIDER_STARTTLS, NULL), p->port);
	ck_assert_msg(world_run(&p->w, out, sizeof out, NULL, "retry --all --upstream first") == 0, "%s", out);
}

START_TEST(the_next_takes_over_and_gives_back)	/* CONTRACT.md 4: every candidate failed */
{
	struct pair p;
	char out[8192];

	pair_new(&p, "provider-secret", PROVIDER_REFUSE, NULL, NULL);
	configure(&p, "", "");
	world_start(&p.w);
	submit(&p.w, "app@client.example", "one@far.example", NULL, 0);
	ck_assert(provider_wait(p.w.provider, 1, 30000));
	ck_assert(world_wait_log(&p.w, "upstream=first state=down", 30000));
	ck_assert_int_eq(world_run(&p.w, out, sizeof out, NULL, "retry --all --upstream nobody"), 1);
	ck_assert_msg(strstr(out, "no upstream nobody") != NULL, "%s", out);
	come_back(&p);
	ck_assert(world_wait_log(&p.w, "upstream=first state=up", 30000));
	submit(&p.w, "app@client.example", "two@far.example", NULL, 0);
	ck_assert(provider_wait(p.one, 1, 30000));
	ck_assert_str_eq(provider_message(p.one, 0)->rcpt[0], "<two@far.example>");
	ck_assert_uint_eq(provider_count(p.w.provider), 1);
	pair_free(&p);
}
END_TEST

START_TEST(what_waited_for_both_goes_to_the_first_that_is_back)
{
	struct pair p;
	char out[8192];

	pair_new(&p, "provider-secret", PROVIDER_REFUSE, NULL, NULL);
	provider_close(p.w.provider, p.w.p587);
	provider_close(p.w.provider, p.w.p465);
	provider_close(p.w.provider, p.w.p2525);
	configure(&p, "", "");
	world_start(&p.w);
	for (unsigned i = 0; i < 3; i++)
		submit(&p.w, "app@client.example", "one@far.example", NULL, 0);
	ck_assert(world_wait_log(&p.w, "upstream=provider state=down", 30000));
	ck_assert_int_eq(world_run(&p.w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "\"messages\":3") != NULL, "%s", out);
	come_back(&p);
	ck_assert(provider_wait(p.one, 3, 30000));
	ck_assert_uint_eq(provider_count(p.w.provider), 0);
	pair_free(&p);
}
END_TEST

/* One attempt to log in, on one port, no bounce; a corrected password counts at once. */
START_TEST(a_refused_login_passes_on)	/* B-019, D6 */
{
	struct pair p;
	char out[8192], path[128];
	FILE *f;

	pair_new(&p, "other-secret", PROVIDER_STARTTLS, NULL, NULL);
	configure(&p, "", "");
	world_start(&p.w);
	submit(&p.w, "app@client.example", "one@far.example", NULL, 0);
	submit(&p.w, "app@client.example", "two@far.example", NULL, 0);
	ck_assert(provider_wait(p.w.provider, 2, 30000));
	ck_assert_uint_eq(provider_said(p.one, "AUTH"), 1);
	ck_assert_int_eq(world_run(&p.w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "\"auth_failed\"") != NULL && strstr(out, "\"bounced\":0") != NULL, "%s", out);
	configure(&p, "", "");
	snprintf(path, sizeof path, "%s/secret", p.w.dir);
	provider_close(p.w.provider, p.w.p587);	/* whose password it was */
	provider_close(p.w.provider, p.w.p465);
	provider_close(p.w.provider, p.w.p2525);
	f = fopen(path, "w");
	fputs("other-secret\n", f);
	fclose(f);
	kill(p.w.pid, SIGHUP);
	ck_assert(world_wait_log(&p.w, "event=reloaded", 30000));
	submit(&p.w, "app@client.example", "three@far.example", NULL, 0);
	ck_assert(provider_wait(p.one, 1, 30000));
	ck_assert_str_eq(provider_message(p.one, 0)->rcpt[0], "<three@far.example>");
	pair_free(&p);
}
END_TEST

static bool
got(struct provider *p, unsigned n, const char *to)
{
	ck_assert_uint_gt(provider_count(p), n);
	return strncmp(provider_message(p, n)->rcpt[0], to, strlen(to)) == 0 && provider_message(p, n)->nrcpt == 1;
}

START_TEST(routes_by_sender_user_and_recipient)
{
	struct client *c;
	struct pair p;
	char out[512];

	pair_new(&p, "provider-secret", PROVIDER_STARTTLS, NULL, NULL);
	configure(&p, "", "route \"from\" { from = {\"*@one.example\"} upstreams = {\"first\"} }\n"
	    "route \"to\" { to = {\"*@two.example\", \"boss@*\"} user = {\"app\"} upstreams = {\"first\"} }\n"
	    "route \"user\" { user = {\"oth*\"} upstreams = {\"first\"} }\n"
	    "route \"rest\" { upstreams = {\"provider\"} }\n");
	ck_assert_int_eq(world_run(&p.w, out, sizeof out, "other-secret\n", "passwd other"), 0);
	world_start(&p.w);
	submit(&p.w, "app@one.example", "a@far.example", NULL, 0);
	ck_assert(provider_wait(p.one, 1, 30000));
	submit(&p.w, "app@client.example", "b@TWO.example", NULL, 0);	/* domains are compared without case */
	ck_assert(provider_wait(p.one, 2, 30000));
	submit(&p.w, "app@client.example", "Boss@far.example", NULL, 0);	/* local parts are not */
	ck_assert(provider_wait(p.w.provider, 1, 30000));
	c = client_new(&p.w, p.w.l587, CLIENT_STARTTLS);
	ck_assert_int_eq(client_ask(c, "AUTH PLAIN AG90aGVyAG90aGVyLXNlY3JldA==\r\n"), 235);
	ck_assert_int_eq(client_mail(c, "other@client.example", "c@far.example", TEXT), 250);
	ck_assert(provider_wait(p.one, 3, 30000));
	client_free(&c);
	c = client_new(&p.w, p.w.l587, CLIENT_STARTTLS);	/* each recipient by its own */
	ck_assert(client_login(c));
	ck_assert_int_eq(client_ask(c, "MAIL FROM:<app@client.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<d@far.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<e@two.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	ck_assert_int_eq(client_ask(c, TEXT ".\r\n"), 250);
	client_free(&c);
	ck_assert(provider_wait(p.one, 4, 30000) && provider_wait(p.w.provider, 2, 30000));
	ck_assert(got(p.one, 0, "<a@") && got(p.one, 1, "<b@") && got(p.one, 2, "<c@") && got(p.one, 3, "<e@"));
	ck_assert(got(p.w.provider, 0, "<Boss@") && got(p.w.provider, 1, "<d@"));
	pair_free(&p);
}
END_TEST

/* Looked up at each attempt: what waits for an upstream that is down, and what was deferred, goes by the new route at once. */
START_TEST(a_reload_routes_what_is_queued)
{
	struct pair p;

	pair_new(&p, "provider-secret", PROVIDER_STARTTLS, "rcpt/later: 451 4.2.1 later", NULL);
	configure(&p, "", "route \"all\" { upstreams = {\"first\"} }");
	world_start(&p.w);
	submit(&p.w, "app@client.example", "later@far.example", NULL, 0);
	ck_assert(world_wait_log(&p.w, "event=deferred", 30000));
	provider_close(p.one, p.port);
	submit(&p.w, "app@client.example", "you@far.example", NULL, 0);
	ck_assert_uint_eq(provider_count(p.w.provider) + provider_count(p.one), 0);
	configure(&p, "", "route \"all\" { upstreams = {\"provider\"} }");
	kill(p.w.pid, SIGHUP);
	ck_assert(provider_wait(p.w.provider, 2, 30000));	/* the schedule would be 30 s */
	ck_assert_uint_eq(provider_count(p.one), 0);
	pair_free(&p);
}
END_TEST

START_TEST(what_waits_for_a_provider_may_be_captured)
{
	struct pair p;
	char out[8192];

	pair_new(&p, "provider-secret", PROVIDER_REFUSE, NULL, NULL);
	/* A reload brings no new place to write to. */
	configure(&p, "", "upstream \"shelf\" { capture = \"mail\" }\nroute \"all\" { upstreams = {\"first\"} }");
	world_start(&p.w);
	submit(&p.w, "app@client.example", "you@far.example", NULL, 0);
	ck_assert(world_wait_log(&p.w, "upstream=first state=down", 30000));
	configure(&p, "capture = \"mail\"", "route \"all\" { upstreams = {\"first\", \"provider\"} }");
	kill(p.w.pid, SIGHUP);
	ck_assert(wait_captured(&p.w, 1, out, sizeof out));
	ck_assert_uint_eq(provider_connections(p.w.provider, 0), 0);
	pair_free(&p);
}
END_TEST

/* A Maildir that fails lets no mail out to the upstreams behind it. */
START_TEST(a_maildir_that_fails_holds_its_mail)
{
	struct pair p;
	char path[128], out[8192];

	pair_new(&p, "provider-secret", PROVIDER_REFUSE, NULL, NULL);
	configure(&p, "capture = \"no/mail\"", "");
	world_start(&p.w);
	submit(&p.w, "app@client.example", "you@far.example", NULL, 0);
	ck_assert(world_wait_log(&p.w, "upstream=first state=down", 30000));
	ck_assert_int_eq(world_run(&p.w, out, sizeof out, NULL, "check"), 78);
	ck_assert_msg(strstr(out, "upstream first: capture: ") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&p.w, out, sizeof out, NULL, "queue"), 0);
	ck_assert_msg(strstr(out, "cannot be used: No such file") != NULL, "%s", out);
	ck_assert_uint_eq(provider_connections(p.w.provider, 0), 0);
	snprintf(path, sizeof path, "%s/no", p.w.dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(world_run(&p.w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(world_wait_log(&p.w, "event=relayed", 30000));
	ck_assert_uint_eq(provider_connections(p.w.provider, 0), 0);
	pair_free(&p);
}
END_TEST

/* --- what they can take --------------------------------------------------------------- */

#define SMALL "caps: SIZE 2000,PIPELINING"
#define LINE "0123456789012345678901234567890123456789012345678\r\n"
#define FIVE LINE LINE LINE LINE LINE

/* Learned, kept across a restart, and told before the message is even sent. */
START_TEST(what_the_provider_cannot_take_is_refused)	/* D12, B-111, B-131, B-132 */
{
	struct client *c;
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, SMALL, PROVIDER_IMPLICIT, SMALL, PROVIDER_STARTTLS, SMALL);
	world_configure(&w, "", "");
	world_start(&w);
	submit(&w, "app@client.example", "you@far.example", NULL, 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_ask(c, "EHLO x\r\n"), 250);
	ck_assert_msg(strstr(client_text(c), "SIZE 2000\r\n") != NULL, "%s", client_text(c));
	ck_assert_msg(strstr(client_text(c), "SMTPUTF8") == NULL, "%s", client_text(c));
	ck_assert_int_eq(client_ask(c, "MAIL FROM:<app@client.example> SIZE=2001\r\n"), 552);
	ck_assert_ptr_nonnull(strstr(client_text(c), "5.3.4"));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", "a: b\r\n\r\n" FIVE FIVE FIVE FIVE FIVE FIVE FIVE FIVE FIVE), 552);
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", "a: b\r\n\r\n\xc3\xb6\r\n"), 554);
	ck_assert_ptr_nonnull(strstr(client_text(c), "5.6.3"));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	ck_assert(provider_wait(w.provider, 2, 30000));
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* The first is passed over for what it lacks, and used for the rest. */
START_TEST(what_the_first_lacks_the_next_takes)	/* B-111, B-131, B-132 */
{
	struct client *c;
	struct pair p;

	pair_new(&p, "provider-secret", PROVIDER_STARTTLS, SMALL, "caps: SIZE 100000,PIPELINING,8BITMIME,SMTPUTF8");
	configure(&p, "", "");
	world_start(&p.w);
	c = client_new(&p.w, p.w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "eight@far.example", "a: b\r\n\r\n\xc3\xb6\r\n"), 250);
	ck_assert(provider_wait(p.w.provider, 1, 30000));
	ck_assert_int_eq(client_mail(c, "app@client.example", "large@far.example", "a: b\r\n\r\n" FIVE FIVE FIVE FIVE FIVE FIVE FIVE FIVE FIVE), 250);
	ck_assert(provider_wait(p.w.provider, 2, 30000));
	ck_assert_int_eq(client_ask(c, "EHLO x\r\n"), 250);
	ck_assert_msg(strstr(client_text(c), "SMTPUTF8") != NULL, "%s", client_text(c));
	ck_assert_int_eq(client_ask(c, "MAIL FROM:<\xc3\xb6@client.example> SMTPUTF8\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<you@far.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	ck_assert_int_eq(client_ask(c, TEXT ".\r\n"), 250);
	ck_assert(provider_wait(p.w.provider, 3, 30000));
	ck_assert_int_eq(client_mail(c, "app@client.example", "plain@far.example", TEXT), 250);
	ck_assert(provider_wait(p.one, 1, 30000));
	ck_assert(got(p.one, 0, "<plain@") && provider_count(p.w.provider) == 3);
	client_free(&c);
	pair_free(&p);
}
END_TEST

/* --- the rest ----------------------------------------------------------------------------- */

START_TEST(the_sender_is_rewritten)
{
	const struct provider_message *m;
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, "rcpt/bad: 550 5.1.1 no", PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "sender = \"out@x.example\" rewrite_from = true", "");
	world_start(&w);
	submit(&w, "app@client.example", "you@far.example", NULL, 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert_msg(strncmp(m->sender, "<out@x.example>", 15) == 0, "%s", m->sender);
	ck_assert_msg(strstr(m->text, "\r\nFrom: App <out@x.example>\r\n") != NULL, "%s", m->text);
	submit(&w, "app@client.example", "bad@far.example", NULL, 0);
	ck_assert(provider_wait(w.provider, 2, 30000));
	m = provider_message(w.provider, 1);	/* from nobody, to the one who sent it */
	ck_assert_msg(strncmp(m->sender, "<>", 2) == 0, "%s", m->sender);
	ck_assert_msg(strncmp(m->rcpt[0], "<app@client.example>", 20) == 0, "%s", m->rcpt[0]);
	ck_assert_msg(strstr(m->text, "MAILER-DAEMON@relay.example") != NULL, "%s", m->text);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

START_TEST(an_upstream_that_is_ourselves_does_not_start)	/* B-139 */
{
	static const char *const hosts[] = { "127.0.0.1", "localhost" };
	char rest[256], out[4096];
	struct world w;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(rest, sizeof rest, "upstream \"us\" { host = \"%s\" auth = \"none\" chain = {\"%u/starttls\"} }", hosts[i], w.l2525);
		world_configure(&w, "", "");
		world_configure(&w, "", rest);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 78);
		ck_assert_msg(strstr(out, "upstream us: ") != NULL && strstr(out, "is a listener of gatepost itself") != NULL, "%s", out);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
		ck_assert_msg(strstr(out, "is a listener of gatepost itself") != NULL, "%s", out);
	}
	world_free(&w);
}
END_TEST

Suite *route_suite(void);

Suite *
route_suite(void)
{
	Suite *s = suite_create("route");
	TCase *t = tcase_create("route");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, captured_mail_goes_nowhere);
	tcase_add_test(t, the_next_takes_over_and_gives_back);
	tcase_add_test(t, what_waited_for_both_goes_to_the_first_that_is_back);
	tcase_add_test(t, a_refused_login_passes_on);
	tcase_add_test(t, routes_by_sender_user_and_recipient);
	tcase_add_test(t, a_reload_routes_what_is_queued);
	tcase_add_test(t, what_waits_for_a_provider_may_be_captured);
	tcase_add_test(t, a_maildir_that_fails_holds_its_mail);
	tcase_add_test(t, what_the_provider_cannot_take_is_refused);
	tcase_add_test(t, what_the_first_lacks_the_next_takes);
	tcase_add_test(t, the_sender_is_rewritten);
	tcase_add_test(t, an_upstream_that_is_ourselves_does_not_start);
	suite_add_tcase(s, t);
	return s;
}
