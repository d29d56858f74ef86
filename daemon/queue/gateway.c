/*
 * Upstreams as the queue sees them: their gate, the memory of their ports, and their names.
 * A lane is asked for by gateway_open and appears, when a relay has won a race and logged in, in the idle list.
 */
#include "queue/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	LOGIN_LATER_MS = 5 * 60 * 1000,	/* at least, after a login was told "later" (B-021) */
	EARLY_MAX = 100			/* thousandths of a wait */
};

struct gateway *
gateway_find(const struct queue *q, const char *name)
{
	for (unsigned i = 0; i < q->ngateway; i++)
		if (strcmp(q->gateway[i]->name, name) == 0)
			return q->gateway[i];
	return NULL;
}

/* --- the gate ---------------------------------------------------------------- */

static void
check_frozen(struct queue *q)
{
	bool frozen = false;

	for (unsigned i = 0; i < q->ngateway; i++) {
		struct gateway *g = q->gateway[i];

		if (g->settings == NULL)
			continue;
		if (g->gate.state != GATE_AUTH_FAILED && (g->gate.state != GATE_PAUSED || !pacing_is_over_quota(g))) {
			frozen = false;
			break;
		}
		frozen = true;
	}
	retry_freeze(q, frozen);
}

void
gateway_tell(struct gateway *g, enum gate_event ev, const char *reason, int64_t until_ms)
{
	struct queue *q = g->queue;
	int64_t now = loop_now_ms(q->loop);
	bool was_closed = gate_is_closed(&g->gate);

	if (gate_tell(&g->gate, ev, reason, until_ms, now, clock_wall_s()))
		gatelog_gate(g);
	if (gate_is_closed(&g->gate) && g->gate.retry_at_ms > 0)
		loop_timer(q->loop, &g->retry, g->gate.retry_at_ms);
	else
		loop_cancel(q->loop, &g->retry);
	check_frozen(q);
	if (gate_is_closed(&g->gate) && !was_closed && g->gate.state != GATE_PAUSED)
		lane_make_stale(g, 0);	/* when it opens again, it does so with a new connection */
	if (ev == GATE_EV_ALL_FAILED || ev == GATE_EV_BUSY)
		report_failed(q, g);
	if (was_closed != gate_is_closed(&g->gate))
		dispatch_changed(q);
	dispatch_soon(q);
}

/* One that is down is tried whether there is mail for it or not: when it is back, the next message shall find it so. */
static void
on_retry(void *arg)
{
	struct gateway *g = arg;

	pacing_check(g);
	if (g->gate.state == GATE_DOWN && !g->login_later && g->nopening == 0)
		gateway_open(g, 1);
	dispatch_soon(g->queue);
}

/* --- opening -------------------------------------------------------------------- */

static void
post_open(struct gateway *g, const struct credential_said *said)
{
	struct queue *q = g->queue;
	struct open *m = memo_open_new();
	struct lane *l = lane_new(g);

	m->lane = l->number;
	m->upstream = g->number;
	m->config = config_ref(q->config);
	m->settings = g->settings;
	m->tls = g->tls != NULL ? tls_ref(g->tls) : NULL;
	m->password = mem_text(said->secret);
	m->veil = credential_veil(g, said->secret);
	l->issue = said->issue;
	m->ncandidate = route_order(g->route, m->candidate, ROUTE_CANDIDATES_MAX);
	memo_post(q->relay[l->relay], &m->memo);
}

static void
open_wanted(struct gateway *g, const struct credential_said *said)
{
	for (; g->want > 0; g->want--)
		post_open(g, said);
}

/* A Maildir: no name, no port, no secret. */
static void
open_capture(struct gateway *g)
{
	open_wanted(g, &(struct credential_said){ .answer = CREDENTIAL_HERE });
}

static void on_found(struct gateway *g);

/* The addresses are known: with the secret, connections can be opened. */
static void
on_credential(struct gateway *g, const struct credential_said *said)
{
	g->resolving = false;
	if (g->settings == NULL || g->queue->draining)
		return;
	if (g->settings->capture[0] != '\0') {
		open_capture(g);
		return;
	}
	if (strcmp(g->asked, g->settings->host) != 0) {	/* a reload came between */
		names_ask(g, on_found);
		return;
	}
	switch (said->answer) {
	case CREDENTIAL_HERE:
		open_wanted(g, said);
		break;
	case CREDENTIAL_REFUSED:
		gateway_tell(g, GATE_EV_LOGIN_REFUSED, said->words, 0);
		break;
	case CREDENTIAL_LATER:
		if (g->nlane > g->nopening)	/* there are some that work: no more of them, then */
			pace_no_more(&g->pace, g->nlane, loop_now_ms(g->queue->loop));
		else
			gateway_tell(g, GATE_EV_BUSY, said->words, said->until_ms);
		break;
	}
}

