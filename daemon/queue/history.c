/*
 * What happened to each message, as records for people to look up: gathered in a page, handed over to be written
 * when the page is full or a second old, and found again by the message's id.  Best effort: nothing waits for it, and
 * a crash may cost the last second.  The last pages stay in memory for one who asks a moment too late.
 *
 * A record is u16 length of what follows, u8 kind, u64 id, u64 wall time (us), text event, text who, and by its kind:
 *	plain		text
 *	accepted	text user, u8 own, u64 size, u32 recipients
 *	attempt		text upstream, text address, u16 port, u8 tls, u16 code, u8 maybe, u32 took (ms), text status, text
 *	notice		u64 id of the message that tells it
 * A text is u16 length and its octets.  Unknown kinds, and what follows in a record, are passed over.
 */
#include "queue/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	PAGE = 64 * 1024,
	FLUSH_MS = 1000,
	ID_AT = 1,		/* in a record without its length */
	RECORD_LEAST = 1 + 8 + 8,
	RECORD_MAX = 2048,
	WHO_MAX = 400, USER_MAX = 255, TEXT_MAX = 400, NAME_MAX_OCTETS = 47,
	FILES = 8		/* that a span of keep_history is cut into, at least */
};

/* An id is the microsecond of its message's arrival. */
static int64_t
wall_s(uint64_t id)
{
	return (int64_t)(id / 1000000);
}

static struct spool_annals_bounds
bounds(const struct queue *q)
{
	const struct history *h = q->history;
	int64_t now = clock_wall_s(), keep = q->config->queue.keep_history_ms / 1000;
	int64_t least = now - keep - q->config->queue.expire_ms / 1000;	/* what is held may stay for years */
	const struct entry *oldest = order_next(&q->order, 0);
	struct spool_annals_bounds b = {
		.octets = keep > 0 ? q->config->queue.history_size : 0,
		.now_wall_s = now, .from_wall_s = now - keep,
		.span_s = keep / FILES > 0 ? keep / FILES : 1,
	};

	if (oldest != NULL && wall_s(oldest->item.id) < b.from_wall_s)
		b.from_wall_s = wall_s(oldest->item.id);
	for (unsigned i = 0; i < HISTORY_STORIES; i++)
		if (wall_s(h->story[i]) < b.from_wall_s)
			b.from_wall_s = wall_s(h->story[i]);
	if (b.from_wall_s < least)
		b.from_wall_s = least;
	return b;
}

static bool
is_kept(const struct queue *q)
{
	return q->history->scribe != NULL && q->config->queue.keep_history_ms >= 1000 && q->config->queue.history_size > 0;
}

static void
flush(struct queue *q)
{
	struct history *h = q->history;
	struct buf *page = &h->page[0], block = { 0 };

	loop_cancel(q->loop, &h->flush);
	if (h->sent < page->len && is_kept(q)) {
		const struct spool_annals_bounds b = bounds(q);

		memset(buf_room(&block, SPOOL_ANNALS_HEAD + page->len - h->sent), 0, SPOOL_ANNALS_HEAD);
		block.len = SPOOL_ANNALS_HEAD;
		buf_put(&block, page->data + h->sent, page->len - h->sent);
		scribe_write(h->scribe, &b, &block, h->least, h->most);
	}
	h->sent = page->len;
	h->least = UINT64_MAX;
	h->most = 0;
}

static void
on_flush(void *arg)
{
	flush(arg);
}

void
history_start(struct queue *q)
{
	struct history *h = mem_zero(sizeof *h);
	struct spool_annals *a;
	struct why why;

	q->history = h;
	h->least = UINT64_MAX;
	for (unsigned i = 0; i < HISTORY_STORIES; i++)
		h->story[i] = UINT64_MAX;
	timer_init(&h->flush, on_flush, q);
	if (spool_annals_open(q->spool, memo_next_id(), &a, &why) == 0)
		h->scribe = scribe_start(q->loop, a);
	else
		log_event(LOG_WARNING, "history_failed", log_text("reason", why.text));
}

void
history_stop(struct queue *q)
{
	struct history *h = q->history;

	if (h == NULL)
		return;
	flush(q);
	scribe_stop(&h->scribe);
	buf_clear(&h->page[0]);
	buf_clear(&h->page[1]);
	free(h);
	q->history = NULL;
}

void
history_minute(struct queue *q)
{
	struct history *h = q->history;
	const struct spool_annals_bounds b = bounds(q);
	struct buf nothing = { 0 };

	if (loop_now_ms(q->loop) >= h->story_at_ms) {
		memmove(h->story + 1, h->story, (HISTORY_STORIES - 1) * sizeof h->story[0]);
		h->story[0] = UINT64_MAX;
		h->story_at_ms = loop_now_ms(q->loop) + q->config->queue.keep_history_ms / (HISTORY_STORIES - 1);
	}
	if (h->scribe != NULL)
		scribe_write(h->scribe, &b, &nothing, 0, 0);
}

/* --- making records -------------------------------------------------------------- */

static void
put_text(struct buf *b, const char *text, size_t most)
{
	size_t n = text != NULL ? strnlen(text, most) : 0;

	buf_put_u16(b, (uint16_t)n);
	buf_put(b, text, n);
}

