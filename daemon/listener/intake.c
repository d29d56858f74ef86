/*
 * Cuts what a client sends into lines and content, and hands each piece to the one who acts on
 * it: one at a time, and none while a reply is owed.
 */
#include "listener/session.h"

#include "base/log.h"
#include "base/mem.h"

#include <string.h>

enum {
	PROGRESS_MIN = 1024,		/* octets of content that count as progress (C-21) */
	TLS_CLIENT_HELLO = 0x16
};

static void
on_bad_line(struct session *s)
{
	s->owed = 1;
	if (s->state == SESSION_AUTH) {
		auth_leave(s);
		session_end(s, 501, "5.5.2", "that is not base 64");
		return;
	}
	if (session_may_log(s))
		log_event(LOG_INFO, "bad_bytes", log_text("reason", "a bare CR or LF, or a NUL, in a command"), SESSION_WHO(s));
	session_end(s, 500, "5.5.2", "lines end in CRLF, and have no other CR, LF or NUL");
}

static void
on_long_line(struct session *s)
{
	s->owed = 1;
	if (s->state == SESSION_AUTH)
		auth_too_long(s);
	else
		session_reply(s, 500, "5.5.2", "line too long");
}

static void
on_line(struct session *s, struct str line)
{
	bool is_auth = s->state == SESSION_AUTH;
	enum answer a;

	s->owed = 1;
	a = is_auth ? auth_line(s, line) : verbs_run(s, line);
	if ((a == ANSWERED) != (s->owed == 0))
		bug("session in state %d: %u replies owed after its answer", s->state, s->owed);
}

static void
cut_line(struct session *s, struct str *in)
{
	struct str line;

	switch (line_feed(&s->line, in, &line)) {
	case LINE_MORE:
		return;
	case LINE_READY:
		s->more_input = in->n > 0;
		on_line(s, line);
		break;
	case LINE_TOO_LONG:
		on_long_line(s);
		break;
	case LINE_BAD:
		on_bad_line(s);
		break;
	}
	s->new_deadline = true;
}

/* A password may stand in any line, and in pieces: nothing of one is left in what was read. */
static void
take_line(struct session *s, struct str *in)
{
	struct str before = *in;

	cut_line(s, in);
	explicit_bzero((char *)before.p, before.n - in->n);
	if (s->line.done)
		line_clear(&s->line);
}

static void
take_content(struct session *s, struct str *in)
{
	size_t before = in->n;

	if (!body_feed(s, in)) {
		s->progress += before - in->n;
		s->new_deadline = s->new_deadline || s->progress >= PROGRESS_MIN;
		return;
	}
	s->owed = 1;
	if ((body_end(s) == ANSWERED) != (s->owed == 0))
		bug("%u replies owed after the end of data", s->owed);
	s->new_deadline = true;
}

/* A handshake where a command should be: the client wants implicit TLS. */
static bool
is_foreign_tls(struct session *s, struct str in)
{
	if (s->any_input || in.n == 0)
		return false;
	s->any_input = true;
	if (s->secure || in.p[0] != TLS_CLIENT_HELLO)
		return false;
	if (session_may_log(s))
		log_event(LOG_WARNING, "tls_unexpected", SESSION_WHO(s),
		    log_text("advice", "the app began TLS at once: let it use STARTTLS here, or port 465"));
	s->owed = 1;
	session_end(s, 500, "5.5.2", "this port does not begin with TLS");
	return true;
}

void
intake_drop(struct session *s)
{
	struct str in = stream_input(s->stream);

	explicit_bzero((char *)in.p, in.n);
}

void
intake_run(struct session *s)
{
	struct str all, in;

	if (session_is_busy(s))
		return;
	all = in = stream_input(s->stream);
	if (is_foreign_tls(s, in)) {
		intake_drop(s);
		in.n = 0;
	}
	while (in.n > 0 && !session_is_busy(s)) {
		if (s->state == SESSION_BODY)
			take_content(s, &in);
		else
			take_line(s, &in);
	}
	s->more_input = in.n > 0;
	stream_consume(s->stream, all.n - in.n);
}
