/*
 * Buffered streams over non-blocking sockets.  What comes in is offered from the
 * loop's scratch buffer and copied only if it is left; what goes out is gathered and
 * sent at the end of the turn.  Both buffers are freed whenever they are empty.
 *
 * The read event stays registered while a stream is paused and is removed only if
 * it fires then: the usual peer waits for our answer, and costs no system call.
 */
#include "net/stream.h"

#include "base/mem.h"
#include "net/farewell.h"
#include "net/inbox.h"
#include "net/loop_private.h"
#include "net/wire.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

enum {
	READS_A_TURN = 4,	/* of LOOP_SCRATCH each: then the others' turn */
	WRITES_A_TURN = 16	/* TLS records */
};

enum phase {
	CONNECTING,
	PLAIN,
	SWITCHING,	/* `plain' octets of output, then the TLS handshake */
	SECURE,
	FAILED,		/* from here on no event is told */
	CLOSED
};

struct side {
	struct event event;
	bool on;		/* it is with libevent */
};

struct stream {
	struct loop *loop;
	stream_fn fn;
	void *arg;
	struct side rd, wr;
	struct wire wire;
	struct inbox in;
	struct buf out;
	size_t out_at, plain;	/* of out: sent; to be sent before TLS begins */
	struct timer timer;
	struct turn_job job, more;	/* at the end of this turn; in the next */
	int error;		/* of a connect that ended at once */
	enum phase phase;
	bool paused, offer_again;
	bool ended, told;	/* the peer's end was seen, and told to fn */
	bool crossed;		/* TLS must read to write, or write to read */
	bool in_drained;
	int64_t heard_at_ms;	/* when something came last; 0: nothing did */
};

static void
become(struct stream *s, enum phase phase)
{
	s->phase = phase;
}

static bool
is_live(const struct stream *s)
{
	return s->phase < FAILED;
}

static void
want(struct side *side, bool on)
{
	if (side->on == on)
		return;
	side->on = on;
	if ((on ? event_add(&side->event, NULL) : event_del(&side->event)) < 0)
		bug("stream: cannot watch descriptor %d", event_get_fd(&side->event));
}

/* False if the callback ended the stream. */
static bool
tell(struct stream *s, enum stream_event ev)
{
	s->fn(s->arg, s, ev);
	return is_live(s);
}

static void
drop_output(struct stream *s)
{
	buf_clear(&s->out);
	s->out_at = s->plain = 0;
}

static void
unhook(struct stream *s)
{
	event_del(&s->rd.event);
	event_del(&s->wr.event);
	loop_cancel(s->loop, &s->timer);
	loop_forget_job(&s->job);
	loop_forget_job(&s->more);
	drop_output(s);
}

static void on_next_turn(void *arg);

static void
next_turn(struct stream *s)
{
	loop_next_turn(s->loop, &s->more, on_next_turn, s);
}

/* wire.fault and wire.why say what happened. */
static void
give_up(struct stream *s)
{
	become(s, FAILED);
	unhook(s);
	tell(s, STREAM_FAILED);
}

static void
release(void *obj)
{
	struct stream *s = obj;

	wire_clear(&s->wire);
	inbox_clear(&s->in);
	free(s);
}

static void
end(struct stream *s)
{
	become(s, CLOSED);
	unhook(s);
	wire_close(&s->wire);
	loop_bury(s->loop, s, release);
}

/* --- input ------------------------------------------------------------------ */

static bool
may_read(const struct stream *s)
{
	return (s->phase == PLAIN || s->phase == SECURE) && !s->paused &&
	    !s->ended && inbox_left(&s->in) < STREAM_INPUT_MAX;
}

static void
go_on_reading(struct stream *s)
{
	if (!may_read(s))
		return;
	want(&s->rd, true);
	if (wire_has_pending(&s->wire))
		next_turn(s);
}

static bool
offer(struct stream *s, char *p, size_t n)
{
	inbox_lend(&s->in, p, n);
	if (!tell(s, STREAM_DATA))
		return false;
	inbox_keep(&s->in);
	return true;
}

/* Offers what was left, and at the end of all input says so. */
static void
offer_kept(struct stream *s)
{
	if (inbox_left(&s->in) > 0 && !tell(s, STREAM_DATA))
		return;
	if (!s->ended) {
		go_on_reading(s);
	} else if (!s->paused && !s->told) {
		s->told = true;
		tell(s, STREAM_CLOSED);
	}
}

static void
on_no_input(struct stream *s, ssize_t n)
{
	if (n == 0) {
		s->ended = true;
		s->wire.fault = FAULT_CLOSED;
		s->wire.why = "connection closed by the peer";
		want(&s->rd, false);
		offer_kept(s);
	} else if (n == WIRE_WANTS_WRITE) {
		s->crossed = true;
		want(&s->wr, true);
	} else if (n == WIRE_BROKEN) {
		give_up(s);
	}
}