static struct buf *
begin(struct queue *q, enum queue_event_kind kind, uint64_t id, const char *event, const char *who)
{
	struct history *h = q->history;
	struct buf *b = &h->page[0];

	if (b->len >= PAGE) {
		struct buf old = h->page[1];

		flush(q);
		h->page[1] = *b;
		*b = old;
		buf_cut(b, 0);
		h->sent = 0;
	}
	if (b->len == 0)
		buf_room(b, PAGE + RECORD_MAX);
	if (id < h->story[0])
		h->story[0] = id;
	if (id < h->least)
		h->least = id;
	if (id > h->most)
		h->most = id;
	h->record = b->len;
	buf_put_u16(b, 0);
	buf_put_u8(b, (uint8_t)kind);
	buf_put_u64(b, id);
	buf_put_u64(b, (uint64_t)clock_wall_us());
	put_text(b, event, sizeof ((struct queue_event *)NULL)->event - 1);
	put_text(b, who, WHO_MAX);
	return b;
}

static void
end(struct queue *q)
{
	struct history *h = q->history;
	struct buf *b = &h->page[0];
	size_t n = b->len - h->record - 2;

	b->data[h->record] = (char)(n & 0xff);
	b->data[h->record + 1] = (char)(n >> 8);
	if (!heap_has(&h->flush.node))
		loop_timer(q->loop, &h->flush, loop_now_ms(q->loop) + FLUSH_MS);
}

void
history_put(struct queue *q, uint64_t id, const char *event, const char *who, const char *text)
{
	put_text(begin(q, EVENT_PLAIN, id, event, who), text, TEXT_MAX);
	end(q);
}

void
history_put_accepted(struct queue *q, const struct entry *e)
{
	const struct envelope *env = e->envelope;
	struct buf *b = begin(q, EVENT_ACCEPTED, e->item.id, "accepted", env->sender);

	put_text(b, env->user, USER_MAX);
	buf_put_u8(b, env->is_bounce);
	buf_put_u64(b, env->size);
	buf_put_u32(b, env->nrcpt);
	end(q);
}

void
history_put_attempt(struct queue *q, const struct job *j, const char *event, const char *to, const struct outcome *o)
{
	struct buf *b = begin(q, EVENT_ATTEMPT, j->id, event, to);

	put_text(b, j->peer.upstream, NAME_MAX_OCTETS);
	put_text(b, j->peer.address, NAME_MAX_OCTETS);
	buf_put_u16(b, j->peer.port);
	buf_put_u8(b, (uint8_t)j->peer.tls);
	buf_put_u16(b, (uint16_t)o->code);
	buf_put_u8(b, o->maybe);
	buf_put_u32(b, j->took_ms < UINT32_MAX ? (uint32_t)j->took_ms : UINT32_MAX);
	put_text(b, o->status, sizeof o->status - 1);
	put_text(b, o->text, TEXT_MAX);
	end(q);
}

void
history_put_notice(struct queue *q, uint64_t id, const char *event, const char *to, uint64_t notice)
{
	buf_put_u64(begin(q, EVENT_NOTICE, id, event, to), notice);
	end(q);
}

/* --- finding and reading them ------------------------------------------------------ */

struct str
history_find(struct cursor *c, uint64_t id)
{
	while (c->left > 0) {
		struct str r = cursor_bytes(c, cursor_u16(c));
		struct cursor at;

		if (c->bad || r.n < RECORD_LEAST)
			break;
		at = cursor_init(r.p + ID_AT, 8);
		if (cursor_u64(&at) == id)
			return r;
	}
	return (struct str){ NULL, 0 };
}

static void
take_text(struct cursor *c, char *out, size_t size)
{
	str_fit(out, size, cursor_bytes(c, cursor_u16(c)));
}

bool
history_read(struct str record, struct queue_event *e)
{
	struct cursor c = cursor_init(record.p, record.n);

	*e = (struct queue_event){ .kind = cursor_u8(&c) };
	cursor_u64(&c);
	e->wall_ms = (int64_t)(cursor_u64(&c) / 1000);
	take_text(&c, e->event, sizeof e->event);
	take_text(&c, e->who, sizeof e->who);
	switch (e->kind) {
	case EVENT_PLAIN:
		take_text(&c, e->text, sizeof e->text);
		break;
	case EVENT_ACCEPTED:
		take_text(&c, e->user, sizeof e->user);
		e->own = cursor_u8(&c) != 0;
		e->size = cursor_u64(&c);
		e->recipients = cursor_u32(&c);
		break;
	case EVENT_ATTEMPT:
		take_text(&c, e->upstream, sizeof e->upstream);
		take_text(&c, e->address, sizeof e->address);
		e->port = cursor_u16(&c);
		e->tls = cursor_u8(&c);
		e->code = (short)cursor_u16(&c);
		e->maybe = cursor_u8(&c) != 0;
		e->took_ms = cursor_u32(&c);
		take_text(&c, e->status, sizeof e->status);
		take_text(&c, e->text, sizeof e->text);
		break;
	case EVENT_NOTICE:
		e->notice = cursor_u64(&c);
		break;
	default:
		return false;
	}
	return !c.bad && e->tls <= TLS_IMPLICIT;
}

bool
history_recall(const struct queue *q, uint64_t id, struct queue_event *out)
{
	struct queue_event e;
	bool found = false;

	for (int i = 1; i >= 0; i--) {
		const struct buf *page = &q->history->page[i];
		struct cursor c = cursor_init(page->data, page->len);
		struct str r;

		while ((r = history_find(&c, id)).n > 0) {
			if (!history_read(r, &e) || (e.kind != EVENT_ATTEMPT && e.kind != EVENT_PLAIN) ||
			    strcmp(e.event, "ended") == 0)
				continue;
			*out = e;
			found = true;
		}
	}
	return found;
}

struct queue_trace *
history_search(struct queue *q, uint64_t id, void (*ready)(void *arg), void *arg)
{
	if (!is_kept(q))
		return NULL;
	flush(q);	/* before the search, in the order of the scribe's errands */
	return scribe_search(q->history->scribe, id, ready, arg);
}
