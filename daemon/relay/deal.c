/* One message's transaction. */
#include "relay/deal.h"

#include "base/mem.h"
#include "relay/edit.h"
#include "relay/fit.h"
#include "relay/judge.h"
#include "relay/phrase.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step { STEP_RSET, STEP_MAIL, STEP_RCPT, STEP_DATA, STEP_CONTENT };

static const char *const doing[] = {
	[STEP_RSET] = "sending RSET",
	[STEP_MAIL] = "sending MAIL FROM",
	[STEP_RCPT] = "sending RCPT TO",
	[STEP_DATA] = "asking to send the message",
	[STEP_CONTENT] = "sending the message",
};

/* The n-th command, and which recipient it is about. */
static enum step
step_at(const struct deal *d, unsigned n, unsigned *rcpt)
{
	*rcpt = 0;
	if (d->reset && n-- == 0)
		return STEP_RSET;
	if (n-- == 0)
		return STEP_MAIL;
	if (n < d->nrcpt) {
		*rcpt = d->rcpt[n];
		return STEP_RCPT;
	}
	return n - d->nrcpt == 0 && !d->chunked ? STEP_DATA : STEP_CONTENT;
}

static enum step
next_step(const struct deal *d)
{
	unsigned rcpt;

	return step_at(d, d->said, &rcpt);
}

/* --- outcomes ------------------------------------------------------------------ */

static void
settle_open(struct deal *d, enum outcome_kind kind, bool maybe, int code, const char *status, struct str text)
{
	for (unsigned i = 0; i < d->job->nrcpt; i++) {
		struct outcome *o = &d->job->result[i];

		if (o->kind != OUTCOME_NONE)
			continue;
		outcome_set(o, kind, code, status, text);
		o->maybe = maybe;
	}
}

static void
refuse_all(struct deal *d, const char *status, const char *text)
{
	settle_open(d, OUTCOME_REFUSE, false, 0, status, str_of(text));
}

static void
settle_reply(struct deal *d, const struct judgement *j, const struct reply *r)
{
	settle_open(d, j->kind, j->maybe, r->code, judge_status(r->code, r->status), buf_str(&r->text));
}

/* Nothing more is worth saying; what has been said, or begun, is still answered. */
static void
stop(struct deal *d)
{
	d->total = d->said + d->pouring;
}

/* --- what this server can take --------------------------------------------------- */

static enum deal_next
unreadable(struct deal *d, const struct why *why)
{
	d->job->body_damaged = true;
	settle_open(d, OUTCOME_DEFER, false, 0, "4.3.0", str_of(why->text));
	return DEAL_CLOSE;
}

/* False: it cannot go to this server, and everyone has an outcome. */
static bool
fits(struct deal *d, struct why *why)
{
	const struct fit_question q = { &d->terms->caps, d->job, d->rcpt, d->nrcpt };
	char text[160];
	const char *status;

	switch (fit_content(&q, &d->content, &status, text, sizeof text, why)) {
	case FIT_YES:
		return true;
	case FIT_NEVER:
		refuse_all(d, status, text);
		return false;
	case FIT_UNREADABLE:
		unreadable(d, why);
		return false;
	}
	bug("deal: it neither fits nor not");
}

void
deal_begin(struct deal *d, const struct deal_terms *t, bool dirty, bool behind, int64_t now_ms)
{
	struct why why = { "" };

	d->begun = true;
	d->terms = t;
	d->reset = dirty || behind;	/* the one before may fail, and RFC 3030 2 wants it then */
	d->behind = behind;
	d->chunked = t->caps.chunking && !(*t->quirks & QUIRK_NO_BDAT);
	d->piped = t->caps.pipelining && !(*t->quirks & QUIRK_STEPS);
	d->job->leaned = (d->piped ? QUIRK_STEPS : 0) | (behind ? QUIRK_ALONE : 0);
	d->said = d->heard = d->total = d->accepted = 0;
	d->pouring = d->ended = d->open = d->again = false;
	if (d->began_at_ms == 0)
		d->began_at_ms = now_ms;
	d->nrcpt = fit_recipients(t->settings, &t->caps, d->job, d->rcpt);
	if (edit_content(&d->content, d->job, d->rcpt, d->nrcpt, t->config, t->settings, &why) < 0) {
		unreadable(d, &why);
		return;
	}
	if (d->nrcpt == 0 || !fits(d, &why))
		return;
	if (content_start(&d->content, d->chunked, &why) < 0)
		unreadable(d, &why);
	else
		d->total = (d->reset ? 1U : 0U) + 1 + d->nrcpt + (d->chunked ? 1U : 2U);
}

