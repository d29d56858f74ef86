/*
 * What goes to the spool and how it comes back.
 *
 * A message's meta is u8 version (1), u32 arrival on the queue's clock, and mail/envelope's encoding.
 * A note is u8 version (1), u8 flags, u16 attempts, i64 next attempt (wall, s), u32 arrival on the queue's
 * clock (time in hold moves it), text why it is held (empty if it is not), and for each recipient that has come further than waiting untried: u32
 * index, u8 state, u8 reported, u16 attempts, and mail/outcome's encoding.
 */
#include "queue/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/mem.h"

enum { META_VERSION = 1, NOTE_VERSION = 1, MEMORY_VERSION = 1, NOTE_TEXT_MAX = 400, NOTE_HELD_MAX = 100 };
enum { NOTE_HELD = 1, NOTE_WARNED = 2 };

struct entry *
store_begin(struct queue *q, const struct envelope *env, struct buf *meta)
{
	struct entry *e = entry_new(q);

	e->arrived_queue_s = (uint32_t)retry_clock_s(q);
	buf_put_u8(meta, META_VERSION);
	buf_put_u32(meta, e->arrived_queue_s);
	envelope_encode(meta, env);
	e->size = env->size;
	e->recipients = e->all_recipients = env->nrcpt;
	e->is_8bit = env->is_8bit;
	e->is_utf8 = env->is_utf8;
	e->is_bounce = env->is_bounce;
	return e;
}

static void
encode_outcome(struct buf *b, const struct outcome *o, size_t most)
{
	struct outcome cut = { 0 };

	if (o->text == NULL || strlen(o->text) <= most) {
		outcome_encode(b, o);
		return;
	}
	outcome_copy(&cut, o);
	cut.text[most] = '\0';
	outcome_encode(b, &cut);
	outcome_clear(&cut);
}

static int64_t
next_wall_s(const struct entry *e)
{
	if (e->state != ENTRY_WAITING)
		return 0;
	return clock_wall_s() + (e->at.due.key - clock_now_ms()) / 1000;
}

/* `most': octets of each text; 0 makes a note that always fits what was reserved. */
static void
encode_note(struct buf *b, const struct entry *e, size_t most)
{
	const struct envelope *env = e->envelope;
	struct str held = str_of(e->state == ENTRY_HELD ? e->at.held : NULL);

	if (held.n > NOTE_HELD_MAX)
		held.n = NOTE_HELD_MAX;
	buf_put_u8(b, NOTE_VERSION);
	buf_put_u8(b, (uint8_t)((e->state == ENTRY_HELD ? NOTE_HELD : 0) | (e->warned ? NOTE_WARNED : 0)));
	buf_put_u16(b, e->attempts);
	buf_put_u64(b, (uint64_t)next_wall_s(e));
	buf_put_u32(b, e->arrived_queue_s);
	buf_put_text(b, held);
	for (unsigned i = 0; i < env->nrcpt; i++) {
		const struct recipient *r = &env->rcpt[i];

		if (r->state == RCPT_WAITING && r->last.kind == OUTCOME_NONE)
			continue;
		buf_put_u32(b, i);
		buf_put_u8(b, (uint8_t)(r->state == RCPT_OUT ? RCPT_WAITING : r->state));
		buf_put_u8(b, r->reported);
		buf_put_u16(b, (uint16_t)r->attempts);
		encode_outcome(b, &r->last, most);
	}
}

void
store_note(struct queue *q, struct entry *e)
{
	struct buf b = { 0 };

	encode_note(&b, e, NOTE_TEXT_MAX);
	e->pinned = false;
	if (spool_note(q->spool, &e->item, buf_str(&b)) < 0) {
		buf_cut(&b, 0);		/* a full disk: what happened counts more than the words */
		encode_note(&b, e, 0);
		e->pinned = spool_note(q->spool, &e->item, buf_str(&b)) < 0;
	}
	buf_clear(&b);
}

/* Those that have come further, into env; how many are left, into e. */
static bool
read_recipients(struct queue *q, struct cursor *c, struct entry *e, struct envelope *env)
{
	uint32_t ended = 0;

	while (c->left > 0 && !c->bad) {
		uint32_t i = cursor_u32(c);
		uint8_t state = cursor_u8(c), reported = cursor_u8(c);
		uint16_t tried = cursor_u16(c);
		struct outcome o = { 0 };

		if (c->bad || (env != NULL && i >= env->nrcpt) || state >= RCPT_STATES || outcome_decode(c, &o) < 0)
			return false;
		ended += state == RCPT_SENT || state == RCPT_FAILED;
		if (env == NULL) {
			outcome_clear(&o);
			continue;
		}
		env->rcpt[i].state = state;
		env->rcpt[i].reported = reported != 0;
		env->rcpt[i].attempts = tried;
		outcome_clear(&env->rcpt[i].last);
		env->rcpt[i].last = o;
	}
	if (e != NULL && !c->bad && ended <= e->all_recipients)
		entry_count_left(q, e, e->all_recipients - ended);
	return !c->bad;
}