static void
read_input(struct stream *s)
{
	char *scratch = loop_scratch(s->loop);

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t n = wire_read(&s->wire, scratch, LOOP_SCRATCH);

		if (n <= 0) {
			on_no_input(s, n);
			return;
		}
		if (!offer(s, scratch, (size_t)n) || !may_read(s))
			return;
		/* Less than was asked for: epoll will tell if there is more. */
		if (n < LOOP_SCRATCH && !wire_has_pending(&s->wire))
			return;
	}
	go_on_reading(s);
}

/* One step of the TLS handshake. */
static void
shake(struct stream *s)
{
	int r;

	s->wire.sealed = true;
	r = wire_shake(&s->wire);
	if (r == WIRE_BROKEN) {
		give_up(s);
		return;
	}
	want(&s->wr, r == WIRE_WANTS_WRITE);
	want(&s->rd, true);
	if (r != 0)
		return;
	become(s, SECURE);
	if (!tell(s, STREAM_SECURE))
		return;
	stream_flush(s);
	/* The first command often comes with the end of the handshake. */
	if (may_read(s) && wire_has_pending(&s->wire))
		read_input(s);
}

/* --- output ------------------------------------------------------------------- */

size_t
stream_pending(const struct stream *s)
{
	return s->out.len - s->out_at;
}

/* Sends as much as the socket takes and fairness allows; 0 or one of WIRE_… */
static int
send_out(struct stream *s)
{
	for (int i = 0; i < WRITES_A_TURN && stream_pending(s) > 0; i++) {
		size_t n = s->plain > 0 ? s->plain : stream_pending(s);
		ssize_t sent = wire_write(&s->wire, s->out.data + s->out_at, n);

		if (sent < 0)
			return (int)sent;
		s->out_at += (size_t)sent;
		if (s->plain > 0)
			s->plain -= (size_t)sent;
		if (s->wire.sealed)
			continue;
		if ((size_t)sent < n)
			return WIRE_WANTS_WRITE;	/* it would say so now */
		break;
	}
	if (stream_pending(s) == 0)
		drop_output(s);
	return 0;
}

/* The peer takes nothing any more, but what it said before it went ("421 …") is
 * worth hearing. */
static void
lost(struct stream *s)
{
	enum stream_fault fault = s->wire.fault;
	const char *why = s->wire.why;

	want(&s->wr, false);
	drop_output(s);
	if (may_read(s))
		read_input(s);
	if (!is_live(s))
		return;
	s->wire.fault = fault;
	s->wire.why = why;
	give_up(s);
}

static void
push(struct stream *s)
{
	int r;

	if (s->phase == SWITCHING && s->plain == 0) {
		shake(s);
		return;
	}
	r = send_out(s);
	if (r == WIRE_BROKEN) {
		lost(s);
		return;
	}
	want(&s->wr, r == WIRE_WANTS_WRITE || (r == 0 && s->crossed));
	if (r == WIRE_WANTS_READ)
		s->crossed = true;
	if (r != 0)
		return;
	if (s->phase == SWITCHING) {
		shake(s);
	} else if (stream_pending(s) > 0) {
		next_turn(s);
	} else {
		s->in_drained = true;
		tell(s, STREAM_DRAINED);
		s->in_drained = false;
	}
}

static bool
has_to_push(const struct stream *s)
{
	return s->phase == SWITCHING || (is_live(s) && stream_pending(s) > 0);
}

/* --- events ------------------------------------------------------------------- */