/* --- what is said ------------------------------------------------------------------ */

bool
deal_is_over(const struct deal *d)
{
	return d->begun && d->heard == d->total && !d->pouring;
}

bool
deal_is_flight(const struct deal *d)
{
	return d->begun && d->chunked && d->piped && d->content.octets <= JOB_FLIGHT_OCTETS &&
	    (d->nrcpt == 1 || !edit_is_keyed(d->terms->settings));
}

bool
deal_is_said(const struct deal *d)
{
	return d->begun && d->said == d->total && !d->pouring && d->chunked && d->piped && !(*d->terms->quirks & QUIRK_ALONE);
}

bool
deal_awaits_content(const struct deal *d)
{
	unsigned rcpt;

	return d->heard < d->said && step_at(d, d->heard, &rcpt) == STEP_CONTENT;
}

bool
deal_may_say(const struct deal *d)
{
	bool behind = d->heard < d->said;

	if (d->said == d->total || d->pouring || (behind && !d->piped))
		return false;
	if (behind && next_step(d) == STEP_CONTENT)
		return deal_is_flight(d);
	return true;
}

static bool
uses_dsn(const struct deal *d)
{
	return d->terms->caps.dsn && !d->bare && !(*d->terms->quirks & QUIRK_NO_DSN);
}

enum deal_next
deal_pour(struct deal *d, struct exchange *x)
{
	struct why why = { "" };
	enum content_result r = content_pour(&d->content, stream_output(x->stream), JOB_FLIGHT_OCTETS, &why);

	stream_flush(x->stream);
	d->pouring = r == CONTENT_MORE;
	switch (r) {
	case CONTENT_MORE:
		break;
	case CONTENT_END:
		d->said++;
		d->ended = true;
		if (!d->chunked)
			exchange_expect(x);
		break;
	case CONTENT_UNREADABLE:
		return unreadable(d, &why);
	case CONTENT_UNCLEAN:
		refuse_all(d, "5.6.0", "the message has a bare CR, LF or NUL, and cannot be sent");
		return DEAL_CLOSE;
	}
	return DEAL_GO_ON;
}

/* B-045: DATA was on its way when the last recipient was refused. */
static void
say_lone_dot(struct deal *d, struct exchange *x)
{
	stream_write(x->stream, ".\r\n", 3);
	exchange_expect(x);
	d->total = ++d->said;
}

enum deal_next
deal_say(struct deal *d, struct exchange *x)
{
	unsigned rcpt;
	enum step s = step_at(d, d->said, &rcpt);
	struct why why = { "" };
	int ok = 0;

	if (s >= STEP_DATA && d->heard == d->said && d->accepted == 0) {
		stop(d);
		return DEAL_GO_ON;
	}
	switch (s) {
	case STEP_RSET:
	case STEP_DATA:
		ok = exchange_say(x, s == STEP_RSET ? "RSET" : "DATA");
		break;
	case STEP_MAIL:
		ok = phrase_mail(x, d->job, &(struct phrase_mail){ &d->terms->caps, d->content.octets, d->bare,
		    uses_dsn(d), fit_needs_utf8(d->job, d->rcpt, d->nrcpt) }, &d->optional);
		break;
	case STEP_RCPT:
		d->job->dsn = uses_dsn(d);
		ok = phrase_rcpt(x, &d->job->envelope->rcpt[d->job->rcpt[rcpt]], d->job->dsn);
		break;
	case STEP_CONTENT:
		if (edit_again(&d->content, d->job, d->rcpt, d->nrcpt, d->terms->config, d->terms->settings, d->chunked, &why) < 0)
			return unreadable(d, &why);
		if (d->chunked)
			ok = exchange_say(x, "BDAT %" PRIu64 " LAST", d->content.octets);
		return ok < 0 ? DEAL_CLOSE : deal_pour(d, x);
	}
	if (ok < 0) {	/* addresses were looked at before: a parameter, then */
		refuse_all(d, "5.5.4", "a parameter has a control character");
		return DEAL_CLOSE;
	}
	d->said++;
	return DEAL_GO_ON;
}

