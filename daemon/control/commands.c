/*
 * How each request is answered.  Walks of the queue take a slice of it a turn: a bounded number of messages, and
 * a few milliseconds at most.
 */
#include "control/commands.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/reload.h"
#include "control/snapshot.h"
#include "control/story.h"
#include "mail/pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLICE = 100, SLICE_MS = 2, TEXT_OCTETS = 48 * 1024 };

bool
commands_may_go_on(struct caller *c, unsigned n, int64_t began_ms)
{
	return n < SLICE && clock_now_ms() - began_ms < SLICE_MS &&
	    stream_pending(c->stream) <= CALLER_PENDING_MAX;
}

static enum answer
run_version(struct caller *c)
{
	caller_say(c, json_pack("{s:s}", "version", VERSION));
	return ANSWER_DONE;
}

static enum answer
run_status(struct caller *c)
{
	struct caller_host *h = c->host;

	caller_say(c, snapshot_status(h->queue, (loop_now_ms(h->loop) - h->started_at_ms) / 1000));
	return ANSWER_DONE;
}

/* --- queue ----------------------------------------------------------------- */

static bool
matches(const char *pattern, const char *address)
{
	if (strcmp(pattern, "<>") == 0)
		return address[0] == '\0';
	return pattern_match(str_of(pattern), str_of(address));
}

static bool
has_recipient(const struct envelope *e, const char *pattern)
{
	for (unsigned i = 0; i < e->nrcpt; i++)
		if (e->rcpt[i].state != RCPT_SENT && e->rcpt[i].state != RCPT_FAILED &&
		    matches(pattern, e->rcpt[i].address))
			return true;
	return false;
}

/* What can be told without its envelope, which must be read from the disk. */
static bool
may_be_wanted(const struct request *r, const struct queue_message *m)
{
	return (!r->held || m->state == MESSAGE_HELD) && m->age_s >= r->older_s;
}

static bool
is_wanted(const struct caller *c, const struct queue_message *m)
{
	const struct request *r = &c->request;
	const struct envelope *e = m->envelope;

	if (e == NULL)		/* unreadable: the operator should see that it is there */
		return c->asker.is_operator && r->from == NULL && r->to == NULL;
	return asker_may_see(&c->asker, e->user) && (r->from == NULL || matches(r->from, e->sender)) &&
	    (r->to == NULL || has_recipient(e, r->to));
}

/* The next message that was there when the walk began; false: no more. */
static bool
walk(struct caller *c, bool deep, struct queue_message *m)
{
	if (c->until == 0)
		c->until = memo_next_id();
	*m = (struct queue_message){ 0 };
	if (!queue_next_message(c->host->queue, &c->after, deep, m))
		return false;
	if (m->id <= c->until)
		return true;
	envelope_free(&m->envelope);
	return false;
}

static enum answer
run_queue(struct caller *c)
{
	const struct request *r = &c->request;
	bool shallow = r->held || r->older_s > 0;
	int64_t began_ms = clock_now_ms();
	struct queue_message m;

	for (unsigned n = 0; commands_may_go_on(c, n, began_ms); n++) {
		if (((r->given & REQUEST_LIMIT) && c->done >= (uint64_t)r->limit) || !walk(c, !shallow, &m))
			return ANSWER_DONE;
		if (!may_be_wanted(r, &m) ||
		    (shallow && !queue_find_message(c->host->queue, m.id, true, &m)))
			continue;
		if (is_wanted(c, &m)) {
			caller_say(c, snapshot_message(&m));
			c->done++;
		}
		envelope_free(&m.envelope);
	}
	return ANSWER_MORE;
}

/* --- one message ------------------------------------------------------------ */

enum answer
commands_no_message(struct caller *c)
{
	char id[IDENT_TEXT];

	ident_print(id, c->request.id[0]);
	caller_fail(c, 1, "no message %s in the queue: it was relayed, bounced or deleted, or never here; "
	    "`gatepost trace %s' tells while that is kept", id, id);
	return ANSWER_FAILED;
}

bool
commands_find_own(struct caller *c, struct queue_message *m)
{
	*m = (struct queue_message){ 0 };
	if (!queue_find_message(c->host->queue, c->request.id[0], true, m))
		return false;
	if (asker_may_see(&c->asker, m->envelope == NULL ? NULL : m->envelope->user))
		return true;
	envelope_free(&m->envelope);
	return false;
}

