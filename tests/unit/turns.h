/* For tests of the queue: its helpers (the sync's, the names') work in real time, everything else at once. */
#ifndef UNIT_TURNS_H
#define UNIT_TURNS_H

#include <time.h>

#include "net/loop.h"

#include <check.h>	/* last: it defines fail() */

/* Turns the loop until the condition holds. */
#define turn_until(r, cond)                                                    \
	do {                                                                   \
		unsigned tries_ = 0;                                           \
		while (!(cond) && tries_++ < 100000) {                          \
			loop_turn((r)->loop, false);                           \
			if (tries_ > 50)                                       \
				nanosleep(&(struct timespec){ 0, 200000 }, NULL); \
		}                                                              \
		ck_assert_msg(cond, "%s", #cond);                              \
	} while (0)

#endif
