/*
 * What the control room may ask of the queue and do to it; runs on the queue's loop.
 */
#include "queue/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

const char *
message_state_name(enum message_state s)
{
	static const char *const names[] = { "active", "deferred", "held" };

	return names[s];
}

static size_t
count_ready_open(const struct queue *q)
{
	size_t n = 0;

	for (unsigned i = 0; i < q->nway; i++)
		if (!dispatch_is_closed(q, i))
			n += q->way[i].nready;
	return n;
}

/* A message from before the wall clock went back is new. */
static int64_t
age_s(const struct entry *e)
{
	int64_t age = clock_wall_s() - (int64_t)(e->item.id / 1000000);

	return age > 0 ? age : 0;
}

void
queue_get_totals(const struct queue *q, struct queue_totals *out)
{
	const struct entry *oldest = order_next(&q->order, 0);
	uint64_t ready = count_ready_open(q);

	*out = q->totals;
	out->active += ready;
	out->deferred -= ready < out->deferred ? ready : out->deferred;
	out->oldest_s = oldest != NULL ? age_s(oldest) : 0;
}

bool
queue_find_upstream(const struct queue *q, unsigned n, struct queue_upstream *out)
{
	for (unsigned i = 0; i < q->ngateway; i++) {
		const struct gateway *g = q->gateway[i];

		if (g->settings == NULL || n-- > 0)
			continue;
		*out = (struct queue_upstream){
			.name = g->name, .host = g->settings->host, .capture = g->settings->capture, .gate = &g->gate, .route = g->route,
			.connections = g->nlane - g->nopening, .has_active = g->has_active && g->nlane > 0,
			.active = g->active, .quota_left = pace_quota_left(&q->gateway[i]->pace, loop_now_ms(q->loop)),
		};
		pacing_print_reason(g, out->reason, sizeof out->reason);
		return true;
	}
	return false;
}

/* Why it has not gone yet: what the last attempt said, or its upstream's state. */
static void
find_reason(const struct queue *q, const struct entry *e, struct queue_message *out)
{
	const struct gateway *g;

	for (unsigned i = 0; e->envelope != NULL && i < e->envelope->nrcpt; i++) {
		const struct recipient *r = &e->envelope->rcpt[i];

		if (r->state == RCPT_WAITING && r->last.text != NULL) {
			snprintf(out->reason, sizeof out->reason, "%s", r->last.text);
			break;
		}
	}
	if (e->gathered && e->recipients == 0)
		snprintf(out->reason, sizeof out->reason, "over bounce_limit: its sender is told with others' within the hour");
	if (e->state == ENTRY_HELD && e->at.held != NULL)
		snprintf(out->reason, sizeof out->reason, "%s", e->at.held);
	if (e->state == ENTRY_READY && (g = dispatch_find_gateway(q, e->way)) != NULL && g->gate.reason[0] != '\0')
		pacing_print_reason(g, out->reason, sizeof out->reason);
}

static struct envelope *
copy_envelope(const struct envelope *e)
{
	struct buf b = { 0 };
	struct envelope *copy;

	envelope_encode(&b, e);
	copy = envelope_decode(buf_str(&b));
	buf_clear(&b);
	for (unsigned i = 0; copy != NULL && i < copy->nrcpt; i++) {
		copy->rcpt[i].state = e->rcpt[i].state;
		copy->rcpt[i].attempts = e->rcpt[i].attempts;
		outcome_copy(&copy->rcpt[i].last, &e->rcpt[i].last);
	}
	return copy;
}

