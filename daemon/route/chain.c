/* Doors in order: how they follow from entries and addresses, and who is tried first. */
#include "route/chain.h"

#include <string.h>
#include <sys/socket.h>

/* The first address not yet among the n of `taken' that is of another family than
 * the last one there, or else any; NULL if there is no more. */
static const char *
next_address(const char *const *taken, unsigned ntaken,
    const char *const *address, unsigned n)
{
	int last = ntaken > 0 ? breaker_family(taken[ntaken - 1]) : AF_UNSPEC;
	const char *any = NULL;

	for (unsigned i = 0; i < n; i++) {
		int family = breaker_family(address[i]);
		bool again = family == AF_UNSPEC;

		for (unsigned k = 0; k < ntaken && !again; k++)
			again = strcmp(taken[k], address[i]) == 0;
		if (again)
			continue;
		if (family != last)
			return address[i];
		if (any == NULL)
			any = address[i];
	}
	return any;
}

/* RFC 8305 4, with a First Address Family Count of 1. */
static unsigned
take_turns(const char **out, unsigned max, const char *const *address, unsigned n)
{
	unsigned taken = 0;

	while (taken < max) {
		out[taken] = next_address(out, taken, address, n);
		if (out[taken] == NULL)
			break;
		taken++;
	}
	return taken;
}

static bool
same_entry(const struct chain_entry *a, const struct candidate *b)
{
	return a->port == b->port && a->tls == b->tls;
}

static void
remember(struct breaker *b, const struct chain *old)
{
	for (unsigned i = 0; i < old->ndoor; i++) {
		struct candidate at = b->door.at;

		if (!breaker_is_at(&old->door[i], &at))
			continue;
		*b = old->door[i];
		b->door.at.rank = at.rank;
		return;
	}
}

/* Whether what was known of an entry is bad and is now lost. */
static bool
became_foul(const struct chain *c, unsigned rank, const struct chain *old)
{
	const struct chain_entry *e = &c->entry[rank];
	bool good = false, bad = false;

	for (unsigned i = 0; i < c->ndoor; i++)
		if (c->door[i].door.at.rank == rank &&
		    c->door[i].door.state != DOOR_UNKNOWN)
			return false;
	for (unsigned i = 0; i < old->ndoor; i++) {
		const struct breaker *b = &old->door[i];

		if (!same_entry(e, &b->door.at))
			continue;
		bad |= breaker_is_bad(b) || old->foul[b->door.at.rank];
		good |= b->door.state == DOOR_UP;
	}
	return bad && !good;
}

void
chain_build(struct chain *c, const struct chain *old,
    const char *const *address, unsigned n)
{
	const char *taken[ROUTE_CANDIDATES_MAX];
	unsigned max = c->nentry > 0 ? ROUTE_CANDIDATES_MAX / c->nentry : 0;

	n = take_turns(taken, max, address, n);
	c->ndoor = 0;
	for (unsigned rank = 0; rank < c->nentry; rank++) {
		struct candidate at = {
			.port = c->entry[rank].port,
			.tls = c->entry[rank].tls,
			.rank = rank
		};

		for (unsigned i = 0; i < n; i++) {
			struct breaker *b = &c->door[c->ndoor++];

			str_fit(at.address, sizeof at.address, str_of(taken[i]));
			breaker_init(b, &at);
			remember(b, old);
		}
	}
	for (unsigned rank = 0; rank < c->nentry; rank++)
		c->foul[rank] = became_foul(c, rank, old);
}

struct breaker *
chain_find(struct chain *c, const struct candidate *at)
{
	for (unsigned i = 0; i < c->ndoor; i++)
		if (breaker_is_at(&c->door[i], at))
			return &c->door[i];
	return NULL;
}

enum { FIRST, SECOND, THIRD, LAST };

static int
turn_of(const struct chain *c, const struct door *d)
{
	switch (d->state) {
	case DOOR_UP:
		return FIRST;
	case DOOR_UNKNOWN:
		return c->foul[d->at.rank] ? THIRD : SECOND;
	default:
		return LAST;	/* but tried: networks change */
	}
}

unsigned
chain_order(const struct chain *c, struct candidate *out, unsigned max)
{
	unsigned n = 0;

	for (int turn = FIRST; turn <= LAST; turn++)
		for (unsigned i = 0; i < c->ndoor && n < max; i++)
			if (turn_of(c, &c->door[i].door) == turn)
				out[n++] = c->door[i].door.at;
	return n;
}

unsigned
chain_before_best(const struct chain *c)
{
	for (unsigned i = 0; i < c->ndoor; i++)
		if (c->door[i].door.state == DOOR_UP)
			return i;
	return 0;
}
