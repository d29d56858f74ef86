/* Streams in memory (peer.h). */
#include "fuzz/support/peer.h"

#include "base/clock.h"
#include "net/inbox.h"

enum phase { CONNECTING, PLAIN, SWITCHING, SECURE, FAILED, CLOSED };

struct stream {
	struct loop *loop;
	stream_fn fn;
	void *arg;
	struct peer_stream *peer;
	struct inbox in;
	struct buf out, kernel;	/* kernel: said by the peer and not read yet */
	size_t plain;
	struct timer timer;
	struct turn_job job;
	enum phase phase;
	bool paused, ended, told, offer_again;
	enum stream_fault fault;
	const char *why;
};

struct peers peers;

void
peer_reset(void)
{
	for (unsigned i = 0; i < peers.n; i++) {
		hold(peers.peer[i].stream == NULL);
		buf_clear(&peers.peer[i].said);
	}
	peers = (struct peers){ 0 };
}

struct peer_stream *
peer_live(void)
{
	for (unsigned i = peers.n; i > 0; i--)
		if (peers.peer[i - 1].stream != NULL)
			return &peers.peer[i - 1];
	return NULL;
}

static bool
is_live(const struct stream *s)
{
	return s->phase < FAILED;
}

static bool
tell(struct stream *s, enum stream_event ev)
{
	peers.doings++;
	s->fn(s->arg, s, ev);
	return is_live(s);
}

static bool
may_read(const struct stream *s)
{
	return (s->phase == PLAIN || s->phase == SECURE) && !s->paused && inbox_left(&s->in) < STREAM_INPUT_MAX;
}

static void
unhook(struct stream *s)
{
	loop_cancel(s->loop, &s->timer);
	loop_forget_job(&s->job);
	buf_clear(&s->out);
	s->plain = 0;
}

static void
give_up(struct stream *s, enum stream_fault fault, const char *why)
{
	s->fault = fault;
	s->why = why;
	s->phase = FAILED;
	s->peer->broken = true;
	unhook(s);
	tell(s, STREAM_FAILED);
}

/* --- what it hears ------------------------------------------------------------- */

static void
read_kernel(struct stream *s)
{
	while (is_live(s) && may_read(s) && s->kernel.len > 0) {
		struct buf lent = s->kernel;

		s->kernel = (struct buf){ 0 };
		inbox_lend(&s->in, lent.data, lent.len);
		if (tell(s, STREAM_DATA))
			inbox_keep(&s->in);
		else
			s->in.lent = (struct str){ 0 };
		buf_clear(&lent);
	}
	if (is_live(s) && s->ended && !s->told && !s->paused && s->kernel.len == 0 && s->phase != SWITCHING) {
		s->told = true;
		s->fault = FAULT_CLOSED;
		s->why = "connection closed by the peer";
		tell(s, STREAM_CLOSED);
	}
}

static void
offer_again(struct stream *s)
{
	s->offer_again = false;
	if (s->paused || (inbox_left(&s->in) > 0 && !tell(s, STREAM_DATA)))
		return;
	read_kernel(s);
}

/* --- what it says ------------------------------------------------------------------ */

static void
send_out(struct stream *s, size_t n)
{
	struct peer_stream *p = s->peer;

	if (n == 0)
		return;
	hold(!p->broken);
	peers.doings++;
	buf_put(&p->said, s->out.data, n);
	if (!p->secure)
		p->said_plain += n;
	if (peers.on_said != NULL)
		peers.on_said(p, s->out.data, n);
	buf_drop(&s->out, n);
}

static void
shake(struct stream *s)
{
	enum stream_fault verdict = peers.tls;

	if (s->kernel.len > 0) {
		give_up(s, FAULT_TLS, "peer does not speak TLS");
	} else if (s->ended) {
		give_up(s, FAULT_CLOSED, "connection closed by the peer");
	} else if (verdict != FAULT_NONE) {
		give_up(s, verdict, verdict == FAULT_CERTIFICATE ? "certificate has expired" : "handshake failure");
	} else {
		s->phase = SECURE;
		s->peer->secure = true;
		tell(s, STREAM_SECURE);
	}
}

static void
push(struct stream *s)
{
	if (s->phase == SWITCHING) {
		send_out(s, s->plain);
		s->plain = 0;
		shake(s);
	} else if (s->out.len > 0 && !peers.stuck) {
		send_out(s, s->out.len);
		tell(s, STREAM_DRAINED);
	}
}

static void
on_turn_end(void *arg)
{
	struct stream *s = arg;

	if (s->phase == CONNECTING) {
		s->phase = PLAIN;
		if (!tell(s, STREAM_UP))
			return;
	}
	if (s->offer_again)
		offer_again(s);
	if (is_live(s))
		push(s);
}

static void
later(struct stream *s)
{
	loop_at_turn_end(s->loop, &s->job, on_turn_end, s);
}

/* --- what the target does --------------------------------------------------------- */