static void
describe(const struct queue *q, struct entry *e, bool deep, struct queue_message *out)
{
	int64_t now = clock_now_ms();
	bool was_open = e->envelope != NULL;
	struct why why;

	memset(out, 0, sizeof *out);
	out->id = e->item.id;
	out->size = e->size;
	out->attempts = e->attempts;
	out->recipients = e->recipients;
	out->age_s = age_s(e);
	out->next_attempt_s = -1;
	out->state = MESSAGE_ACTIVE;
	if (e->state == ENTRY_HELD) {
		out->state = MESSAGE_HELD;
	} else if (e->state == ENTRY_WAITING) {
		out->state = MESSAGE_DEFERRED;
		out->next_attempt_s = e->at.due.key > now ? (e->at.due.key - now + 999) / 1000 : 0;
	} else if (e->state == ENTRY_READY && dispatch_is_closed(q, e->way)) {
		const struct gateway *g = dispatch_find_gateway(q, e->way);

		out->state = MESSAGE_DEFERRED;
		out->next_attempt_s = g->gate.retry_at_ms > now ? (g->gate.retry_at_ms - now + 999) / 1000 : 0;
	}
	if (deep && entry_load((struct queue *)q, e, &why) == 0)
		out->envelope = copy_envelope(e->envelope);
	find_reason(q, e, out);
	if (!was_open && e->envelope != NULL && e->state != ENTRY_OUT)
		entry_park((struct queue *)q, e);
}

bool
queue_next_message(struct queue *q, uint64_t *after, bool deep, struct queue_message *out)
{
	struct entry *e;

	while ((e = order_next(&q->order, *after)) != NULL) {
		*after = e->item.id;
		if (e->state == ENTRY_SYNCING)
			continue;
		describe(q, e, deep, out);
		return true;
	}
	return false;
}

static struct entry *
find(const struct queue *q, uint64_t id)
{
	struct entry *e = order_find(&q->order, id);

	return e != NULL && e->state != ENTRY_SYNCING ? e : NULL;
}

bool
queue_find_message(struct queue *q, uint64_t id, bool deep, struct queue_message *out)
{
	struct entry *e = find(q, id);

	if (e != NULL)
		describe(q, e, deep, out);
	return e != NULL;
}

int
queue_read_message(struct queue *q, uint64_t id, struct spool_reader **out, struct why *why)
{
	struct entry *e = find(q, id);

	if (e == NULL)
		return fail(why, "no such message in the queue");
	return spool_read_open(q->spool, &e->item, out, why);
}

static int
act_retry(struct queue *q, struct entry *e, struct why *why)
{
	if (e->state == ENTRY_HELD)
		return fail(why, "it is held; release it first");
	if (e->state == ENTRY_WAITING)
		entry_move(q, e, ENTRY_READY, 0);
	return 0;
}

static int
act_hold(struct queue *q, struct entry *e, struct why *why)
{
	if (e->state == ENTRY_HELD)
		return fail(why, "it is held already");
	if (e->state == ENTRY_OUT)
		e->hold_asked = true;	/* when its attempt has ended, if it is still there */
	else
		report_held(q, e, HELD_BY_OPERATOR);
	return 0;
}

static int
act_release(struct queue *q, struct entry *e, struct why *why)
{
	if (e->state != ENTRY_HELD)
		return fail(why, "it is not held");
	if (entry_load(q, e, why) < 0)
		return -1;
	for (unsigned i = 0; i < e->envelope->nrcpt; i++)
		if (e->envelope->rcpt[i].attempts > e->attempts)
			e->envelope->rcpt[i].attempts = e->attempts;
	e->arrived_queue_s = (uint32_t)(retry_clock_s(q) - (int64_t)e->arrived_queue_s);	/* time in hold does not count */
	e->shifted = true;
	entry_move(q, e, ENTRY_READY, 0);
	store_note(q, e);
	history_put(q, e->item.id, "released", "", "");
	return 0;
}

static int
act_delete(struct queue *q, struct entry *e)
{
	if (e->state == ENTRY_OUT) {
		e->doomed = true;
		return 0;
	}
	log_event(LOG_INFO, "deleted", log_id("msg", e->item.id));
	operator_tell(q, e->item.id, "deleted", "");
	store_done(q, e);
	return 0;
}

