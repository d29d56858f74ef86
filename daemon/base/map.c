/* A hash map: open addressing, the next free slot, no tombstones. */
#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>

enum { FIRST_CAP = 16 };

void
map_clear(struct map *m)
{
	free(m->v);
	*m = (struct map){ 0 };
}

static size_t
home(const struct map *m, uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (key ^ key >> 32) & (m->cap - 1);
}

/* The slot that holds the key, or the free one where it would go. */
static struct map_slot *
slot_of(const struct map *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->v[i].key != 0 && m->v[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return &m->v[i];
}

static void
rebuild(struct map *m, size_t cap)
{
	struct map old = *m;

	m->v = mem_array(cap, sizeof m->v[0]);
	m->cap = cap;
	for (size_t i = 0; i < old.cap; i++)
		if (old.v[i].key != 0)
			*slot_of(m, old.v[i].key) = old.v[i];
	free(old.v);
}

void *
map_find(const struct map *m, uint64_t key)
{
	return m->n > 0 && key != 0 ? slot_of(m, key)->value : NULL;
}

void
map_put(struct map *m, uint64_t key, void *value)
{
	struct map_slot *s;

	if (key == 0 || value == NULL)
		bug("map_put: neither may be 0: %llu, %p",
		    (unsigned long long)key, value);
	if (m->n >= m->cap / 4 * 3)
		rebuild(m, m->cap > 0 ? 2 * m->cap : FIRST_CAP);
	s = slot_of(m, key);
	if (s->key == 0)
		m->n++;
	*s = (struct map_slot){ key, value };
}

/* Frees slot `hole' and moves up those behind it that would not be found. */
static void
close_gap(struct map *m, size_t hole)
{
	size_t mask = m->cap - 1;

	for (size_t i = (hole + 1) & mask; m->v[i].key != 0; i = (i + 1) & mask) {
		size_t way = (i - home(m, m->v[i].key)) & mask;

		if (way >= ((i - hole) & mask)) {
			m->v[hole] = m->v[i];
			hole = i;
		}
	}
	m->v[hole] = (struct map_slot){ 0 };
}

void *
map_take(struct map *m, uint64_t key)
{
	struct map_slot *s;
	void *value;

	if (m->n == 0 || key == 0)
		return NULL;
	s = slot_of(m, key);
	if (s->key == 0)
		return NULL;
	value = s->value;
	close_gap(m, (size_t)(s - m->v));
	m->n--;
	if (m->cap > FIRST_CAP && m->n < m->cap / 8)
		rebuild(m, m->cap / 2);
	return value;
}

void *
map_next(const struct map *m, size_t *at, uint64_t *key)
{
	while (*at < m->cap) {
		struct map_slot *s = &m->v[(*at)++];

		if (s->key != 0) {
			if (key != NULL)
				*key = s->key;
			return s->value;
		}
	}
	return NULL;
}