static void
on_found(struct gateway *g)
{
	if (g->settings->capture[0] != '\0') {	/* a reload came between */
		open_capture(g);
		return;
	}
	g->resolving = true;		/* it is no second time's turn until the secret is there */
	credential_ask(g, on_credential);
}

void
gateway_open(struct gateway *g, unsigned n)
{
	if (g->settings == NULL || g->queue->draining)
		return;
	n = pace_lanes(&g->pace, g->gate.state == GATE_UP, g->nlane, g->nopening, n);
	if (n == 0 && gate_is_closed(&g->gate) && g->nopening == 0)
		n = 1;			/* whatever its old lanes are still busy with */
	if (n == 0)
		return;
	if (g->want < n)
		g->want = n;
	if (g->resolving)
		return;
	if (g->settings->capture[0] != '\0')
		open_capture(g);
	else
		names_ask(g, on_found);
}

static void
plan_recheck(struct gateway *g)
{
	int64_t at = route_recheck_at_ms(g->route);

	if (at > 0 && g->settings != NULL && !g->probing)
		loop_timer(g->queue->loop, &g->recheck, at);
	else
		loop_cancel(g->queue->loop, &g->recheck);
}

static void
opened_up(struct gateway *g, struct lane *l, const struct open *m)
{
	lane_up(g, l, m);
	g->active = m->winner;
	g->has_active = m->winner.port != 0;
	g->login_later = false;
	if (g->settings != NULL && g->settings == m->settings)
		fit_learn(g, &m->caps);
	gateway_tell(g, GATE_EV_OPENED, "", 0);
	if (g->settings == NULL || g->settings != m->settings || l->stale)
		lane_close(g->queue, l);
}

void
gateway_on_opened(struct queue *q, struct open *m)
{
	struct lane *l = lane_find(q, m->lane);
	struct gateway *g = l != NULL ? q->gateway[l->gateway] : NULL;
	const char *text = m->outcome.text != NULL ? m->outcome.text : "";
	bool others;

	if (l == NULL)
		goto out;
	if (m->result == OPENED_UP) {
		credential_accepted(g);
		opened_up(g, l, m);
		goto out;
	}
	if (m->result == OPENED_LOGIN_REFUSED && credential_refused(g, l->issue, text)) {
		lane_free(g, l);
		gateway_open(g, 1);
		goto out;
	}
	lane_free(g, l);
	others = g->nlane > g->nopening;	/* it works for some: no more of them, then */
	if (others && m->result != OPENED_LOGIN_REFUSED && m->result != OPENED_CANCELLED) {
		pace_no_more(&g->pace, g->nlane, loop_now_ms(q->loop));
		goto out;
	}
	g->login_later = m->result == OPENED_LOGIN_LATER;
	switch (m->result) {
	case OPENED_ALL_FAILED:
		g->has_active = false;
		gateway_tell(g, GATE_EV_ALL_FAILED, text, 0);
		break;
	case OPENED_LOGIN_REFUSED:
		gateway_tell(g, GATE_EV_LOGIN_REFUSED, text, 0);
		break;
	case OPENED_LOGIN_LATER:
		gateway_tell(g, GATE_EV_BUSY, text, loop_now_ms(q->loop) + LOGIN_LATER_MS);
		break;
	case OPENED_BUSY:
		gateway_tell(g, GATE_EV_BUSY, text, 0);
		break;
	case OPENED_CANCELLED:
		dispatch_soon(q);
		break;
	case OPENED_LOCAL:		/* our own fault says nothing of the upstream (B-004) */
		log_event(LOG_ERROR, "out_of_resources", log_text("upstream", g->name), log_text("reason", text));
		loop_timer(q->loop, &q->rest, loop_now_ms(q->loop) + 1000);
		break;
	default:
		break;
	}
out:
	plan_recheck(q->gateway[m->upstream]);
	memo_open_free(&m);
}

void
gateway_on_closed(struct queue *q, struct lane_memo *m)
{
	struct lane *l = lane_find(q, m->lane);

	if (l != NULL && l->state != LANE_BUSY) {
		struct gateway *g = q->gateway[l->gateway];

		if (l->state == LANE_CLOSING || l->state == LANE_IDLE)
			lane_free(g, l);
		if (g->nlane == 0)
			g->has_active = false;
		dispatch_soon(q);
	}
	free(m);
}

/* --- ports ------------------------------------------------------------------------ */

