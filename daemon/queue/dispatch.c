/*
 * Who goes next, over which lane.  A way is an ordered list of upstreams with the messages that are ready to
 * go there; a message leaves its way when a lane of the first usable upstream is idle.  Nothing here waits: lanes are asked
 * for, and this runs again when one is there.
 */
#include "queue/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Ways are the configured routes in order, and last the default: all upstreams. */
unsigned
dispatch_way(const struct queue *q, const struct envelope *env, const struct recipient *r)
{
	return rule_find(q->config, 0, env->sender, env->user, r->address);
}

unsigned
dispatch_base(const struct queue *q, unsigned way)
{
	return way >= q->nbase && way < q->nway ? q->way[way].base : way;
}

static bool
is_eligible(const struct entry *e, const struct recipient *r)
{
	return r->state == RCPT_WAITING && r->attempts <= e->attempts;
}

/* The way of the first recipient that this round has not tried; one that is open goes before one that is not, so that
 * nobody waits for another's upstream. */
static bool
find_way(struct queue *q, struct entry *e)
{
	bool found = false;

	for (unsigned i = 0; i < e->envelope->nrcpt; i++) {
		unsigned way;

		if (!is_eligible(e, &e->envelope->rcpt[i]))
			continue;
		way = fit_way(q, e, dispatch_way(q, e->envelope, &e->envelope->rcpt[i]));
		if (!found || !dispatch_is_closed(q, way))
			e->way = (uint16_t)way;
		found = true;
		if (!dispatch_is_closed(q, way))
			break;
	}
	return found;
}

static void
put_ready(struct queue *q, struct entry *e)
{
	list_put(&q->way[e->way].ready, &e->at.ready);
	q->way[e->way].nready++;
	if ((q->nopen > OPEN_MAX || q->nopen_rcpt > OPEN_RCPT_MAX) && e->envelope != NULL)
		entry_park_later(q, e);
}

void
dispatch_ready(struct queue *q, struct entry *e)
{
	if (q->config->nroute == 0) {
		e->way = (uint16_t)fit_way(q, e, 0);
		put_ready(q, e);
	} else if (e->envelope != NULL && find_way(q, e)) {
		put_ready(q, e);
	} else {
		e->way = WAY_NONE;
		list_put(&q->unrouted, &e->at.ready);
	}
	dispatch_soon(q);
}

/* Looks up the ways of some messages that came from disk or that a change has unsettled; the others in the next turn. */
static void
route_slice(struct queue *q)
{
	for (unsigned i = 0; i < UNROUTED_SLICE && !heap_has(&q->rest.node); i++) {
		struct node *n = list_take(&q->unrouted);
		struct entry *e;
		struct why why;

		if (n == NULL)
			return;
		e = container_of(n, struct entry, at.ready);
		if (q->config->nroute == 0) {
			e->way = (uint16_t)fit_way(q, e, 0);
			put_ready(q, e);
		} else if (entry_load(q, e, &why) < 0) {
			list_put(&q->unrouted, n);
			entry_unreadable(q, e, &why);
		} else if (!find_way(q, e)) {
			report_rest(q, e);
		} else {
			put_ready(q, e);
		}
	}
	if (!list_is_empty(&q->unrouted) && !heap_has(&q->rest.node))
		loop_timer(q->loop, &q->slice, loop_now_ms(q->loop));
}

/* The first upstream of the way that takes mail now; NULL: none. */
static struct gateway *
find_open(const struct queue *q, const struct way *w)
{
	for (unsigned i = 0; i < w->ngateway; i++)
		if (!gate_is_closed(&q->gateway[w->gateway[i]]->gate))
			return q->gateway[w->gateway[i]];
	return NULL;
}

bool
dispatch_is_closed(const struct queue *q, unsigned way)
{
	return way < q->nway && find_open(q, &q->way[way]) == NULL;
}

const struct gateway *
dispatch_find_gateway(const struct queue *q, unsigned way)
{
	return way < q->nway && q->way[way].ngateway > 0 ? q->gateway[q->way[way].gateway[0]] : NULL;
}

/* Who the upstream is told the message is from.  A notification keeps the null sender (CONTRACT.md 4). */
static const char *
sender_for(const struct envelope *env, const struct upstream *u)
{
	return env->sender[0] != '\0' && u->sender[0] != '\0' ? u->sender : env->sender;
}

static struct job *
make_job(struct queue *q, struct entry *e, struct gateway *g, struct why *why)
{
	struct envelope *env = e->envelope;
	struct job *j = memo_job_new(env->nrcpt);
	unsigned most = pacing_most_recipients(g);

	if (spool_read_open(q->spool, &e->item, &j->body, why) < 0) {
		memo_job_free(&j);
		return NULL;
	}
	j->nrcpt = 0;
	for (unsigned i = 0; i < env->nrcpt && j->nrcpt < most; i++) {
		struct recipient *r = &env->rcpt[i];

		if (!is_eligible(e, r) || dispatch_way(q, env, r) != dispatch_base(q, e->way))
			continue;
		r->state = RCPT_OUT;
		j->rcpt[j->nrcpt++] = i;
	}
	j->id = e->item.id;
	j->envelope = env;
	j->quirks = g->quirks;
	j->veil = credential_newest_veil(g);
	j->sender = mem_text(sender_for(env, g->settings));
	return j;
}

