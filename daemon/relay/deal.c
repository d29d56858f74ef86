/* One message's transaction. */
#include "relay/deal.h"

#include "base/mem.h"
#include "relay/edit.h"
#include "relay/judge.h"
#include "relay/phrase.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Content that waits in memory for the socket, at most; a larger one does not leave before MAIL and RCPT
	 * are answered. */
	FLIGHT_OCTETS = 128 * 1024
};

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

static bool
needs_utf8(const struct deal *d)
{
	const struct job *j = d->job;

	if (j->envelope->is_utf8 || !str_is_ascii(str_of(j->sender)))
		return true;
	for (unsigned i = 0; i < d->nrcpt; i++)
		if (!str_is_ascii(str_of(j->envelope->rcpt[j->rcpt[d->rcpt[i]]].address)))
			return true;
	return false;
}

/* Picks those that go into this transaction; the rest is for the next. */
static void
pick_recipients(struct deal *d)
{
	const struct job *j = d->job;
	unsigned max = d->terms->settings->max_recipients;

	if (max == 0 || (d->terms->caps.rcpt_max > 0 && d->terms->caps.rcpt_max < max))
		max = d->terms->caps.rcpt_max;
	d->nrcpt = 0;
	for (unsigned i = 0; i < j->nrcpt; i++) {
		struct outcome *o = &j->result[i];

		if (o->kind != OUTCOME_NONE)
			continue;
		if (str_has_control(str_of(j->envelope->rcpt[j->rcpt[i]].address)))
			outcome_set(o, OUTCOME_REFUSE, 0, "5.1.3", STR("the address has a control character"));
		else if (max > 0 && d->nrcpt == max)
			outcome_set(o, OUTCOME_AGAIN, 0, "4.5.3", STR("goes with the next transaction"));
		else
			d->rcpt[d->nrcpt++] = i;
	}
}

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
	const struct caps *caps = &d->terms->caps;
	char text[160];
	int eight;

	if (str_has_control(str_of(d->job->sender))) {
		refuse_all(d, "5.1.7", "the sender's address has a control character");
		return false;
	}
	if (needs_utf8(d) && !caps->utf8) {
		refuse_all(d, "5.6.7", "the message needs SMTPUTF8, which the provider does not offer");
		return false;
	}
	if (caps->size > 0 && d->content.octets > caps->size) {
		snprintf(text, sizeof text, "the message has %" PRIu64 " octets, and the provider takes %" PRIu64 " at most",
		    d->content.octets, caps->size);
		refuse_all(d, "5.3.4", text);
		return false;
	}
	if (d->job->envelope->is_8bit && !caps->eightbit) {
		eight = content_has_8bit(&d->content, why);
		if (eight < 0)
			unreadable(d, why);
		else if (eight > 0)
			refuse_all(d, "5.6.3", "the message has 8-bit content, which the provider does not take");
		if (eight != 0)
			return false;
	}
	return true;
}

void
deal_begin(struct deal *d, const struct deal_terms *t, bool reset, int64_t now_ms)
{
	struct why why = { "" };

	d->begun = true;
	d->terms = t;
	d->reset = reset;
	d->chunked = t->caps.chunking && !(*t->quirks & QUIRK_NO_BDAT);
	d->said = d->heard = d->total = d->accepted = 0;
	d->pouring = d->ended = d->open = d->again = false;
	if (d->began_at_ms == 0)
		d->began_at_ms = now_ms;
	pick_recipients(d);
	if (edit_content(&d->content, d->job, d->rcpt, d->nrcpt, t->config, t->settings, &why) < 0) {
		unreadable(d, &why);
		return;
	}
	if (d->nrcpt == 0 || !fits(d, &why))
		return;
	if (content_start(&d->content, d->chunked, &why) < 0)
		unreadable(d, &why);
	else
		d->total = (d->reset ? 1 : 0) + 1 + d->nrcpt + (d->chunked ? 1 : 2);
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
	return d->begun && d->chunked && d->terms->caps.pipelining && d->content.octets <= FLIGHT_OCTETS &&
	    (d->nrcpt == 1 || !edit_is_keyed(d->terms->settings));
}

bool
deal_is_said(const struct deal *d)
{
	return d->begun && d->said == d->total && !d->pouring && d->chunked && d->terms->caps.pipelining;
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

	if (d->said == d->total || d->pouring || (behind && !d->terms->caps.pipelining))
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
	enum content_result r = content_pour(&d->content, stream_output(x->stream), FLIGHT_OCTETS, &why);

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
		    uses_dsn(d), needs_utf8(d) }, &d->optional);
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
		.too_fast = d->terms->settings->too_fast, .ntoo_fast = d->terms->settings->ntoo_fast
	};
	struct judgement j = judge(&c);

	d->job->upstream = judge_worse(d->job->upstream, j.upstream);
	if (j.act == JUDGE_NO_BDAT)
		*d->terms->quirks |= QUIRK_NO_BDAT;
	if (j.act == JUDGE_NO_DSN)
		*d->terms->quirks |= QUIRK_NO_DSN;
	return j;
}

static enum deal_next
next_of(const struct judgement *j, const struct reply *r)
{
	if (j->act == JUDGE_NO_BDAT || (j->act == JUDGE_CLOSE && (r->code == 421 || r->code < 400)))
		return DEAL_CLOSE;
	return j->act == JUDGE_CLOSE ? DEAL_QUIT : DEAL_GO_ON;
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
	return next_of(&j, r);
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
		return r->code / 100 == 2 ? DEAL_GO_ON : DEAL_CLOSE;	/* B-056; deal_lose has the outcome */
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

void
deal_lose(struct deal *d, enum deal_loss loss, const char *why)
{
	static const char *const words[] = {
		[LOSS_LINK] = "lost the connection", [LOSS_TIMEOUT] = "no answer",
		[LOSS_PROTOCOL] = "the server broke the protocol"
	};
	unsigned rcpt;
	enum step s = d->begun ? step_at(d, d->heard, &rcpt) : STEP_MAIL;
	/* With BDAT one flight holds all: whatever was answered of it, the server may have got to its end (B-112). */
	bool maybe = d->begun && d->ended && !d->again;
	bool later = maybe || (loss != LOSS_LINK && d->said > 0);
	char text[400];

	snprintf(text, sizeof text, "%s %s: %.250s%s", words[loss], maybe ? "after the end of the message" : doing[s], why,
	    maybe ? "; it may be delivered twice" : "");
	settle_open(d, later ? OUTCOME_DEFER : OUTCOME_AGAIN, maybe, 0, loss == LOSS_PROTOCOL ? "4.5.0" : "4.4.2",
	    str_of(text));
	d->job->upstream = judge_worse(d->job->upstream, UPSTREAM_LOST);
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