static void
on_connect(struct stream *s, int error)
{
	if (error != 0) {
		wire_fail(&s->wire, error);
		give_up(s);
		return;
	}
	become(s, PLAIN);
	want(&s->wr, false);
	want(&s->rd, true);
	if (tell(s, STREAM_UP))
		stream_flush(s);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd, (void)what;
	loop_awake(s->loop);
	s->heard_at_ms = loop_now_ms(s->loop);
	if (s->phase == SWITCHING && s->plain == 0) {
		shake(s);
	} else if (!may_read(s)) {
		want(&s->rd, false);
	} else {
		read_input(s);
		if (s->crossed && has_to_push(s)) {
			s->crossed = false;
			push(s);
		}
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd, (void)what;
	loop_awake(s->loop);
	if (s->phase == CONNECTING) {
		on_connect(s, wire_error(&s->wire));
		return;
	}
	if (has_to_push(s))
		push(s);
	else
		want(&s->wr, false);
	if (s->crossed && may_read(s)) {
		s->crossed = false;
		read_input(s);
	}
}

static void
on_turn_end(void *arg)
{
	struct stream *s = arg;

	if (s->phase == CONNECTING) {
		on_connect(s, s->error);
		return;
	}
	if (s->offer_again) {
		s->offer_again = false;
		if (!s->paused)
			offer_kept(s);
	}
	if (has_to_push(s) && !s->wr.on)
		push(s);
}

/* The rest of what was too much for one turn. */
static void
on_next_turn(void *arg)
{
	struct stream *s = arg;

	if (may_read(s) && wire_has_pending(&s->wire))
		read_input(s);
	if (has_to_push(s) && !s->wr.on)
		push(s);
}

static void
on_timer(void *arg)
{
	struct stream *s = arg;

	tell(s, STREAM_TIMEOUT);
}

/* --- birth and death ------------------------------------------------------------ */

static void
later(struct stream *s)
{
	loop_at_turn_end(s->loop, &s->job, on_turn_end, s);
}

static struct stream *
stream_new(struct loop *l, stream_fn fn, void *arg, enum phase phase, int fd)
{
	struct stream *s = mem_zero(sizeof *s);

	s->loop = l;
	s->fn = fn;
	s->arg = arg;
	s->wire.fd = fd;
	timer_init(&s->timer, on_timer, s);
	event_assign(&s->rd.event, loop_base(l), fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->wr.event, loop_base(l), fd, EV_WRITE | EV_PERSIST, on_writable, s);
	if (fd >= 0)	/* fails on unix sockets, which is as well */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	become(s, phase);
	return s;
}

struct stream *
stream_accept(struct loop *l, int fd, stream_fn fn, void *arg)
{
	struct stream *s = stream_new(l, fn, arg, PLAIN, fd);

	want(&s->rd, true);
	return s;
}

struct stream *
stream_connect(struct loop *l, const struct sockaddr *sa, socklen_t len,
    const char *source, stream_fn fn, void *arg)
{
	struct wire w = { .fd = -1 };
	int error = wire_connect(&w, sa, len, source);
	struct stream *s = stream_new(l, fn, arg, CONNECTING, w.fd);

	s->error = error;
	if (error == EINPROGRESS)
		want(&s->wr, true);
	else
		later(s);
	return s;
}

void
stream_close(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->phase == PLAIN || s->phase == SECURE || s->plain > 0)
		(void)send_out(s);
	if (s->phase == SECURE && stream_pending(s) == 0)
		wire_shut(&s->wire);
	end(s);
}

void
stream_finish(struct stream **sp, int64_t linger_ms)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	if (s->phase != PLAIN && s->phase != SECURE) {
		stream_close(sp);
		return;
	}
	*sp = NULL;
	event_del(&s->rd.event);
	event_del(&s->wr.event);
	farewell_start(s->loop, &s->wire, &s->out, s->out_at, s->ended, linger_ms);
	end(s);
}

/* --- what the owner calls --------------------------------------------------------- */

struct str
stream_input(struct stream *s)
{
	return inbox_get(&s->in);
}

void
stream_consume(struct stream *s, size_t n)
{
	bool full = inbox_left(&s->in) >= STREAM_INPUT_MAX;

	inbox_consume(&s->in, n);
	if (full)
		go_on_reading(s);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
}

void
stream_resume(struct stream *s)
{
	s->paused = false;
	s->offer_again = true;
	if (is_live(s) && s->phase != CONNECTING)
		later(s);
}

struct buf *
stream_output(struct stream *s)
{
	return &s->out;
}

void
stream_write(struct stream *s, const void *p, size_t n)
{
	buf_put(&s->out, p, n);
	stream_flush(s);
}

void
stream_flush(struct stream *s)
{
	if (!is_live(s)) {
		drop_output(s);
		return;
	}
	if (s->phase == CONNECTING || s->wr.on || stream_pending(s) == 0)
		return;
	/* What is written when all has gone waits for the others' turn. */
	if (s->in_drained)
		next_turn(s);
	else
		later(s);
}

void
stream_deadline(struct stream *s, int64_t at_ms)
{
	if (at_ms == 0)
		loop_cancel(s->loop, &s->timer);
	else if (is_live(s))
		loop_timer(s->loop, &s->timer, at_ms);
}

int
stream_start_tls(struct stream *s, struct tls *t, const char *name)
{
	if (inbox_left(&s->in) > 0 || s->phase != PLAIN)
		return -1;
	s->plain = stream_pending(s);
	s->wire.tls = tls_session_new(t, s->wire.fd, name);
	become(s, SWITCHING);
	later(s);
	return 0;
}

bool
stream_is_secure(const struct stream *s)
{
	return s->phase == SECURE;
}

const char *
stream_cipher(const struct stream *s)
{
	return s->phase == SECURE ? tls_session_cipher(s->wire.tls) : NULL;
}

int
stream_peer_certificate(const struct stream *s, const struct veil *v, struct tls_certificate *out)
{
	return s->wire.tls != NULL ? tls_session_peer(s->wire.tls, v, out) : -1;
}

enum stream_fault
stream_fault(const struct stream *s)
{
	return s->wire.fault;
}

const char *
stream_why(const struct stream *s)
{
	return s->wire.why != NULL ? s->wire.why : "";
}

int
stream_fd(const struct stream *s)
{
	return s->wire.fd;
}

bool
stream_is_silent(const struct stream *s, int64_t since_ms)
{
	char octet;

	/* What has come in this turn may not have been told yet. */
	return s->heard_at_ms <= since_ms && recv(s->wire.fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void
stream_peer(const struct stream *s, char *address, size_t size, uint16_t *port)
{
	wire_peer(&s->wire, address, size, port);
}
