/* The client's end of an SMTP conversation: commands out, replies in. */
#include "relay/exchange.h"

#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUIT_LINGER_MS = 5000 };

static bool
tell(struct exchange *x, enum exchange_event ev)
{
	x->fn(x->arg, x, ev);
	return x->stream != NULL;
}

/* --- replies ---------------------------------------------------------------- */

static void
note_head(struct exchange *x, struct str in)
{
	size_t n = sizeof x->head - x->head_octets;

	if (n > in.n)
		n = in.n;
	memcpy(x->head + x->head_octets, in.p, n);
	x->head_octets += n;
}

/* After the last reply that was owed: "421" may follow, from a server that closes; anything else belongs to no
 * command, and a later one must not take it for its answer. */
static bool
has_surplus(struct exchange *x)
{
	struct str in = stream_input(x->stream);

	return in.n > 0 && memcmp(in.p, "421", in.n < 3 ? in.n : 3) != 0;
}

static void
log_reply(const struct exchange *x)
{
	struct reply shown = { .code = x->reply.code };
	char text[256];

	if (!log_wants(LOG_DEBUG))
		return;
	buf_putstr(&shown.text, buf_str(&x->reply.text));
	veil_hide(x->veil, &shown.text, false);
	exchange_quote(&shown, text, sizeof text);
	buf_wipe(&shown.text);
	log_event(LOG_DEBUG, "heard", log_text("from", x->name), log_text("line", text));
}

static bool
take_reply(struct exchange *x)
{
	enum exchange_event ev = EXCHANGE_REPLY;
	bool live;

	if (x->reply.code != x->verbatim)
		veil_hide(x->veil, &x->reply.text, false);
	log_reply(x);
	if (x->owed == 0)
		ev = EXCHANGE_UNASKED;
	else if (--x->owed == 0 && has_surplus(x)) {
		x->bad = "it said more than it was asked";
		x->surplus = true;
		ev = EXCHANGE_BAD;
	}
	live = tell(x, ev);
	if (live) {
		reply_reset(&x->reply);
		x->head_octets = 0;
	}
	return live && ev != EXCHANGE_BAD;
}

static void
on_data(struct exchange *x)
{
	for (;;) {
		struct str in = stream_input(x->stream);
		size_t n = in.n;
		enum reply_result r;

		if (n == 0)
			return;
		note_head(x, in);
		r = reply_feed(&x->reply, &in);
		stream_consume(x->stream, n - in.n);
		if (r == REPLY_MORE)
			return;
		if (r == REPLY_BAD) {
			x->bad = x->reply.bad;
			tell(x, EXCHANGE_BAD);
			return;
		}
		if (!take_reply(x))
			return;
	}
}

static void
on_stream(void *arg, struct stream *s, enum stream_event ev)
{
	struct exchange *x = arg;

	(void)s;
	switch (ev) {
	case STREAM_UP:
		x->owed = 1;
		tell(x, EXCHANGE_UP);
		break;
	case STREAM_SECURE:
		tell(x, EXCHANGE_SECURE);
		break;
	case STREAM_DATA:
		on_data(x);
		break;
	case STREAM_DRAINED:
		tell(x, EXCHANGE_DRAINED);
		break;
	case STREAM_TIMEOUT:
		tell(x, EXCHANGE_TIMEOUT);
		break;
	case STREAM_CLOSED:
	case STREAM_FAILED:
		tell(x, EXCHANGE_LOST);
		break;
	}
}

void
exchange_quote(const struct reply *r, char *out, size_t size)
{
	struct buf safe = { 0 };

	str_safe(&safe, buf_str(&r->text), true);
	snprintf(out, size, "%d %.*s", r->code, (int)(safe.len < size ? safe.len : size), safe.len > 0 ? safe.data : "");
	buf_clear(&safe);
}

void
exchange_quote_head(const struct exchange *x, struct buf *out)
{
	struct buf head = { 0 };

	buf_put(&head, x->head, x->head_octets);
	veil_hide(x->veil, &head, true);
	str_safe(out, buf_str(&head), false);
	buf_wipe(&head);
}

int
exchange_certificate(const struct exchange *x, struct tls_certificate *out)
{
	return stream_peer_certificate(x->stream, x->veil, out);
}

/* --- commands --------------------------------------------------------------- */

int
exchange_say(struct exchange *x, const char *fmt, ...)
{
	struct buf *out = stream_output(x->stream);
	size_t start = out->len;
	char *line = NULL;
	struct str s;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -1;
	s = (struct str){ line, (size_t)n };
	if (!str_has_control(s)) {
		buf_putstr(out, s);
		buf_puts(out, "\r\n");
		x->owed++;
		stream_flush(x->stream);
		log_event(LOG_DEBUG, "said", log_text("to", x->name), log_str("line", s));
	}
	free(line);
	return out->len > start ? 0 : -1;
}

void
exchange_say_secret(struct exchange *x, const char *shown, struct str bytes)
{
	struct buf *out = stream_output(x->stream);

	buf_putstr(out, bytes);
	buf_puts(out, "\r\n");
	x->owed++;
	stream_flush(x->stream);
	log_event(LOG_DEBUG, "said", log_text("to", x->name), log_text("line", shown));
}

void
exchange_hide(struct exchange *x, struct veil *v)
{
	veil_unref(&x->veil);
	x->veil = veil_ref(v);
}

void
exchange_expect(struct exchange *x)
{
	x->owed++;
}

void
exchange_deadline(struct exchange *x, int64_t in_ms)
{
	stream_deadline(x->stream, in_ms > 0 ? loop_now_ms(x->loop) + in_ms : 0);
}

/* --- life ------------------------------------------------------------------- */

static socklen_t
socket_address(const struct candidate *c, struct sockaddr_storage *sa)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;

	memset(sa, 0, sizeof *sa);
	if (inet_pton(AF_INET6, c->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(c->port);
		return sizeof *v6;
	}
	if (inet_pton(AF_INET, c->address, &v4->sin_addr) != 1)
		bug("candidate %s is no address", c->address);
	v4->sin_family = AF_INET;
	v4->sin_port = htons(c->port);
	return sizeof *v4;
}

struct exchange *
exchange_connect(struct loop *l, const struct candidate *c, const char *source, exchange_fn fn, void *arg)
{
	struct exchange *x = mem_zero(sizeof *x);
	struct sockaddr_storage sa;
	socklen_t len = socket_address(c, &sa);

	x->loop = l;
	reply_init(&x->reply);
	snprintf(x->name, sizeof x->name, "%s:%u/%s", c->address, c->port, tls_mode_name(c->tls));
	exchange_give(x, fn, arg);
	x->stream = stream_connect(l, (struct sockaddr *)&sa, len, source != NULL ? source : "", on_stream, x);
	return x;
}

void
exchange_give(struct exchange *x, exchange_fn fn, void *arg)
{
	x->fn = fn;
	x->arg = arg;
}

static void
release(void *obj)
{
	struct exchange *x = obj;

	reply_clear(&x->reply);
	veil_unref(&x->veil);
	free(x);
}

void
exchange_close(struct exchange **xp)
{
	struct exchange *x = *xp;

	if (x == NULL)
		return;
	*xp = NULL;
	stream_close(&x->stream);
	loop_bury(x->loop, x, release);
}

void
exchange_quit(struct exchange **xp)
{
	struct exchange *x = *xp;

	if (x == NULL)
		return;
	if (x->owed == 0 && exchange_say(x, "QUIT") == 0)
		stream_finish(&x->stream, QUIT_LINGER_MS);
	exchange_close(xp);
}
