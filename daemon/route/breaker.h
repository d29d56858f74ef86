/* The memory of one door.  Private to route. */
#ifndef ROUTE_BREAKER_H
#define ROUTE_BREAKER_H

#include "route/route.h"

struct breaker {
	struct door door;
	int64_t tried_at_ms;	/* rechecks count from here; 0: never tried */
};

void breaker_init(struct breaker *b, const struct candidate *at);
void breaker_forget(struct breaker *b);

/* True if the state changed. */
bool breaker_tell(struct breaker *b, enum heard h, const char *reason,
    int64_t now_ms, int64_t wall_s);

/* When it wants to be tried again without mail; sets tried_at_ms if it was 0. */
void breaker_plan(struct breaker *b, int64_t recheck_ms, int64_t now_ms);

bool breaker_is_at(const struct breaker *b, const struct candidate *c);
bool breaker_is_bad(const struct breaker *b);	/* blocked or unsafe */

int breaker_family(const char *address);	/* AF_INET, AF_INET6; else AF_UNSPEC */

void breaker_save(const struct breaker *b, struct buf *out);
bool breaker_load(struct breaker *b, struct cursor *c); /* false: nonsense */

#endif