/* Sends the message over the lane; or it does not go, at least not now, and is no longer the first of its way. */
static void
send_entry(struct queue *q, struct entry *e, struct gateway *g, struct lane *l)
{
	struct why why;
	struct job *j = NULL;

	errno = 0;
	if (entry_load(q, e, &why) == 0)
		j = make_job(q, e, g, &why);
	if (j == NULL) {
		entry_unreadable(q, e, &why);
		return;
	}
	if (j->nrcpt == 0) {	/* its recipients lie on another way meanwhile, or only a notice is owed */
		memo_job_free(&j);
		if (find_way(q, e))
			entry_move(q, e, ENTRY_READY, 0);
		else
			report_rest(q, e);
		return;
	}
	j->lane = l->number;
	j->second = l->jobs > 0;
	lane_load(g, l, e->size);
	entry_move(q, e, ENTRY_OUT, 0);
	pacing_sent(g, j);
	memo_post(q->relay[l->relay], &j->memo);
}

/* Another upstream's turn to be tried again, though closed. */
static void
try_closed(struct queue *q, struct way *w)
{
	for (unsigned i = 0; i < w->ngateway; i++) {
		struct gateway *g = q->gateway[w->gateway[i]];

		if (gate_is_closed(&g->gate) && gate_may_try(&g->gate, loop_now_ms(q->loop)) && g->nopening == 0)
			gateway_open(g, 1);
	}
}

static void
dispatch_way_now(struct queue *q, struct way *w)
{
	struct gateway *g;

	if (w->nready == 0)
		return;
	try_closed(q, w);
	while (w->nready > 0 && !heap_has(&q->rest.node) && (g = find_open(q, w)) != NULL) {
		struct lane *l;

		if (!pacing_may_send(g))
			return;
		l = lane_find_idle(g);
		if (l == NULL) {
			gateway_open(g, pacing_room(g, w->nready));
			l = lane_find_half(g, w->nready);
		}
		if (l == NULL)
			return;
		send_entry(q, container_of(w->ready.next, struct entry, at.ready), g, l);
	}
}

static void
dispatch_now(void *arg)
{
	struct queue *q = arg;

	if (q->draining || heap_has(&q->rest.node))
		return;
	route_slice(q);
	for (unsigned i = 0; i < q->nway; i++)
		dispatch_way_now(q, &q->way[i]);
}

void
dispatch_soon(struct queue *q)
{
	loop_at_turn_end(q->loop, &q->dispatch, dispatch_now, q);
}

static void
unsettle_way(struct way *w, struct node *to)
{
	struct node *n;

	while ((n = list_take(&w->ready)) != NULL) {
		container_of(n, struct entry, at.ready)->way = WAY_NONE;
		list_put(to, n);
	}
	w->nready = 0;
}

/* An upstream has opened or closed: messages with recipients on several ways may stand in one that is closed. */
void
dispatch_changed(struct queue *q)
{
	for (unsigned i = 0; i < q->nway && q->config->nroute > 0; i++)
		if (dispatch_is_closed(q, i))
			unsettle_way(&q->way[i], &q->unrouted);
	dispatch_soon(q);
}

static void
free_ways(struct queue *q)
{
	for (unsigned i = 0; i < q->nway; i++)
		free(q->way[i].gateway);
	free(q->way);
	q->way = NULL;
	q->nway = q->nbase = 0;
}

/* Everything that was ready is looked at anew. */
static void
unsettle(struct queue *q)
{
	for (unsigned i = 0; i < q->nway; i++)
		unsettle_way(&q->way[i], &q->unrouted);
}

void
dispatch_anew(struct queue *q)
{
	unsettle(q);
	for (unsigned i = q->nbase; i < q->nway; i++)
		free(q->way[i].gateway);
	memset(q->way + q->nbase, 0, (q->nway - q->nbase) * sizeof *q->way);
	q->nway = q->nbase;
	dispatch_soon(q);
}

void
dispatch_configure(struct queue *q)
{
	const struct config *c = q->config;
	unsigned n = c != NULL ? c->nroute + 1 : 0;

	unsettle(q);
	free_ways(q);
	if (n == 0)
		return;
	q->way = mem_array(n + NARROW_MAX, sizeof *q->way);
	q->nway = q->nbase = n;
	for (unsigned i = 0; i < n; i++) {
		struct way *w = &q->way[i];
		const struct route_rule *rule = i < c->nroute ? &c->route[i] : NULL;

		w->name = rule != NULL ? rule->name : "";
		list_init(&w->ready);
		w->ngateway = rule != NULL ? rule->upstreams.n : c->nupstream;
		w->gateway = mem_array(w->ngateway + 1, sizeof *w->gateway);
		for (unsigned k = 0; k < w->ngateway; k++) {
			struct gateway *g = gateway_find(q, rule != NULL ? rule->upstreams.v[k] : c->upstream[k].name);

			w->gateway[k] = g->number;
			if (g->settings->capture[0] != '\0')	/* what is captured goes nowhere else */
				w->ngateway = k + 1;
		}
	}
	dispatch_soon(q);
}
