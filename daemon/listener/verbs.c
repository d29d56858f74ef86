/*
 * The table of verbs: what may come when, and who does it.  Checks are made in the order of
 * PROTOCOL.md 0.1, so that every wrong command has one right answer.  Here too are the verbs that
 * have no file of their own.
 */
#include "listener/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {	/* states, as bits */
	NEW = 1 << SESSION_NEW,
	GREETED = 1 << SESSION_GREETED,
	SENDER = 1 << SESSION_SENDER,
	RCPT = 1 << SESSION_RCPT,
	ANY = NEW | GREETED | SENDER | RCPT
};

enum {	/* flags */
	NEEDS_TLS = 1,
	NEEDS_AUTH = 2,
	NEEDS_ARGS = 4,
	NO_ARGS = 8,
	TAKES_UTF8 = 16,	/* the verb itself judges non-ASCII addresses */
	TAKES_ANY = 32		/* the verb has an answer of its own to any octets */
};

enum { HELO_MAX = 255 };

static enum answer
answer(struct session *s, int code, const char *status, const char *text)
{
	session_reply(s, code, status, text);
	return ANSWERED;
}

static enum answer
farewell(struct session *s, int code, const char *status, const char *text)
{
	session_end(s, code, status, text);
	return ANSWERED;
}

/* --- verbs without a file of their own ------------------------------------------ */

/* A name that can stand in a Received: field; nothing else is asked of it. */
static bool
is_helo_name(struct str s)
{
	if (s.n == 0 || s.n > HELO_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("()<>@,;\\\"", s.p[i]) != NULL)
			return false;
	return true;
}

static void
greeted(struct session *s, const struct command *c, bool esmtp)
{
	transaction_reset(s);
	free(s->helo);
	s->helo = str_dup(c->args);
	s->esmtp = esmtp;
	session_enter(s, SESSION_GREETED);
}

static enum answer
run_helo(struct session *s, struct command *c)
{
	greeted(s, c, false);
	return answer(s, 250, NULL, s->config->hostname);
}

static enum answer
run_ehlo(struct session *s, struct command *c)
{
	const struct listener *l = s->listener;
	bool tls = !s->secure && l->tls != NULL && s->listen != NULL &&
	    s->listen->tls == TLS_STARTTLS;
	const struct route_limit all = capacity_of_all(s);
	char text[REPLY_TEXT_MAX];

	greeted(s, c, true);
	snprintf(text, sizeof text,
	    "%s\nPIPELINING\nSIZE %llu%s%s\nENHANCEDSTATUSCODES\n8BITMIME%s\nDSN\nHELP",
	    s->config->hostname, (unsigned long long)capacity_octets(s, &all),
	    tls ? "\nSTARTTLS" : "", session_may_auth(s) ? "\nAUTH PLAIN LOGIN" : "",
	    all.utf8 ? "\nSMTPUTF8" : "");
	return answer(s, 250, NULL, text);
}

/* What was said before TLS is forgotten (RFC 3207 4.2). */
static enum answer
run_starttls(struct session *s, struct command *c)
{
	(void)c;
	if (s->secure)
		return answer(s, 503, "5.5.1", "TLS already active");
	if (s->listen == NULL || s->listen->tls != TLS_STARTTLS)
		return answer(s, 502, "5.5.1", "there is no TLS here");
	if (s->listener->tls == NULL)
		return answer(s, 454, "4.7.0", "TLS is not available");
	if (s->more_input)	/* C-02: it would be read as if it had come inside TLS */
		return farewell(s, 554, "5.5.1", "data after STARTTLS");
	transaction_reset(s);
	crowd_forget(s);
	free(s->helo);
	s->helo = NULL;
	users_unref(&s->users);
	s->account = NULL;
	s->tls_due = true;
	return answer(s, 220, "2.0.0", "ready");
}

static enum answer
run_rset(struct session *s, struct command *c)
{
	(void)c;
	transaction_reset(s);
	return answer(s, 250, "2.0.0", "ok");
}

static enum answer
run_noop(struct session *s, struct command *c)
{
	(void)c;
	return answer(s, 250, "2.0.0", "ok");
}

static enum answer
run_quit(struct session *s, struct command *c)
{
	(void)c;
	transaction_reset(s);
	return farewell(s, 221, "2.0.0", "bye");
}

static enum answer
run_vrfy(struct session *s, struct command *c)
{
	(void)c;
	return answer(s, 252, "2.0.0", "send it, and see");
}

static enum answer
run_help(struct session *s, struct command *c)
{
	(void)c;
	return answer(s, 214, "2.0.0",
	    "EHLO HELO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY HELP QUIT");
}

static enum answer
run_unknown(struct session *s, struct command *c)
{
	(void)c;
	return answer(s, 500, "5.5.2", "unknown command");
}

static enum answer
run_other(struct session *s, struct command *c)
{
	(void)c;
	return answer(s, 502, "5.5.1", "not implemented");
}

/* The chunk that follows would be read as commands. */
static enum answer
run_bdat(struct session *s, struct command *c)
{
	(void)c;
	return farewell(s, 502, "5.5.1", "not implemented");
}

/* A browser or the like: what follows must not be obeyed. */
static enum answer
run_foreign(struct session *s, struct command *c)
{
	(void)c;
	return farewell(s, 500, "5.5.2", "this is SMTP");
}

