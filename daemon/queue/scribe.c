/*
 * The thread that writes the history's files and searches them.  A disk that is slow, or a search through all that
 * is kept, holds nobody up: the queue's thread hands over blocks and never waits.  A search works in slices, so that
 * blocks are written between them and an answer of any length takes a bounded memory.
 */
#include "queue/private.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
	BLOCKS_MAX = 64,		/* not yet written; then new ones are dropped */
	SLICE = 16,			/* calls of spool_annals_read, and: */
	SLICE_OCTETS = 64 * 1024	/* of events found */
};

struct errand {
	struct node node;
	bool is_search;
};

struct block {
	struct errand errand;
	struct spool_annals_bounds bounds;
	struct buf bytes;
	uint64_t least, most;
};

struct queue_trace {
	struct errand errand;
	struct link link;		/* back to the queue's thread */
	struct scribe *scribe;
	uint64_t id;
	struct spool_annals_place place;
	struct buf found;		/* records */
	struct cursor rest;		/* of them */
	bool out;			/* the thread has it */
	bool ended;			/* there is no more to find */
	bool forgotten;			/* to be freed when it comes back */
	void (*ready)(void *arg);
	void *arg;
};

struct scribe {
	struct spool_annals *annals;	/* the thread's */
	struct buf part;
	bool failing;
	struct channel *back;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct node errands;		/* under lock, as are: */
	unsigned nblock;
	bool stop;
	bool lost, stopped;		/* the queue's thread's */
};

/* --- the thread -------------------------------------------------------------- */

static struct errand *
next_errand(struct scribe *s)
{
	struct node *n;
	struct errand *e;

	pthread_mutex_lock(&s->lock);
	while (list_is_empty(&s->errands) && !s->stop)
		pthread_cond_wait(&s->wake, &s->lock);
	n = list_take(&s->errands);
	e = n != NULL ? container_of(n, struct errand, node) : NULL;
	if (e != NULL && !e->is_search)
		s->nblock--;
	pthread_mutex_unlock(&s->lock);
	return e;
}

static void
write_block(struct scribe *s, struct block *b)
{
	struct why why;
	int r = b->bytes.len > 0 ?
	    spool_annals_append(s->annals, &b->bounds, &b->bytes, b->least, b->most, &why) :
	    spool_annals_prune(s->annals, &b->bounds, &why);

	if (r < 0 && !s->failing)
		log_event(LOG_WARNING, "history_failed", log_text("reason", why.text),
		    log_text("advice", "`gatepost trace' will not know what happens now; mail goes on"));
	s->failing = r < 0;
	buf_clear(&b->bytes);
	free(b);
}

static void
search(struct scribe *s, struct queue_trace *t)
{
	for (unsigned i = 0; i < SLICE && !t->ended && t->found.len < SLICE_OCTETS; i++) {
		struct cursor c;
		struct str r;

		buf_cut(&s->part, 0);
		t->ended = !spool_annals_read(s->annals, t->id, &t->place, &s->part);
		c = cursor_init(s->part.data, s->part.len);
		while ((r = history_find(&c, t->id)).n > 0) {
			buf_put_u16(&t->found, (uint16_t)r.n);
			buf_putstr(&t->found, r);
		}
	}
	channel_post(s->back, &t->link);
}

static void *
run(void *arg)
{
	struct scribe *s = arg;
	struct errand *e;

	while ((e = next_errand(s)) != NULL)
		if (e->is_search)
			search(s, container_of(e, struct queue_trace, errand));
		else
			write_block(s, container_of(e, struct block, errand));
	return NULL;
}

/* --- the queue's thread -------------------------------------------------------- */

static void
free_trace(struct queue_trace *t)
{
	buf_clear(&t->found);
	free(t);
}

static void
on_back(void *arg, struct link *l)
{
	struct queue_trace *t = container_of(l, struct queue_trace, link);

	t->out = false;
	t->rest = cursor_init(t->found.data, t->found.len);
	if (t->forgotten)
		free_trace(t);
	else if (!((struct scribe *)arg)->stopped)
		t->ready(t->arg);
}

struct scribe *
scribe_start(struct loop *l, struct spool_annals *a)
{
	struct scribe *s = mem_zero(sizeof *s);

	s->annals = a;
	s->back = channel_new(l, on_back, s);
	list_init(&s->errands);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		bug("cannot start the thread that writes the history");
	return s;
}

void
scribe_stop(struct scribe **sp)
{
	struct scribe *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	s->stopped = true;
	channel_drain(s->back);
	channel_free(&s->back);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	spool_annals_close(&s->annals);
	buf_clear(&s->part);
	free(s);
}

/* false: it has too much to do. */
static bool
give(struct scribe *s, struct errand *e)
{
	bool taken;

	pthread_mutex_lock(&s->lock);
	taken = e->is_search || s->nblock < BLOCKS_MAX;
	if (taken) {
		list_put(&s->errands, &e->node);
		s->nblock += !e->is_search;
		pthread_cond_signal(&s->wake);
	}
	pthread_mutex_unlock(&s->lock);
	return taken;
}

void
scribe_write(struct scribe *s, const struct spool_annals_bounds *bounds, struct buf *bytes, uint64_t least, uint64_t most)
{
	struct block *b = mem_zero(sizeof *b);
	bool lost;

	b->bounds = *bounds;
	b->bytes = *bytes;
	b->least = least;
	b->most = most;
	*bytes = (struct buf){ 0 };
	lost = !give(s, &b->errand);
	if (lost && !s->lost)
		log_event(LOG_WARNING, "history_lost", log_text("reason", "the disk is too slow for it"));
	s->lost = lost;
	if (lost) {
		buf_clear(&b->bytes);
		free(b);
	}
}

static void
ask(struct queue_trace *t)
{
	buf_cut(&t->found, 0);
	t->out = true;
	give(t->scribe, &t->errand);
}

struct queue_trace *
scribe_search(struct scribe *s, uint64_t id, void (*ready)(void *arg), void *arg)
{
	struct queue_trace *t = mem_zero(sizeof *t);

	t->errand.is_search = true;
	t->scribe = s;
	t->id = id;
	t->ready = ready;
	t->arg = arg;
	ask(t);
	return t;
}

enum queue_trace_step
queue_trace_next(struct queue_trace *t, struct queue_event *out)
{
	struct str r;

	if (t->out)
		return TRACE_LATER;
	while ((r = history_find(&t->rest, t->id)).n > 0)
		if (history_read(r, out))
			return TRACE_EVENT;
	if (t->ended)
		return TRACE_END;
	ask(t);
	return TRACE_LATER;
}

void
queue_trace_stop(struct queue_trace **tp)
{
	struct queue_trace *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	t->forgotten = true;
	if (!t->out)
		free_trace(t);
}
