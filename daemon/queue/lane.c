/*
 * Lanes: permitted connections, each pinned to a relay thread.  A lane is asked for (OPENING), idle, busy with a job or two,
 * or closing; memos name it by number, so that one about a lane that has gone finds nobody.
 *
 * A second job follows the first without a round trip between them, where the server takes BDAT in a flight.  But it
 * waits for whatever the server does with the first, and shares its fate when the link is lost (B-112).  So it is for work
 * that exceeds all the connections that there may be: a message that can have one to itself, even one still to be opened, gets
 * that.  Nor does it go behind a large content, nor before the connection has taken a message: one that announces
 * BDAT in vain is found out by a message that goes alone.
 */
#include "queue/private.h"

#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"

enum { LANE_JOBS = 2 };		/* as many as the relay has on their way at once (B-112) */

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

static void
post_close(struct queue *q, const struct lane *l)
{
	struct lane_memo *m = (struct lane_memo *)memo_new(MEMO_CLOSE, sizeof *m);

	m->lane = l->number;
	memo_post(q->relay[l->relay], &m->memo);
}

/* Asks the relay to end an idle lane; it is gone when CLOSED comes. */
void
lane_close(struct queue *q, struct lane *l)
{
	if (q->finishing) {
		lane_free(q->gateway[l->gateway], l);
		return;
	}
	list_remove(&l->node);
	l->state = LANE_CLOSING;
	q->gateway[l->gateway]->nclosing++;
	post_close(q, l);
}

void
lane_up(struct gateway *g, struct lane *l, const struct open *m)
{
	unsigned max = m->settings->messages_per_connection;

	l->at = m->winner;
	l->flight = m->caps.chunking && m->caps.pipelining;
	if (m->caps.mail_max > 0 && (max == 0 || m->caps.mail_max < max))
		max = m->caps.mail_max;
	l->left = max > 0 ? max : UINT_MAX;
	g->nopening--;
	l->state = LANE_IDLE;
	list_push(&g->idle, &l->node);
}

static bool
has_excess(const struct gateway *g)
{
	return g->nlane - g->nclosing > g->pace.allowed;
}

struct lane *
lane_find_idle(const struct gateway *g)
{
	return list_is_empty(&g->idle) ? NULL : container_of(g->idle.next, struct lane, node);
}

struct lane *
lane_find_half(const struct gateway *g, size_t nready)
{
	unsigned coming = g->pace.allowed > g->nbusy ? g->pace.allowed - g->nbusy : 0;

	if (nready <= coming || has_excess(g) || list_is_empty(&g->half) ||
	    g->quirks & (QUIRK_NO_BDAT | QUIRK_STEPS | QUIRK_ALONE))
		return NULL;
	return container_of(g->half.next, struct lane, node);
}

/* Into the list of those that take a second job, or out of it. */
static void
settle_half(struct gateway *g, struct lane *l)
{
	list_remove(&l->node);
	if (l->jobs < LANE_JOBS && l->flight && l->proven && !l->large && !l->stale && l->left > 0)
		list_put(&g->half, &l->node);
}

void
lane_load(struct gateway *g, struct lane *l, uint64_t octets)
{
	if (l->jobs++ == 0) {
		l->state = LANE_BUSY;
		g->nbusy++;
	}
	if (l->left > 0 && l->left < UINT_MAX)
		l->left--;
	l->large |= octets > JOB_FLIGHT_OCTETS;
	settle_half(g, l);
}

void
lane_put(struct gateway *g, struct lane *l, bool lost)
{
	if (l->state != LANE_BUSY)
		bug("lane %u: a job came back, but it has none", (unsigned)l->number);
	if (--l->jobs > 0) {
		l->stale |= lost;	/* the other one comes back too: until then the lane says whose it was */
		settle_half(g, l);
		return;
	}
	if (lost) {
		lane_free(g, l);
		return;
	}
	g->nbusy--;
	l->large = false;
	l->state = LANE_IDLE;
	list_remove(&l->node);
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
		if (l->gateway == g->number && l->state != LANE_OPENING && l->at.rank >= above_rank) {
			l->stale = true;
			if (l->state == LANE_BUSY)
				list_remove(&l->node);
		}
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

void
lane_abandon(struct gateway *g)
{
	struct lane *l;
	size_t at = 0;
	uint64_t key;

	lane_make_stale(g, 0);
	while ((l = map_next(&g->queue->lanes, &at, &key)) != NULL) {
		if (l->gateway != g->number || l->state != LANE_OPENING || l->stale)
			continue;
		l->stale = true;
		post_close(g->queue, l);	/* OPENED comes all the same */
	}
}
