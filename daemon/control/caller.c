/*
 * One connection: takes a request line, lets its row of the table answer in slices, and takes the next.  Slices of
 * all callers go through one timer, in turn and for a millisecond or a slice, so that many listings hold the loop up
 * no longer than one.
 */
#include "control/caller.h"

#include "base/clock.h"
#include "base/mem.h"
#include "control/commands.h"
#include "control/snapshot.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINGER_MS = 5000, TURN_MS = 1, PAUSE_MS = 1, STRANGER_PAUSE_MS = 5 };

static void
caller_close(struct caller *c, bool politely)
{
	struct caller_host *h = c->host;

	if (c->stream == NULL)
		return;
	commands_forget(c);
	request_clear(&c->request);
	if (politely)
		stream_finish(&c->stream, LINGER_MS);
	else
		stream_close(&c->stream);
	list_remove(&c->node);
	list_remove(&c->ready);
	h->ncaller--;
	h->nstranger -= !c->asker.is_operator;
	loop_bury(h->loop, c, free);
}

static void
renew_deadline(struct caller *c)
{
	bool patient = c->row != NULL && c->asker.is_operator;

	if (!c->following)
		stream_deadline(c->stream, loop_now_ms(c->host->loop) + (patient ? CALLER_STUCK_MS : CALLER_IDLE_MS));
}

void
caller_wait(struct caller *c, int64_t ms)
{
	stream_deadline(c->stream, loop_now_ms(c->host->loop) + ms);
}

void
caller_wake(struct caller *c)
{
	struct caller_host *h = c->host;

	if (!list_is_linked(&c->ready))
		list_put(&h->ready, &c->ready);
	if (!heap_has(&h->turn.node))
		loop_timer(h->loop, &h->turn, loop_now_ms(h->loop));
}

static int
append(const char *p, size_t n, void *arg)
{
	buf_put(arg, p, n);
	return 0;
}

void
caller_say(struct caller *c, json_t *doc)
{
	struct buf *out = stream_output(c->stream);

	if (doc == NULL || json_dump_callback(doc, append, out, JSON_COMPACT) < 0)
		bug("control: no document to say");
	buf_putc(out, '\n');
	stream_flush(c->stream);
	json_decref(doc);
}

void
caller_fail(struct caller *c, int status, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	caller_say(c, json_pack("{s:o, s:i}", "error", snapshot_text(text), "exit", status));
}

static void
end_request(struct caller *c)
{
	commands_forget(c);
	request_clear(&c->request);
	c->row = NULL;
	renew_deadline(c);
	stream_resume(c->stream);
	if (c->last || stream_input(c->stream).n > 0)
		caller_wake(c);
}

static void
run_slice(struct caller *c)
{
	enum answer answer;

	if (stream_pending(c->stream) > CALLER_PENDING_MAX)
		return;		/* STREAM_DRAINED wakes it */
	renew_deadline(c);
	answer = c->row->run(c);
	c->slice++;
	switch (answer) {
	case ANSWER_MORE:
		caller_wake(c);
		break;
	case ANSWER_LATER:
		break;
	case ANSWER_DONE:
		caller_say(c, json_pack("{s:b}", "end", 1));
		end_request(c);
		break;
	case ANSWER_FAILED:
		end_request(c);
		break;
	}
}

/* The first line of what has come; false: there is none, and the caller may be gone. */
static bool
find_line(struct caller *c, struct str *line)
{
	struct str in = stream_input(c->stream);
	const char *end = in.n == 0 ? NULL : memchr(in.p, '\n', in.n > REQUEST_MAX ? REQUEST_MAX : in.n);

	if (end != NULL) {
		*line = (struct str){ in.p, (size_t)(end - in.p) };
		return true;
	}
	if (in.n >= REQUEST_MAX)
		caller_fail(c, 64, "a request is one line of at most %d octets", REQUEST_MAX);
	else if (c->last && in.n > 0)
		caller_fail(c, 64, "the request's line has no end");
	if (in.n >= REQUEST_MAX || c->last)
		caller_close(c, true);
	return false;
}

static void
next_request(struct caller *c)
{
	const struct commands_row *row = NULL;
	struct why why;
	struct str line;

	if (!find_line(c, &line))
		return;
	if (request_parse(&c->request, line, &why) < 0 ||
	    commands_find(&row, &c->request, &c->asker, &why) < 0)
		caller_fail(c, row == NULL ? 64 : 1, "%s", why.text);
	else
		c->row = row;
	stream_consume(c->stream, line.n + 1);
	c->slice = 0;
	c->after = c->until = c->done = c->failed = 0;
	if (c->row == NULL)
		end_request(c);
	else
		caller_wake(c);
}

static void
on_turn(void *arg)
{
	struct caller_host *h = arg;
	int64_t began_ms = clock_now_ms(), pause_ms = PAUSE_MS;
	struct node *n;

	while (clock_now_ms() - began_ms < TURN_MS && (n = list_take(&h->ready)) != NULL) {
		struct caller *c = container_of(n, struct caller, ready);

		if (!c->asker.is_operator)
			pause_ms = STRANGER_PAUSE_MS;
		if (c->row == NULL)
			next_request(c);
		else
			run_slice(c);
	}
	if (!list_is_empty(&h->ready))
		loop_timer(h->loop, &h->turn, loop_now_ms(h->loop) + pause_ms);
	else
		loop_cancel(h->loop, &h->turn);
}

static void
on_stream(void *arg, struct stream *s, enum stream_event ev)
{
	struct caller *c = arg;

	switch (ev) {
	case STREAM_DATA:
		if (stream_input(s).n > REQUEST_MAX)
			stream_pause(s);
		if (c->row == NULL)
			caller_wake(c);
		break;
	case STREAM_DRAINED:
		renew_deadline(c);
		if (c->row != NULL && !c->following)
			caller_wake(c);
		break;
	case STREAM_CLOSED:
		c->last = true;
		if (c->row == NULL)
			caller_wake(c);
		break;
	case STREAM_TIMEOUT:
		c->waited = c->following;
		if (c->following)
			caller_wake(c);
		else
			caller_close(c, false);
		break;
	case STREAM_FAILED:
		caller_close(c, false);
		break;
	case STREAM_UP:
	case STREAM_SECURE:
		break;
	}
}

void
caller_new(struct caller_host *h, int fd, const struct asker *asker)
{
	struct caller *c = mem_zero(sizeof *c);

	c->host = h;
	c->asker = *asker;
	list_put(&h->callers, &c->node);
	h->ncaller++;
	h->nstranger += !asker->is_operator;
	c->stream = stream_accept(h->loop, fd, on_stream, c);
	renew_deadline(c);
}

void
caller_host_init(struct caller_host *h, struct loop *l, struct queue *q)
{
	*h = (struct caller_host){ .loop = l, .queue = q };
	list_init(&h->callers);
	list_init(&h->ready);
	list_init(&h->reload_next);
	list_init(&h->reload_out);
	timer_init(&h->turn, on_turn, h);
	h->started_at_ms = loop_now_ms(l);
}

void
caller_host_clear(struct caller_host *h)
{
	list_each(n, &h->callers)
		caller_close(container_of(n, struct caller, node), false);
	loop_cancel(h->loop, &h->turn);
}