void
peer_say(struct peer_stream *p, struct str bytes)
{
	peers.doings++;
	if (p->stream == NULL || !is_live(p->stream) || p->stream->ended)
		return;
	buf_putstr(&p->stream->kernel, bytes);
	read_kernel(p->stream);
}

void
peer_end(struct peer_stream *p)
{
	struct stream *s = p->stream;

	if (s == NULL || !is_live(s) || s->ended)
		return;
	s->ended = true;
	if (s->phase == SWITCHING)
		later(s);
	else if (s->phase != CONNECTING)
		read_kernel(s);
}

void
peer_break(struct peer_stream *p, enum stream_fault fault)
{
	if (p->stream != NULL && is_live(p->stream))
		give_up(p->stream, fault, "connection reset by the peer");
}

void
peer_settle(struct loop *l)
{
	unsigned quiet = 0;

	for (unsigned turns = 0; quiet < PEER_QUIET; turns++) {
		unsigned before = peers.doings;

		hold(turns < PEER_TURNS_MAX);
		loop_turn(l, false);
		for (unsigned i = 0; i < peers.n; i++) {
			struct stream *s = peers.peer[i].stream;

			if (s != NULL && !peers.stuck && s->out.len > 0)
				later(s);
			if (s != NULL && (s->kernel.len > 0 || s->ended))
				read_kernel(s);
		}
		quiet = peers.doings == before ? quiet + 1 : 0;
	}
}

/* --- net/stream.h ------------------------------------------------------------------- */

static void
on_timer(void *arg)
{
	tell(arg, STREAM_TIMEOUT);
}

static struct stream *
stream_new(struct loop *l, stream_fn fn, void *arg, enum phase phase)
{
	struct stream *s = mem_zero(sizeof *s);

	hold(peers.n < PEERS_MAX);
	s->loop = l;
	s->fn = fn;
	s->arg = arg;
	s->phase = phase;
	s->peer = &peers.peer[peers.n++];
	s->peer->stream = s;
	timer_init(&s->timer, on_timer, s);
	return s;
}

struct stream *
stream_accept(struct loop *l, int fd, stream_fn fn, void *arg)
{
	(void)fd;
	return stream_new(l, fn, arg, PLAIN);
}

struct stream *
stream_connect(struct loop *l, const struct sockaddr *sa, socklen_t len, const char *source, stream_fn fn, void *arg)
{
	struct stream *s = stream_new(l, fn, arg, CONNECTING);

	(void)sa, (void)len, (void)source;
	later(s);
	return s;
}

static void
release(void *obj)
{
	struct stream *s = obj;

	inbox_clear(&s->in);
	buf_clear(&s->kernel);
	free(s);
}

void
stream_close(struct stream **sp)
{
	struct stream *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	if (s->phase == PLAIN || s->phase == SECURE)
		send_out(s, s->out.len);
	else if (s->phase == SWITCHING)
		send_out(s, s->plain);
	s->phase = CLOSED;
	s->peer->stream = NULL;
	peers.doings++;
	unhook(s);
	loop_bury(s->loop, s, release);
}

void
stream_finish(struct stream **sp, int64_t linger_ms)
{
	hold(linger_ms > 0);
	stream_close(sp);
}

struct str
stream_input(struct stream *s)
{
	return inbox_get(&s->in);
}

void
stream_consume(struct stream *s, size_t n)
{
	hold(n <= inbox_left(&s->in));
	inbox_consume(&s->in, n);
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
	if (!is_live(s))
		buf_clear(&s->out);
	else if (s->phase != CONNECTING && s->out.len > 0)
		later(s);
}

size_t
stream_pending(const struct stream *s)
{
	return s->out.len;
}

bool
stream_is_silent(const struct stream *s, int64_t since_ms)
{
	(void)since_ms;
	return inbox_left(&s->in) == 0;	/* asked only when descriptors run out, which they do not here */
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
	hold(t != NULL);
	(void)name;
	if (inbox_left(&s->in) > 0 || s->phase != PLAIN)
		return -1;
	s->plain = s->out.len;
	s->phase = SWITCHING;
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
	return s->phase == SECURE ? "TLSv1.3 TLS_AES_256_GCM_SHA384" : NULL;
}

int
stream_peer_certificate(const struct stream *s, const struct veil *v, struct tls_certificate *out)
{
	(void)v;
	if (s->phase != SECURE && s->fault != FAULT_CERTIFICATE)
		return -1;
	*out = (struct tls_certificate){ .subject = "CN=fuzz", .issuer = "CN=ca", .has_name = s->phase == SECURE };
	return 0;
}

enum stream_fault
stream_fault(const struct stream *s)
{
	return s->fault;
}

const char *
stream_why(const struct stream *s)
{
	return s->why != NULL ? s->why : "";
}

int
stream_fd(const struct stream *s)
{
	(void)s;
	return -1;
}

void
stream_peer(const struct stream *s, char *address, size_t size, uint16_t *port)
{
	(void)s;
	snprintf(address, size, "127.0.0.1");
	*port = 4711;
}
