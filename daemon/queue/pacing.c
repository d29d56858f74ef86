/*
 * How fast upstreams are used: asks route's pace before each message, tells it what came of it, keeps the gate informed of
 * pauses and their ends, and the day's counts on disk.
 *
 * The file "quota": u8 version (1), u64 wall s, for each upstream with a quota text name and text of pace_save.
 */
#include "queue/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { QUOTA_VERSION = 1, HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000, WANTED_MAX = 1000, AWAY_MOST_S = 7 * 86400 };

static void
on_pacing(void *arg)
{
	struct gateway *g = arg;

	pacing_check(g);
	dispatch_soon(g->queue);
}

void
pacing_init(struct gateway *g)
{
	pace_init(&g->pace, loop_now_ms(g->queue->loop));
	timer_init(&g->pacing, on_pacing, g);
}

void
pacing_stop(struct gateway *g)
{
	loop_cancel(g->queue->loop, &g->pacing);
}

void
pacing_configure(struct gateway *g)
{
	pace_configure(&g->pace, g->settings, loop_now_ms(g->queue->loop));
	pacing_check(g);
	g->queue->quota_changed = true;
}

/* --- before and after a message ----------------------------------------------- */

bool
pacing_may_send(struct gateway *g)
{
	int64_t now = loop_now_ms(g->queue->loop), wait;

	if (pace_paused_until_ms(&g->pace, now) > 0) {
		pacing_check(g);
		return false;
	}
	if (pace_is_unsaved(&g->pace, true)) {	/* goes on when that is on disk */
		g->pace.going = g->queue->quota_changed = g->queue->urgent = true;
		pacing_save(g->queue, false);
		return false;
	}
	wait = pace_wait_ms(&g->pace, now);
	if (wait > 0)
		loop_timer(g->queue->loop, &g->pacing, now + wait);
	return wait == 0;
}

unsigned
pacing_room(struct gateway *g, size_t wanted)
{
	return pace_room(&g->pace, wanted < WANTED_MAX ? (unsigned)wanted : WANTED_MAX, loop_now_ms(g->queue->loop));
}

unsigned
pacing_most_recipients(struct gateway *g)
{
	unsigned most = pace_most_recipients(&g->pace, loop_now_ms(g->queue->loop));

	return most < g->settings->max_recipients ? most : g->settings->max_recipients;
}

void
pacing_sent(struct gateway *g, const struct job *j)
{
	struct queue *q = g->queue;

	pace_take(&g->pace, j->nrcpt, loop_now_ms(q->loop));
	q->quota_changed = true;
	if (pace_is_unsaved(&g->pace, false))
		pacing_save(q, false);
}

/* Whether the provider means its quota or our pace it says in words only, but for a refusal for good. */
static enum pace_refusal
which(const struct outcome *o)
{
	static const char *const words[] = { "quota", "daily", "per day", "24 hour" };

	if (o->code >= 500)
		return PACE_QUOTA;
	for (size_t i = 0; i < sizeof words / sizeof words[0] && o->text != NULL; i++)
		if (strcasestr(o->text, words[i]) != NULL)
			return PACE_QUOTA;
	return PACE_TOO_FAST;
}

static void
tell_gate(struct gateway *g, const char *reason)
{
	int64_t now = loop_now_ms(g->queue->loop), until = pace_paused_until_ms(&g->pace, now);
	char used[80];

	if (until == 0) {
		if (g->gate.state == GATE_PAUSED)
			gateway_tell(g, GATE_EV_RESUME, "", 0);
		return;
	}
	if (gate_is_closed(&g->gate) && (g->gate.state != GATE_PAUSED || g->gate.retry_at_ms == until))
		return;		/* it is told when it opens */
	if (pace_is_used_up(&g->pace, now)) {
		snprintf(used, sizeof used, "daily quota of %u%s used", g->pace.quota, g->pace.recipients ? " recipients" : "");
		reason = used;
	}
	gateway_tell(g, GATE_EV_QUOTA, reason, until);
}

void
pacing_check(struct gateway *g)
{
	tell_gate(g, "the provider said so");
}

void
pacing_resume(struct gateway *g)
{
	pace_resume(&g->pace, loop_now_ms(g->queue->loop));
	pacing_check(g);
}

/* The words of the recipient that was refused. */
static const struct outcome *
find_refusal(const struct job *j)
{
	for (unsigned i = 0; i < j->nrcpt; i++)
		if ((j->result[i].kind == OUTCOME_DEFER || j->result[i].kind == OUTCOME_AGAIN) && j->result[i].code > 0)
			return &j->result[i];
	return NULL;
}

static void
refused(struct gateway *g, const struct job *j)
{
	const struct outcome *o = find_refusal(j);
	enum pace_refusal r = o != NULL ? which(o) : PACE_TOO_FAST;
	const char *what = r == PACE_QUOTA ? "over the provider's quota" : "the provider said \"too fast\"";
	char reason[200];

	if (o != NULL)
		snprintf(reason, sizeof reason, "%s: %d %.150s", what, o->code, o->text != NULL ? o->text : "");
	else
		snprintf(reason, sizeof reason, "%s", what);
	pace_refuse(&g->pace, r, g->nlane, loop_now_ms(g->queue->loop));
	tell_gate(g, reason);
	lane_trim(g);
}

