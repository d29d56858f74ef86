/* A hash map from 64-bit keys (not 0) to pointers (not NULL); 16 bytes a slot. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	uint64_t key;
	void *value;
};

struct map {
	struct map_slot *v;
	size_t n, cap;	/* cap is 0 or a power of two */
};

void map_clear(struct map *m);				/* frees the table */
void *map_find(const struct map *m, uint64_t key);	/* NULL: not there */
void map_put(struct map *m, uint64_t key, void *value);	/* replaces */
void *map_take(struct map *m, uint64_t key);		/* removes; NULL: not there */

/* Walk: *at starts at 0; NULL at the end.  The map must not change meanwhile;
 * keys come in no order. */
void *map_next(const struct map *m, size_t *at, uint64_t *key);

#endif
