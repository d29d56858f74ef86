/*
 * A binary heap of intrusive nodes, smallest key first.  Owns its array only.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	uint32_t at;	/* place in the array + 1; 0 = in no heap */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

void heap_clear(struct heap *h);			/* frees the array, not the nodes */
void heap_put(struct heap *h, struct heap_node *n, int64_t key);
void heap_move(struct heap *h, struct heap_node *n, int64_t key); /* in it or not */
void heap_remove(struct heap *h, struct heap_node *n);	/* no-op if in no heap */
struct heap_node *heap_find(const struct heap *h);	/* smallest, NULL if empty */

static inline bool
heap_has(const struct heap_node *n)
{
	return n->at != 0;
}

#endif
