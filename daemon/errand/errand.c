/*
 * The daemon's side of errands.  A question waits until fewer than RECORDS_AT_ONCE are with the helper, is asked, and is
 * answered; its number names it, so that an answer to one that was forgotten finds nobody.  When the helper has died
 * nothing can start another (the sandbox is closed): everything is answered GONE.
 */
#include "errand/errand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "errand/record.h"

enum {
	WAITING_MAX = 256,
	GRACE_MS = 5000,	/* after the helper's own limit: then it hangs, or something stands still */
	AGAIN_MS = 100		/* the socket was full */
};

struct question {
	struct node node;
	struct errands *errands;
	uint32_t number, command;
	struct buf input;
	void (*fn)(void *arg, const struct errand_answer *a);	/* NULL: forgotten */
	void *arg;
	struct timer late;
};

struct errands {
	struct loop *loop;
	int fd;				/* -1: no helper */
	struct watch *watch;
	unsigned char digest[LEDGER_DIGEST];
	struct node waiting, asked;
	unsigned nwaiting, nasked;
	uint32_t last;
	bool reload_due;
	struct turn_job job;
	struct timer again;
	char bytes[RECORD_MAX];
};

static const char gone[] = "the helper that runs commands is gone or too busy; restart gatepost if this stays";

static void
question_free(struct question *q)
{
	loop_cancel(q->errands->loop, &q->late);
	list_remove(&q->node);
	buf_clear(&q->input);
	free(q);
}

static void
drop_asked(struct question *q)
{
	q->errands->nasked--;
	question_free(q);
}

static void
tell(struct question *q, enum errand_result result, struct str output, const char *words)
{
	const struct errand_answer a = { .result = result, .output = output, .words = words };
	void (*fn)(void *arg, const struct errand_answer *a) = q->fn;

	q->fn = NULL;
	if (fn != NULL)
		fn(q->arg, &a);
}

static void flush(void *arg);

static void
flush_soon(struct errands *e)
{
	loop_at_turn_end(e->loop, &e->job, flush, e);
}

/* --- to the helper ------------------------------------------------------------------ */

static void
on_late(void *arg)
{
	struct question *q = arg;
	struct errands *e = q->errands;

	tell(q, ERRAND_GONE, STR(""), gone);
	drop_asked(q);
	flush_soon(e);
}

static void
lose(struct errands *e)
{
	if (e->fd < 0)
		return;
	log_event(LOG_ERROR, "helper_gone", log_text("reason", "the helper that runs commands has ended"),
	    log_text("advice", "restart gatepost: until then no password_command and no alert.command is run"));
	watch_free(&e->watch);
	close(e->fd);
	e->fd = -1;
	flush_soon(e);
}

/* False: not now. */
static bool
send_record(struct errands *e, const struct record *r)
{
	struct buf out = { 0 };
	ssize_t n;

	record_put(&out, r);
	n = send(e->fd, out.data, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_clear(&out);
	if (n >= 0)
		return true;
	if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)
		loop_timer(e->loop, &e->again, loop_now_ms(e->loop) + AGAIN_MS);
	else
		lose(e);
	return false;
}

static bool
send_question(struct errands *e, struct question *q)
{
	struct record r = { .kind = RECORD_RUN, .number = q->number, .command = q->command, .text = buf_str(&q->input) };

	memcpy(r.digest, e->digest, sizeof r.digest);
	if (!send_record(e, &r))
		return false;
	list_remove(&q->node);
	e->nwaiting--;
	list_put(&e->asked, &q->node);
	e->nasked++;
	buf_clear(&q->input);
	loop_timer(e->loop, &q->late, loop_now_ms(e->loop) + ERRAND_MS + GRACE_MS);
	return true;
}

static void
refuse_all(struct errands *e)
{
	struct node *n;

	while ((n = list_take(&e->asked)) != NULL) {
		struct question *q = container_of(n, struct question, node);

		tell(q, ERRAND_GONE, STR(""), gone);
		drop_asked(q);
	}
	while ((n = list_take(&e->waiting)) != NULL) {
		struct question *q = container_of(n, struct question, node);

		e->nwaiting--;
		tell(q, ERRAND_GONE, STR(""), gone);
		question_free(q);
	}
}

static void
flush(void *arg)
{
	struct errands *e = arg;
	const struct record reload = { .kind = RECORD_RELOAD };

	if (e->fd >= 0 && e->reload_due)
		e->reload_due = !send_record(e, &reload);
	while (e->fd >= 0 && !e->reload_due && e->nasked < RECORDS_AT_ONCE && !list_is_empty(&e->waiting))
		if (!send_question(e, container_of(e->waiting.next, struct question, node)))
			break;
	if (e->fd < 0)
		refuse_all(e);
}