/* The fixed part into e, the recipients' part into env; either may be NULL. */
bool
store_note_decode(struct queue *q, struct entry *e, struct envelope *env, struct str note)
{
	struct cursor c = cursor_init(note.p, note.n);
	uint8_t version = cursor_u8(&c), flags = cursor_u8(&c);
	uint16_t attempts = cursor_u16(&c);
	int64_t next = (int64_t)cursor_u64(&c);
	uint32_t arrived = cursor_u32(&c);
	struct str held = cursor_text(&c);

	if (c.bad || version != NOTE_VERSION)
		return false;
	if (e != NULL) {
		int64_t wait_s = next - clock_wall_s();
		int64_t most_s = retry_delay_ms(q->config, attempts) / 1000;

		e->attempts = attempts;
		e->warned = flags & NOTE_WARNED;
		e->arrived_queue_s = arrived;
		e->again = 0;
		/* Where it will go when recovery is over; this may not be the last note. */
		if (e->hold_asked)
			free(e->at.held);
		e->hold_asked = flags & NOTE_HELD;
		if (e->hold_asked)
			e->at.held = str_dup(held);
		else
			e->at.due.key = wait_s <= 0 ? 0 : (wait_s > most_s ? most_s : wait_s) * 1000;
	}
	return read_recipients(q, &c, e, env);
}

void
store_done(struct queue *q, struct entry *e)
{
	spool_done(q->spool, &e->item);
	entry_free(q, e);
}

/* --- recovery: the spool's questions --------------------------------------- */

static struct spool_item *
on_found(void *arg, uint64_t id, struct str head, uint64_t octets)
{
	struct queue *q = arg;
	struct cursor c = cursor_init(head.p, head.n);
	struct envelope_peek peek;
	uint8_t version = cursor_u8(&c);
	uint32_t arrived = cursor_u32(&c);
	struct entry *e;

	(void)octets;
	if (c.bad || version != META_VERSION || !envelope_peek(str_from(head, 5), &peek))
		return NULL;
	e = order_find(&q->order, id);
	if (e != NULL)		/* a copy that compaction made: the newer one counts */
		return &e->item;
	e = entry_new(q);
	e->item.id = id;
	e->arrived_queue_s = arrived;
	e->size = peek.size;
	e->recipients = e->all_recipients = peek.nrcpt;
	e->is_8bit = peek.is_8bit;
	e->is_utf8 = peek.is_utf8;
	e->is_bounce = peek.is_bounce;
	entry_list(q, e);
	return &e->item;
}

static struct spool_item *
on_find(void *arg, uint64_t id)
{
	struct entry *e = order_find(&((struct queue *)arg)->order, id);

	return e != NULL ? &e->item : NULL;
}

static void
on_noted(void *arg, struct spool_item *item, struct str note)
{
	struct entry *e = container_of(item, struct entry, item);

	(void)store_note_decode(arg, e, NULL, note);	/* unreadable: as if never tried */
}

static void
on_ended(void *arg, struct spool_item *item)
{
	entry_free(arg, container_of(item, struct entry, item));
}

static void
on_damaged(void *arg, uint64_t id, const char *file, const char *what)
{
	struct queue *q = arg;

	q->totals.damaged++;
	count_add(COUNT_DAMAGED, 1);
	if (id != 0)
		log_event(LOG_ERROR, "damaged", log_id("msg", id), log_text("file", file), log_text("reason", what));
	else
		log_event(LOG_ERROR, "damaged", log_text("file", file), log_text("reason", what));
}

