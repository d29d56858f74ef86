/*
 * Notices over bounce_limit: gathered by whom they are owed to, and told in one message when an hour has passed.  What is
 * here is in memory alone and may be lost: each message that owes one stays in the queue, and its note says so, until the
 * message that tells of it is staged in the same turn as the note, or the record of its end.
 */
#include "queue/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/roundup.h"

enum {
	GATHER_MS = 60 * 60 * 1000,
	AGAIN_MS = 30 * 1000,		/* it could not be queued */
	LISTED_MAX = 500,		/* messages in one; those beyond go in the next, at once */
	TEXT_MAX = 1 << 20,
	HEADER_MAX = 16 * 1024		/* looked at for what identifies a message */
};

struct owed {
	struct node node;
	char *to;
	uint64_t *id;
	size_t n, cap;
	int64_t due_at_ms;
};

static struct owed *
find(const struct queue *q, const char *to)
{
	list_each(n, &q->owed)
		if (strcmp(container_of(n, struct owed, node)->to, to) == 0)
			return container_of(n, struct owed, node);
	return NULL;
}

bool
owed_is_open(const struct queue *q, const char *to)
{
	return find(q, to) != NULL;
}

int64_t
owed_wait_ms(const struct queue *q, const char *to)
{
	const struct owed *o = find(q, to);
	int64_t now = loop_now_ms(q->loop);

	return o != NULL && o->due_at_ms > now ? o->due_at_ms - now : 0;
}

static void
plan(struct queue *q)
{
	const struct owed *next = NULL;

	list_each(n, &q->owed) {
		const struct owed *o = container_of(n, struct owed, node);

		if (next == NULL || o->due_at_ms < next->due_at_ms)
			next = o;
	}
	if (next != NULL)
		loop_timer(q->loop, &q->owed_due, next->due_at_ms);
	else
		loop_cancel(q->loop, &q->owed_due);
}

void
owed_put(struct queue *q, struct entry *e, const char *to)
{
	struct owed *o;

	if (e->gathered)
		return;
	e->gathered = true;
	o = find(q, to);
	if (o == NULL) {
		o = mem_zero(sizeof *o);
		o->to = mem_text(to);
		o->due_at_ms = loop_now_ms(q->loop) + GATHER_MS;
		list_put(&q->owed, &o->node);
		log_event(LOG_WARNING, "notices_gathered", log_text("to", to),
		    log_text("reason", "there are more than bounce_limit: one message tells of them all in an hour"));
		plan(q);
	}
	if (o->n == o->cap) {
		o->cap = o->cap != 0 ? o->cap * 2 : 16;
		o->id = mem_resize(o->id, o->cap, sizeof *o->id);
	}
	o->id[o->n++] = e->item.id;
}

static void
free_owed(struct owed *o)
{
	list_remove(&o->node);
	free(o->to);
	free(o->id);
	free(o);
}

/* --- telling ----------------------------------------------------------------- */

static void
read_header(struct queue *q, struct entry *e, struct buf *out)
{
	struct spool_reader *r;
	struct why why;
	int64_t n = 0;

	errno = 0;
	if (spool_read_open(q->spool, &e->item, &r, &why) == 0) {
		buf_room(out, HEADER_MAX);
		while (out->len < HEADER_MAX && (n = spool_read(r, out->data + out->len, HEADER_MAX - out->len, &why)) > 0)
			out->len += (size_t)n;
		spool_read_close(&r);
		if (n >= 0)
			return;
	}
	buf_cut(out, 0);
	if (!entry_is_local(errno))
		e->damaged = true;	/* the sender is told all the same */
}

/* The message again, if it still is there and owes something that may be told now. */
static struct entry *
recall(struct queue *q, uint64_t id)
{
	struct entry *e = order_find(&q->order, id);
	struct why why;

	if (e == NULL || !e->gathered)
		return NULL;
	if (e->state == ENTRY_OUT) {	/* the end of its attempt finds out anew what it owes */
		e->gathered = false;
		return NULL;
	}
	if (entry_load(q, e, &why) < 0) {
		e->gathered = false;
		entry_unreadable(q, e, &why);
		return NULL;
	}
	return e;
}

