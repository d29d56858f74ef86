/* A binary heap of intrusive nodes. */
#include "base/heap.h"

#include "base/mem.h"

#include <stdlib.h>

void
heap_clear(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

static void
set(struct heap *h, size_t i, struct heap_node *n)
{
	h->v[i] = n;
	n->at = (uint32_t)i + 1;
}

static void
rise(struct heap *h, size_t i)
{
	struct heap_node *n = h->v[i];

	for (; i > 0 && h->v[(i - 1) / 2]->key > n->key; i = (i - 1) / 2)
		set(h, i, h->v[(i - 1) / 2]);
	set(h, i, n);
}

static void
sink(struct heap *h, size_t i)
{
	struct heap_node *n = h->v[i];
	size_t child;

	for (; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n && h->v[child + 1]->key < h->v[child]->key)
			child++;
		if (h->v[child]->key >= n->key)
			break;
		set(h, i, h->v[child]);
	}
	set(h, i, n);
}

void
heap_put(struct heap *h, struct heap_node *n, int64_t key)
{
	if (n->at != 0)
		bug("heap_put: the node is in a heap");
	if (h->n == UINT32_MAX)
		bug("heap_put: the heap is full");
	if (h->n == h->cap) {
		h->cap = h->cap > 0 ? 2 * h->cap : 16;
		h->v = mem_resize(h->v, h->cap, sizeof h->v[0]);	/* NOLINT(bugprone-sizeof-expression): pointers are what it holds */
	}
	n->key = key;
	h->v[h->n] = n;
	rise(h, h->n++);
}

void
heap_move(struct heap *h, struct heap_node *n, int64_t key)
{
	int64_t old = n->key;

	if (n->at == 0) {
		heap_put(h, n, key);
		return;
	}
	n->key = key;
	if (key < old)
		rise(h, n->at - 1);
	else
		sink(h, n->at - 1);
}

void
heap_remove(struct heap *h, struct heap_node *n)
{
	struct heap_node *last;
	size_t i = n->at - 1;

	if (n->at == 0)
		return;
	n->at = 0;
	last = h->v[--h->n];
	if (last == n)
		return;
	set(h, i, last);
	if (last->key < n->key)
		rise(h, i);
	else
		sink(h, i);
}

struct heap_node *
heap_find(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}
