/*
 * Entries: one per queued message, from slabs, each in the list or heap of its state.  entry_move is
 * the only place that changes a state, and keeps the totals.
 */
#include "queue/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/count.h"
#include "base/mem.h"

enum { SLAB = 512, REST_MS = 1000, MISREAD_MS = 10 * 1000, MISREAD_MAX = 4 };

static const char *const state_names[ENTRY_STATES] = {
	[ENTRY_SYNCING] = "syncing", [ENTRY_READY] = "ready", [ENTRY_OUT] = "out",
	[ENTRY_WAITING] = "waiting", [ENTRY_HELD] = "held",
};

/* What may follow what; anything else is a bug of ours. */
static const unsigned may_follow[ENTRY_STATES] = {
	[ENTRY_SYNCING] = 1u << ENTRY_READY | 1u << ENTRY_WAITING | 1u << ENTRY_HELD,
	[ENTRY_READY] = 1u << ENTRY_READY | 1u << ENTRY_OUT | 1u << ENTRY_WAITING | 1u << ENTRY_HELD,
	[ENTRY_OUT] = 1u << ENTRY_READY | 1u << ENTRY_WAITING | 1u << ENTRY_HELD,
	[ENTRY_WAITING] = 1u << ENTRY_READY | 1u << ENTRY_WAITING | 1u << ENTRY_HELD,
	[ENTRY_HELD] = 1u << ENTRY_READY | 1u << ENTRY_WAITING | 1u << ENTRY_HELD,
};

struct entry *
entry_new(struct queue *q)
{
	struct entry *e = q->free_entries;

	if (e == NULL) {
		struct entry *slab = mem_array(SLAB, sizeof *slab);

		q->slabs = mem_resize(q->slabs, q->nslabs + 1, sizeof *q->slabs);
		q->slabs[q->nslabs++] = slab;
		for (size_t i = 0; i < SLAB; i++) {
			slab[i].at.ready.next = (struct node *)(void *)q->free_entries;
			q->free_entries = &slab[i];
		}
		e = q->free_entries;
	}
	q->free_entries = (struct entry *)(void *)e->at.ready.next;
	memset(e, 0, sizeof *e);
	e->state = ENTRY_SYNCING;
	return e;
}

static uint64_t *
total_of(struct queue *q, unsigned state)
{
	switch (state) {
	case ENTRY_OUT:
		return &q->totals.active;
	case ENTRY_HELD:
		return &q->totals.held;
	default:
		return &q->totals.deferred;	/* READY is told apart when asked for */
	}
}

/* Out of the list or heap that its state has it in. */
static void
leave(struct queue *q, struct entry *e)
{
	if (e->state == ENTRY_READY && list_is_linked(&e->at.ready)) {
		list_remove(&e->at.ready);
		if (e->way < q->nway && q->way[e->way].nready > 0)
			q->way[e->way].nready--;
	} else if (e->state == ENTRY_WAITING) {
		heap_remove(&q->waiting, &e->at.due);
	} else if (e->state == ENTRY_HELD || (e->state == ENTRY_SYNCING && e->hold_asked)) {
		free(e->at.held);
		q->nkept -= e->kept;
		e->kept = false;
	}
	memset(&e->at, 0, sizeof e->at);
}

static void
wake_for_due(struct queue *q)
{
	struct heap_node *n = heap_find(&q->waiting);

	if (n != NULL)
		loop_timer(q->loop, &q->due, n->key);
}

void
entry_move(struct queue *q, struct entry *e, enum entry_state to, int64_t due_at_ms)
{
	if (!(may_follow[e->state] & 1u << to))
		bug("message %llu: from %s to %s", (unsigned long long)e->item.id,
		    state_names[e->state], state_names[to]);
	leave(q, e);
	if (e->state != ENTRY_SYNCING)
		--*total_of(q, e->state);
	++*total_of(q, to);
	e->state = (uint8_t)to;
	if (to == ENTRY_WAITING) {
		heap_put(&q->waiting, &e->at.due, due_at_ms);
		wake_for_due(q);
	} else if (to == ENTRY_READY) {
		dispatch_ready(q, e);
	}
}

