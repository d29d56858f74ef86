/* The line is looked at every other second, and told when it has changed: its words, not moments, so that it rests with the queue. */
#include "control/headline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { LOOK_EVERY_MS = 2000, UPSTREAMS_MAX = 8 };

struct headline {
	struct loop *loop;
	struct queue *queue;
	struct channel *main;
	struct timer timer;
	char last[HEADLINE_MAX];
};

void
headline_put_totals(struct buf *out, const struct queue_totals *t)
{
	if (t->messages == 0)
		buf_puts(out, "Nothing waits");
	else
		buf_printf(out, "%" PRIu64 " %s queued", t->messages, t->messages == 1 ? "message" : "messages");
	if (t->deferred > 0)
		buf_printf(out, ", %" PRIu64 " deferred", t->deferred);
	if (t->held > 0)
		buf_printf(out, ", %" PRIu64 " held", t->held);
	if (t->damaged > 0)
		buf_printf(out, ", %" PRIu64 " damaged", t->damaged);
}

void
headline_put_upstream(struct buf *out, const struct queue_upstream *u)
{
	str_safe(out, str_of(u->name), true);
	if (u->gate->state == GATE_UNKNOWN)
		buf_puts(out, " not tried yet");
	else
		buf_printf(out, " %s", u->gate->state == GATE_AUTH_FAILED ? "refuses our login" : gate_state_name(u->gate->state));
	if (u->gate->state == GATE_UP && u->has_active)
		buf_printf(out, " (%u/%s)", (unsigned)u->active.port, tls_mode_name(u->active.tls));
	else if (u->gate->state != GATE_UP && u->reason[0] != '\0') {
		buf_puts(out, ": ");
		str_safe(out, str_of(u->reason), true);
	}
}

static void
on_look(void *arg)
{
	struct headline *h = arg;
	struct headline_memo *m;
	struct queue_upstream u;
	struct queue_totals t;
	struct buf out = { 0 };
	char text[HEADLINE_MAX] = "";

	queue_get_totals(h->queue, &t);
	headline_put_totals(&out, &t);
	for (unsigned n = 0; n < UPSTREAMS_MAX && queue_find_upstream(h->queue, n, &u); n++) {
		buf_puts(&out, "; ");
		headline_put_upstream(&out, &u);
	}
	str_fit(text, sizeof text, buf_str(&out));
	buf_clear(&out);
	loop_timer(h->loop, &h->timer, loop_now_ms(h->loop) + LOOK_EVERY_MS);
	if (strcmp(text, h->last) == 0)
		return;
	memcpy(h->last, text, sizeof text);
	m = (struct headline_memo *)memo_new(MEMO_HEADLINE, sizeof *m);
	memcpy(m->text, text, sizeof text);
	memo_post(h->main, &m->memo);
}

struct headline *
headline_start(struct loop *l, struct queue *q, struct channel *main)
{
	struct headline *h = mem_zero(sizeof *h);

	h->loop = l;
	h->queue = q;
	h->main = main;
	timer_init(&h->timer, on_look, h);
	loop_timer(l, &h->timer, loop_now_ms(l));
	return h;
}

void
headline_stop(struct headline **h)
{
	if (*h == NULL)
		return;
	loop_cancel((*h)->loop, &(*h)->timer);
	free(*h);
	*h = NULL;
}
