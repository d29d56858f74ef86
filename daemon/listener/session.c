/*
 * One client's session, from accept to close: turns the stream's events into work for
 * intake.c, gives the replies, and keeps the time.
 *
 * Everything that happens to a session enters by one of a few doors (an event of its stream,
 * its timer, a verdict, a checked password, the drain), and each of them leaves by settle(),
 * which alone writes, closes, and sets the deadline.
 */
#include "listener/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "smtp/reply.h"

enum {
	HANDSHAKE_MS = 60 * 1000,	/* in all */
	LINGER_MS = 5 * 1000,
	OUTPUT_MAX = 32 * 1024,		/* unsent replies that stop the reading */
	OUTPUT_A_TURN = 4 * 1024,	/* then the others' turn: who pipelines without end must not make them wait */
	SLOW_ERRORS = 10,		/* from here on an error's reply waits */
	SLOW_MS = 1000
};

/* --- replies ------------------------------------------------------------------ */

const char *
session_find_user(const struct session *s)
{
	return s->user != NULL && s->user[0] != '\0' ? s->user : NULL;
}

bool
session_may_log(const struct session *s)
{
	return remark_may(&s->listener->remarks, loop_now_ms(s->listener->loop));
}

static void
log_refusal(const struct session *s, int code, const char *status, const char *text)
{
	/* Grammar is the app's affair, policy the administrator's; a failed login has a line
	 * of its own. */
	bool is_dull = (code >= 500 && code <= 504) || code == 535 ||
	    (code == 421 && strcmp(status, "4.7.0") != 0);

	if (code >= 400 && (is_dull || session_may_log(s)))
		log_event(is_dull ? LOG_DEBUG : LOG_INFO, "refused", log_num("code", code),
		    log_text("dsn", status), log_text("reply", text), SESSION_WHO(s));
}

/* The only writer of replies; takes the debt off the session. */
static void
say(struct session *s, struct buf *out, int code, const char *status, const char *text)
{
	if (s->owed != 1)
		bug("session in state %d owes %u replies: %d %s", s->state, s->owed, code, text);
	s->owed = 0;
	log_refusal(s, code, status, text);
	reply_put(out, code, status, text);
}

void
session_reply_late(struct session *s, int64_t delay_ms, int code, const char *status,
    const char *text)
{
	struct loop *loop = s->listener->loop;

	say(s, &s->late, code, status, text);
	loop_timer(loop, &s->timer, loop_now_ms(loop) + delay_ms);
}

void
session_end(struct session *s, int code, const char *status, const char *text)
{
	say(s, &s->listener->out, code, status, text);
	session_enter(s, SESSION_CLOSING);
}

void
session_dismiss(struct session *s, const char *status, const char *what)
{
	char text[REPLY_TEXT_MAX];

	snprintf(text, sizeof text, "%s %s", s->config->hostname, what);
	session_end(s, 421, status, text);
}

void
session_reply(struct session *s, int code, const char *status, const char *text)
{
	if (code >= 500) {
		if (++s->errors >= s->config->limits.errors) {
			session_dismiss(s, "4.7.0", "too many errors");
			return;
		}
		if (s->errors >= SLOW_ERRORS) {
			session_reply_late(s, SLOW_MS, code, status, text);
			return;
		}
	}
	say(s, &s->listener->out, code, status, text);
}

/* --- state -------------------------------------------------------------------- */

void
session_enter(struct session *s, enum session_state to)
{
	s->state = to;
	s->new_deadline = true;
}

bool
session_needs_tls(const struct session *s)
{
	return s->listen != NULL && s->listen->tls == TLS_STARTTLS && !s->secure && !s->trusted &&
	    !s->plain_auth;
}

bool
session_may_auth(const struct session *s)
{
	return s->listen != NULL && (s->secure || s->plain_auth);
}

bool
session_needs_auth(const struct session *s)
{
	return s->user == NULL && !s->trusted;
}

bool
session_is_busy(const struct session *s)
{
	return s->owed > 0 || s->late.len > 0 || s->tls_due || s->state == SESSION_HANDSHAKE ||
	    s->state == SESSION_CLOSING || s->listener->out.len >= OUTPUT_A_TURN ||
	    stream_pending(s->stream) >= OUTPUT_MAX;
}

/* --- the way out ------------------------------------------------------------------ */

static void
free_session(void *arg)
{
	struct session *s = arg;

	line_clear(&s->line);
	buf_clear(&s->late);
	users_unref(&s->users);
	config_unref(&s->config);
	free(s->helo);
	free(s->user);
	free(s);
}

