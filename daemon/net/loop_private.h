/* What a loop offers to the other files of this room alone. */
#ifndef NET_LOOP_PRIVATE_H
#define NET_LOOP_PRIVATE_H

#include "net/loop.h"

struct event_base;

enum { LOOP_SCRATCH = 64 * 1024 };

struct event_base *loop_base(struct loop *l);

/* LOOP_SCRATCH bytes for whoever reads just now; nobody's when a callback returns. */
char *loop_scratch(struct loop *l);

/* The first thing that every callback of libevent says: the loop does not sleep. */
void loop_awake(struct loop *l);

/* As loop_at_turn_end, but in the next turn, after a poll that does not wait: for
 * those who had their share of this one. */
void loop_next_turn(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg);

/* fn is called by loop_free unless loop_forget_job came first: for what lives on
 * a loop without an owner. */
void loop_at_free(struct loop *l, struct turn_job *j, void (*fn)(void *arg), void *arg);

struct loop_farewells {	/* farewell.c's */
	struct node list;
	unsigned n;
};

struct loop_farewells *loop_farewells(struct loop *l);

#endif
