/*
 * Group commit: all that was staged while the disk was busy is written and synced at once, by a helper
 * thread, and only then does anyone hear 250.  A batch is whatever came meanwhile; there is no timer to tune.
 * What nobody waits for (reports, notes) is written at once but shares a sync within LAZY_MS.
 */
#include "queue/private.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/count.h"
#include "base/mem.h"

enum {
	LAZY_MS = 100,
	PATIENCE_MS = 110 * 1000	/* a client waits no longer for its reply */
};

struct committer {
	struct link done;		/* travels back when a sync has run */
	struct channel *back;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct spool_sync *todo;	/* under lock */
	struct spool_sync *running;
	bool stop;			/* under lock */
	bool failed;
	struct why why;
};

static _Noreturn void
give_up(const char *reason)
{
	log_event(LOG_ERROR, "spool_failed", log_text("reason", reason),
	    log_text("advice", "nothing more is accepted; what was acknowledged is on disk and is read at the next start"));
	log_flush();
	_exit(1);
}

static void *
run_helper(void *arg)
{
	struct committer *c = arg;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (c->todo == NULL && !c->stop)
			pthread_cond_wait(&c->wake, &c->lock);
		if (c->todo == NULL)
			break;
		c->running = c->todo;
		c->todo = NULL;
		pthread_mutex_unlock(&c->lock);
		c->failed = spool_sync_run(c->running, &c->why) < 0;
		channel_post(c->back, &c->done);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void
answer(struct queue *q, struct submit *m)
{
	struct entry *e = order_find(&q->order, m->id);

	m->verdict = VERDICT_KEPT;
	m->memo.kind = MEMO_VERDICT;
	if (e != NULL) {
		const struct envelope *env = e->envelope;

		log_event(LOG_INFO, "accepted", log_id("msg", m->id), log_text("from", env->sender),
		    log_text("user", env->user[0] != '\0' ? env->user : NULL),
		    log_num("rcpts", env->nrcpt), log_num("size", (int64_t)env->size));
		history_put_accepted(q, e);
		entry_move(q, e, ENTRY_READY, 0);
	}
	count_add(COUNT_ACCEPTED, 1);
	memo_post(m->back, &m->memo);
}

static void
wake_waiters(struct queue *q)
{
	struct node over, *n;

	/* What is called may begin or forget another wait. */
	list_init(&over);
	list_each(each, &q->awaiting) {
		if (--container_of(each, struct queue_wait, node)->batches > 0)
			continue;
		list_remove(each);
		list_put(&over, each);
	}
	while ((n = list_take(&over)) != NULL) {
		struct queue_wait *w = container_of(n, struct queue_wait, node);

		w->fn(w->arg);
	}
}

static void
settle(struct queue *q)
{
	struct committer *c = q->committer;

	if (c->failed)
		give_up(c->why.text);
	if (spool_sync_trouble(c->running) != NULL)
		log_event(LOG_WARNING, "not_saved", log_text("reason", spool_sync_trouble(c->running)));
	spool_sync_end(q->spool, &c->running);
	if (q->quota_flying)
		pacing_saved(q);
	q->quota_flying = false;
	count_add(COUNT_SYNCS, 1);
	q->sync_running = false;
	q->compacting = true;	/* what this batch freed can go */
	for (size_t i = 0; i < q->nsyncing; i++)
		if (q->syncing[i] != NULL)
			answer(q, q->syncing[i]);
	for (size_t i = 0; i < q->nsyncing_own; i++) {
		struct entry *e = order_find(&q->order, q->syncing_own[i]);

		if (e != NULL) {
			history_put_accepted(q, e);
			entry_move(q, e, ENTRY_READY, 0);
		}
	}
	q->nsyncing = q->nsyncing_own = 0;
	wake_waiters(q);
}

static void
on_synced(void *arg, struct link *l)
{
	(void)l;
	settle(arg);
	dispatch_soon(arg);
}

/* Writes what is staged; what waits for it becomes the batch being synced. */
static struct spool_sync *
write_batch(struct queue *q)
{
	struct why why;
	struct spool_sync *y = spool_write(q->spool, &why);
	struct submit **swap = q->syncing;
	size_t swap_cap = q->cap_syncing;
	uint64_t *swap_own = q->syncing_own;
	size_t swap_own_cap = q->cap_syncing_own;

	if (y == NULL)
		give_up(why.text);
	q->quota_flying = q->quota_staged;
	q->quota_staged = q->urgent = false;
	q->syncing = q->batch;
	q->nsyncing = q->nbatch;
	q->cap_syncing = q->cap_batch;
	q->batch = swap;
	q->nbatch = 0;
	q->cap_batch = swap_cap;
	q->syncing_own = q->batch_own;
	q->nsyncing_own = q->nbatch_own;
	q->cap_syncing_own = q->cap_batch_own;
	q->batch_own = swap_own;
	q->nbatch_own = 0;
	q->cap_batch_own = swap_own_cap;
	return y;
}

static void
start_sync(struct queue *q)
{
	struct committer *c = q->committer;
	struct spool_sync *y = write_batch(q);

	loop_cancel(q->loop, &q->lazy);
	q->sync_running = true;
	pthread_mutex_lock(&c->lock);
	c->todo = y;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
}

static void
on_lazy(void *arg)
{
	struct queue *q = arg;

	if (!q->sync_running && spool_is_dirty(q->spool))
		start_sync(q);
}

/* The disk takes too long: the client hears 451 while it still listens, and the record is void. */
static void
give_late(struct queue *q, struct submit **v, size_t n)
{
	int64_t now = loop_now_ms(q->loop);

	for (size_t i = 0; i < n; i++) {
		struct submit *m = v[i];
		struct entry *e;

		if (m == NULL || now - m->staged_at_ms < PATIENCE_MS)
			continue;
		e = order_find(&q->order, m->id);
		log_event(LOG_ERROR, "not_accepted", log_id("msg", m->id), log_text("reason", "the disk has not synced in 110 s"));
		if (e != NULL)
			store_done(q, e);
		v[i] = NULL;
		m->verdict = VERDICT_LOCAL_ERROR;
		m->memo.kind = MEMO_VERDICT;
		memo_post(m->back, &m->memo);
	}
}

bool
queue_await(struct queue *q, struct queue_wait *w, void (*fn)(void *arg), void *arg)
{
	unsigned batches = (q->sync_running ? 1U : 0U) + (spool_is_dirty(q->spool) ? 1U : 0U);

	if (batches == 0)
		return false;
	*w = (struct queue_wait){ .fn = fn, .arg = arg, .batches = batches };
	list_put(&q->awaiting, &w->node);
	q->urgent = true;
	return true;
}

void
queue_forget(struct queue_wait *w)
{
	if (list_is_linked(&w->node))
		list_remove(&w->node);
}

void
commit_second(struct queue *q)
{
	give_late(q, q->syncing, q->nsyncing);
	give_late(q, q->batch, q->nbatch);
}

void
commit_turn(struct queue *q)
{
	if (q->sync_running || !spool_is_dirty(q->spool))
		return;
	if (q->nbatch > 0 || q->nbatch_own > 0 || q->urgent)
		start_sync(q);
	else if (!heap_has(&q->lazy.node))
		loop_timer(q->loop, &q->lazy, loop_now_ms(q->loop) + LAZY_MS);
}

void
commit_add(struct queue *q, struct submit *m)
{
	if (q->nbatch == q->cap_batch) {
		q->cap_batch = q->cap_batch != 0 ? q->cap_batch * 2 : 64;
		q->batch = mem_resize(q->batch, q->cap_batch, sizeof(struct submit *));
	}
	m->staged_at_ms = loop_now_ms(q->loop);
	q->batch[q->nbatch++] = m;
}

void
commit_add_own(struct queue *q, uint64_t id)
{
	if (q->nbatch_own == q->cap_batch_own) {
		q->cap_batch_own = q->cap_batch_own != 0 ? q->cap_batch_own * 2 : 16;
		q->batch_own = mem_resize(q->batch_own, q->cap_batch_own, sizeof(uint64_t));
	}
	q->batch_own[q->nbatch_own++] = id;
}

void
commit_start(struct queue *q)
{
	struct committer *c = mem_zero(sizeof *c);

	q->committer = c;
	c->back = channel_new(q->loop, on_synced, q);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	timer_init(&q->lazy, on_lazy, q);
	if (pthread_create(&c->thread, NULL, run_helper, c) != 0)
		give_up("cannot start the thread that syncs");
}

void
commit_stop(struct queue *q)
{
	struct committer *c = q->committer;

	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	if (q->sync_running)
		settle(q);	/* the helper's note may still lie in the channel; it carries nothing */
	while (spool_is_dirty(q->spool)) {
		c->running = write_batch(q);
		c->failed = spool_sync_run(c->running, &c->why) < 0;
		settle(q);
	}
	channel_free(&c->back);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->wake);
	free(c);
	q->committer = NULL;
	free(q->batch);
	free(q->syncing);
	free(q->batch_own);
	free(q->syncing_own);
}
