/*
 * The helper's side.  A command's first line of output goes back; what it says on standard error goes to the log, with a
 * bound; the rest is read and dropped, so that it does not wait for us.  When it ends, or takes too long, its whole process
 * group is killed.
 */
#include "errand/runner.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "errand/launch.h"
#include "errand/record.h"

enum { SAID_LINE_MAX = 400, SAID_MAX = 20, PART = 4096 };

struct runner {
	struct loop *loop;
	int fd;
	struct watch *watch;
	struct ledger ledger;
	struct runner_options o;
	struct node running;
	unsigned nrunning;
	char input[RECORD_MAX];
};

struct command {		/* that runs */
	struct node node;
	struct runner *runner;
	struct launch at;
	struct watch *end, *out, *err;
	struct timer limit;
	char *name;
	uint32_t number;
	bool late, has_line;
	struct buf line;	/* the first of its output; room for all of it from the start */
	char said[SAID_LINE_MAX];	/* of its standard error: the line that is coming */
	size_t nsaid;
	unsigned lines;		/* logged */
};

static void
answer(struct runner *r, uint32_t number, enum errand_result result, uint32_t status, struct str text)
{
	const struct record rec = { .kind = RECORD_ENDED, .number = number, .result = result, .status = status, .text = text };
	struct buf out = { 0 };
	ssize_t n;

	record_put(&out, &rec);
	do	/* it may wait: the daemon reads, or is gone */
		n = send(r->fd, out.data, out.len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	mem_wipe(out.data, out.cap);
}

/* --- what a command says --------------------------------------------------------- */

static void
log_said(struct command *c)
{
	if (c->nsaid > 0 && c->lines++ < SAID_MAX)
		log_event(LOG_WARNING, "command_said", log_text("command", c->name),
		    log_str("text", ((struct str){ c->said, c->nsaid })));
	else if (c->nsaid > 0 && c->lines == SAID_MAX + 1)
		log_event(LOG_WARNING, "command_said", log_text("command", c->name), log_text("text", "… and more"));
	c->nsaid = 0;
}

static void
take_said(struct command *c, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n')
			log_said(c);
		else if (c->nsaid < sizeof c->said)
			c->said[c->nsaid++] = p[i];
}

static void
take_output(struct command *c, const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);
	size_t room = ERRAND_OUTPUT_MAX - c->line.len;

	if (c->has_line)
		return;
	c->has_line = end != NULL;
	if (end != NULL)
		n = (size_t)(end - p);
	buf_put(&c->line, p, n < room ? n : room);
}