/* Where each recovered message goes, now that its newest note is known. */
static void
place(struct queue *q, struct entry *e)
{
	int64_t wait_ms = e->at.due.key;
	char *held = e->hold_asked ? e->at.held : NULL;

	memset(&e->at, 0, sizeof e->at);
	e->hold_asked = false;
	if (q->clock_base_s < (int64_t)e->arrived_queue_s)	/* the clock's file was lost */
		q->clock_base_s = e->arrived_queue_s;
	if (held != NULL) {
		entry_move(q, e, ENTRY_HELD, 0);
		e->at.held = held;
		if (strcmp(held, HELD_BY_OPERATOR) != 0)
			entry_keep(q, e);
	} else if (wait_ms > 0)
		entry_move(q, e, ENTRY_WAITING, clock_now_ms() + wait_ms);
	else
		entry_move(q, e, ENTRY_READY, 0);
}

/* --- clock and ports: what is good to remember, but costs nothing to lose ---- */

static void
save(struct queue *q, const char *name, struct buf *b)
{
	spool_file_put(q->spool, name, buf_str(b));
	buf_clear(b);
}

struct str
store_find_file(struct queue *q, const char *name, struct buf *b)
{
	buf_cut(b, 0);
	if (spool_file_load(q->spool, name, b) == 0)
		return buf_str(b);
	if (errno == EBADMSG)
		log_event(LOG_WARNING, "not_read", log_text("file", name),
		    log_text("reason", "it is damaged; what it remembered is lost, no message is"));
	return (struct str){ "", 0 };
}

void
store_memory(struct queue *q)
{
	struct buf b = { 0 };

	buf_put_u8(&b, MEMORY_VERSION);
	buf_put_u64(&b, (uint64_t)retry_clock_s(q));
	buf_put_u64(&b, (uint64_t)clock_wall_s());
	save(q, "clock", &b);
	pacing_save(q, q->finishing);
	if (!q->memory_changed)
		return;
	q->memory_changed = false;
	buf_put_u8(&b, MEMORY_VERSION);
	for (unsigned i = 0; i < q->ngateway; i++) {
		struct buf one = { 0 };

		if (q->gateway[i]->settings == NULL)
			continue;
		route_save(q->gateway[i]->route, &one);
		buf_put_text(&b, str_of(q->gateway[i]->name));
		buf_put_text(&b, buf_str(&one));
		buf_clear(&one);
	}
	save(q, "ports", &b);
	fit_save(q, &b);
	save(q, "offers", &b);
}

void
store_soon(struct queue *q)
{
	int64_t at = loop_now_ms(q->loop) + 1000;

	if (!heap_has(&q->minute.node) || q->minute.node.key > at)
		loop_timer(q->loop, &q->minute, at);
}

static void
recall_clock(struct queue *q, struct cursor c)
{
	uint8_t version = cursor_u8(&c);
	int64_t ran = (int64_t)cursor_u64(&c), wall = (int64_t)cursor_u64(&c);
	int64_t away = clock_wall_s() - wall;

	if (c.bad || version != MEMORY_VERSION || ran < 0 || ran > UINT32_MAX)
		return;
	q->clock_base_s = ran + (away < 0 ? 0 : away > 86400 ? 86400 : away);
}

static void
recall_ports(struct queue *q, struct cursor c)
{
	if (cursor_u8(&c) != MEMORY_VERSION)
		return;
	while (c.left > 0 && !c.bad) {
		struct str name = cursor_text(&c), bytes = cursor_text(&c);
		char *text = str_dup(name);
		struct gateway *g = c.bad ? NULL : gateway_find(q, text);

		if (g != NULL)
			route_load(g->route, bytes, clock_now_ms());
		free(text);
	}
}

static void
recall(struct queue *q)
{
	struct buf b = { 0 };
	struct str clock, ports;

	q->clock_base_at_ms = clock_now_ms();
	clock = store_find_file(q, "clock", &b);
	recall_clock(q, cursor_init(clock.p, clock.n));
	ports = store_find_file(q, "ports", &b);
	recall_ports(q, cursor_init(ports.p, ports.n));
	fit_load(q, store_find_file(q, "offers", &b));
	buf_clear(&b);
	pacing_recall(q);
}

/* --- the start ------------------------------------------------------------------- */

int
store_open(struct queue *q, struct why *why)
{
	const struct spool_options o = {
		.dir = q->config->spool_dir,
		.min_free = q->config->limits.min_free,
	};
	const struct spool_owner owner = { q, on_found, on_find, on_noted, on_ended, on_damaged, entry_unfinished };

	if (spool_open(&q->spool, &o, &owner, why) < 0)
		return -1;
	memo_start_ids(spool_last_id(q->spool));
	recall(q);
	for (size_t i = 0; i < q->order.n; i++)
		if (q->order.v[i].entry != NULL)
			place(q, q->order.v[i].entry);
	return 0;
}