static enum answer
run_show(struct caller *c)
{
	struct queue_message m;

	if (!commands_find_own(c, &m))
		return commands_no_message(c);
	caller_say(c, snapshot_details(&m));
	envelope_free(&m.envelope);
	return ANSWER_DONE;
}

enum { LINE_START, LINE_START_CR, IN_LINE, IN_LINE_CR, HEADER_ENDED };

/* How many of these octets belong to the header, with the empty line that ends it. */
static size_t
header_octets(unsigned *state, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool at_start = *state == LINE_START || *state == LINE_START_CR;

		if (p[i] == '\n' && *state == LINE_START_CR) {
			*state = HEADER_ENDED;
			return i + 1;
		}
		if (p[i] == '\r')
			*state = at_start ? LINE_START_CR : IN_LINE_CR;
		else if (p[i] == '\n' && *state == IN_LINE_CR)
			*state = LINE_START;
		else
			*state = IN_LINE;
	}
	return n;
}

static void
say_octets(struct caller *c, const char *p, size_t n)
{
	struct buf text = { 0 };

	base64_put(&text, p, n);
	caller_say(c, json_pack("{s:s%}", "data", text.data, text.len));
	buf_clear(&text);
}

static enum answer
run_text(struct caller *c)
{
	char octets[TEXT_OCTETS];
	struct why why;
	int64_t n;

	if (c->slice == 0) {
		c->header = LINE_START;
		if (!queue_find_message(c->host->queue, c->request.id[0], false, &(struct queue_message){ 0 }))
			return commands_no_message(c);
		if (queue_read_message(c->host->queue, c->request.id[0], &c->reader, &why) < 0) {
			caller_fail(c, 1, "%s", why.text);
			return ANSWER_FAILED;
		}
	}
	n = spool_read(c->reader, octets, sizeof octets, &why);
	if (n < 0) {
		caller_fail(c, 1, "%s", why.text);
		return ANSWER_FAILED;
	}
	if (n == 0)
		return ANSWER_DONE;
	if (c->request.headers)
		n = (int64_t)header_octets(&c->header, octets, (size_t)n);
	say_octets(c, octets, (size_t)n);
	return c->header == HEADER_ENDED ? ANSWER_DONE : ANSWER_MORE;
}

/* --- actions ---------------------------------------------------------------- */

static const struct action {
	const char *name;
	enum queue_action act;
	unsigned states;	/* that `all' means, as bits */
} actions[] = {
	{ "retry", QUEUE_RETRY, 1u << MESSAGE_DEFERRED },
	{ "hold", QUEUE_HOLD, 1u << MESSAGE_DEFERRED | 1u << MESSAGE_ACTIVE },
	{ "release", QUEUE_RELEASE, 1u << MESSAGE_HELD },
	{ "delete", QUEUE_DELETE, 1u << MESSAGE_DEFERRED | 1u << MESSAGE_ACTIVE | 1u << MESSAGE_HELD },
};

static const struct action *
find_action(const char *name)
{
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		if (strcmp(actions[i].name, name) == 0)
			return &actions[i];
	bug("control: no action %s", name);
}

static void
act_on(struct caller *c, const struct action *a, uint64_t id)
{
	struct why why = { "" };
	char text[IDENT_TEXT];

	ident_print(text, id);
	if (queue_act(c->host->queue, id, a->act, &why) == 0) {
		c->done++;
		if (!c->request.all)
			caller_say(c, json_pack("{s:s, s:b}", "id", text, "done", 1));
	} else {
		c->failed++;
		caller_say(c, json_pack("{s:s, s:b, s:o}", "id", text, "done", 0,
		    "reason", snapshot_text(why.text)));
	}
}

static bool
has_upstream(struct queue *q, const char *name)
{
	struct queue_upstream u;

	for (unsigned n = 0; queue_find_upstream(q, n, &u); n++)
		if (strcmp(u.name, name) == 0)
			return true;
	return false;
}