/* --- what is heard -------------------------------------------------------------------- */

static struct judgement
judge_reply(struct deal *d, enum judge_step step, const struct reply *r, bool optional)
{
	const struct judge_case c = {
		.step = step, .code = r->code, .status = r->status, .optional = optional && !d->bare,
		.reused = d->terms->reused, .chunked = d->chunked, .accepted = d->accepted,
		.piped = d->piped && (step != JUDGE_MAIL || d->behind),
		.too_fast = d->terms->settings->too_fast, .ntoo_fast = d->terms->settings->ntoo_fast
	};
	struct judgement j = judge(&c);

	static const unsigned char quirk[JUDGE_ACTS] = {
		[JUDGE_NO_BDAT] = QUIRK_NO_BDAT, [JUDGE_NO_DSN] = QUIRK_NO_DSN, [JUDGE_STEPS] = QUIRK_STEPS, [JUDGE_ALONE] = QUIRK_ALONE
	};

	d->job->upstream = judge_worse(d->job->upstream, j.upstream);
	*d->terms->quirks |= quirk[j.act];
	return j;
}

static enum deal_next
next_of(const struct judgement *j, const struct reply *r)
{
	if (j->act == JUDGE_CLOSE && r->code == 421)
		return DEAL_BYE;
	if (j->act == JUDGE_NO_BDAT || (j->act == JUDGE_CLOSE && r->code < 400))
		return DEAL_CLOSE;
	return j->act == JUDGE_CLOSE || j->act == JUDGE_ALONE ? DEAL_QUIT : DEAL_GO_ON;
}

/* B-056.  Behind another message the rest is on its way already, and its answers tell; but nothing follows it. */
static enum deal_next
hear_reset(struct deal *d, const struct reply *r)
{
	if (r->code / 100 == 2)
		return DEAL_GO_ON;
	if (r->code == 421) {
		settle_open(d, OUTCOME_AGAIN, false, r->code, judge_status(r->code, r->status), buf_str(&r->text));
		d->job->upstream = judge_worse(d->job->upstream, UPSTREAM_LOST);
		stop(d);
		return DEAL_BYE;
	}
	if (!d->behind)
		return DEAL_CLOSE;	/* deal_lose has the outcome */
	*d->terms->quirks |= QUIRK_ALONE;
	d->spoiled = true;
	return DEAL_GO_ON;
}

static enum deal_next
hear_mail(struct deal *d, const struct reply *r)
{
	struct judgement j = judge_reply(d, JUDGE_MAIL, r, d->optional);

	if (j.kind == OUTCOME_SENT) {
		d->open = true;
		return DEAL_GO_ON;
	}
	stop(d);
	if (j.act == JUDGE_BARE)
		d->again = true;
	else
		settle_reply(d, &j, r);
	return next_of(&j, r);
}

static enum deal_next
hear_rcpt(struct deal *d, unsigned i, const struct reply *r)
{
	const struct recipient *to = &d->job->envelope->rcpt[d->job->rcpt[i]];
	struct judgement j;

	if (!d->open)	/* MAIL was refused: this says nothing new */
		return DEAL_GO_ON;
	j = judge_reply(d, JUDGE_RCPT, r, uses_dsn(d) && (to->notify != 0 || to->orcpt != NULL));
	if (j.kind == OUTCOME_SENT)
		d->accepted++;
	else if (j.act == JUDGE_CLOSE)	/* nothing is committed: those that were taken too (B-044) */
		settle_reply(d, &j, r);
	else
		outcome_set(&d->job->result[i], j.kind, r->code, judge_status(r->code, r->status), buf_str(&r->text));
	return next_of(&j, r);
}

static enum deal_next
hear_data(struct deal *d, struct exchange *x, const struct reply *r)
{
	struct judgement j;

	if (d->accepted == 0) {
		if (r->code / 100 == 3)
			say_lone_dot(d, x);
		else
			stop(d);
		return DEAL_GO_ON;
	}
	j = judge_reply(d, JUDGE_DATA, r, false);
	if (j.kind == OUTCOME_SENT)
		return DEAL_GO_ON;
	stop(d);
	settle_reply(d, &j, r);
	return j.act == JUDGE_STEPS ? DEAL_QUIT : next_of(&j, r);
}

