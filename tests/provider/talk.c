/* The fake provider's side of a session: one blocking thread, and a rule looked up before each answer. */
#include "provider/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LINE_SIZE = 16384 };

static const char usual_caps[] = "PIPELINING,SIZE 52428800,8BITMIME,SMTPUTF8,DSN,ENHANCEDSTATUSCODES";

bool
talk_line(struct conn *c, char *line, size_t size)
{
	size_t n = 0;
	int b, before = 0;

	for (;; before = b) {
		b = bytes_next(c);
		if (b < 0)
			return false;
		if (b == '\n')
			break;
		if (before == '\r' || b == '\0')
			provider_note(c, '!', "a bare CR or a NUL");
		if (n < size - 1)
			line[n++] = (char)b;
	}
	if (before != '\r')
		provider_note(c, '!', "a bare LF");
	else if (n > 0)
		n--;
	line[n] = '\0';
	provider_note(c, 'C', line);
	return true;
}

/* --- answers -------------------------------------------------------------- */

static void
put_raw(struct conn *c, const char *bytes)
{
	for (; *bytes != '\0'; bytes++)
		text_put(&c->out, *bytes == '|' ? "\r\n" : bytes, *bytes == '|' ? 2 : 1);
}

static void
say(struct conn *c, const char *reply)
{
	provider_note(c, 'S', reply);
	put_raw(c, reply);
	put_raw(c, "|");
	put_raw(c, c->inject);
	c->inject[0] = '\0';
}

static const char *
follows(const char *action, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(action, word, n) != 0)
		return NULL;
	return action + n + strspn(action + n, " ");
}

int
talk_perform(struct conn *c, const char *action, const char *usual)
{
	const char *rest;

	if ((rest = follows(action, "!delay")) != NULL) {
		bytes_flush(c);
		bytes_nap(atoi(rest));
	} else if ((rest = follows(action, "!inject")) != NULL) {
		snprintf(c->inject, sizeof c->inject, "%s", rest);
	} else if ((rest = follows(action, "!last")) != NULL) {
		say(c, rest);
		bytes_end(c);
		return 0;
	} else if ((rest = follows(action, "!raw")) != NULL) {
		put_raw(c, rest);
		return 0;
	} else if (*action == '!') {
		if (strcmp(action, "!reset") == 0)
			bytes_reset(c);
		else if (strcmp(action, "!silent") == 0)
			bytes_ignore(c);
		else
			bytes_end(c);
		return 0;
	} else if (*action != '\0')
		usual = action;
	if (usual == NULL)
		return 0;
	say(c, usual);
	return atoi(usual);
}

int
talk_answer(struct conn *c, const char *stage, const char *arg, const char *usual)
{
	char action[512] = "";

	provider_rule(c, stage, arg, action, sizeof action);
	return talk_perform(c, action, usual);
}

/* --- verbs ---------------------------------------------------------------- */

static void
get_caps(struct conn *c, char *out, size_t size)
{
	bool plain = c->port->mode == PROVIDER_STARTTLS && !c->secure;

	if (plain && provider_setting(c->port, "plain-caps", out, size))
		return;
	if (!provider_setting(c->port, "caps", out, size))
		snprintf(out, size, "%s", usual_caps);
}

static bool
offers(struct conn *c, const char *name)
{
	char caps[512], *rest = caps, *one;
	size_t n = strlen(name);

	get_caps(c, caps, sizeof caps);
	while ((one = strsep(&rest, ",")) != NULL)
		if (strncasecmp(one, name, n) == 0 && (one[n] == '\0' || one[n] == ' '))
			return true;
	return false;
}

static void
drop_transaction(struct conn *c)
{
	if (c->now != NULL) {
		for (unsigned i = 0; i < c->now->nrcpt; i++)
			free(c->now->rcpt[i]);
		free(c->now->rcpt);
		free(c->now->sender);
		free(c->now);
	}
	c->now = NULL;
	c->chunking = false;
	text_clear(&c->body);
}

static void
run_ehlo(struct conn *c, char *args)
{
	char reply[1200], caps[512], mechs[128], text[8], *rest = caps, *one;
	bool tls = c->port->mode == PROVIDER_STARTTLS && !c->secure;
	size_t n = (size_t)snprintf(reply, sizeof reply, "250-fake.provider.test hello");

	get_caps(c, caps, sizeof caps);
	while ((one = strsep(&rest, ",")) != NULL)
		if (*one != '\0')
			n += (size_t)snprintf(reply + n, sizeof reply - n, "|250-%s", one);
	if (tls && !provider_setting(c->port, "strip", text, sizeof text))
		n += (size_t)snprintf(reply + n, sizeof reply - n, "|250-STARTTLS");
	if (!tls && c->provider->options.user != NULL) {
		if (!provider_setting(c->port, "mechs", mechs, sizeof mechs))
			snprintf(mechs, sizeof mechs, "PLAIN LOGIN");
		if (*mechs != '\0')
			n += (size_t)snprintf(reply + n, sizeof reply - n, "|250-AUTH %s", mechs);
	}
	snprintf(reply + n, sizeof reply - n, "|250 HELP");
	drop_transaction(c);
	c->greeted = talk_answer(c, c->secure ? "ehlo2" : "ehlo", args, reply) == 250;
}

