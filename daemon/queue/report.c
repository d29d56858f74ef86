/*
 * What an attempt ended in: each recipient's life (a table), and what follows for its message: another round at
 * once, a wait by the schedule, a notification, or its end.
 */
#include "queue/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/mem.h"

enum { WARNINGS_MAX = 1000 };

enum act { DO_NOTHING, DO_SPEND, DO_AGAIN };

/* From a job's outcome to the recipient's next state.  Only recipients that were out are asked. */
static const struct {
	enum rcpt_state to;
	enum act act;
	enum count_id count;
	const char *event;
	enum log_level level;
} life[OUTCOMES] = {
	[OUTCOME_NONE] = { RCPT_WAITING, DO_AGAIN, COUNTS, NULL, LOG_DEBUG },
	[OUTCOME_SENT] = { RCPT_SENT, DO_NOTHING, COUNT_RELAYED, "relayed", LOG_INFO },
	[OUTCOME_DEFER] = { RCPT_WAITING, DO_SPEND, COUNT_DEFERRED, "deferred", LOG_INFO },
	[OUTCOME_REFUSE] = { RCPT_FAILED, DO_NOTHING, COUNTS, "refused", LOG_WARNING },
	[OUTCOME_AGAIN] = { RCPT_WAITING, DO_AGAIN, COUNTS, "again", LOG_DEBUG },
};

/* The one place that writes delivery lines. */
static void
log_attempt(const struct job *j, const struct recipient *r, const struct outcome *o)
{
	log_event(o->maybe ? LOG_WARNING : life[o->kind].level, life[o->kind].event, log_id("msg", j->id), log_text("to", r->address),
	    log_text("upstream", j->peer.upstream), log_num("port", j->peer.port),
	    log_text("tls", tls_mode_name(j->peer.tls)), log_text("address", j->peer.address),
	    log_num("code", o->code), log_text("dsn", o->status), log_text("reply", o->text),
	    log_text("maybe_delivered", o->maybe ? "yes" : NULL), log_num("took_ms", j->took_ms),
	    log_num("delay_ms", (clock_wall_us() - (int64_t)j->id) / 1000));
}

/* Lost attempts in a row count as a real one, so that a server that always hangs up meets the schedule. */
static void
cap_again(struct entry *e, struct job *j)
{
	bool progress = false;

	if (j->second && j->untried)	/* it waited behind the one that failed; that one is counted */
		return;
	for (unsigned i = 0; i < j->nrcpt; i++)
		progress |= j->result[i].kind == OUTCOME_SENT || j->result[i].kind == OUTCOME_REFUSE;
	if (progress || j->upstream == UPSTREAM_LOGIN || j->upstream == UPSTREAM_TOO_FAST || ++e->again < AGAIN_MAX) {
		if (progress)
			e->again = 0;
		return;
	}
	e->again = 0;
	for (unsigned i = 0; i < j->nrcpt; i++)
		if (j->result[i].kind == OUTCOME_AGAIN || j->result[i].kind == OUTCOME_NONE) {
			j->result[i].kind = OUTCOME_DEFER;
			if (j->result[i].status[0] == '\0')
				memcpy(j->result[i].status, "4.4.2", sizeof "4.4.2");
		}
}

/* Where there is nobody to tell it is not over: the message will be held, and may be tried again. */
static void
count_failed(const struct entry *e)
{
	if (e->envelope->sender[0] != '\0')
		count_add(COUNT_BOUNCED, 1);
}

