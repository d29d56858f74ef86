/*
 * The content of a message, from 354 to the queue: unstuffed, fixed up, kept in memory while it
 * is small and in a blob of the spool from then on.  What is wrong with it is said after its
 * true end, and only there (PROTOCOL.md A.6).
 */
#include "listener/session.h"

#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "mail/trace.h"

enum {
	SLICE = 16 * 1024,		/* of input; while one is worked on it stays in the cache */
	PREFIX_USUAL = 768,
	OWN_RECEIVED_MAX = 3		/* */
};

void
body_start(struct session *s)
{
	struct transaction *t = s->txn;
	struct body *b = &t->body;
	struct route_limit limit = capacity_of_envelope(s, t->submit->envelope);

	dot_init(&b->dot, s->config->limits.normalize);
	fixup_init(&b->fixup, s->config->hostname);
	b->limit = capacity_octets(s, &limit);
	if (t->size > 0)
		buf_room(&t->submit->text, t->size < SPOOL_INLINE_MAX ? t->size : SPOOL_INLINE_MAX);
	session_enter(s, SESSION_BODY);
}

void
body_clear(struct body *b)
{
	fixup_clear(&b->fixup);
}

/* --- content comes in ---------------------------------------------------------------- */

static bool
has_bad_bytes(const struct body *b)
{
	return b->dot.nul || (!b->dot.normalize && (b->dot.bare_cr || b->dot.bare_lf));
}

/* From here on content is counted as lost: it will be refused. */
static void
discard(struct transaction *t, enum body_fault fault)
{
	t->body.fault = fault;
	buf_clear(&t->submit->text);
	spool_blob_free(&t->submit->blob);
	share_return(&t->share, SHARE_STAGED);
}

/* Takes what the blob will grow by when that much is written to it. */
static bool
take_share(struct transaction *t, struct why *why)
{
	int64_t more = (int64_t)spool_blob_growth(t->submit->blob, t->submit->text.len);

	if (more > 0 && !share_may_take(&t->share, SHARE_STAGED, more)) {
		fail(why, "unfinished messages take the room that is left, or this user's others more than a share of it");
		return false;
	}
	share_take(&t->share, SHARE_STAGED, more);
	return true;
}

/* Moves what stands in memory to the blob. */
static void
spill(struct session *s)
{
	struct transaction *t = s->txn;
	struct submit *m = t->submit;
	struct why why;

	if (!take_share(t, &why) ||
	    (m->blob == NULL && spool_blob_new(s->listener->blobs, &m->blob, &why) < 0) ||
	    spool_blob_write(m->blob, m->text.data, m->text.len, &why) < 0) {
		if (session_may_log(s))
			log_event(LOG_WARNING, "not_accepted", log_text("reason", why.text), SESSION_WHO(s));
		discard(t, BODY_NO_SPACE);
		return;
	}
	buf_cut(&m->text, 0);
}

static void
take(struct session *s)
{
	struct buf *content = &s->listener->content;
	struct transaction *t = s->txn;
	struct buf *text = &t->submit->text;

	if (t->body.fault == BODY_FINE && text->len + content->len > SPOOL_INLINE_MAX)
		spill(s);
	if (t->body.fault == BODY_FINE) {
		fixup_feed(&t->body.fixup, content->data, content->len, text);
		if (t->body.fixup.octets > t->body.limit)
			discard(t, BODY_TOO_LARGE);
		else if (has_bad_bytes(&t->body))
			discard(t, BODY_BAD_BYTES);
	}
	buf_cut(content, 0);
}

bool
body_feed(struct session *s, struct str *in)
{
	struct body *b = &s->txn->body;
	bool ended = false;

	while (in->n > 0 && !ended) {
		struct str slice = { in->p, in->n < SLICE ? in->n : SLICE };
		size_t given = slice.n;

		ended = dot_feed(&b->dot, &slice,
		    b->fault == BODY_FINE ? &s->listener->content : NULL);
		*in = str_from(*in, given - slice.n);
		take(s);
	}
	return ended;
}

/* --- the end of data ----------------------------------------------------------------- */

struct claim {
	const struct session *session;
	bool is_allowed;
};

static void
on_claim(void *arg, struct str address)
{
	struct claim *c = arg;

	c->is_allowed = c->is_allowed && transaction_may_send_as(c->session, address);
}

/* May this user write that From: or Sender:?  What cannot be read whole is not allowed. */
static bool
may_claim(const struct session *s, const struct buf *value)
{
	struct claim c = { s, true };

	if (s->account == NULL || s->account->allowed[0] == '\0' || value->len == 0)
		return true;
	return fixup_addresses(buf_str(value), on_claim, &c) && c.is_allowed;
}