static bool
begin_tls(struct conn *c)
{
	talk_answer(c, "tls", "", NULL);
	bytes_flush(c);
	if (c->dead)
		return false;
	c->ssl = SSL_new(c->port->tls);
	SSL_set_fd(c->ssl, c->fd);
	if (SSL_accept(c->ssl) != 1) {
		provider_note(c, 'S', "(the TLS handshake failed)");
		c->dead = true;
		return false;
	}
	if (SSL_session_reused(c->ssl))
		provider_note(c, 'S', "(a TLS session is resumed)");
	c->secure = true;
	c->greeted = false;
	drop_transaction(c);
	return true;
}

static void
run_starttls(struct conn *c)
{
	if (c->secure || c->port->mode != PROVIDER_STARTTLS)
		talk_answer(c, "starttls", "", "503 5.5.1 not now");
	else if (talk_answer(c, "starttls", "", "220 2.0.0 go ahead") == 220) {
		if (c->at < c->end)
			provider_note(c, '!', "more in the flight of STARTTLS");
		c->at = c->end = 0;
		begin_tls(c);
	}
}

/* Parameters may only be used as offered; returns the refusal, or NULL. */
static const char *
check_parameters(struct conn *c, const char *args)
{
	static const struct { const char *parameter, *cap; } known[] = {
		{ " SIZE=", "SIZE" }, { " BODY=", "8BITMIME" }, { " SMTPUTF8", "SMTPUTF8" }, { " RET=", "DSN" },
		{ " ENVID=", "DSN" }, { " NOTIFY=", "DSN" }, { " ORCPT=", "DSN" },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcasestr(args, known[i].parameter) != NULL && !offers(c, known[i].cap))
			return "555 5.5.4 parameter not offered";
	for (; *args != '\0'; args++)
		if ((unsigned char)*args < ' ')
			return "501 5.5.2 control character";
	return NULL;
}

static void
run_mail(struct conn *c, char *args)
{
	const char *no = check_parameters(c, args);

	if (!c->greeted || c->now != NULL)
		no = "503 5.5.1 bad sequence";
	else if (c->provider->options.user != NULL && !c->logged_in)
		no = "530 5.7.0 authentication required";
	else if (strncasecmp(args, "FROM:<", 6) != 0)
		no = "501 5.5.4 FROM:<address>";
	if (talk_answer(c, "mail", args, no != NULL ? no : "250 2.1.0 ok") / 100 != 2)
		return;
	drop_transaction(c);
	c->now = calloc(1, sizeof *c->now);
	if (c->now == NULL)
		abort();
	c->now->sender = strdup(args + 5);
}

static void
run_rcpt(struct conn *c, char *args)
{
	const char *no = check_parameters(c, args);
	struct provider_message *m = c->now;

	if (m == NULL)
		no = "503 5.5.1 MAIL first";
	else if (strncasecmp(args, "TO:<", 4) != 0)
		no = "501 5.5.4 TO:<address>";
	if (talk_answer(c, "rcpt", args, no != NULL ? no : "250 2.1.5 ok") / 100 != 2 || m == NULL)
		return;
	m->rcpt = realloc(m->rcpt, (m->nrcpt + 1) * sizeof *m->rcpt);
	if (m->rcpt == NULL)
		abort();
	m->rcpt[m->nrcpt++] = strdup(args + 3);
}

/* Stores before anyone hears of it: what is not refused is delivered, even if the link dies now. */
static void
end_of_data(struct conn *c)
{
	char usual[64], action[512] = "";

	provider_rule(c, "eod", "", action, sizeof action);
	snprintf(usual, sizeof usual, "250 2.0.0 ok queued as F%05u", provider_count(c->provider) + 1);
	if (*action == '4' || *action == '5' || strncmp(action, "!last ", 6) == 0)
		drop_transaction(c);
	else
		provider_store(c);
	c->chunking = false;
	talk_perform(c, action, usual);
	if (!c->dead)
		talk_answer(c, "idle", "", NULL);
}

/* Reads content lines up to the lone dot; what a client must not send is noted. */
static bool
read_content(struct conn *c)
{
	struct text line = { 0 };
	bool first = true, ended = false;
	int b, before = 0;

	while (!ended && (b = bytes_next(c)) >= 0) {
		char byte = (char)b;

		if (first)
			talk_answer(c, "body", "", NULL);
		first = false;
		if (c->dead)
			break;
		if ((before == '\r') != (b == '\n') || b == '\0')
			provider_note(c, '!', "a bare CR or LF, or a NUL in the content");
		text_put(&line, &byte, 1);
		before = b;
		if (b != '\n')
			continue;
		ended = strcmp(line.p, ".\r\n") == 0;
		if (!ended)
			text_put(&c->body, line.p + (*line.p == '.'), line.n - (*line.p == '.'));
		line.n = 0;
	}
	text_clear(&line);
	return ended && !c->dead;
}

