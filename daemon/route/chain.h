/* Doors in order.  Private to route. */
#ifndef ROUTE_CHAIN_H
#define ROUTE_CHAIN_H

#include "route/breaker.h"

/* An upstream's doors in chain order: by entry, and there by address. */
struct chain {
	struct chain_entry entry[ROUTE_CANDIDATES_MAX];
	unsigned nentry;
	struct breaker door[ROUTE_CANDIDATES_MAX];
	unsigned ndoor;		/* nentry * number of addresses */
	/* What we knew of this entry's doors was all bad, and went with their
	 * addresses: that a name moved does not mean that the network did. */
	bool foul[ROUTE_CANDIDATES_MAX];
};

/* Makes the doors; those that `old' has too keep their memory.  Of the addresses,
 * what is none, or said twice, is left out, and families take turns. */
void chain_build(struct chain *c, const struct chain *old,
    const char *const *address, unsigned n);

struct breaker *chain_find(struct chain *c, const struct candidate *at);
unsigned chain_order(const struct chain *c, struct candidate *out, unsigned max);

/* How many doors stand before the first that is up; 0 if none is. */
unsigned chain_before_best(const struct chain *c);

#endif
