/*
 * The machine's network changing: a global address or a default route comes or goes.
 *
 * Events of rtnetlink(7) are a hint only.  A second after one that may matter, all that matters is asked for and
 * compared with what it was, so that a lifetime that is renewed, a change that is undone at once and events that were lost
 * need no care of their own.
 */
#ifndef NET_LINKS_H
#define NET_LINKS_H

#include <stdint.h>

#include "base/str.h"
#include "base/why.h"
#include "net/loop.h"

struct links;

/* NULL: cannot watch (a sandbox without AF_NETLINK), *why says so.  changed() comes from the loop. */
struct links *links_start(struct loop *l, void (*changed)(void *arg), void *arg, struct why *why);
void links_stop(struct links **l);

/* The sum of what matters; the order in which it was told does not. */
struct links_sum {
	uint64_t sum;
	unsigned n;
};

/* What links_read found, together. */
enum links_said {
	LINKS_MATTERS = 1,	/* an address or a route that is worth a look */
	LINKS_BROKEN = 2,	/* something is missing, or makes no sense */
	LINKS_DONE = 4		/* the end of an answer */
};

/* Adds what one datagram tells to s.  Messages of another seq are passed over, unless it is 0 (events). */
unsigned links_read(struct str datagram, uint32_t seq, struct links_sum *s);

#endif