static void
run_data(struct conn *c)
{
	const char *usual = c->now == NULL ? "503 5.5.1 MAIL first" : c->now->nrcpt == 0 ?
	    "554 5.5.1 no valid recipients" : "354 go ahead";

	if (c->at < c->end)
		provider_note(c, '!', "more in the flight of DATA");
	if (talk_answer(c, "data", "", usual) / 100 != 3)
		return;
	if (!read_content(c))
		return;
	provider_note(c, 'C', ".");
	if (c->at < c->end)
		provider_note(c, '!', "more in the flight of the end of data");
	if (c->now == NULL || c->now->nrcpt == 0) {
		if (c->body.n > 0)	/* B-045 */
			provider_note(c, '!', "content for nobody");
		talk_answer(c, "eod", "", "554 5.5.1 no valid recipients");
		drop_transaction(c);
	} else
		end_of_data(c);
}

static void
run_bdat(struct conn *c, char *args)
{
	unsigned long n = strtoul(args, &args, 10);
	bool last = strcasecmp(args, " LAST") == 0, usable = c->now != NULL && c->now->nrcpt > 0;
	char rule[512] = "";

	if (!offers(c, "CHUNKING") || provider_rule(c, "bdat", args, rule, sizeof rule)) {
		talk_perform(c, rule, "502 5.5.1 not implemented");	/* the content will look like commands */
		return;
	}
	for (bool first = true; n > 0; first = false) {
		int b = bytes_next(c);
		char byte = (char)b;

		if (b < 0)
			return;
		if (first)
			talk_answer(c, "body", "", NULL);
		if (c->dead)
			return;
		if (usable)
			text_put(&c->body, &byte, 1);
		n--;
	}
	c->chunking = true;
	if (!usable) {
		talk_answer(c, "eod", "", "503 5.5.1 no valid recipients");
		drop_transaction(c);
	} else if (last)
		end_of_data(c);
	else
		talk_answer(c, "chunk", args, "250 2.0.0 ok");
}

static void
run_quit(struct conn *c)
{
	talk_answer(c, "quit", "", "221 2.0.0 bye");
	bytes_flush(c);
	if (c->ssl != NULL && !c->dead)
		SSL_shutdown(c->ssl);
	if (!c->dead)
		bytes_end(c);
}

static void
run(struct conn *c, char *line)
{
	char *args = line, *verb = strsep(&args, " ");

	if (args == NULL)
		args = verb + strlen(verb);
	if (c->at < c->end && !offers(c, "PIPELINING") && strcasecmp(verb, "BDAT") != 0)
		provider_note(c, '!', "pipelined, which is not offered");
	if (strcasecmp(verb, "EHLO") == 0)
		run_ehlo(c, args);
	else if (strcasecmp(verb, "HELO") == 0)
		c->greeted = talk_answer(c, "helo", args, "250 fake.provider.test") == 250;
	else if (strcasecmp(verb, "STARTTLS") == 0)
		run_starttls(c);
	else if (strcasecmp(verb, "AUTH") == 0 && c->provider->options.user != NULL && !c->logged_in)
		auth_run(c, args);
	else if (strcasecmp(verb, "MAIL") == 0)
		run_mail(c, args);
	else if (strcasecmp(verb, "RCPT") == 0)
		run_rcpt(c, args);
	else if (strcasecmp(verb, "DATA") == 0)
		run_data(c);
	else if (strcasecmp(verb, "BDAT") == 0)
		run_bdat(c, args);
	else if (strcasecmp(verb, "RSET") == 0) {
		drop_transaction(c);
		talk_answer(c, "rset", "", "250 2.0.0 ok");
	} else if (strcasecmp(verb, "NOOP") == 0)
		talk_answer(c, "noop", "", "250 2.0.0 ok");
	else if (strcasecmp(verb, "QUIT") == 0)
		run_quit(c);
	else
		talk_answer(c, "other", line, "500 5.5.2 unknown command");
}

void *
talk_run(void *arg)
{
	struct conn *c = arg;
	char line[LINE_SIZE];

	talk_answer(c, "connect", "", NULL);
	if (!c->dead && (c->port->mode != PROVIDER_IMPLICIT || begin_tls(c)) && !token_run(c) &&
	    talk_answer(c, "banner", "", "220 fake.provider.test ESMTP") / 100 != 5) {
		while (!c->dead && talk_line(c, line, sizeof line))
			run(c, line);
	}
	bytes_flush(c);
	SSL_free(c->ssl);
	c->ssl = NULL;
	pthread_mutex_lock(&c->provider->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->provider->lock);
	return NULL;
}