int
queue_act(struct queue *q, uint64_t id, enum queue_action a, struct why *why)
{
	struct entry *e = find(q, id);

	if (e == NULL)
		return fail(why, "no such message in the queue");
	switch (a) {
	case QUEUE_RETRY:
		return act_retry(q, e, why);
	case QUEUE_HOLD:
		return act_hold(q, e, why);
	case QUEUE_RELEASE:
		return act_release(q, e, why);
	case QUEUE_DELETE:
		return act_delete(q, e);
	}
	return fail(why, "no such action");
}

void
queue_open_gates(struct queue *q, const char *upstream)
{
	for (unsigned i = 0; i < q->ngateway; i++)
		if (upstream == NULL || strcmp(q->gateway[i]->name, upstream) == 0) {
			if (q->gateway[i]->settings != NULL)
				pacing_resume(q->gateway[i]);
			gateway_tell(q->gateway[i], GATE_EV_RETRY, "", 0);
		}
}

static void
print_attempt(char *out, size_t size, const struct queue_event *e)
{
	if (e->port == 0) {	/* a Maildir */
		snprintf(out, size, "%s via %s: %s", e->who, e->upstream, e->text);
		return;
	}
	snprintf(out, size, "%s via %s %s:%u %s: %d %s", e->who, e->upstream, e->address, e->port,
	    tls_mode_name(e->tls), e->code, e->text);
}

/* It ended before anybody could ask: what is still remembered of it. */
static void
tell_recent(const struct queue *q, const struct follower *f)
{
	struct queue_event e;
	char text[1280];

	if (!history_recall(q, f->id, &e))
		return;
	if (e.kind == EVENT_ATTEMPT)
		print_attempt(text, sizeof text, &e);
	f->fn(f->arg, f->id, e.event, e.kind == EVENT_ATTEMPT ? text : e.text);
	f->fn(f->arg, f->id, "ended", "");
}

void
queue_follow(struct queue *q, uint64_t id, void (*fn)(void *arg, uint64_t id, const char *event, const char *text), void *arg)
{
	struct follower *f = mem_zero(sizeof *f);

	f->id = id;
	f->fn = fn;
	f->arg = arg;
	list_put(&q->followers, &f->node);
	if (order_find(&q->order, id) == NULL)
		tell_recent(q, f);
}

static bool
is_followed(const struct queue *q, uint64_t id)
{
	list_each(n, &q->followers)
		if (container_of(n, struct follower, node)->id == id)
			return true;
	return false;
}

static void
tell(struct queue *q, uint64_t id, const char *event, const char *text)
{
	list_each(n, &q->followers) {
		struct follower *f = container_of(n, struct follower, node);

		if (f->id == id)
			f->fn(f->arg, id, event, text);
	}
}

void
operator_tell(struct queue *q, uint64_t id, const char *event, const char *text)
{
	history_put(q, id, event, "", text);
	tell(q, id, event, text);
}

void
operator_tell_attempt(struct queue *q, const struct job *j, const char *event, const char *to, const struct outcome *o)
{
	struct queue_event e;
	char text[1280];

	history_put_attempt(q, j, event, to, o);
	if (!is_followed(q, j->id) || !history_recall(q, j->id, &e))
		return;
	print_attempt(text, sizeof text, &e);
	tell(q, j->id, event, text);
}

void
queue_unfollow(struct queue *q, void *arg)
{
	list_each(n, &q->followers) {
		struct follower *f = container_of(n, struct follower, node);

		if (f->arg == arg) {
			list_remove(n);
			free(f);
		}
	}
}

struct queue_trace *
queue_trace_start(struct queue *q, uint64_t id, void (*ready)(void *arg), void *arg)
{
	return history_search(q, id, ready, arg);
}

const struct config *
queue_get_config(const struct queue *q)
{
	return q->config;
}
