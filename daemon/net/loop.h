/*
 * One thread, one loop (libevent's epoll), with timers, hooks at the end of each
 * turn, and a graveyard.  Everything here but loop_is_alive is for the loop's own
 * thread.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"

struct loop;

struct loop *loop_new(const char *name);
void loop_free(struct loop **l);
void loop_run(struct loop *l);		/* until loop_stop; batches this thread's log */
void loop_stop(struct loop *l);
void loop_turn(struct loop *l, bool wait); /* one turn, for tests */

/* For the watchdog.  From now on the loop turns at least so often, whether it has work or not; before loop_run. */
void loop_beat(struct loop *l, int64_t every_ms);
/* Did its last turn begin at most limit_ms ago?  A loop that is stuck anywhere, even in poll, is not alive.  Any thread. */
bool loop_is_alive(const struct loop *l, int64_t now_ms, int64_t limit_ms);

/* A timer: embed it, timer_init once.  Firing removes it first. */
struct timer {
	struct heap_node node;
	void (*fn)(void *arg);
	void *arg;
};

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);
void loop_timer(struct loop *l, struct timer *t, int64_t at_ms); /* set or move */
void loop_cancel(struct loop *l, struct timer *t);
int64_t loop_now_ms(struct loop *l);	/* monotonic, read once a turn */

/* Called at the end of every turn, in the order of registration, and again after
 * jobs ran: the hooks see all that happened before the loop sleeps.  A hook that sets
 * a job each time it is called would never end. */
void loop_on_turn_end(struct loop *l, void (*fn)(void *arg), void *arg);

/* Called once at the end of this turn: embed a job, zero it; running twice before
 * the end of the turn is once. */
struct turn_job {
	struct node node;
	void (*fn)(void *arg);
	void *arg;
};
void loop_at_turn_end(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg);
void loop_forget_job(struct turn_job *j);

/* Frees obj by free_fn at the end of the turn: nothing is freed inside its own
 * callback. */
void loop_bury(struct loop *l, void *obj, void (*free_fn)(void *obj));

/* A descriptor that becomes readable (eventfd, signalfd, inotify, netlink). */
struct watch;
struct watch *loop_watch(struct loop *l, int fd, void (*fn)(void *arg, int fd), void *arg);
void watch_free(struct watch **w);	/* does not close fd */

#endif
