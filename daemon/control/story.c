/*
 * One message's story: what happened to it (trace), which a thread of the queue looks up in parts, and what happens to
 * it next (follow).
 */
#include "control/story.h"

#include "base/clock.h"
#include "base/ident.h"
#include "control/snapshot.h"

#include <stdio.h>
#include <string.h>

enum { WAIT_S = 30 };

/* --- follow ------------------------------------------------------------------ */

static void
on_followed(void *arg, uint64_t id, const char *event, const char *text)
{
	struct caller *c = arg;

	(void)id;
	if (c->event[0] != '\0' || strcmp(event, "again") == 0)
		return;		/* the first event is the answer; an attempt that does not count is none */
	snprintf(c->event, sizeof c->event, "%s", event);
	snprintf(c->text, sizeof c->text, "%s", text == NULL ? "" : text);
	caller_wake(c);
}

static enum answer
say_event(struct caller *c, const char *event, const char *text)
{
	char id[IDENT_TEXT];

	ident_print(id, c->request.id[0]);
	caller_say(c, json_pack("{s:s, s:o, s:o}", "id", id,
	    "event", snapshot_text(event), "text", snapshot_text(text)));
	return ANSWER_DONE;
}

/* Nothing has ended in time: what keeps it waiting? */
static enum answer
say_waiting(struct caller *c)
{
	struct queue_message m = { 0 };

	queue_find_message(c->host->queue, c->request.id[0], true, &m);
	envelope_free(&m.envelope);
	return say_event(c, "waiting", m.reason);
}

/* One answer: what came of the message, or of its next attempt. */
enum answer
story_follow(struct caller *c)
{
	const struct request *r = &c->request;
	struct queue_message m;
	bool found;

	if (c->slice == 0) {
		found = commands_find_own(c, &m);
		envelope_free(&m.envelope);
		if (!found && !c->asker.is_operator)
			return commands_no_message(c);
		c->following = true;
		c->waited = false;
		c->event[0] = '\0';
		queue_follow(c->host->queue, r->id[0], on_followed, c);
		if (c->event[0] == '\0' && !found)
			return say_event(c, "gone", "it is no longer queued");
		caller_wait(c, 1000 * (r->given & REQUEST_WAIT ? r->wait_s : WAIT_S));
		return ANSWER_LATER;
	}
	if (c->event[0] != '\0')
		return say_event(c, c->event, c->text);
	return c->waited ? say_waiting(c) : ANSWER_LATER;
}

/* --- trace ------------------------------------------------------------------- */

static void
on_traced(void *arg)
{
	caller_wake(arg);
}

/* Its present state, if it is still there. */
static enum answer
end_trace(struct caller *c)
{
	const struct config *config = queue_get_config(c->host->queue);
	struct queue_message m;
	char id[IDENT_TEXT];

	if (commands_find_own(c, &m)) {
		caller_say(c, snapshot_queued(&m));
		envelope_free(&m.envelope);
		return ANSWER_DONE;
	}
	if (c->done > 0)
		return ANSWER_DONE;
	ident_print(id, c->request.id[0]);
	if (config->queue.keep_history_ms == 0 || config->queue.history_size == 0)
		caller_fail(c, 1, "no message %s in the queue, and no history is kept (queue.keep_history and "
		    "queue.history_size); the log may have its lines by msg=%s", id, id);
	else
		caller_fail(c, 1, "no message %s in the queue or in the history: it was never here, or ended longer ago "
		    "than queue.keep_history or queue.history_size allow; the log may have its lines by msg=%s", id, id);
	return ANSWER_FAILED;
}

/* Others than operators may see it if it is queued as theirs, or if that is how its history begins. */
static bool
may_see_event(struct caller *c, const struct queue_event *e)
{
	c->allowed = c->allowed || (e->kind == EVENT_ACCEPTED && asker_may_see(&c->asker, e->user));
	return c->allowed;
}

enum answer
story_trace(struct caller *c)
{
	int64_t began_ms = clock_now_ms();
	struct queue_message m;
	struct queue_event e;

	if (c->slice == 0) {
		c->allowed = commands_find_own(c, &m) || c->asker.is_operator;
		envelope_free(&m.envelope);
		c->trace = queue_trace_start(c->host->queue, c->request.id[0], on_traced, c);
	}
	if (c->trace == NULL)
		return end_trace(c);
	for (unsigned n = 0; commands_may_go_on(c, n, began_ms); n++)
		switch (queue_trace_next(c->trace, &e)) {
		case TRACE_LATER:
			return ANSWER_LATER;
		case TRACE_END:
			return end_trace(c);
		case TRACE_EVENT:
			if (!may_see_event(c, &e))
				return end_trace(c);
			caller_say(c, snapshot_event(&e));
			c->done++;
		}
	return ANSWER_MORE;
}