/* After this `s' is dead, and freed at the end of the turn. */
static void
bury(struct session *s)
{
	struct listener *l = s->listener;

	transaction_reset(s);
	auth_clear(s);
	loop_cancel(l->loop, &s->timer);
	crowd_leave(s);
	listener_remove(l, s);
	count_add(COUNT_SESSIONS, -1);
	loop_bury(l->loop, s, free_session);
}

static int64_t
time_allowed_ms(const struct session *s)
{
	if (s->state == SESSION_HANDSHAKE)
		return HANDSHAKE_MS;
	if (s->owed > 0 || s->late.len > 0)
		return 0;
	if (s->state == SESSION_BODY)
		return s->config->limits.data_timeout_ms;
	return s->config->limits.idle_timeout_ms;
}

static void
set_deadline(struct session *s)
{
	int64_t at_ms = time_allowed_ms(s);

	crowd_touch(s);
	s->new_deadline = false;
	s->progress = 0;
	if (at_ms > 0)
		at_ms += loop_now_ms(s->listener->loop);
	stream_deadline(s->stream, at_ms);
}

/* There is nothing to say, or nobody who would understand it. */
static void
hang_up(struct session *s)
{
	s->is_abrupt = true;
	session_enter(s, SESSION_CLOSING);
}

static void
start_tls(struct session *s)
{
	s->tls_due = false;
	session_enter(s, SESSION_HANDSHAKE);
	if (s->listener->tls == NULL || stream_start_tls(s->stream, s->listener->tls, s->port->name) < 0)
		hang_up(s);
}

/* Nothing is under way that a stop should wait for. */
static bool
is_idle(const struct session *s)
{
	return s->owed == 0 && s->late.len == 0 && !s->tls_due && s->state != SESSION_BODY &&
	    s->state != SESSION_HANDSHAKE && s->state != SESSION_CLOSING;
}

/* Every door leads here: what was said is written, and the session waits, or ends. */
static void
settle(struct session *s)
{
	struct listener *l = s->listener;

	if (l->draining && is_idle(s)) {
		s->owed = 1;
		session_dismiss(s, "4.3.2", "shutting down");
	}
	if (l->out.len > 0) {
		stream_write(s->stream, l->out.data, l->out.len);
		buf_cut(&l->out, 0);
	}
	if (s->tls_due)
		start_tls(s);
	if (s->state == SESSION_CLOSING || (s->eof && !s->more_input && !session_is_busy(s))) {
		intake_drop(s);
		if (s->is_abrupt)
			stream_close(&s->stream);
		else
			stream_finish(&s->stream, LINGER_MS);
		bury(s);
		return;
	}
	if (s->new_deadline)
		set_deadline(s);
}

/* Reads on only when all that was read is done with: else what comes would be kept. */
static void
take_in(struct session *s)
{
	intake_run(s);
	if (s->paused && !s->more_input && !session_is_busy(s)) {
		s->paused = false;
		stream_resume(s->stream);
	}
}

static void
go_on(struct session *s)
{
	take_in(s);
	settle(s);
}

void
session_go_on(struct session *s)
{
	s->new_deadline = true;
	go_on(s);
}

static void
on_late(void *arg)
{
	struct session *s = arg;

	buf_putstr(&s->listener->out, buf_str(&s->late));
	buf_clear(&s->late);
	session_go_on(s);
}

/* Says a last thing that no verb asked for, in place of what may be owed. */
static void
interrupt(struct session *s, const char *status, const char *what)
{
	if (s->state == SESSION_HANDSHAKE) {
		hang_up(s);
	} else {
		s->owed = 1;
		session_dismiss(s, status, what);
	}
	settle(s);
}

void
session_drain(struct session *s)
{
	if (s->state != SESSION_BODY && s->state != SESSION_CLOSING)
		interrupt(s, "4.3.2", "shutting down");
}

/* Who needs its descriptor cannot wait for the client's end of the connection. */
void
session_give_way(struct session *s, const char *what)
{
	s->is_abrupt = true;
	interrupt(s, strcmp(what, "timeout") == 0 ? "4.4.2" : "4.7.0", what);
}

void
session_stop(struct session *s)
{
	s->is_abrupt = true;	/* the loop will not turn again */
	interrupt(s, "4.3.2", "shutting down");
}

