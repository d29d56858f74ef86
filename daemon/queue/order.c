/*
 * Every entry by its id, which is by its age: a sorted array with holes.  Ids only grow, so a new
 * one goes at or near the end; 16 octets an entry, no hashing, and listings come in order for nothing.
 */
#include "queue/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
order_clear(struct order *o)
{
	free(o->v);
	*o = (struct order){ 0 };
}

/* The first slot whose id is >= id. */
static size_t
lower_bound(const struct order *o, uint64_t id)
{
	size_t lo = o->first, hi = o->n;

	if (hi > lo && o->v[hi - 1].id < id)
		return hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->v[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Closes the holes once they are more than half. */
static void
squeeze(struct order *o)
{
	size_t to = 0;

	if (o->holes < 1024 || o->holes * 2 < o->n)
		return;
	for (size_t i = o->first; i < o->n; i++)
		if (o->v[i].entry != NULL)
			o->v[to++] = o->v[i];
	o->n = to;
	o->first = 0;
	o->holes = 0;
	if (o->cap > 4096 && o->n * 4 < o->cap) {
		o->cap /= 2;
		o->v = mem_resize(o->v, o->cap, sizeof *o->v);
	}
}

void
order_put(struct order *o, struct entry *e)
{
	struct order_slot s = { e->item.id, e };
	size_t at;

	if (o->n == o->cap) {
		o->cap = o->cap != 0 ? o->cap * 2 : 256;
		o->v = mem_resize(o->v, o->cap, sizeof *o->v);
	}
	at = lower_bound(o, s.id);
	if (at < o->n && o->v[at].id == s.id) {
		if (o->v[at].entry != NULL)
			bug("order: id %llu twice", (unsigned long long)s.id);
		o->v[at].entry = e;
		o->holes--;
		return;
	}
	memmove(o->v + at + 1, o->v + at, (o->n - at) * sizeof *o->v);
	o->v[at] = s;
	o->n++;
}

struct entry *
order_find(const struct order *o, uint64_t id)
{
	size_t at = lower_bound(o, id);

	return at < o->n && o->v[at].id == id ? o->v[at].entry : NULL;
}

void
order_take(struct order *o, uint64_t id)
{
	size_t at = lower_bound(o, id);

	if (at >= o->n || o->v[at].id != id || o->v[at].entry == NULL)
		return;
	o->v[at].entry = NULL;
	o->holes++;
	while (o->first < o->n && o->v[o->first].entry == NULL)
		o->first++;
	if (o->first == o->n)
		o->n = o->first = o->holes = 0;
	squeeze(o);
}

struct entry *
order_next(const struct order *o, uint64_t after)
{
	for (size_t at = lower_bound(o, after + 1); at < o->n; at++)
		if (o->v[at].entry != NULL)
			return o->v[at].entry;
	return NULL;
}
