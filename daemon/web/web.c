/*
 * The thread that serves /metrics, /healthz and the status page.  It asks the control room to look, one look at a time: for
 * a visitor, whose answer may be a second old, and every ten seconds for the plots.  Visitors wait for the look to come
 * back; when the queue's thread does not answer for a while they are told that, which is what /healthz is for.
 */
#include "web/web.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/accept.h"
#include "web/page.h"
#include "web/prom.h"
#include "web/visitor.h"

enum {
	FRESH_MS = 1000,	/* a look may be so old and still be shown */
	STUCK_MS = 5000,	/* the queue's thread should have answered by then */
	SAMPLE_SLACK_MS = 500,
	OLDEST = 10		/* messages on the page */
};

#define TEXT_TYPE "text/plain; charset=utf-8"

struct web {
	struct visitor_host host;
	struct loop *loop;
	struct accept *accept;
	struct channel *channel, *control;
	struct config *config;
	struct look *now;		/* the last that came back; NULL: none yet */
	int64_t now_at_ms;
	bool asked;			/* one is under way */
	unsigned asked_for;		/* messages, by that one */
	int64_t asked_at_ms;
	bool draining;
	struct timer sample, stuck;
	int64_t sampled_at_ms, started_wall_s;
	struct ring ring;
	struct buf policy;
};

static void
ask(struct web *w, unsigned wanted)
{
	struct look *l;

	if (w->asked)
		return;
	l = memo_look_new();
	l->back = w->channel;
	l->wanted = wanted;
	w->asked = true;
	w->asked_for = wanted;
	w->asked_at_ms = loop_now_ms(w->loop);
	loop_timer(w->loop, &w->stuck, w->asked_at_ms + STUCK_MS);
	memo_post(w->control, &l->memo);
}

/* --- answers --------------------------------------------------------------------------- */

static void
answer_health(struct visitor *v, int status, const char *word)
{
	visitor_answer(v, status, TEXT_TYPE, NULL, str_of(word));
}

static void
answer(struct web *w, struct visitor *v)
{
	struct buf body = { 0 };

	switch (v->demand.path) {
	case DEMAND_HEALTH:
		/* No provider that works is no reason to restart us: mail is taken and kept. */
		answer_health(v, w->draining ? 503 : 200, w->draining ? "stopping\n" : "ok\n");
		break;
	case DEMAND_METRICS:
		prom_put(&body, w->now->status, w->started_wall_s);
		visitor_answer(v, 200, PROM_TYPE, NULL, buf_str(&body));
		break;
	default:
		page_put(&body, w->now->status, w->now->oldest, &w->ring);
		visitor_answer(v, 200, "text/html; charset=utf-8", w->policy.data, buf_str(&body));
	}
	buf_clear(&body);
}

static bool
may_answer(const struct web *w, const struct visitor *v)
{
	return w->now != NULL && loop_now_ms(w->loop) - w->now_at_ms < FRESH_MS &&
	    (v->demand.path != DEMAND_PAGE || w->now->wanted > 0);
}

static bool
is_stuck(const struct web *w)
{
	return w->asked && loop_now_ms(w->loop) - w->asked_at_ms >= STUCK_MS;
}

static void
on_demand(void *arg, struct visitor *v)
{
	struct web *w = arg;

	if (is_stuck(w))
		answer_health(v, 503, "stuck\n");
	else if (may_answer(w, v))
		answer(w, v);
	else
		ask(w, v->demand.path == DEMAND_PAGE ? OLDEST : 0);
}

/* Those who wait; an answer ends no visitor before the turn does. */
static void
serve_waiting(struct web *w)
{
	list_each(n, &w->host.visitors) {
		struct visitor *v = container_of(n, struct visitor, node);

		if (v->state == VISITOR_WAITING)
			on_demand(w, v);
	}
}

static void
on_stuck(void *arg)
{
	serve_waiting(arg);
}