/* Reads what is there; false: nothing more will come. */
static bool
drain(struct command *c, int fd, void (*take)(struct command *c, const char *p, size_t n))
{
	char part[PART];
	ssize_t n;

	for (unsigned turns = 0; turns < 64; turns++) {		/* one that never stops shall not stop us */
		n = read(fd, part, sizeof part);
		if (n <= 0)
			break;
		take(c, part, (size_t)n);
	}
	explicit_bzero(part, sizeof part);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
on_output(void *arg, int fd)
{
	struct command *c = arg;

	if (!drain(c, fd, take_output))
		watch_free(&c->out);
}

static void
on_error(void *arg, int fd)
{
	struct command *c = arg;

	if (!drain(c, fd, take_said))
		watch_free(&c->err);
}

/* --- a command's life ---------------------------------------------------------------- */

static void
command_free(struct command *c)
{
	loop_cancel(c->runner->loop, &c->limit);
	watch_free(&c->end);
	watch_free(&c->out);
	watch_free(&c->err);
	close(c->at.end);
	close(c->at.out);
	close(c->at.err);
	list_remove(&c->node);
	c->runner->nrunning--;
	mem_wipe(c->line.data, c->line.cap);
	free(c->name);
	free(c);
}

/* Nothing of it is left; its status. */
static int
reap(struct command *c)
{
	int status = 0;

	kill(-c->at.pid, SIGKILL);	/* before it is waited for: its number is still its own */
	while (waitpid(c->at.pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void
on_end(void *arg, int fd)
{
	struct command *c = arg;
	struct str line;
	int status;

	(void)fd;
	status = reap(c);
	(void)drain(c, c->at.out, take_output);
	(void)drain(c, c->at.err, take_said);
	log_said(c);
	line = buf_str(&c->line);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (c->late)
		answer(c->runner, c->number, ERRAND_LATE, (uint32_t)status, STR(""));
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		answer(c->runner, c->number, ERRAND_DONE, 0, line);
	else
		answer(c->runner, c->number, ERRAND_FAILED, (uint32_t)status, STR(""));
	command_free(c);
}

static void
on_limit(void *arg)
{
	struct command *c = arg;

	c->late = true;
	kill(-c->at.pid, SIGKILL);	/* on_end comes */
}

static void
run(struct runner *r, const struct record *rec)
{
	const struct ledger_line *line;
	struct command *c;
	int error;

	if (memcmp(rec->digest, r->ledger.digest, sizeof rec->digest) != 0 || rec->command >= r->ledger.n ||
	    r->ledger.line[rec->command].command[0] == '\0') {
		answer(r, rec->number, ERRAND_STALE, 0, STR(""));
		return;
	}
	if (r->nrunning >= RECORDS_AT_ONCE) {
		answer(r, rec->number, ERRAND_GONE, 0, STR(""));
		return;
	}
	line = &r->ledger.line[rec->command];
	c = mem_zero(sizeof *c);
	error = launch_start(&c->at, line->command, rec->text);
	if (error != 0) {
		log_event(LOG_ERROR, "command_failed", log_text("command", line->name), log_text("reason", strerror(error)));
		answer(r, rec->number, ERRAND_GONE, 0, STR(""));
		free(c);
		return;
	}
	c->runner = r;
	c->name = mem_text(line->name);
	c->number = rec->number;
	buf_room(&c->line, ERRAND_OUTPUT_MAX + 1);
	list_put(&r->running, &c->node);
	r->nrunning++;
	c->end = loop_watch(r->loop, c->at.end, on_end, c);
	c->out = loop_watch(r->loop, c->at.out, on_output, c);
	c->err = loop_watch(r->loop, c->at.err, on_error, c);
	timer_init(&c->limit, on_limit, c);
	loop_timer(r->loop, &c->limit, clock_now_ms() + r->o.limit_ms);
}

static void
reload(struct runner *r)
{
	struct ledger fresh;
	struct why why;

	if (r->o.reload(r->o.arg, &r->ledger, &fresh, &why) < 0) {
		log_event(LOG_ERROR, "helper_reload_refused", log_text("reason", why.text),
		    log_text("advice", "commands are not run until a reload succeeds"));
		return;
	}
	ledger_clear(&r->ledger);
	r->ledger = fresh;
}

static void
on_record(void *arg, int fd)
{
	struct runner *r = arg;
	struct record rec;
	ssize_t n = recv(fd, r->input, sizeof r->input, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_stop(r->loop);
		return;
	}
	if (!record_get((struct str){ r->input, (size_t)n }, &rec))
		return;			/* nobody who means well writes such */
	if (rec.kind == RECORD_RUN)
		run(r, &rec);
	else if (rec.kind == RECORD_RELOAD)
		reload(r);
}

struct runner *
runner_start(struct loop *l, const struct runner_options *o)
{
	struct runner *r = mem_zero(sizeof *r);

	r->loop = l;
	r->fd = o->fd;
	r->ledger = o->ledger;
	r->o = *o;
	if (r->o.limit_ms == 0)
		r->o.limit_ms = ERRAND_MS;
	list_init(&r->running);
	r->watch = loop_watch(l, r->fd, on_record, r);
	return r;
}

void
runner_stop(struct runner **rp)
{
	struct runner *r = *rp;
	struct node *n;

	if (r == NULL)
		return;
	*rp = NULL;
	while (!list_is_empty(&r->running)) {
		n = r->running.next;
		(void)reap(container_of(n, struct command, node));
		command_free(container_of(n, struct command, node));
	}
	watch_free(&r->watch);
	close(r->fd);
	ledger_clear(&r->ledger);
	free(r);
}
