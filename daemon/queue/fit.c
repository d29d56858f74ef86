/*
 * What upstreams can take (SIZE, 8BITMIME, SMTPUTF8), learned from the newest EHLO of each, and what follows from it: a
 * message passes over an upstream that lacks what it needs, and one that no upstream of its route can take is refused before
 * it is queued.  Where none can, the relay has the last word: its server may have changed.
 */
#include "queue/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
	SAVE_VERSION = 2,
	EDIT_OCTETS = 1024	/* that a rewritten header may have more */
};
enum { SAVE_UTF8 = 1, SAVE_8BIT = 2 };

/* --- one upstream -------------------------------------------------------------- */

/* What another host said does not count. */
static bool
is_known(const struct gateway *g)
{
	return g->offer.known && strcmp(g->offer.host, g->settings->host) == 0;
}

/* 0: any, or not known. */
static uint64_t
size_of(const struct gateway *g)
{
	return is_known(g) && g->offer.size > 0 ? g->offer.size : g->settings->message_size;
}

static bool
takes(const struct gateway *g, const struct entry *e)
{
	bool edited = g->settings->rewrite_from || g->settings->idempotency_header[0] != '\0';
	uint64_t most = size_of(g);

	if (most > 0 && e->size + (edited ? EDIT_OCTETS : 0) > most)
		return false;
	return !is_known(g) || ((!e->is_utf8 || g->offer.utf8) && (!e->is_8bit || g->offer.eightbit));
}

void
fit_learn(struct gateway *g, const struct caps *caps)
{
	struct offer now = { .known = true, .utf8 = caps->utf8, .eightbit = caps->eightbit, .size = caps->size };

	snprintf(now.host, sizeof now.host, "%s", g->settings->host);
	if (is_known(g) && now.utf8 == g->offer.utf8 && now.eightbit == g->offer.eightbit && now.size == g->offer.size)
		return;
	g->offer = now;
	g->queue->memory_changed = true;
	store_soon(g->queue);
	if (g->queue->config->nupstream > 1)
		dispatch_anew(g->queue);
	admit_limits(g->queue, false);
}

/* --- ways ------------------------------------------------------------------------ */

/* The narrow way of these upstreams (bits) of another: the one that there is, or an unused one. */
static unsigned
narrow(struct queue *q, unsigned base, uint64_t mask, unsigned keep)
{
	unsigned at = q->nbase;
	struct way *w;

	for (unsigned i = q->nbase; i < q->nway; i++)
		if (q->way[i].base == base && q->way[i].mask == mask)
			return i;
	while (at < q->nway && (at == keep || q->way[at].nready > 0 || q->nway < q->nbase + NARROW_MAX))
		at++;
	if (at == q->nbase + NARROW_MAX)
		return base;	/* so many kinds at once: the relay decides */
	w = &q->way[at];
	if (at == q->nway)
		q->nway++;
	free(w->gateway);
	*w = (struct way){ .name = q->way[base].name, .base = base, .mask = mask };
	list_init(&w->ready);
	w->gateway = mem_array(q->way[base].ngateway, sizeof *w->gateway);
	for (unsigned i = 0; i < q->way[base].ngateway; i++)
		if (mask >> i & 1)
			w->gateway[w->ngateway++] = q->way[base].gateway[i];
	return at;
}

unsigned
fit_way(struct queue *q, const struct entry *e, unsigned way)
{
	const struct way *w = &q->way[way];
	uint64_t mask = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < w->ngateway; i++)
		if (takes(q->gateway[w->gateway[i]], e)) {
			mask |= UINT64_C(1) << i;
			n++;
		}
	return n == 0 || n == w->ngateway ? way : narrow(q, way, mask, e->way);
}

/* The best that some upstream of the way offers: what is not known may be. */
void
fit_limit(const struct queue *q, unsigned way, struct route_limit *out)
{
	const struct way *w = &q->way[way];
	bool any = w->ngateway == 0;

	*out = (struct route_limit){ 0 };
	for (unsigned i = 0; i < w->ngateway; i++) {
		const struct gateway *g = q->gateway[w->gateway[i]];
		uint64_t most = size_of(g);

		any = any || most == 0;
		out->message_max = most > out->message_max ? most : out->message_max;
		out->utf8 = out->utf8 || (is_known(g) && g->offer.utf8);	/* D12: nobody is promised what may not be */
		out->eightbit = out->eightbit || !is_known(g) || g->offer.eightbit;
	}
	if (any)
		out->message_max = 0;
}

/* --- reports ----------------------------------------------------------------------- */

static bool
some_take(const struct queue *q, const struct entry *e, const struct recipient *r)
{
	const struct way *w = &q->way[dispatch_way(q, e->envelope, r)];

	for (unsigned i = 0; i < w->ngateway; i++)
		if (takes(q->gateway[w->gateway[i]], e))
			return true;
	return false;
}

/* Refused by the relay itself, for want of something in this connection's EHLO. */
static bool
is_unfit(const struct outcome *o)
{
	return o->kind == OUTCOME_REFUSE && o->code == 0 &&
	    (strcmp(o->status, "5.3.4") == 0 || strcmp(o->status, "5.6.3") == 0 || strcmp(o->status, "5.6.7") == 0);
}

void
fit_review(struct queue *q, const struct entry *e, struct job *j)
{
	struct lane *l = lane_find(q, j->lane);

	for (unsigned i = 0; i < j->nrcpt; i++) {
		struct outcome *o = &j->result[i];

		if (!is_unfit(o) || !some_take(q, e, &e->envelope->rcpt[j->rcpt[i]]))
			continue;
		o->status[0] = '4';
		o->kind = OUTCOME_AGAIN;
		if (l != NULL)
			l->stale = true;	/* it does not know what newer connections do */
	}
}

/* --- across restarts ------------------------------------------------------------------ */

void
fit_save(const struct queue *q, struct buf *out)
{
	buf_put_u8(out, SAVE_VERSION);
	for (unsigned i = 0; i < q->ngateway; i++) {
		const struct gateway *g = q->gateway[i];

		if (g->settings == NULL || !is_known(g))
			continue;
		buf_put_text(out, str_of(g->name));
		buf_put_text(out, str_of(g->offer.host));
		buf_put_u8(out, (uint8_t)((g->offer.utf8 ? SAVE_UTF8 : 0) | (g->offer.eightbit ? SAVE_8BIT : 0)));
		buf_put_u64(out, g->offer.size);
		buf_put_u8(out, (uint8_t)g->quirks);
		buf_put_u64(out, (uint64_t)g->quirks_wall_s);
	}
}

void
fit_load(struct queue *q, struct str saved)
{
	struct cursor c = cursor_init(saved.p, saved.n);

	if (cursor_u8(&c) != SAVE_VERSION)
		return;
	while (c.left > 0 && !c.bad) {
		struct str name = cursor_text(&c), host = cursor_text(&c);
		uint8_t bits = cursor_u8(&c);
		uint64_t size = cursor_u64(&c);
		uint8_t quirks = cursor_u8(&c);
		int64_t quirks_wall_s = (int64_t)cursor_u64(&c);
		struct offer o = { .known = true, .utf8 = bits & SAVE_UTF8, .eightbit = bits & SAVE_8BIT, .size = size };
		char *text = str_dup(name);
		struct gateway *g = c.bad || host.n >= sizeof o.host ? NULL : gateway_find(q, text);

		if (g != NULL) {
			str_fit(o.host, sizeof o.host, host);
			g->offer = o;
			quirk_recall(g, quirks, quirks_wall_s);
		}
		free(text);
	}
}
