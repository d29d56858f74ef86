/*
 * The queue's thread: memos in, the end of a turn, start and stop.  What is decided is decided in the other files
 * of this room; here is only the order of things: whatever a turn brought is staged, one write and one sync make it durable, and
 * only then do verdicts go out and messages leave.
 */
#include "queue/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	COMPACT_SLICE = 1 << 20,
	MANY_RCPT = 50 * 1000	/* in memory: 5 MB and more; with one recipient each there are never so many (OPEN_MAX) */
};

/* As `retry' does (CONTRACT.md 4): the trouble may have been in the configuration. */
static void
retry_all(struct queue *q)
{
	struct heap_node *n;

	while ((n = heap_find(&q->waiting)) != NULL)
		entry_move(q, container_of(n, struct entry, at.due), ENTRY_READY, 0);
	queue_open_gates(q, NULL);
}

static void
on_config(struct queue *q, struct config_memo *m)
{
	struct config *old = q->config;

	q->config = m->config;
	errand_configure(q->errands, q->config);
	gateway_configure(q);
	dispatch_configure(q);
	admit_clear(q);
	bucket_init(&q->bounces, q->config->queue.bounce_limit, loop_now_ms(q->loop));
	admit_limits(q, true);
	alert_configure(q);
	retry_all(q);
	config_unref(&old);
	users_unref(&m->users);
	tls_unref(&m->tls);
	memo_config_used(m);
}

static void
report_drained(struct queue *q)
{
	if (!q->draining || q->drained || q->totals.active > 0 || q->sync_running || q->nbatch > 0)
		return;
	q->drained = true;
	memo_post(q->main, memo_new(MEMO_DRAINED, sizeof(struct memo)));
}

static void
on_memo(void *arg, struct link *link)
{
	struct queue *q = arg;
	struct memo *m = container_of(link, struct memo, link);

	switch (m->kind) {
	case MEMO_SUBMIT:
		admit(q, (struct submit *)m);
		break;
	case MEMO_OPENED:
		gateway_on_opened(q, (struct open *)m);
		break;
	case MEMO_HEARD:
	case MEMO_PROBE:
		gateway_on_heard(q, (struct heard_memo *)m);
		break;
	case MEMO_REPORT:
		report_job(q, (struct job *)m);
		break;
	case MEMO_CLOSED:
		gateway_on_closed(q, (struct lane_memo *)m);
		break;
	case MEMO_CONFIG:
		on_config(q, (struct config_memo *)m);
		break;
	case MEMO_DRAIN:
		q->draining = true;
		free(m);
		break;
	case MEMO_STOP:
		loop_stop(q->loop);
		free(m);
		break;
	default:
		bug("queue: memo %d is not for us", m->kind);
	}
}

static void
on_turn_end(void *arg)
{
	struct queue *q = arg;

	if (q->compacting)
		q->compacting = spool_compact(q->spool, COMPACT_SLICE);
	entry_park_crowded(q);
	commit_turn(q);
	report_drained(q);
}

static void
on_due(void *arg)
{
	struct queue *q = arg;
	int64_t now = loop_now_ms(q->loop);
	struct heap_node *n;

	while ((n = heap_find(&q->waiting)) != NULL && n->key <= now)
		entry_move(q, container_of(n, struct entry, at.due), ENTRY_READY, 0);
	if (n != NULL)
		loop_timer(q->loop, &q->due, n->key);
}

static void
on_second(void *arg)
{
	struct queue *q = arg;

	admit_limits(q, false);
	alert_second(q);
	commit_second(q);
	if (q->nbatch + q->nsyncing == 0)	/* nobody waits for us */
		peak_look(&q->open_peak, q->nopen_rcpt, MANY_RCPT, loop_now_ms(q->loop));
	q->compacting = true;
	loop_timer(q->loop, &q->second, loop_now_ms(q->loop) + 1000);
}

static void
on_minute(void *arg)
{
	struct queue *q = arg;

	store_memory(q);
	spool_rest(q->spool);
	history_minute(q);
	loop_timer(q->loop, &q->minute, loop_now_ms(q->loop) + 60 * 1000);
}