void
session_verdict(struct session *s, const struct submit *m)
{
	char text[64], id[IDENT_TEXT];

	transaction_reset(s);
	switch (m->verdict) {
	case VERDICT_KEPT:
		ident_print(id, m->id);
		snprintf(text, sizeof text, "queued as %s", id);
		s->errors = 0;
		session_reply(s, 250, "2.0.0", text);
		break;
	case VERDICT_NO_SPACE:
		session_reply(s, 452, "4.3.1", "no space for the message now");
		break;
	case VERDICT_TOO_FAST:
		session_reply(s, 450, "4.7.1", "too many messages from this user, try later");
		break;
	case VERDICT_STOPPING:
		session_dismiss(s, "4.3.2", "shutting down");
		break;
	case VERDICT_NONE:
	case VERDICT_LOCAL_ERROR:
		session_reply(s, 451, "4.3.0", "local error, try later");
		break;
	}
	session_go_on(s);
}

/* --- the stream's events ------------------------------------------------------------ */

static void
greet(struct session *s)
{
	char text[REPLY_TEXT_MAX];

	session_enter(s, SESSION_NEW);
	snprintf(text, sizeof text, "%s ESMTP", s->config->hostname);
	s->owed = 1;
	session_reply(s, 220, NULL, text);
}

static void
on_secure(struct session *s)
{
	s->secure = true;
	if (s->listen->tls == TLS_IMPLICIT)
		greet(s);
	else
		session_enter(s, SESSION_NEW);
	take_in(s);
}

static const char *
tls_advice(const struct session *s, const char *why)
{
	if (strstr(why, "unknown ca") != NULL || strstr(why, "certificate unknown") != NULL ||
	    strstr(why, "bad certificate") != NULL)
		return "the app does not trust our certificate: see `gatepost ca'";
	if (strstr(why, "http request") != NULL || strstr(why, "wrong version number") != NULL ||
	    strstr(why, "unknown protocol") != NULL)
		return s->listen->tls == TLS_IMPLICIT ?
		    "the app spoke without TLS, with which this port begins; 587 has STARTTLS" :
		    "the app said STARTTLS and then spoke without TLS";
	return NULL;
}

static void
on_failed(struct session *s)
{
	const char *why = stream_why(s->stream);

	if (s->state != SESSION_HANDSHAKE || stream_fault(s->stream) != FAULT_TLS)
		log_event(LOG_DEBUG, "session_lost", log_text("reason", why), SESSION_WHO(s));
	else if (session_may_log(s))
		log_event(LOG_WARNING, "tls_failed", log_text("reason", why), SESSION_WHO(s),
		    log_text("advice", tls_advice(s, why)));
	intake_drop(s);
	stream_close(&s->stream);
	bury(s);
}

static void
on_event(void *arg, struct stream *stream, enum stream_event ev)
{
	struct session *s = arg;

	switch (ev) {
	case STREAM_DATA:
		if (!s->more_input && !session_is_busy(s)) {
			intake_run(s);
		} else if (!s->paused) {	/* only now: most clients wait for their reply */
			s->paused = true;
			stream_pause(stream);
		}
		break;
	case STREAM_DRAINED:
		if (s->more_input || s->paused || s->eof)
			go_on(s);
		return;
	case STREAM_SECURE:
		on_secure(s);
		break;
	case STREAM_CLOSED:
		s->eof = true;
		s->eof_at_ms = loop_now_ms(s->listener->loop);
		if (s->state == SESSION_HANDSHAKE)
			hang_up(s);
		break;
	case STREAM_TIMEOUT:
		interrupt(s, "4.4.2", "timeout");
		return;
	case STREAM_FAILED:
		on_failed(s);
		return;
	case STREAM_UP:
		bug("an accepted stream says it is up");
	}
	settle(s);
}

void
session_start(struct listener *l, const struct port *p, int fd)
{
	struct session *s = mem_zero(sizeof *s);

	s->listener = l;
	s->port = p;
	s->config = config_ref(l->config);
	s->listen = p->listen;
	s->stream = stream_accept(l->loop, fd, on_event, s);
	line_init(&s->line, COMMAND_LINE_MAX);
	timer_init(&s->timer, on_late, s);
	listener_add(l, s);
	count_add(COUNT_SESSIONS, 1);
	peer_identify(s);
	crowd_join(s);
	if (s->listen != NULL && s->listen->tls == TLS_IMPLICIT)
		start_tls(s);
	else
		greet(s);
	settle(s);
}