/* --- from the helper ------------------------------------------------------------------- */

static void
put_words(char *out, size_t size, const struct record *r)
{
	int status = (int)r->status;

	switch (r->result) {
	case ERRAND_DONE:
		out[0] = '\0';
		break;
	case ERRAND_LATE:
		snprintf(out, size, "the command took longer than %d s and was killed", ERRAND_MS / 1000);
		break;
	case ERRAND_STALE:
		snprintf(out, size, "the helper that runs commands has read another configuration than the daemon; reload again");
		break;
	case ERRAND_FAILED:
		if (WIFSIGNALED(status))
			snprintf(out, size, "the command was ended by signal %d", WTERMSIG(status));
		else
			snprintf(out, size, "the command ended with status %d", WEXITSTATUS(status));
		break;
	default:
		snprintf(out, size, "%s", gone);
	}
}

static struct question *
find(struct errands *e, uint32_t number)
{
	list_each(n, &e->asked)
		if (container_of(n, struct question, node)->number == number)
			return container_of(n, struct question, node);
	return NULL;
}

static void
on_record(void *arg, int fd)
{
	struct errands *e = arg;
	ssize_t n = recv(fd, e->bytes, sizeof e->bytes, MSG_DONTWAIT);
	struct question *q;
	struct record r;
	char words[200];

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose(e);
		return;
	}
	if (record_get((struct str){ e->bytes, (size_t)n }, &r) && r.kind == RECORD_ENDED &&
	    (q = find(e, r.number)) != NULL) {
		put_words(words, sizeof words, &r);
		tell(q, r.result, r.text, words);
		drop_asked(q);
		flush_soon(e);
	}
	explicit_bzero(e->bytes, (size_t)n);
}

/* --- from the loop ------------------------------------------------------------------------- */

static void
on_again(void *arg)
{
	flush(arg);
}

struct errands *
errand_start(struct loop *l, int fd, const struct config *c)
{
	struct errands *e = mem_zero(sizeof *e);
	struct ledger ledger;

	e->loop = l;
	e->fd = fd;
	list_init(&e->waiting);
	list_init(&e->asked);
	timer_init(&e->again, on_again, e);
	ledger_init(&ledger, c);
	memcpy(e->digest, ledger.digest, sizeof e->digest);
	ledger_clear(&ledger);
	if (fd >= 0)
		e->watch = loop_watch(l, fd, on_record, e);
	return e;
}

void
errand_configure(struct errands *e, const struct config *c)
{
	struct ledger ledger;

	ledger_init(&ledger, c);
	memcpy(e->digest, ledger.digest, sizeof e->digest);
	ledger_clear(&ledger);
	e->reload_due = true;
	flush_soon(e);
}

uint32_t
errand_run(struct errands *e, unsigned command, struct str input, void (*fn)(void *arg, const struct errand_answer *a), void *arg)
{
	struct question *q;

	if (input.n > ERRAND_INPUT_MAX)
		bug("an errand with %zu octets", input.n);
	if (e->nwaiting >= WAITING_MAX)
		bug("%u errands are waiting", e->nwaiting);
	q = mem_zero(sizeof *q);
	q->errands = e;
	do
		q->number = ++e->last;
	while (q->number == 0);
	q->command = command;
	buf_putstr(&q->input, input);
	q->fn = fn;
	q->arg = arg;
	timer_init(&q->late, on_late, q);
	list_put(&e->waiting, &q->node);
	e->nwaiting++;
	flush_soon(e);
	return q->number;
}

void
errand_forget(struct errands *e, uint32_t number)
{
	struct question *q = find(e, number);

	if (q != NULL) {
		q->fn = NULL;
		return;
	}
	list_each(n, &e->waiting) {
		q = container_of(n, struct question, node);
		if (q->number != number)
			continue;
		e->nwaiting--;
		question_free(q);
	}
}

void
errand_stop(struct errands **ep)
{
	struct errands *e = *ep;
	struct node *n;

	if (e == NULL)
		return;
	*ep = NULL;
	while ((n = list_take(&e->asked)) != NULL)
		question_free(container_of(n, struct question, node));
	while ((n = list_take(&e->waiting)) != NULL)
		question_free(container_of(n, struct question, node));
	loop_cancel(e->loop, &e->again);
	loop_forget_job(&e->job);
	watch_free(&e->watch);
	if (e->fd >= 0)
		close(e->fd);
	explicit_bzero(e, sizeof *e);
	free(e);
}