static void
on_recheck(void *arg)
{
	struct gateway *g = arg;
	struct queue *q = g->queue;
	const struct door *d = route_recheck_due(g->route, loop_now_ms(q->loop));
	struct heard_memo *m;

	if (d == NULL || g->settings == NULL || q->draining) {
		plan_recheck(g);
		return;
	}
	g->probing = true;
	m = memo_heard_new(MEMO_PROBE);
	m->upstream = g->number;
	m->config = config_ref(q->config);
	m->settings = g->settings;
	m->tls = g->tls != NULL ? tls_ref(g->tls) : NULL;
	m->veil = credential_veil(g, NULL);
	m->candidate = d->at;
	memo_post(q->relay[q->next_relay++ % q->nrelay], &m->memo);
}

void
gateway_on_heard(struct queue *q, struct heard_memo *m)
{
	struct gateway *g = m->upstream < q->ngateway ? q->gateway[m->upstream] : NULL;
	bool was_probe = m->memo.kind == MEMO_PROBE;

	if (g != NULL && was_probe)
		g->probing = false;
	if (g != NULL && g->settings != NULL && !network_is_old(q, m)) {
		if (route_tell(g->route, &m->candidate, m->heard, m->reason, loop_now_ms(q->loop), clock_wall_s())) {
			q->memory_changed = true;
			store_soon(q);
			gatelog_port(g, &m->candidate);
			if (m->heard == HEARD_UP)	/* a better door than some lanes use */
				lane_make_stale(g, m->candidate.rank + 1);
		}
	}
	if (g != NULL)
		plan_recheck(g);
	memo_heard_free(&m);
}

/* --- configuration ------------------------------------------------------------------ */

static struct tls *
make_tls(struct queue *q, const struct upstream *u, struct tls *old)
{
	struct tls *t = NULL;
	struct why why;
	bool wanted = false;

	for (unsigned i = 0; i < u->nchain; i++)
		wanted |= u->chain[i].tls != TLS_NONE;
	if (!wanted)
		return NULL;
	if (tls_client(&t, u->tls_ca, u->tls_verify, (enum tls_version)u->tls_min, &why) < 0) {
		log_event(LOG_ERROR, "tls_failed", log_text("upstream", u->name), log_text("reason", why.text));
		return old != NULL ? tls_ref(old) : NULL;
	}
	(void)q;
	return t;
}

static struct gateway *
gateway_new(struct queue *q, const struct upstream *u)
{
	struct gateway *g = mem_zero(sizeof *g);

	g->queue = q;
	g->name = mem_text(u->name);
	g->number = q->ngateway;
	g->route = route_new(u);
	gate_init(&g->gate);
	g->gate.early = arc4random_uniform(EARLY_MAX + 1);
	names_init(g);
	list_init(&g->idle);
	pacing_init(g);
	list_init(&g->half);
	timer_init(&g->retry, on_retry, g);
	timer_init(&g->recheck, on_recheck, g);
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what it holds */
	q->gateway = mem_resize(q->gateway, q->ngateway + 1, sizeof *q->gateway);
	q->gateway[q->ngateway++] = g;
	return g;
}

void
gateway_configure(struct queue *q)
{
	for (unsigned i = 0; i < q->ngateway; i++)
		q->gateway[i]->settings = NULL;
	for (unsigned i = 0; i < q->config->nupstream; i++) {
		const struct upstream *u = &q->config->upstream[i];
		struct gateway *g = gateway_find(q, u->name);
		struct tls *t;

		if (g == NULL)
			g = gateway_new(q, u);
		if (g->asked != NULL && strcmp(g->asked, u->host) != 0)
			g->quirks = g->struck = 0;	/* another server */
		t = make_tls(q, u, g->tls);
		tls_unref(&g->tls);
		g->tls = t;
		g->settings = u;
		route_configure(g->route, u);
	}
	for (unsigned i = 0; i < q->ngateway; i++) {
		if (q->gateway[i]->settings != NULL)
			pacing_configure(q->gateway[i]);
		if (q->gateway[i]->nlane > 0)
			lane_make_stale(q->gateway[i], 0);
		credential_configure(q->gateway[i]);
	}
	lookout_configure(q);
}

void
gateway_free_all(struct queue *q)
{
	struct lane *l;
	size_t at = 0;
	uint64_t key;

	lookout_stop(q);
	while ((l = map_next(&q->lanes, &at, &key)) != NULL)
		free(l);
	map_clear(&q->lanes);
	for (unsigned i = 0; i < q->ngateway; i++) {
		struct gateway *g = q->gateway[i];

		pacing_stop(g);
		loop_cancel(q->loop, &g->retry);
		loop_cancel(q->loop, &g->recheck);
		credential_clear(g);
		names_clear(g);
		route_free(&g->route);
		tls_unref(&g->tls);
		free(g->name);
		free(g);
	}
	free(q->gateway);
}