void
entry_keep(struct queue *q, struct entry *e)
{
	e->kept = true;
	q->nkept++;
}

void
entry_list(struct queue *q, struct entry *e)
{
	order_put(&q->order, e);
	q->totals.messages++;
	q->totals.recipients += e->recipients;
	q->totals.bytes += e->size;
}

void
entry_count(struct queue *q, struct entry *e)
{
	entry_count_left(q, e, envelope_open(e->envelope));
}

void
entry_count_left(struct queue *q, struct entry *e, uint32_t left)
{
	q->totals.recipients = q->totals.recipients + left - e->recipients;
	e->recipients = left;
}

void
entry_open(struct queue *q, struct entry *e, struct envelope **env)
{
	e->envelope = *env;
	*env = NULL;
	q->nopen++;
	q->nopen_rcpt += e->envelope->nrcpt;
	peak_note(&q->open_peak, q->nopen_rcpt);
}

static void
drop_envelope(struct queue *q, struct entry *e)
{
	if (e->envelope == NULL)
		return;
	q->nopen--;
	q->nopen_rcpt -= e->envelope->nrcpt;
	envelope_free(&e->envelope);
}

void
entry_free(struct queue *q, struct entry *e)
{
	leave(q, e);
	if (e->state != ENTRY_SYNCING)
		--*total_of(q, e->state);
	if (order_find(&q->order, e->item.id) == e) {
		order_take(&q->order, e->item.id);
		q->totals.messages--;
		q->totals.recipients -= e->recipients;
		q->totals.bytes -= e->size;
	}
	drop_envelope(q, e);
	e->at.ready.next = (struct node *)(void *)q->free_entries;
	q->free_entries = e;
}

/* The newest that can be read: as at a start. */
static int
read_note(struct queue *q, struct entry *e, struct buf *out, struct why *why)
{
	while (spool_read_note(q->spool, &e->item, out, why) < 0) {
		if (errno != EBADMSG)
			return -1;
		spool_note_lost(q->spool, &e->item);
	}
	return 0;
}

int
entry_load(struct queue *q, struct entry *e, struct why *why)
{
	struct spool_reader *r;
	struct buf note = { 0 };
	struct envelope *env;
	struct str meta;
	int rc = -1;

	if (e->envelope != NULL)
		return 0;
	errno = 0;
	if (spool_read_open(q->spool, &e->item, &r, why) < 0)
		return -1;
	meta = spool_read_meta(r);
	env = envelope_decode(str_from(meta, 5));	/* behind store_begin's own head */
	if (env == NULL) {
		fail(why, "the envelope is not readable");
		goto out;
	}
	entry_open(q, e, &env);
	if (read_note(q, e, &note, why) < 0)
		goto out;
	if (note.len > 0 && !store_note_decode(q, NULL, e->envelope, buf_str(&note))) {
		fail(why, "the note is not readable");
		goto out;
	}
	rc = 0;
out:
	if (rc < 0)
		drop_envelope(q, e);
	buf_clear(&note);
	spool_read_close(&r);
	return rc;
}

/* Who moved it may still want its envelope. */
void
entry_park_later(struct queue *q, struct entry *e)
{
	buf_put(&q->crowded, &e->item.id, sizeof e->item.id);
}

void
entry_park_crowded(struct queue *q)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= q->crowded.len; at += sizeof(uint64_t)) {
		struct entry *e;
		uint64_t id;

		memcpy(&id, q->crowded.data + at, sizeof id);
		e = order_find(&q->order, id);
		if (e != NULL && e->state == ENTRY_READY)
			entry_park(q, e);
	}
	buf_cut(&q->crowded, 0);
}