/* One recipient; true if its note is worth writing. */
static bool
settle_rcpt(struct queue *q, struct entry *e, const struct job *j, unsigned i)
{
	struct recipient *r = &e->envelope->rcpt[j->rcpt[i]];
	const struct outcome *o = &j->result[i];

	if (r->state != RCPT_OUT)
		bug("message %llu: a report for a recipient that is not out", (unsigned long long)j->id);
	r->state = life[o->kind].to;
	if (life[o->kind].event != NULL) {
		log_attempt(j, r, o);
		operator_tell_attempt(q, j, life[o->kind].event, r->address, o);
	}
	if (life[o->kind].count != COUNTS)
		count_add(life[o->kind].count, 1);
	if (r->state == RCPT_FAILED)
		count_failed(e);
	if (o->maybe)
		count_add(COUNT_DUPLICATES_POSSIBLE, 1);
	if (life[o->kind].act == DO_AGAIN)
		return false;
	if (life[o->kind].act == DO_SPEND)
		r->attempts = e->attempts + 1u;
	outcome_copy(&r->last, o);
	return true;
}

static bool
is_round_over(const struct entry *e)
{
	for (unsigned i = 0; i < e->envelope->nrcpt; i++) {
		const struct recipient *r = &e->envelope->rcpt[i];

		if (r->state == RCPT_WAITING && r->attempts <= e->attempts)
			return false;
	}
	return true;
}

static void
hold(struct queue *q, struct entry *e, const char *reason, bool asked)
{
	struct why why;

	if (entry_load(q, e, &why) < 0) {
		entry_unreadable(q, e, &why);
		return;
	}
	entry_move(q, e, ENTRY_HELD, 0);
	e->arrived_queue_s = (uint32_t)(retry_clock_s(q) - (int64_t)e->arrived_queue_s);	/* its age stands still */
	e->at.held = mem_text(reason);
	if (!asked)
		entry_keep(q, e);
	log_event(asked ? LOG_INFO : LOG_ERROR, "held", log_id("msg", e->item.id), log_text("reason", reason),
	    log_text("advice", asked ? NULL : "look with `gatepost show', then `gatepost release' or `gatepost delete'"));
	store_note(q, e);
	operator_tell(q, e->item.id, "held", reason);
	entry_park(q, e);
}

void
report_held(struct queue *q, struct entry *e, const char *reason)
{
	hold(q, e, reason, true);
}

/* Recipients that still wait fail (of one way, or WAY_NONE: of all): past the deadline, and an attempt has just
 * failed.  What was said last stays as it was; mail/dsn knows by its kind that time was up. */
static void
expire(struct queue *q, struct entry *e, unsigned way, const char *reason)
{
	for (unsigned i = 0; i < e->envelope->nrcpt; i++) {
		struct recipient *r = &e->envelope->rcpt[i];

		if (r->state != RCPT_WAITING || (way != WAY_NONE && dispatch_way(q, e->envelope, r) != dispatch_base(q, way)))
			continue;
		if (r->last.kind != OUTCOME_DEFER)
			outcome_set(&r->last, OUTCOME_DEFER, 0, "4.4.7", str_of(reason));
		r->state = RCPT_FAILED;
		count_failed(e);
		log_event(LOG_WARNING, "expired", log_id("msg", e->item.id), log_text("to", r->address),
		    log_text("reason", r->last.text));
		history_put(q, e->item.id, "expired", r->address, r->last.text);
	}
}

/* A notification that cannot be delivered, or a message without anyone to notify, is kept for the operator once
 * nothing is left to try. */
static bool
must_hold(const struct entry *e)
{
	if (e->envelope->sender[0] != '\0' || envelope_open(e->envelope) > 0)
		return false;
	for (unsigned i = 0; i < e->envelope->nrcpt; i++)
		if (e->envelope->rcpt[i].state == RCPT_FAILED && !e->envelope->rcpt[i].reported)
			return true;
	return false;
}

/* For the operator's decision the failed recipients of such a message wait again. */
static void
hold_failed(struct queue *q, struct entry *e)
{
	const struct outcome *why = NULL;
	char reason[200];

	for (unsigned i = 0; i < e->envelope->nrcpt; i++) {
		struct recipient *r = &e->envelope->rcpt[i];

		if (r->state != RCPT_FAILED || r->reported)
			continue;
		r->state = RCPT_WAITING;
		if (why == NULL)
			why = &r->last;
	}
	if (why == NULL)
		bug("hold_failed: nobody has failed");
	snprintf(reason, sizeof reason, "null sender, nobody to notify; %s: %d %.120s", why->kind == OUTCOME_DEFER ? "expired" : "refused",
	    why->code, why->text != NULL ? why->text : "");
	entry_count(q, e);
	hold(q, e, reason, false);
}