static void
on_rested(void *arg)
{
	dispatch_soon(arg);
}

int
queue_new(struct queue **out, struct loop *l, const struct queue_options *o, struct why *why)
{
	struct queue *q = mem_zero(sizeof *q);

	q->loop = l;
	q->main = o->main;
	q->config = config_ref(o->config);
	list_init(&q->unrouted);
	list_init(&q->followers);
	list_init(&q->awaiting);
	q->channel = channel_new(l, on_memo, q);
	q->dns = dns_start(l);
	q->errands = o->errands != NULL ? o->errands : errand_start(l, -1, o->config);
	timer_init(&q->due, on_due, q);
	timer_init(&q->second, on_second, q);
	timer_init(&q->minute, on_minute, q);
	timer_init(&q->slice, on_rested, q);
	timer_init(&q->rest, on_rested, q);
	bucket_init(&q->bounces, q->config->queue.bounce_limit, clock_now_ms());
	owed_start(q);
	gateway_configure(q);
	dispatch_configure(q);
	*out = q;
	if (store_open(q, why) < 0) {
		queue_free(out);
		return -1;
	}
	history_start(q);
	alert_start(q);
	commit_start(q);
	return 0;
}

struct channel *
queue_get_channel(struct queue *q)
{
	return q->channel;
}

struct spool_blobs *
queue_get_blobs(struct queue *q)
{
	return spool_get_blobs(q->spool);
}

static struct channel **
copy_channels(struct channel *const *c, unsigned n)
{
	return mem_copy(c, n * sizeof(struct channel *));
}

void
queue_set_peers(struct queue *q, struct channel *const *listener, unsigned nlistener,
    struct channel *const *relay, unsigned nrelay)
{
	q->listener = copy_channels(listener, nlistener);
	q->nlistener = nlistener;
	q->relay = copy_channels(relay, nrelay);
	q->nrelay = nrelay;
}

void
queue_start(struct queue *q)
{
	loop_on_turn_end(q->loop, on_turn_end, q);
	admit_limits(q, true);
	on_second(q);
	on_minute(q);
	dispatch_soon(q);
	if (q->totals.messages > 0)
		log_event(LOG_INFO, "recovered", log_num("messages", (int64_t)q->totals.messages),
		    log_num("held", (int64_t)q->totals.held), log_num("damaged", (int64_t)q->totals.damaged));
}

static void
free_entries(struct queue *q)
{
	for (size_t i = 0; i < q->order.n; i++) {
		struct entry *e = q->order.v[i].entry;

		if (e == NULL)
			continue;
		if (e->envelope != NULL)
			envelope_free(&e->envelope);
		if (e->state == ENTRY_HELD)
			free(e->at.held);
	}
	order_clear(&q->order);
	heap_clear(&q->waiting);
	for (size_t i = 0; i < q->nslabs; i++)
		free(q->slabs[i]);
	free(q->slabs);
}

void
queue_finish(struct queue *q)
{
	if (q->committer == NULL)
		return;
	q->draining = q->finishing = true;
	channel_drain(q->channel);	/* the last reports are worth writing down */
	store_memory(q);
	commit_stop(q);
	history_stop(q);
}

void
queue_free(struct queue **qp)
{
	struct queue *q = *qp;

	if (q == NULL)
		return;
	*qp = NULL;
	queue_finish(q);
	alert_stop(q);
	owed_clear(q);
	buf_clear(&q->crowded);
	spool_close(&q->spool);
	network_stop(q);
	dns_stop(&q->dns);
	free_entries(q);
	gateway_free_all(q);
	errand_stop(&q->errands);
	for (unsigned i = 0; i < q->nway; i++)
		free(q->way[i].gateway);
	free(q->way);
	admit_clear(q);
	memo_limits_clear(&q->limits);
	channel_free(&q->channel);
	config_unref(&q->config);
	free(q->listener);
	free(q->relay);
	free(q);
}