static enum deal_next
hear_content(struct deal *d, const struct reply *r)
{
	struct judgement j;

	if (d->accepted == 0) {
		d->open = d->chunked;
		return DEAL_GO_ON;
	}
	j = judge_reply(d, JUDGE_CONTENT, r, false);
	d->open = d->chunked && j.kind != OUTCOME_SENT;	/* RFC 3030 2: RSET after a failed BDAT */
	settle_reply(d, &j, r);
	return next_of(&j, r);
}

/* Before the end of data: it does not want the rest, and there is no way to stop but to close (B-052). */
static enum deal_next
hear_early(struct deal *d, const struct reply *r)
{
	struct judgement j = judge_reply(d, JUDGE_CONTENT, r, false);

	d->pouring = false;
	stop(d);
	if (r->code < 400)
		settle_open(d, OUTCOME_DEFER, false, 0, "4.5.0", STR("the server answered before the end of the message"));
	else
		settle_reply(d, &j, r);
	return DEAL_CLOSE;
}

enum deal_next
deal_hear(struct deal *d, struct exchange *x, const struct reply *r)
{
	unsigned rcpt;
	enum step s;

	if (d->pouring && d->heard == d->said)
		return hear_early(d, r);
	s = step_at(d, d->heard++, &rcpt);
	switch (s) {
	case STEP_RSET:
		return hear_reset(d, r);
	case STEP_MAIL:
		return hear_mail(d, r);
	case STEP_RCPT:
		return hear_rcpt(d, rcpt, r);
	case STEP_DATA:
		return hear_data(d, x, r);
	case STEP_CONTENT:
		return hear_content(d, r);
	}
	bug("deal: step %d", s);
}

/* --- the end ------------------------------------------------------------------------------ */

/* Has the server said anything of this message yet?  The answer to RSET is still about the one before. */
static bool
is_unheard(const struct deal *d)
{
	return d->heard <= (d->reset ? 1u : 0u);
}

unsigned
deal_suspect(const struct deal *d)
{
	if (d->said == 0)
		return 0;
	if (d->behind && is_unheard(d))
		return QUIRK_ALONE;
	/* A connection that has carried messages may have died in its sleep.  And a lost answer to the end of data is what
	 * it is, but after BDAT what was dropped may be the content that came in one flight with the rest. */
	if (!d->piped || d->said - d->heard == 0 || (is_unheard(d) && d->terms->reused))
		return 0;
	return !deal_awaits_content(d) || deal_is_flight(d) ? QUIRK_STEPS : 0;
}

void
deal_lose(struct deal *d, enum deal_loss loss, const char *why)
{
	static const char *const words[] = {
		[LOSS_LINK] = "lost the connection", [LOSS_BYE] = "the server ended the connection", [LOSS_TIMEOUT] = "no answer",
		[LOSS_PROTOCOL] = "the server broke the protocol"
	};
	unsigned rcpt;
	enum step s = d->begun ? step_at(d, d->heard, &rcpt) : STEP_MAIL;
	/* With BDAT one flight holds all: whatever was answered of it, the server may have got to its end (B-112); unless it
	 * said good-bye before it came to it, and kept its word. */
	bool maybe = d->begun && d->ended && !d->again && !(loss == LOSS_BYE && is_unheard(d));
	bool later = maybe || (d->said > 0 && (loss == LOSS_TIMEOUT || loss == LOSS_PROTOCOL));
	char text[400];

	snprintf(text, sizeof text, "%s %s: %.250s%s", words[loss], maybe ? "after the end of the message" : doing[s], why,
	    maybe ? "; it may be delivered twice" : "");
	settle_open(d, later ? OUTCOME_DEFER : OUTCOME_AGAIN, maybe, 0, loss == LOSS_PROTOCOL ? "4.5.0" : "4.4.2",
	    str_of(text));
	d->job->upstream = judge_worse(d->job->upstream, UPSTREAM_LOST);
	d->job->untried = d->said == 0 && d->began_at_ms == 0;
}

struct deal *
deal_new(struct job *j)
{
	struct deal *d = mem_zero(sizeof *d);

	d->job = j;
	d->rcpt = mem_array(j->nrcpt > 0 ? j->nrcpt : 1, sizeof *d->rcpt);
	content_init(&d->content, j->body);
	return d;
}

void
deal_free(struct deal **dp)
{
	struct deal *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	content_clear(&d->content);
	free(d->rcpt);
	free(d);
}