/* Nothing is left to try, and nobody to be told. */
static void
end(struct queue *q, struct entry *e)
{
	if (e->damaged) {
		entry_damaged(q, e, "its content could not be read");
		return;
	}
	operator_tell(q, e->item.id, "ended", "");
	store_done(q, e);
}

void
report_told(struct queue *q, struct entry *e)
{
	entry_count(q, e);
	if (e->recipients == 0) {
		end(q, e);
	} else {
		store_note(q, e);
		entry_park(q, e);
	}
}

/* Whatever has been decided of a message is told and written down; then it ends, or waits until `due_at_ms'. */
static void
conclude(struct queue *q, struct entry *e, const struct peer *peer, int64_t due_at_ms)
{
	int64_t owed_ms;

	if (must_hold(e)) {
		hold_failed(q, e);
		return;
	}
	owed_ms = bounce_round(q, e, peer);
	entry_count(q, e);
	if (e->recipients == 0 && owed_ms == 0) {
		end(q, e);
		return;
	}
	if (e->hold_asked) {
		e->hold_asked = false;
		report_held(q, e, HELD_BY_OPERATOR);
		return;
	}
	/* A notice that has not been queued is owed: the message stays until it is. */
	if (owed_ms > 0 && e->recipients == 0)
		due_at_ms = loop_now_ms(q->loop) + owed_ms;
	entry_move(q, e, ENTRY_WAITING, due_at_ms);
	store_note(q, e);
	entry_park(q, e);
}

/* Every recipient of this round has had its attempt. */
static void
end_round(struct queue *q, struct entry *e, const struct peer *peer)
{
	e->again = 0;
	if (e->attempts < UINT16_MAX)
		e->attempts++;
	if (envelope_open(e->envelope) > 0 && retry_is_expired(q, e))
		expire(q, e, WAY_NONE, "no attempt succeeded");
	conclude(q, e, peer, loop_now_ms(q->loop) + retry_delay_ms(q->config, e->attempts));
}

void
report_rest(struct queue *q, struct entry *e)
{
	conclude(q, e, NULL, loop_now_ms(q->loop) + retry_delay_ms(q->config, e->attempts));
}

static void
tell_gateway(struct gateway *g, const struct job *j)
{
	const char *text = j->nrcpt > 0 && j->result[0].text != NULL ? j->result[0].text : "";

	switch (j->upstream) {
	case UPSTREAM_BUSY:
		gateway_tell(g, GATE_EV_BUSY, text, 0);
		break;
	case UPSTREAM_LOGIN:
		gateway_tell(g, GATE_EV_LOGIN_REFUSED, text, 0);
		break;
	default:
		break;
	}
}

/* The lane comes back; the upstream hears what the job says of it. */
static void
return_lane(struct queue *q, const struct job *j)
{
	struct lane *l = lane_find(q, j->lane);
	struct gateway *g = l != NULL ? q->gateway[l->gateway] : NULL;

	if (l == NULL)
		return;
	l->proven |= j->nrcpt > 0 && j->result[0].kind == OUTCOME_SENT;
	if (!l->stale)		/* else it may be of another server */
		quirk_hear(g, j);
	lane_put(g, l, j->lane_lost);
	pacing_report(g, j);
	tell_gateway(g, j);
}

/* A refused login, or a refusal of our pace, is the upstream's matter: the message has not been tried. */
static bool
is_spared(const struct queue *q, struct entry *e, const struct job *j)
{
	const struct lane *l = lane_find(q, j->lane);

	if (j->upstream == UPSTREAM_TOO_FAST)
		return pacing_spares(q, e, l != NULL ? q->gateway[l->gateway] : NULL);
	return j->upstream == UPSTREAM_LOGIN;
}

