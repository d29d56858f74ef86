/*
 * Lanes: permitted connections, each pinned to a relay thread.  A lane is asked for (OPENING), idle, busy with one job,
 * or closing; memos name it by number, so that one about a lane that has gone finds nobody.
 */
#include "queue/private.h"

#include <stdlib.h>

#include "base/mem.h"

struct lane *
lane_new(struct gateway *g)
{
	struct queue *q = g->queue;
	struct lane *l = mem_zero(sizeof *l);

	do
		l->number = ++q->last_lane;
	while (l->number == 0 || map_find(&q->lanes, l->number) != NULL);
	l->gateway = (uint16_t)g->number;
	l->relay = (uint16_t)(q->next_relay++ % q->nrelay);
	l->state = LANE_OPENING;
	map_put(&q->lanes, l->number, l);
	g->nlane++;
	g->nopening++;
	return l;
}

struct lane *
lane_find(const struct queue *q, uint32_t number)
{
	return map_find(&q->lanes, number);
}

void
lane_free(struct gateway *g, struct lane *l)
{
	map_take(&g->queue->lanes, l->number);
	list_remove(&l->node);
	g->nlane--;
	if (l->state == LANE_OPENING)
		g->nopening--;
	else if (l->state == LANE_BUSY)
		g->nbusy--;
	else if (l->state == LANE_CLOSING)
		g->nclosing--;
	free(l);
}

/* Asks the relay to end an idle lane; it is gone when CLOSED comes. */
void
lane_close(struct queue *q, struct lane *l)
{
	struct lane_memo *m;

	if (q->finishing) {
		lane_free(q->gateway[l->gateway], l);
		return;
	}
	m = (struct lane_memo *)memo_new(MEMO_CLOSE, sizeof *m);

	list_remove(&l->node);
	l->state = LANE_CLOSING;
	q->gateway[l->gateway]->nclosing++;
	m->lane = l->number;
	memo_post(q->relay[l->relay], &m->memo);
}

struct lane *
lane_take(struct gateway *g)
{
	struct node *n = list_take(&g->idle);
	struct lane *l;

	if (n == NULL)
		return NULL;
	l = container_of(n, struct lane, node);
	l->state = LANE_BUSY;
	g->nbusy++;
	return l;
}

static bool
has_excess(const struct gateway *g)
{
	return g->nlane - g->nclosing > g->pace.allowed;
}

void
lane_put(struct gateway *g, struct lane *l, bool lost)
{
	if (lost) {
		lane_free(g, l);
		return;
	}
	if (l->state == LANE_BUSY)
		g->nbusy--;
	l->state = LANE_IDLE;
	list_push(&g->idle, &l->node);
	if (l->stale || g->settings == NULL || has_excess(g))
		lane_close(g->queue, l);
}

/* Lanes that use a later door than one that works again, or old settings. */
void
lane_make_stale(struct gateway *g, unsigned above_rank)
{
	struct lane *l;
	size_t at = 0;
	uint64_t key;

	while ((l = map_next(&g->queue->lanes, &at, &key)) != NULL)
		if (l->gateway == g->number && l->state != LANE_OPENING && l->at.rank >= above_rank)
			l->stale = true;
	list_each(n, &g->idle) {
		l = container_of(n, struct lane, node);
		if (l->stale)
			lane_close(g->queue, l);
	}
}

/* The ones least lately used go first. */
void
lane_trim(struct gateway *g)
{
	while (has_excess(g) && !list_is_empty(&g->idle))
		lane_close(g->queue, container_of(g->idle.prev, struct lane, node));
}