/* --- looks -------------------------------------------------------------------------------- */

static void
take_sample(struct web *w)
{
	const json_t *counters = json_object_get(w->now->status, "counters");
	const json_t *queue = json_object_get(w->now->status, "queue");
	const int64_t value[RING_KINDS] = {
		[RING_WAITING] = json_integer_value(json_object_get(queue, "messages")),
		[RING_ACCEPTED] = json_integer_value(json_object_get(counters, "accepted")),
		[RING_RELAYED] = json_integer_value(json_object_get(counters, "relayed")),
		[RING_DEFERRED] = json_integer_value(json_object_get(counters, "deferred")),
		[RING_BOUNCED] = json_integer_value(json_object_get(counters, "bounced")),
	};

	w->sampled_at_ms = w->now_at_ms;
	ring_put(&w->ring, w->now_at_ms, value);
}

static void
take_look(struct web *w, struct look *l)
{
	memo_look_free(&w->now);
	w->now = l;
	w->now_at_ms = loop_now_ms(w->loop);
	w->asked = false;
	loop_cancel(w->loop, &w->stuck);
	if (w->ring.n == 0 || w->now_at_ms - w->sampled_at_ms >= RING_SAMPLE_MS - SAMPLE_SLACK_MS)
		take_sample(w);
	serve_waiting(w);
}

static void
on_sample(void *arg)
{
	struct web *w = arg;

	ask(w, 0);
	loop_timer(w->loop, &w->sample, loop_now_ms(w->loop) + RING_SAMPLE_MS);
}

/* --- its life ------------------------------------------------------------------------------- */

static void
use_config(struct web *w, struct config *c)
{
	config_unref(&w->config);
	w->config = c;
	w->host.hosts = (struct demand_hosts){ .listen = c->metrics.listen, .hostname = c->hostname };
	memo_look_free(&w->now);	/* metrics.addresses may have been taken back */
}

static void
take_config(struct web *w, struct config_memo *m)
{
	use_config(w, m->config);
	users_unref(&m->users);
	tls_unref(&m->tls);
	memo_config_used(m);
}

static void
on_memo(void *arg, struct link *link)
{
	struct web *w = arg;
	struct memo *m = container_of(link, struct memo, link);

	switch (m->kind) {
	case MEMO_LOOK:
		take_look(w, (struct look *)m);
		return;
	case MEMO_CONFIG:
		take_config(w, (struct config_memo *)m);
		return;
	case MEMO_DRAIN:
		w->draining = true;
		break;
	case MEMO_STOP:
		loop_stop(w->loop);
		break;
	default:
		bug("web: memo %d is not for us", m->kind);
	}
	free(m);
}

static void
on_accept(void *arg, int fd)
{
	visitor_new(arg, fd);
}

struct web *
web_new(struct loop *l, int fd, struct config *c, struct channel *control)
{
	struct web *w = mem_zero(sizeof *w);

	w->loop = l;
	w->control = control;
	w->started_wall_s = clock_wall_s();
	visitor_host_init(&w->host, l);
	w->host.on_demand = on_demand;
	w->host.arg = w;
	use_config(w, config_ref(c));
	page_put_policy(&w->policy);
	w->channel = channel_new(l, on_memo, w);
	timer_init(&w->sample, on_sample, w);
	timer_init(&w->stuck, on_stuck, w);
	on_sample(w);
	w->accept = accept_start(l, fd, on_accept, &w->host);
	return w;
}

struct channel *
web_get_channel(struct web *w)
{
	return w->channel;
}

void
web_free(struct web **wp)
{
	struct web *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	channel_drain(w->channel);
	accept_stop(&w->accept);
	visitor_host_clear(&w->host);
	loop_cancel(w->loop, &w->sample);
	loop_cancel(w->loop, &w->stuck);
	channel_free(&w->channel);
	memo_look_free(&w->now);
	config_unref(&w->config);
	buf_clear(&w->policy);
	free(w);
}