static void
settle_entry(struct queue *q, struct entry *e, struct job *j)
{
	bool changed = false;

	if (is_spared(q, e, j))
		for (unsigned i = 0; i < j->nrcpt; i++)
			if (j->result[i].kind == OUTCOME_DEFER && !j->result[i].maybe)
				j->result[i].kind = OUTCOME_AGAIN;
	fit_review(q, e, j);
	cap_again(e, j);
	for (unsigned i = 0; i < j->nrcpt; i++)
		changed |= settle_rcpt(q, e, j, i);
	bounce_relayed(q, e, j);
	if (e->doomed) {
		operator_tell(q, e->item.id, "deleted", "");
		log_event(LOG_INFO, "deleted", log_id("msg", e->item.id));
		store_done(q, e);
	} else if (is_round_over(e)) {
		end_round(q, e, &j->peer);
	} else {
		entry_count(q, e);
		entry_move(q, e, ENTRY_READY, 0);
		if (changed)
			store_note(q, e);
	}
}

void
report_job(struct queue *q, struct job *j)
{
	struct entry *e = order_find(&q->order, j->id);

	if (e == NULL || e->state != ENTRY_OUT)
		bug("message %llu: a report, but it is not out", (unsigned long long)j->id);
	if (j->body_damaged) {
		entry_damaged(q, e, j->nrcpt > 0 && j->result[0].text != NULL ? j->result[0].text : "unreadable");
		return_lane(q, j);
	} else {
		settle_entry(q, e, j);
		return_lane(q, j);
	}
	memo_job_free(&j);
	dispatch_soon(q);
}

/* True if the way leads through g, and nothing but its failure keeps mail there: an upstream whose login was refused or
 * that is over its quota expires nothing. */
static bool
is_failed_way(const struct queue *q, unsigned way, const struct gateway *g)
{
	bool through = false;

	if (way >= q->nway || !dispatch_is_closed(q, way))
		return false;
	for (unsigned i = 0; i < q->way[way].ngateway; i++) {
		const struct gateway *other = q->gateway[q->way[way].gateway[i]];

		if (other->gate.state == GATE_AUTH_FAILED || other->gate.state == GATE_PAUSED)
			return false;
		through |= other == g;
	}
	return through;
}

/* One message that waits for the failed upstream: its time may be up, or its sender be due a warning. */
static void
fail_entry(struct queue *q, struct entry *e, const struct gateway *g)
{
	bool was_open = e->envelope != NULL;
	struct why why;

	if (entry_load(q, e, &why) < 0) {
		entry_unreadable(q, e, &why);
		return;
	}
	if (retry_is_expired(q, e)) {
		expire(q, e, e->way, g->gate.reason);
		if (envelope_open(e->envelope) == 0)
			conclude(q, e, NULL, loop_now_ms(q->loop));
		else
			entry_move(q, e, ENTRY_READY, 0);	/* by another way */
		return;
	}
	(void)bounce_round(q, e, NULL);
	if (e->warned)
		store_note(q, e);
	if (!was_open)
		entry_park(q, e);
}

void
report_failed(struct queue *q, const struct gateway *g)
{
	unsigned warnings = 0;
	uint64_t after = 0;
	struct entry *e;

	while ((e = order_next(&q->order, after)) != NULL && warnings < WARNINGS_MAX) {
		bool expired = retry_is_expired(q, e);

		after = e->item.id;
		if (e->state != ENTRY_HELD && !e->shifted && retry_is_young(q, e))
			break;		/* and so are those behind it; time in hold is what can make an old one young */
		if (e->state != ENTRY_READY || (!expired && (e->gathered || !retry_wants_warning(q, e))) || !is_failed_way(q, e->way, g))
			continue;
		warnings += !expired;
		fail_entry(q, e, g);
	}
}