static const struct refusal {
	int code;
	const char *status, *text;
} bad_bytes = { 554, "5.6.0", "lines end in CRLF; a message has no other CR or LF, and no NUL" },
  too_large = { 552, "5.3.4", "the message is too large" },
  no_space = { 452, "4.3.1", "no space for the message now" },
  in_circles = { 554, "5.4.6", "the message goes in circles: too many Received fields" },
  from_nobody = { 554, "5.6.0", "a message without a sender must have a From field" },
  needs_utf8 = { 550, "5.6.7", "the header needs SMTPUTF8, which no upstream for this message takes" },
  needs_8bit = { 554, "5.6.3", "the message has 8-bit content, which no upstream for it takes" },
  false_claim = { 550, "5.7.1", "this user may not write that From or Sender" };

/* The whole of it, our own fields too, for some upstream of its routes; NULL: it may be. */
static const struct refusal *
judge_capacity(const struct session *s)
{
	const struct transaction *t = s->txn;
	const struct envelope *e = t->submit->envelope;
	struct route_limit limit = capacity_of_envelope(s, e);

	if (limit.message_max > 0 && e->size > limit.message_max)
		return &too_large;
	if (e->is_utf8 && !limit.utf8)
		return &needs_utf8;
	if (t->body.fixup.has_8bit && !limit.eightbit)
		return &needs_8bit;
	return NULL;
}

/* What is wrong with the content as a whole: in this order, so that the answer does not depend
 * on how it was cut into pieces.  NULL: nothing. */
static const struct refusal *
judge(const struct session *s)
{
	const struct transaction *t = s->txn;
	const struct fixup *f = &t->body.fixup;

	if (has_bad_bytes(&t->body))
		return &bad_bytes;
	if (t->body.fault == BODY_TOO_LARGE)
		return &too_large;
	if (t->body.fault == BODY_NO_SPACE)
		return &no_space;
	if (f->received > s->config->limits.hops || f->own >= OWN_RECEIVED_MAX)
		return &in_circles;
	if (!f->has_from && t->submit->envelope->sender[0] == '\0')
		return &from_nobody;
	if (!may_claim(s, &f->from) || !may_claim(s, &f->sender))
		return &false_claim;
	return NULL;
}

static void
note_bare_newlines(const struct session *s)
{
	const struct dot *d = &s->txn->body.dot;

	if ((d->bare_cr || d->bare_lf || d->nul) && session_may_log(s))
		log_event(d->normalize && !d->nul ? LOG_INFO : LOG_WARNING, "bare_newline",
		    SESSION_WHO(s),
		    log_text("found", d->nul ? "NUL" : d->bare_lf ? "LF" : "CR"),
		    log_text("done", d->normalize && !d->nul ? "normalized" : "refused"),
		    log_text("advice", d->normalize ? NULL :
		    "the app is to end lines in CRLF; or set limits.bare_newline"));
}

/* Our own fields; they stand on top of the content. */
static void
put_prefix(const struct session *s)
{
	const struct transaction *t = s->txn;
	const struct fixup *f = &t->body.fixup;
	struct submit *m = t->submit;
	const struct envelope *e = m->envelope;
	struct trace trace = {
		.helo = s->helo,
		.address = s->address,
		.hostname = s->config->hostname,
		.esmtp = s->esmtp,
		.tls = s->secure,
		.auth = s->user != NULL,
		.utf8 = t->utf8,
		.cipher = stream_cipher(s->stream),
		.wall_s = e->arrived_wall_s,
		.add_date = !f->has_date,
		.add_message_id = !f->has_message_id,
		.add_from = f->has_from ? NULL : e->sender,
		.for_rcpt = e->nrcpt == 1 ? str_of(e->rcpt[0].address) : STR(""),
	};

	m->id = memo_next_id();
	ident_print(trace.id, m->id);
	buf_room(&m->prefix, PREFIX_USUAL);
	trace_put(&m->prefix, &trace);
	if (f->no_header)
		buf_puts(&m->prefix, "\r\n");
}

static void
complete(struct session *s)
{
	struct transaction *t = s->txn;
	struct submit *m = t->submit;
	struct envelope *e = m->envelope;
	const struct fixup *f = &t->body.fixup;

	e->is_8bit = e->is_8bit || f->has_8bit;
	e->is_utf8 = e->is_utf8 || (t->utf8 && f->has_8bit_header);
	e->arrived_wall_s = clock_wall_s();
	put_prefix(s);
	e->size = m->prefix.len + m->text.len + (m->blob != NULL ? spool_blob_octets(m->blob) : 0);
	m->back = s->listener->channel;
	m->session = s->self;
}

enum answer
body_end(struct session *s)
{
	struct transaction *t = s->txn;
	const struct refusal *no;

	if (t->body.fault == BODY_FINE) {
		fixup_end(&t->body.fixup, &t->submit->text);
		if (t->submit->blob != NULL && t->submit->text.len > 0)
			spill(s);
	}
	note_bare_newlines(s);
	no = judge(s);
	if (no == NULL) {
		complete(s);
		no = judge_capacity(s);
	}
	if (no != NULL) {
		session_reply(s, no->code, no->status, no->text);
		transaction_reset(s);
		return ANSWERED;
	}
	memo_post(s->listener->queue, &t->submit->memo);
	t->submit = NULL;
	return WILL_ANSWER;
}