void
entry_park(struct queue *q, struct entry *e)
{
	if (e->envelope == NULL || e->pinned || e->state == ENTRY_OUT)
		return;
	drop_envelope(q, e);
}

/* The disk's, and perhaps not for ever: it has not given other octets, but none. */
static bool
is_disk(int error)
{
	return error == EIO || error == EREMOTEIO || error == ETIMEDOUT || error == ESTALE;
}

static void
set_aside(struct queue *q, struct entry *e, const char *what)
{
	uint64_t id = e->item.id;

	spool_set_aside(q->spool, &e->item, what);	/* tells on_damaged, which logs and counts */
	operator_tell(q, id, "damaged", what);
	entry_free(q, e);
}

/* After 10 s, 40 s, 160 s and 640 s; what cannot be read even then is set aside. */
static void
try_later(struct queue *q, struct entry *e, const char *what)
{
	int64_t wait_ms = (int64_t)MISREAD_MS << 2 * e->misread++;

	log_event(LOG_ERROR, "unreadable", log_id("msg", e->item.id), log_text("reason", what), log_num("again_s", wait_ms / 1000),
	    log_text("advice", "look after the disk; the message is kept, and tried again"));
	if (e->state == ENTRY_HELD)
		return;
	for (unsigned i = 0; e->envelope != NULL && i < e->envelope->nrcpt; i++)
		if (e->envelope->rcpt[i].state == RCPT_OUT)
			e->envelope->rcpt[i].state = RCPT_WAITING;
	entry_move(q, e, ENTRY_WAITING, loop_now_ms(q->loop) + wait_ms);
	entry_park(q, e);
}

/* 0, or the errno of reading the whole message. */
static int
verify(struct queue *q, const struct entry *e)
{
	static char octets[64 * 1024];
	struct spool_reader *r;
	struct why why;
	int64_t n;
	int error;

	if (spool_read_open(q->spool, &e->item, &r, &why) < 0)
		return errno;
	while ((n = spool_read(r, octets, sizeof octets, &why)) > 0)
		;
	error = n < 0 ? errno : 0;
	spool_read_close(&r);
	return error;
}

/* A relay found it so; but was it the message, or the disk that moment?  Not asked of what is over anyway, or to be stopped. */
void
entry_damaged(struct queue *q, struct entry *e, const char *what)
{
	int error;

	if (e->state == ENTRY_OUT && e->misread < MISREAD_MAX && !e->damaged && !e->doomed && !e->hold_asked &&
	    e->envelope != NULL && envelope_open(e->envelope) > 0) {
		error = verify(q, e);
		if (error == 0 || is_disk(error) || entry_is_local(error)) {
			try_later(q, e, what);
			return;
		}
	}
	set_aside(q, e, what);
}

/* Recovery: the last run was cut short while it wrote this.  As a rule nobody was promised it, so no alarm is raised. */
void
entry_unfinished(void *arg, uint64_t id, const char *file, const char *what)
{
	(void)arg;
	if (id != 0)
		log_event(LOG_WARNING, "unfinished", log_id("msg", id), log_text("file", file), log_text("reason", what));
	else
		log_event(LOG_WARNING, "unfinished", log_text("file", file), log_text("reason", what));
}

bool
entry_is_local(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

void
entry_unreadable(struct queue *q, struct entry *e, const struct why *why)
{
	int error = errno;

	if (is_disk(error) && e->misread < MISREAD_MAX) {
		try_later(q, e, why->text);
		return;
	}
	if (!entry_is_local(error)) {
		set_aside(q, e, why->text);
		return;
	}
	if (!heap_has(&q->rest.node))
		log_event(LOG_ERROR, "out_of_resources", log_id("msg", e->item.id), log_text("reason", why->text),
		    log_text("advice", "raise LimitNOFILE; the message waits"));
	loop_timer(q->loop, &q->rest, loop_now_ms(q->loop) + REST_MS);
}
