/* Intrusive doubly linked lists, and the one-way link that channels use. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* One-way, for what is handed from thread to thread. */
struct link {
	struct link *next;
};

/* Two-way.  A list head is a struct node that points to itself. */
struct node {
	struct node *prev, *next;
};

#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

static inline void
list_init(struct node *head)
{
	head->prev = head->next = head;
}

static inline bool
list_is_empty(const struct node *head)
{
	return head->next == head;
}

static inline bool
list_is_linked(const struct node *n)	/* a node that was zeroed or removed is not */
{
	return n->next != NULL;
}

static inline void
list_put(struct node *head, struct node *n)	/* at the end */
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

static inline void
list_push(struct node *head, struct node *n)	/* at the front */
{
	list_put(head->next, n);
}

static inline void
list_remove(struct node *n)
{
	if (n->next == NULL)
		return;
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->prev = n->next = NULL;
}

static inline struct node *
list_take(struct node *head)	/* the first, or NULL */
{
	struct node *n = head->next;

	if (n == head)
		return NULL;
	list_remove(n);
	return n;
}

#define list_each(n, head)                                                     \
	for (struct node *n = (head)->next, *n##_next = n->next; n != (head);   \
	     n = n##_next, n##_next = n->next)	/* n may be removed */

#endif