void
pacing_report(struct gateway *g, const struct job *j)
{
	unsigned spent = 0;
	bool asked = false;

	for (unsigned i = 0; i < j->nrcpt; i++) {
		const struct outcome *o = &j->result[i];

		spent += o->kind == OUTCOME_SENT || o->maybe;
		asked |= o->kind == OUTCOME_SENT || o->maybe || o->code > 0;
	}
	pace_settle(&g->pace, j->nrcpt, spent, asked, loop_now_ms(g->queue->loop));
	g->queue->quota_changed = true;
	if (j->upstream == UPSTREAM_TOO_FAST) {
		refused(g, j);
		return;
	}
	if (j->upstream == UPSTREAM_BUSY && !gate_is_closed(&g->gate))	/* B-141: 4.3.2; the gate's timer does the rest */
		pace_no_more(&g->pace, g->nlane / 2, loop_now_ms(g->queue->loop));
	pacing_check(g);
}

bool
pacing_is_over_quota(struct gateway *g)
{
	return pace_is_over_quota(&g->pace, loop_now_ms(g->queue->loop));
}

bool
pacing_spares(const struct queue *q, struct entry *e, const struct gateway *g)
{
	if (retry_is_expired(q, e) || retry_wants_warning(q, e))
		return false;
	return (g != NULL && g->pace.strikes > 0) || ++e->again < AGAIN_MAX;
}

/* --- words -------------------------------------------------------------------------- */

static void
print_wait(char *out, size_t size, int64_t ms)
{
	long long minutes = (long long)(ms + MINUTE_MS - 1) / MINUTE_MS;

	if (ms < HOUR_MS)
		clock_print_span(out, size, ms);
	else if (minutes % 60 == 0)
		snprintf(out, size, "%lld h", minutes / 60);
	else
		snprintf(out, size, "%lld h %lld min", minutes / 60, minutes % 60);
}

void
pacing_print_reason(const struct gateway *g, char *out, size_t size)
{
	int64_t wait = g->gate.retry_at_ms - clock_now_ms();
	char span[48];

	if (g->gate.state != GATE_PAUSED || wait <= 0) {
		snprintf(out, size, "%s", g->gate.reason);
		return;
	}
	print_wait(span, sizeof span, wait);
	snprintf(out, size, "%s; goes on in %s", g->gate.reason, span);
}

/* --- across restarts ------------------------------------------------------------------ */

void
pacing_save(struct queue *q, bool final)
{
	struct buf b = { 0 };
	bool any = false;

	if (!final && (!q->quota_changed || q->quota_flying))
		return;
	q->quota_changed = false;
	buf_put_u8(&b, QUOTA_VERSION);
	buf_put_u64(&b, (uint64_t)clock_wall_s());
	for (unsigned i = 0; i < q->ngateway; i++) {
		struct gateway *g = q->gateway[i];
		struct buf one = { 0 };

		if (g->settings == NULL || g->pace.quota == 0)
			continue;
		any = true;
		pace_save(&g->pace, &one, final, loop_now_ms(q->loop));
		buf_put_text(&b, str_of(g->name));
		buf_put_text(&b, buf_str(&one));
		buf_clear(&one);
	}
	if (any)
		spool_file_put(q->spool, "quota", buf_str(&b));
	q->quota_staged |= any;
	buf_clear(&b);
}

/* Also where it could not be written: mail goes on while the disk is full. */
void
pacing_saved(struct queue *q)
{
	for (unsigned i = 0; i < q->ngateway; i++)
		pace_saved(&q->gateway[i]->pace);
}

static void
recall(struct queue *q, struct cursor c)
{
	int64_t saved_wall_s = (int64_t)cursor_u64(&c), wall_s = clock_wall_s(), away_ms = 0;

	/* A clock that was put back forgets nothing; more than the window is all the same. */
	if (saved_wall_s >= 0 && saved_wall_s < wall_s)
		away_ms = wall_s - saved_wall_s < AWAY_MOST_S ? (wall_s - saved_wall_s) * 1000 : AWAY_MOST_S * INT64_C(1000);
	while (c.left > 0 && !c.bad) {
		struct str name = cursor_text(&c), bytes = cursor_text(&c);
		char *text = str_dup(name);
		struct gateway *g = c.bad ? NULL : gateway_find(q, text);

		if (g != NULL && pace_load(&g->pace, bytes, away_ms, loop_now_ms(q->loop)))
			pacing_check(g);
		free(text);
	}
}

void
pacing_recall(struct queue *q)
{
	struct buf b = { 0 };
	struct str saved = store_find_file(q, "quota", &b);
	struct cursor c = cursor_init(saved.p, saved.n);

	if (cursor_u8(&c) == QUOTA_VERSION)
		recall(q, c);
	q->quota_changed = true;
	buf_clear(&b);
}
