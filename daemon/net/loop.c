/*
 * The loop: libevent waits, everything else is ours.  Timers stand in a heap of
 * our own with one timer of libevent for the first of them, so that moving a
 * deadline costs no system call and no event.
 */
#include "net/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop_private.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libevent's clock stands still in suspend, ours does not: look again this often. */
enum { LONGEST_WAIT_MS = 60 * 1000 };

struct hook {
	void (*fn)(void *arg);
	void *arg;
};

struct corpse {
	void *obj;
	void (*free_fn)(void *obj);
};

struct loop {
	char *name;
	struct event_base *base;
	struct event alarm;
	int64_t alarm_at_ms;		/* what it is set for, -1: not set */
	struct heap timers;
	int64_t now_ms;			/* 0: not read in this turn yet */
	struct hook *hook;
	size_t nhook;
	struct node jobs, next, tenants;
	struct corpse *corpse;
	size_t ncorpse, corpse_cap;
	char *scratch;
	bool stop;
	struct timer beat;
	int64_t beat_every_ms;
	_Atomic int64_t turned_at_ms;
};

struct watch {
	struct loop *loop;
	struct event event;
	void (*fn)(void *arg, int fd);
	void *arg;
};

static void
on_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd, (void)what;
	l->alarm_at_ms = -1;	/* it has done its work: the poll ended */
}

struct loop *
loop_new(const char *name)
{
	struct loop *l = mem_zero(sizeof *l);
	struct event_config *ec = event_config_new();

	/* OpenSSL writes with write(2), which knows no MSG_NOSIGNAL. */
	signal(SIGPIPE, SIG_IGN);
	if (ec != NULL) {
		event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK);
		l->base = event_base_new_with_config(ec);
		event_config_free(ec);
	}
	if (l->base == NULL)
		bug("loop %s: libevent gives no base", name);
	l->name = mem_text(name);
	l->alarm_at_ms = -1;
	evtimer_assign(&l->alarm, l->base, on_alarm, l);
	list_init(&l->jobs);
	list_init(&l->next);
	list_init(&l->tenants);
	atomic_init(&l->turned_at_ms, clock_now_ms());
	return l;
}

static void
bury_dead(struct loop *l)
{
	for (size_t i = 0; i < l->ncorpse; i++) {	/* may grow meanwhile */
		struct corpse c = l->corpse[i];

		c.free_fn(c.obj);
	}
	l->ncorpse = 0;
}

void
loop_free(struct loop **lp)
{
	struct loop *l = *lp;
	struct node *n;

	if (l == NULL)
		return;
	*lp = NULL;
	while ((n = list_take(&l->tenants)) != NULL) {
		struct turn_job *j = container_of(n, struct turn_job, node);

		j->fn(j->arg);
	}
	bury_dead(l);
	event_del(&l->alarm);
	event_base_free(l->base);
	heap_clear(&l->timers);
	free(l->hook);
	free(l->corpse);
	free(l->scratch);
	free(l->name);
	free(l);
}

/* --- one turn ------------------------------------------------------------- */

/* Sets libevent's timer for the first of ours.  False if that one is due already. */
static bool
set_alarm(struct loop *l)
{
	struct heap_node *first = heap_find(&l->timers);
	int64_t wait_ms;
	struct timeval tv;

	if (first == NULL) {
		if (l->alarm_at_ms != -1)
			event_del(&l->alarm);
		l->alarm_at_ms = -1;
		return true;
	}
	wait_ms = first->key - clock_now_ms();
	if (wait_ms <= 0)
		return false;
	if (first->key == l->alarm_at_ms)
		return true;
	if (wait_ms > LONGEST_WAIT_MS)
		wait_ms = LONGEST_WAIT_MS;
	tv.tv_sec = wait_ms / 1000;
	tv.tv_usec = wait_ms % 1000 * 1000;
	evtimer_add(&l->alarm, &tv);
	l->alarm_at_ms = first->key;
	return true;
}

static void
fire_timers(struct loop *l)
{
	int64_t now_ms = loop_now_ms(l);
	struct heap_node *first;

	/* Counted: timers that are set to "now" by timers wait for the next turn. */
	for (size_t left = l->timers.n; left > 0; left--) {
		struct timer *t;

		first = heap_find(&l->timers);
		if (first == NULL || first->key > now_ms)
			return;
		heap_remove(&l->timers, first);
		t = container_of(first, struct timer, node);
		t->fn(t->arg);
	}
}

/* Those of the last turn become jobs of this one. */
static void
promote(struct loop *l)
{
	struct node *n;

	while ((n = list_take(&l->next)) != NULL)
		list_put(&l->jobs, n);
}

static bool
run_jobs(struct loop *l)
{
	bool any = false;
	struct node *n;

	while ((n = list_take(&l->jobs)) != NULL) {
		struct turn_job *j = container_of(n, struct turn_job, node);

		any = true;
		j->fn(j->arg);
	}
	return any;
}