/* Adds what it owes; false: nothing, by now. */
static bool
list_entry(struct queue *q, struct entry *e, struct roundup *r)
{
	struct dsn_recipient *rcpt = mem_array(e->envelope->nrcpt, sizeof *rcpt);
	struct buf header = { 0 };
	unsigned failed, delayed;

	read_header(q, e, &header);
	failed = bounce_find_failed(e, NULL, rcpt);
	if (failed > 0)
		roundup_add(r, DSN_FAILED, e->item.id, e->envelope, rcpt, failed, buf_str(&header));
	delayed = bounce_find_delayed(q, e, rcpt);
	if (delayed > 0)
		roundup_add(r, DSN_DELAYED, e->item.id, e->envelope, rcpt, delayed, buf_str(&header));
	buf_clear(&header);
	free(rcpt);
	return failed + delayed > 0;
}

/* One alone is told of as it always is. */
static bool
send_one(struct queue *q, struct entry *e)
{
	struct dsn_recipient *rcpt = mem_array(e->envelope->nrcpt, sizeof *rcpt);
	unsigned n = bounce_find_failed(e, NULL, rcpt);
	bool kept = n == 0 || bounce_send(q, e, DSN_FAILED, rcpt, n);

	n = bounce_find_delayed(q, e, rcpt);
	if (kept && n > 0)
		(void)bounce_send(q, e, DSN_DELAYED, rcpt, n);
	free(rcpt);
	return kept;
}

static void
note(struct queue *q, struct entry *e, const char *to, uint64_t notice)
{
	struct dsn_recipient *rcpt = mem_array(e->envelope->nrcpt, sizeof *rcpt);
	unsigned n = bounce_find_failed(e, NULL, rcpt);

	if (n > 0)
		bounce_note(q, e, DSN_FAILED, to, n, notice);
	n = bounce_find_delayed(q, e, rcpt);
	if (n > 0)
		bounce_note(q, e, DSN_DELAYED, to, n, notice);
	free(rcpt);
}

static bool
send_roundup(struct queue *q, const struct owed *o, struct entry **v, unsigned n, const struct roundup *r)
{
	struct envelope *env = bounce_envelope(o->to);
	uint64_t id = memo_next_id();
	struct buf text = { 0 };
	struct why why = { "" };
	bool kept;

	roundup_build(&text, r, q->config->hostname, o->to, id, clock_wall_s());
	env->is_8bit = !str_is_ascii(buf_str(&text));
	kept = admit_own(q, &env, id, buf_str(&text), &why) == 0;
	for (unsigned i = 0; i < n && kept; i++)
		note(q, v[i], o->to, id);
	if (!kept) {
		log_event(LOG_WARNING, "notice_owed", log_text("to", o->to), log_num("messages", n), log_text("reason", why.text));
		envelope_free(&env);
	}
	buf_clear(&text);
	return kept;
}

/* What fits into one message; false: it could not be queued, and all of it is still owed. */
static bool
send_part(struct queue *q, struct owed *o)
{
	struct entry **v = mem_array(LISTED_MAX, sizeof(struct entry *));
	struct roundup r = { 0 };
	unsigned n = 0;
	size_t taken = 0;
	bool kept = true;

	while (taken < o->n && n < LISTED_MAX && r.failed.len + r.delayed.len < TEXT_MAX) {
		struct entry *e = recall(q, o->id[taken++]);

		if (e == NULL)
			continue;
		v[n++] = e;
		if (!list_entry(q, e, &r)) {
			e->gathered = false;
			entry_park(q, e);
			n--;
		}
	}
	if (n > 0)
		kept = n == 1 ? send_one(q, v[0]) : send_roundup(q, o, v, n, &r);
	for (unsigned i = 0; i < n && kept; i++) {
		v[i]->gathered = false;
		report_told(q, v[i]);
	}
	if (kept) {
		o->n -= taken;
		memmove(o->id, o->id + taken, o->n * sizeof *o->id);
	}
	roundup_clear(&r);
	free(v);
	return kept;
}

static void
on_due(void *arg)
{
	struct queue *q = arg;
	int64_t now = loop_now_ms(q->loop);

	list_each(n, &q->owed) {
		struct owed *o = container_of(n, struct owed, node);

		if (o->due_at_ms > now)
			continue;
		if (!send_part(q, o))
			o->due_at_ms = now + AGAIN_MS;
		else if (o->n == 0)
			free_owed(o);
	}
	plan(q);
}

void
owed_start(struct queue *q)
{
	list_init(&q->owed);
	timer_init(&q->owed_due, on_due, q);
}

void
owed_clear(struct queue *q)
{
	while (!list_is_empty(&q->owed))
		free_owed(container_of(q->owed.next, struct owed, node));
	loop_cancel(q->loop, &q->owed_due);
}
