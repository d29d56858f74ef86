/* What a loop offers to the other files of this room alone. */
#ifndef NET_LOOP_PRIVATE_H
#define NET_LOOP_PRIVATE_H

#include "net/loop.h"

struct event_base;

enum {
	LOOP_SCRATCH = 64 * 1024,
	LOOP_TENANTS = 128	/* each has a descriptor that nobody counts */
};

struct event_base *loop_base(struct loop *l);

/* LOOP_SCRATCH bytes for whoever reads just now; nobody's when a callback returns. */
char *loop_scratch(struct loop *l);

/* The first thing that every callback of libevent says: the loop does not sleep. */
void loop_awake(struct loop *l);

/* As loop_at_turn_end, but in the next turn, after a poll that does not wait: for
 * those who had their share of this one. */
void loop_next_turn(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg);

/* For what lives on a loop without an owner: fn is called by loop_free, or by the one that comes when there are LOOP_TENANTS
 * already and this is the oldest, unless loop_forget_job came first.  fn forgets the job. */
void loop_at_free(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg);

#endif
