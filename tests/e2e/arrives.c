/* What an app has said arrives at the provider as it was said, the odd things too; and what was refused never does. */
#include "e2e/story.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const carriers[] = {		/* content by DATA, and by BDAT */
	"caps: PIPELINING,8BITMIME,SMTPUTF8,SIZE 100000000", "caps: PIPELINING,CHUNKING,8BITMIME,SMTPUTF8,SIZE 100000000"
};

/* SMTPUTF8 is offered when the upstream has shown that it can take it. */
static struct client *
log_in_utf8(struct world *w)
{
	struct client *c;

	story_submit(w);
	ck_assert(provider_wait(w->provider, 1, 30000));
	for (int i = 0; i < 500; i++) {
		c = story_log_in(w);
		ck_assert_int_eq(client_ask(c, "EHLO test.example\r\n"), 250);
		if (strstr(client_text(c), "SMTPUTF8\r\n") != NULL)
			return c;
		client_free(&c);
		usleep(10000);
	}
	ck_abort_msg("SMTPUTF8 is never offered");
}

/* What follows MAIL FROM: and RCPT TO:, and what the provider must hear of it. */
static const struct {
	const char *from, *to, *heard_from, *heard_to;
} envelopes[] = {
	{ "<\"a b\"@x.example>", "<\"a\\\"b\"@y.example>", NULL, NULL },				/* */
	{ "<\"@\"@x.example>", "<\"a>b\"@y.example>", NULL, NULL },
	{ "<\"\\\\\"@x.example>", "<u@[192.0.2.1]>", NULL, NULL },
	{ "<u@[IPv6:2001:db8::1]>", "<u%h@d.example>", NULL, NULL },					/* */
	{ "<a@b.example>", "<h!u@d.example>", NULL, NULL },
	{ "<a@b.example>", "<|cmd@d.example>", NULL, NULL },
	{ "<a@b.example>", "<-x@d.example>", NULL, NULL },
	{ "<a@b.example>", "<;sh@d.example>", NULL, NULL },
	{ "<a@b.example>", "<$HOME`id`@d.example>", NULL, NULL },
	{ "<MiXeD@b.example>", "<MiXeD.Case@d.example>", NULL, NULL },					/* */
	{ "<@r.example,@s.example:a@b.example>", "<@r.example,@s.example:u@c.example>", "<a@b.example>", "<u@c.example>" },	/* */
	{ "<j\xc3\xb6@x.example> SMTPUTF8", "<\xe2\x82\xac@\xc3\xb6.example>", "<j\xc3\xb6@x.example>", NULL },	/* */
	{ "<root>", "<c@d.example>", "<root@relay.example>", NULL },					/* */
	{ "<>", "<c@d.example>", NULL, NULL },								/* */
	{ "<a@b.example> AUTH=e+3Dmc2@x.example", "<c@d.example>", "<a@b.example>", NULL },		/* */
};

/* The path alone, without what we say of SIZE and the like. */
static void
expect_path(const char *heard, const char *want)
{
	size_t n = strlen(want);

	ck_assert_msg(strncmp(heard, want, n) == 0 && (heard[n] == '\0' || heard[n] == ' '), "\"%s\", not \"%s\"", heard, want);
	ck_assert_ptr_null(strstr(heard + n, "AUTH="));
}

START_TEST(envelopes_arrive)
{
	const unsigned n = sizeof envelopes / sizeof envelopes[0];
	const struct provider_message *m;
	struct client *c;
	struct world w;
	char line[300];

	story_up(&w, carriers[_i], "", STORY_QUEUE);
	c = log_in_utf8(&w);
	for (unsigned i = 0; i < n; i++) {
		snprintf(line, sizeof line, "MAIL FROM:%s\r\n", envelopes[i].from);
		ck_assert_msg(client_ask(c, line) == 250, "%s: %s", line, client_text(c));
		snprintf(line, sizeof line, "RCPT TO:%s\r\n", envelopes[i].to);
		ck_assert_msg(client_ask(c, line) == 250, "%s: %s", line, client_text(c));
		ck_assert_int_eq(client_ask(c, line), 250);	/* twice is once */
		ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
		ck_assert_int_eq(client_ask(c, STORY_TEXT ".\r\n"), 250);
		ck_assert(provider_wait(w.provider, i + 2, 30000));
		m = provider_message(w.provider, i + 1);
		ck_assert_uint_eq(m->nrcpt, 1);
		expect_path(m->sender, envelopes[i].heard_from != NULL ? envelopes[i].heard_from : envelopes[i].from);
		expect_path(m->rcpt[0], envelopes[i].heard_to != NULL ? envelopes[i].heard_to : envelopes[i].to);
	}
	client_free(&c);
	story_down(&w);
}
END_TEST

static void
put(char **at, const char *text)
{
	*at = stpcpy(*at, text);
}