/* --- the table -------------------------------------------------------------------- */

static const struct verb_rule {
	unsigned char when;	/* states in which it may come */
	unsigned char flags;
	const char *wrong;	/* what to say with 503 in the other ones */
	enum answer (*run)(struct session *s, struct command *c);
} rules[VERBS] = {
	[VERB_EHLO]	= { ANY, NEEDS_ARGS | TAKES_ANY, NULL, run_ehlo },
	[VERB_HELO]	= { ANY, NEEDS_ARGS | TAKES_ANY, NULL, run_helo },
	[VERB_STARTTLS]	= { GREETED, NO_ARGS, "not during a transaction", run_starttls },
	[VERB_AUTH]	= { GREETED, NEEDS_TLS | NEEDS_ARGS,
			    "not during a transaction", auth_begin },
	[VERB_MAIL]	= { GREETED, NEEDS_TLS | NEEDS_AUTH | NEEDS_ARGS | TAKES_UTF8,
			    "there is a sender already", transaction_mail },
	[VERB_RCPT]	= { SENDER | RCPT, NEEDS_TLS | NEEDS_AUTH | NEEDS_ARGS | TAKES_UTF8,
			    "send MAIL first", transaction_rcpt },
	[VERB_DATA]	= { SENDER | RCPT, NEEDS_TLS | NEEDS_AUTH | NO_ARGS,
			    "send MAIL first", transaction_data },
	[VERB_RSET]	= { ANY, NO_ARGS, NULL, run_rset },
	[VERB_NOOP]	= { ANY, 0, NULL, run_noop },
	[VERB_QUIT]	= { ANY, NO_ARGS, NULL, run_quit },
	[VERB_VRFY]	= { ANY, NEEDS_TLS | NEEDS_ARGS, NULL, run_vrfy },
	[VERB_HELP]	= { ANY, 0, NULL, run_help },
	[VERB_EXPN]	= { ANY, 0, NULL, run_other },
	[VERB_OTHER_KNOWN] = { ANY, 0, NULL, run_other },
	[VERB_BDAT]	= { ANY, TAKES_ANY, NULL, run_bdat },
	[VERB_FOREIGN]	= { ANY, TAKES_ANY, NULL, run_foreign },
	[VERB_UNKNOWN]	= { ANY, 0, NULL, run_unknown },
};

static void
set_error(struct command *c, int code, const char *status, const char *text)
{
	c->error = (struct verb_error){ .code = code, .status = status, .text = text, .is_path = true };
}

static void
parse(const struct session *s, struct command *c)
{
	unsigned flags = rules[c->verb].flags;
	bool utf8 = c->verb == VERB_MAIL ? s->listener->limits.utf8 :
	    s->txn != NULL && s->txn->utf8;

	if ((flags & NEEDS_ARGS) && c->args.n == 0) {
		set_error(c, 501, "5.5.4", "an argument is missing");
	} else if ((flags & NO_ARGS) && c->args.n > 0) {
		set_error(c, 501, "5.5.4", "no argument is allowed");
	} else if (c->verb == VERB_EHLO || c->verb == VERB_HELO) {
		if (!is_helo_name(c->args))
			set_error(c, 501, "5.5.4", "that is not a host name");
	} else if (c->verb == VERB_MAIL) {
		(void)!verb_parse_mail(c->args, s->esmtp, utf8, &c->u.mail, &c->error);
	} else if (c->verb == VERB_RCPT) {
		(void)!verb_parse_rcpt(c->args, s->esmtp, utf8, &c->u.rcpt, &c->error);
	}
}

static bool
has_bad_bytes(struct str line, unsigned flags)
{
	if (str_is_ascii(line) || (flags & TAKES_ANY))
		return false;
	return !(flags & TAKES_UTF8) || !str_is_utf8(line);
}

enum answer
verbs_run(struct session *s, struct str line)
{
	struct command c = { 0 };
	const struct verb_rule *r;

	c.verb = verb_parse(line, &c.args);
	r = &rules[c.verb];
	if (has_bad_bytes(line, r->flags))
		return answer(s, 500, "5.5.2", "a command is ASCII");
	if ((r->flags & NEEDS_TLS) && session_needs_tls(s))
		return answer(s, 530, "5.7.0", "Must issue a STARTTLS command first");
	if (c.verb == VERB_AUTH && !session_may_auth(s) && s->listen != NULL)
		return answer(s, 538, "5.7.11", "encryption is required to log in");
	parse(s, &c);
	if (c.error.code != 0 && c.error.is_path)
		return answer(s, c.error.code, c.error.status, c.error.text);
	if (s->state == SESSION_NEW && !(r->when & NEW))
		return answer(s, 503, "5.5.1", "send EHLO first");
	if ((r->flags & NEEDS_AUTH) && session_needs_auth(s))
		return answer(s, 530, "5.7.0", "Authentication required");
	if (!(r->when & (1u << s->state)))
		return answer(s, 503, "5.5.1", r->wrong);
	if (c.error.code != 0) {
		if (c.verb == VERB_RCPT)
			s->txn->refused = true;
		return answer(s, c.error.code, c.error.status, c.error.text);
	}
	return r->run(s, &c);
}