static void
run_hooks(struct loop *l)
{
	for (size_t i = 0; i < l->nhook; i++) {
		struct hook h = l->hook[i];	/* the array may move */

		h.fn(h.arg);
	}
}

void
loop_turn(struct loop *l, bool wait)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

	if (!set_alarm(l) || !wait || !list_is_empty(&l->jobs) ||
	    !list_is_empty(&l->next))
		flags |= EVLOOP_NONBLOCK;
	else
		log_flush();
	l->now_ms = 0;
	if (event_base_loop(l->base, flags) < 0)
		bug("loop %s: libevent failed", l->name);
	loop_awake(l);
	fire_timers(l);
	promote(l);
	do				/* jobs may leave work for the hooks */
		run_hooks(l);
	while (run_jobs(l));
	bury_dead(l);
}

void
loop_run(struct loop *l)
{
	if (gettid() != getpid())	/* the first thread's name is the process's */
		pthread_setname_np(pthread_self(), l->name);
	log_batch(true);
	while (!l->stop)
		loop_turn(l, true);
	l->stop = false;
	log_flush();
	log_batch(false);
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}

int64_t
loop_now_ms(struct loop *l)
{
	loop_awake(l);
	return l->now_ms;
}

void
loop_awake(struct loop *l)
{
	if (l->now_ms != 0)
		return;
	l->now_ms = clock_now_ms();
	atomic_store_explicit(&l->turned_at_ms, l->now_ms, memory_order_release);
}

bool
loop_is_alive(const struct loop *l, int64_t now_ms, int64_t limit_ms)
{
	return now_ms - atomic_load_explicit(&l->turned_at_ms,
	    memory_order_acquire) <= limit_ms;
}

static void
on_beat(void *arg)
{
	struct loop *l = arg;

	loop_timer(l, &l->beat, loop_now_ms(l) + l->beat_every_ms);
}

void
loop_beat(struct loop *l, int64_t every_ms)
{
	timer_init(&l->beat, on_beat, l);
	l->beat_every_ms = every_ms;
	on_beat(l);
}

/* --- timers, hooks, jobs, the graveyard ------------------------------------ */

void
timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
	memset(t, 0, sizeof *t);
	t->fn = fn;
	t->arg = arg;
}

void
loop_timer(struct loop *l, struct timer *t, int64_t at_ms)
{
	heap_move(&l->timers, &t->node, at_ms);
}

void
loop_cancel(struct loop *l, struct timer *t)
{
	heap_remove(&l->timers, &t->node);
}

void
loop_on_turn_end(struct loop *l, void (*fn)(void *arg), void *arg)
{
	l->hook = mem_resize(l->hook, l->nhook + 1, sizeof *l->hook);
	l->hook[l->nhook++] = (struct hook){ fn, arg };
}

static void
put_job(struct node *list, struct turn_job *j, void (*fn)(void *arg), void *arg)
{
	if (list_is_linked(&j->node))
		return;
	j->fn = fn;
	j->arg = arg;
	list_put(list, &j->node);
}

void
loop_at_turn_end(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg)
{
	put_job(&l->jobs, j, fn, arg);
}

void
loop_next_turn(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg)
{
	put_job(&l->next, j, fn, arg);
}

void
loop_at_free(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg)
{
	struct node *oldest = l->tenants.next;
	unsigned n = 0;

	for (struct node *t = oldest; t != &l->tenants; t = t->next)
		n++;
	if (n >= LOOP_TENANTS) {
		struct turn_job *leaves = container_of(oldest, struct turn_job, node);

		leaves->fn(leaves->arg);
	}
	put_job(&l->tenants, j, fn, arg);
}

void
loop_forget_job(struct turn_job *j)
{
	list_remove(&j->node);
}

void
loop_bury(struct loop *l, void *obj, void (*free_fn)(void *obj))
{
	if (l->ncorpse == l->corpse_cap) {
		l->corpse_cap = l->corpse_cap == 0 ? 16 : l->corpse_cap * 2;
		l->corpse = mem_resize(l->corpse, l->corpse_cap, sizeof *l->corpse);
	}
	l->corpse[l->ncorpse++] = (struct corpse){ obj, free_fn };
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

char *
loop_scratch(struct loop *l)
{
	if (l->scratch == NULL)
		l->scratch = mem_alloc(LOOP_SCRATCH);
	return l->scratch;
}

/* --- descriptors that become readable -------------------------------------- */

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)what;
	loop_awake(w->loop);
	w->fn(w->arg, fd);
}

struct watch *
loop_watch(struct loop *l, int fd, void (*fn)(void *arg, int fd), void *arg)
{
	struct watch *w = mem_zero(sizeof *w);

	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	event_assign(&w->event, l->base, fd, EV_READ | EV_PERSIST, on_readable, w);
	if (event_add(&w->event, NULL) < 0)
		bug("loop %s: cannot watch descriptor %d", l->name, fd);
	return w;
}

void
watch_free(struct watch **wp)
{
	struct watch *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	event_del(&w->event);
	loop_bury(w->loop, w, free);
}