/* Lines of dots, controls, 8-bit, blanks and great length; `stuffed' as an app sends it. */
static char *
make_content(bool stuffed)
{
	static const char *const dotted[] = { ".", "..", "..x", ".x", "...", " .", "x." };
	static const unsigned lengths[] = { 998, 999, 4095, 4096, 4097, 16383, 16384, 16385, 1 << 20 };
	char *text = calloc(1, 4 << 20), *at = text;

	put(&at, "Subject: odd \r\nX-Blank: \t \r\nFrom: app@client.example\r\nDate: x\r\nMessage-ID: <odd@client.example>\r\n\r\n");
	for (unsigned i = 0; i < sizeof dotted / sizeof dotted[0]; i++) {
		put(&at, stuffed && dotted[i][0] == '.' ? "." : "");
		put(&at, dotted[i]);
		put(&at, "\r\n");
	}
	for (int c = 1; c < 256; c++)
		if (c != '\r' && c != '\n')
			*at++ = (char)c;
	put(&at, "\r\n");
	for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		for (unsigned n = 0; n < lengths[i]; n++)
			*at++ = (char)('a' + (n + i) % 26);
		put(&at, "\r\n");
	}
	put(&at, "  \r\n\t\r\n\r\n \r\n\r\n\r\n");
	return text;
}

START_TEST(content_arrives)
{
	char *said = make_content(true), *want = make_content(false);
	const struct provider_message *m;
	struct client *c;
	struct world w;
	size_t n = strlen(want);

	story_up(&w, carriers[_i], "", STORY_QUEUE);
	c = story_log_in(&w);
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", said), 250);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert(m->chunked == (_i == 1));
	ck_assert_uint_gt(m->octets, n);
	ck_assert_mem_eq(m->text + m->octets - n, want, n);
	ck_assert(strncmp(m->text, "Received: from test.example ", 28) == 0);
	ck_assert_ptr_eq(strstr(m->text, "\r\nSubject: odd ") + 2, m->text + m->octets - n);	/* one field of ours, no more */
	ck_assert_ptr_null(strstr(m->text + 1, "\r\nReceived:"));
	client_free(&c);
	free(said);
	free(want);
	story_down(&w);
}
END_TEST

/* refused at the end of data, each in its way: no transaction is left, and no restart brings it back. */
START_TEST(what_was_refused_never_comes)
{
	static const struct { const char *text, *reply; } refused[] = {
		{ "Subject: refused\r\n\r\nbare\nnewline\r\n", "554 5.6.0 " },
		{ "Subject: refused\r\n\r\nbare\rreturn\r\n", "554 5.6.0 " },
		{ "Received: a\r\nReceived: b\r\nReceived: c\r\nSubject: refused\r\n\r\n", "554 5.4.6 " },
		{ NULL, "552 5.3.4 " },
		{ "Subject: refused\r\n\r\nover the rate\r\n", "450 4.7.1 " },
	};
	static char large[6000];
	struct client *c;
	struct world w;

	memset(large, 'x', sizeof large - 3);
	memcpy(large, "A: b\r\n\r\n", 8);
	memcpy(large + sizeof large - 3, "\r\n", 3);
	story_up(&w, "connect: !close", "", STORY_QUEUE "limits { hops = 2 message_size = \"5K\" user_rate = \"1/h\" }\n");
	c = story_log_in(&w);
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", STORY_TEXT), 250);
	for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		(void)client_mail(c, "app@client.example", "no@far.example", refused[i].text != NULL ? refused[i].text : large);
		ck_assert_msg(strncmp(client_text(c), refused[i].reply, 10) == 0, "%u: %s", i, client_text(c));
		ck_assert_int_eq(client_ask(c, "RCPT TO:<x@y.example>\r\n"), 503);
		ck_assert_int_eq(client_ask(c, "DATA\r\n"), 503);
	}
	client_free(&c);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(world_stop(&w, i == 0 ? SIGKILL : SIGTERM), i == 0 ? -SIGKILL : 0);
		world_start(&w);
		ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "queue --json"), 0);
		ck_assert_msg(strchr(story_out, '\n') == strrchr(story_out, '\n') && strstr(story_out, "no@far") == NULL, "%s", story_out);
	}
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	ck_assert_int_eq(world_run(&w, story_out, sizeof story_out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	ck_assert_ptr_null(strstr(provider_message(w.provider, 0)->text, "refused"));
	story_down(&w);
}
END_TEST

/* a TLS link that ends without its farewell, wherever in the content: nothing is kept. */
START_TEST(what_was_cut_off_never_comes)
{
	static const char *const begun[] = { "", "Subject: x\r\n", "Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbody\r\n.",
		"Subject: x\r\n\r\nbody\r\n.\r" };
	struct client *c;
	struct world w;

	story_up(&w, NULL, "", STORY_QUEUE);
	for (unsigned i = 0; i < sizeof begun / sizeof begun[0]; i++) {
		c = story_log_in(&w);
		ck_assert_int_eq(client_ask(c, "MAIL FROM:<app@client.example>\r\n"), 250);
		ck_assert_int_eq(client_ask(c, "RCPT TO:<no@far.example>\r\n"), 250);
		ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
		ck_assert_int_eq(client_send(c, begun[i], strlen(begun[i])), 0);
		client_free(&c);
	}
	story_submit(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_msg(story_status_has(&w, "\"messages\":0"), "%s", story_out);
	ck_assert_msg(strstr(story_out, "\"accepted\":1,") != NULL, "%s", story_out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	story_down(&w);
}
END_TEST

Suite *arrives_suite(void);

Suite *
arrives_suite(void)
{
	Suite *s = suite_create("arrives");
	TCase *t = tcase_create("arrives");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, envelopes_arrive, 0, 2);
	tcase_add_loop_test(t, content_arrives, 0, 2);
	tcase_add_test(t, what_was_refused_never_comes);
	tcase_add_test(t, what_was_cut_off_never_comes);
	suite_add_tcase(s, t);
	return s;
}