/* False: refused. */
static bool
begin_action(struct caller *c, const struct action *a)
{
	const struct request *r = &c->request;

	if (r->all == (r->nid > 0)) {
		caller_fail(c, 64, "%s takes message ids, or all of them", a->name);
		return false;
	}
	if (r->upstream != NULL && !has_upstream(c->host->queue, r->upstream)) {
		caller_fail(c, 1, "no upstream %.80s; `gatepost status' lists them", r->upstream);
		return false;
	}
	if (a->act == QUEUE_RETRY)
		queue_open_gates(c->host->queue, r->upstream);
	return true;
}

static void
on_durable(void *arg)
{
	struct caller *c = arg;

	c->durable = true;
	caller_wake(c);
}

/* What the operator is told to be done stays done, whatever happens next. */
static enum answer
end_action(struct caller *c)
{
	if (list_is_linked(&c->sync.node))
		return ANSWER_LATER;
	if (!c->durable && queue_await(c->host->queue, &c->sync, on_durable, c))
		return ANSWER_LATER;
	log_event(LOG_INFO, "asked", log_text("command", c->request.command), log_num("uid", c->asker.uid),
	    log_num("done", (int64_t)c->done), log_num("failed", (int64_t)c->failed));
	caller_say(c, json_pack("{s:I}", "count", (json_int_t)c->done));
	return ANSWER_DONE;
}

static enum answer
run_action(struct caller *c)
{
	const struct action *a = find_action(c->request.command);
	const struct request *r = &c->request;
	int64_t began_ms = clock_now_ms();
	struct queue_message m;

	if (c->slice == 0 && !begin_action(c, a))
		return ANSWER_FAILED;
	for (unsigned n = 0; commands_may_go_on(c, n, began_ms); n++) {
		if (r->all) {
			if (!walk(c, false, &m))
				return end_action(c);
			if (a->states & 1u << m.state)
				act_on(c, a, m.id);
		} else {
			if (c->done + c->failed == r->nid)
				return end_action(c);
			act_on(c, a, r->id[c->done + c->failed]);
		}
	}
	return ANSWER_MORE;
}

/* --- the table --------------------------------------------------------------- */

enum {
	WHICH = REQUEST_ID | REQUEST_IDS | REQUEST_ALL,
	FILTER = REQUEST_FROM | REQUEST_TO | REQUEST_OLDER | REQUEST_HELD | REQUEST_LIMIT
};

static const struct commands_row rows[] = {
	{ "version", true, 0, 0, run_version },
	{ "status", false, 0, 0, run_status },
	{ "queue", true, FILTER, 0, run_queue },
	{ "show", true, REQUEST_ID, REQUEST_ID, run_show },
	{ "text", false, REQUEST_ID | REQUEST_HEADERS, REQUEST_ID, run_text },
	{ "trace", true, REQUEST_ID, REQUEST_ID, story_trace },
	{ "follow", true, REQUEST_ID | REQUEST_WAIT, REQUEST_ID, story_follow },
	{ "retry", false, WHICH | REQUEST_UPSTREAM, WHICH, run_action },
	{ "hold", false, WHICH, WHICH, run_action },
	{ "release", false, WHICH, WHICH, run_action },
	{ "delete", false, WHICH, WHICH, run_action },
	{ "reload", false, 0, 0, reload_run },
};

int
commands_find(const struct commands_row **out, const struct request *r, const struct asker *a, struct why *why)
{
	const struct commands_row *row = NULL;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (strcmp(rows[i].name, r->command) == 0)
			row = &rows[i];
	if (row == NULL)
		return fail(why, "unknown command \"%.40s\"", r->command);
	if (r->given & ~row->takes)
		return fail(why, "%s does not take one of these fields", row->name);
	if (row->needs != 0 && (r->given & row->needs) == 0)
		return fail(why, "%s needs a message id%s", row->name, row->needs == WHICH ? ", or \"all\"" : "");
	*out = row;
	if (!row->for_all && !a->is_operator)
		return fail(why, "only root and the group gatepost may do this; others may list what they submitted");
	return 0;
}

void
commands_forget(struct caller *c)
{
	if (c->following)
		queue_unfollow(c->host->queue, c);
	c->following = c->waited = c->durable = false;
	queue_forget(&c->sync);
	list_remove(&c->reload);
	queue_trace_stop(&c->trace);
	if (c->reader != NULL)
		spool_read_close(&c->reader);
}
