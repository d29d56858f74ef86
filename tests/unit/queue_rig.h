/*
 * The queue under test, with a real spool and a real loop; the listeners and the relays are the test, which answers memos by
 * a script.  Time is the test's.
 */
#ifndef TESTS_QUEUE_RIG_H
#define TESTS_QUEUE_RIG_H

#include "queue/private.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/mem.h"
#include "turns.h"

static const char __attribute__((unused)) basic[] =
    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n";
static const char __attribute__((unused)) two_upstreams[] =
    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n"
    "upstream \"backup\" { host = \"127.0.0.1\" chain = {\"2526/none\"} auth = \"none\" }\n";
static const char __attribute__((unused)) routed[] =
    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n"
    "upstream \"other\" { host = \"127.0.0.1\" chain = {\"2526/none\"} auth = \"none\" }\n"
    "route \"o\" { to = {\"*@other.example\"} upstreams = {\"other\"} }\n"
    "route \"rest\" { upstreams = {\"up\"} }\n";

struct rig {
	char dir[64], file[96];
	struct loop *loop;
	struct queue *queue;
	struct channel *main, *listener, *relay;
	unsigned verdicts, drained, opens, jobs, sent;
	enum verdict last_verdict;
	uint64_t last_id;
	/* the script */
	enum opened open_result;
	const char *down;		/* name of an upstream that cannot be opened, or NULL */
	enum outcome_kind job_result;
	short code;
	enum outcome_upstream upstream;
	bool lane_lost, hold_jobs, hold_opens;
	const char *refuse_to;		/* this recipient alone is refused */
	struct job *held;
	struct open *held_open;
	struct caps caps, backup_caps;	/* what upstreams offer: the one named backup, and all others */
	const char *refuse_as;		/* so many jobs are refused by the relay itself, with this status */
	unsigned refusals;
	struct route_limit told;	/* of the first route, last */
	bool room;
	uint64_t free_octets;		/* the same */
	uint64_t claim;			/* size that submitted messages claim; 0: the true one */
	size_t octets;			/* of a longer text */
	unsigned many;			/* further recipients */
	char sent_to[4096];		/* "upstream:recipient " each */
	struct buf last_body;
	char last_sender[128];
};

static __attribute__((unused)) void
on_main(void *arg, struct link *l)
{
	((struct rig *)arg)->drained++;
	free(l);
}

static __attribute__((unused)) void
on_listener(void *arg, struct link *l)
{
	struct rig *r = arg;
	struct memo *m = container_of(l, struct memo, link);

	if (m->kind == MEMO_VERDICT) {
		struct submit *s = (struct submit *)m;

		r->verdicts++;
		r->last_verdict = s->verdict;
		r->last_id = s->id;
		memo_submit_free(&s);
	} else {
		struct limits *limits = (struct limits *)m;

		ck_assert_int_eq(m->kind, MEMO_LIMITS);
		r->told = limits->route[0];
		r->room = limits->room;
		r->free_octets = limits->free_octets;
		memo_limits_clear(limits);
		free(m);
	}
}

static __attribute__((unused)) void
read_body(struct rig *r, struct job *j)
{
	char part[4096];
	struct why why;
	int64_t n;

	buf_cut(&r->last_body, 0);
	while ((n = spool_read(j->body, part, sizeof part, &why)) > 0)
		buf_put(&r->last_body, part, (size_t)n);
	ck_assert_int_eq(n, 0);
	snprintf(r->last_sender, sizeof r->last_sender, "%s", j->sender);
}

static __attribute__((unused)) void
answer_job(struct rig *r, struct job *j)
{
	struct lane *lane = lane_find(r->queue, j->lane);
	const char *name = r->queue->gateway[lane->gateway]->name;

	r->jobs++;
	read_body(r, j);
	for (unsigned i = 0; i < j->nrcpt; i++) {
		const char *to = j->envelope->rcpt[j->rcpt[i]].address;
		bool refused = r->refuse_to != NULL && strcmp(to, r->refuse_to) == 0;
		enum outcome_kind kind = refused ? OUTCOME_REFUSE : r->job_result;

		outcome_set(&j->result[i], kind, kind == OUTCOME_SENT ? 250 : refused ? 550 : r->code,
		    kind == OUTCOME_SENT ? "2.0.0" : refused ? "5.1.1" : "4.2.0", STR("said the provider"));
		if (r->refusals > 0)
			outcome_set(&j->result[i], OUTCOME_REFUSE, 0, r->refuse_as, STR("the provider cannot"));
		if (j->result[i].kind == OUTCOME_SENT) {
			size_t at = strlen(r->sent_to);

			r->sent++;
			snprintf(r->sent_to + at, sizeof r->sent_to - at, "%s:%s ", name, to);
		}
	}
	r->refusals -= r->refusals > 0;
	j->upstream = r->upstream;
	j->lane_lost = r->lane_lost;
	snprintf(j->peer.upstream, sizeof j->peer.upstream, "%s", name);
	j->memo.kind = MEMO_REPORT;
	memo_post(queue_get_channel(r->queue), &j->memo);
}

static __attribute__((unused)) void
answer_open(struct rig *r, struct open *o)
{
	r->opens++;
	o->result = r->down != NULL && strcmp(o->settings->name, r->down) == 0 ? OPENED_ALL_FAILED : r->open_result;
	o->winner = o->candidate[0];
	o->caps = strcmp(o->settings->name, "backup") == 0 ? r->backup_caps : r->caps;
	if (o->result != OPENED_UP)
		outcome_set(&o->outcome, OUTCOME_DEFER, 0, "4.4.1", STR("no port works"));
	o->memo.kind = MEMO_OPENED;
	memo_post(queue_get_channel(r->queue), &o->memo);
}

static __attribute__((unused)) void
on_relay(void *arg, struct link *l)
{
	struct rig *r = arg;
	struct memo *m = container_of(l, struct memo, link);

	switch (m->kind) {
	case MEMO_OPEN:
		if (r->hold_opens)
			r->held_open = (struct open *)m;
		else
			answer_open(r, (struct open *)m);
		break;
	case MEMO_JOB:
		if (r->hold_jobs)
			r->held = (struct job *)m;
		else
			answer_job(r, (struct job *)m);
		break;
	case MEMO_CLOSE:
		m->kind = MEMO_CLOSED;
		memo_post(queue_get_channel(r->queue), m);
		break;
	default:
		ck_abort_msg("memo %d", m->kind);
	}
}

static __attribute__((unused)) struct config *
load(struct rig *r, const char *text)
{
	struct config_options o = { .file = r->file, .state = r->dir, .secrets = true };
	struct config *c;
	struct why why;
	FILE *f = fopen(r->file, "w");

	fputs("hostname = \"relay.example\"\n", f);
	fputs(text, f);
	fclose(f);
	if (config_load(&c, &o, NULL, NULL, &why) < 0)
		ck_abort_msg("%s", why.text);
	return c;
}

static __attribute__((unused)) void
start(struct rig *r, const char *text)
{
	struct queue_options o = { .main = r->main };
	struct why why;

	o.config = load(r, text);
	if (queue_new(&r->queue, r->loop, &o, &why) < 0)
		ck_abort_msg("%s", why.text);
	config_unref(&o.config);
	queue_set_peers(r->queue, &r->listener, 1, &r->relay, 1);
	queue_start(r->queue);
}

static __attribute__((unused)) void
make_loop(struct rig *r)
{
	r->loop = loop_new("test");
	r->main = channel_new(r->loop, on_main, r);
	r->listener = channel_new(r->loop, on_listener, r);
	r->relay = channel_new(r->loop, on_relay, r);
}

static __attribute__((unused)) void
free_loop(struct rig *r)
{
	channel_drain(r->relay);	/* its answers are the last that the queue hears */
	queue_free(&r->queue);
	channel_drain(r->main);
	channel_drain(r->listener);
	channel_free(&r->main);
	channel_free(&r->listener);
	channel_free(&r->relay);
	loop_free(&r->loop);
}

/* As a new process would. */
static __attribute__((unused)) void
restart(struct rig *r, const char *text)
{
	free_loop(r);
	make_loop(r);
	start(r, text);
}

static __attribute__((unused)) void
rig_up(struct rig *r, const char *text)
{
	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	strcpy(r->dir, "/tmp/gatepost-queue-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(r->file, sizeof r->file, "%s/gatepost.conf", r->dir);
	make_loop(r);
	r->open_result = OPENED_UP;
	r->job_result = OUTCOME_SENT;
	r->code = 451;
	start(r, text);
}

static __attribute__((unused)) int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static __attribute__((unused)) void
rig_down(struct rig *r)
{
	free_loop(r);
	buf_clear(&r->last_body);
	nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Some turns in which nothing of the kind happens. */
static __attribute__((unused)) void
settle(struct rig *r)
{
	for (unsigned i = 0; i < 200; i++) {
		loop_turn(r->loop, false);
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	}
}

static __attribute__((unused)) uint64_t
submit_whole(struct rig *r, const char *user, const char *sender, const char *to1, const char *to2)
{
	struct submit *s = memo_submit_new();

	s->envelope = envelope_new();
	free(s->envelope->sender);
	free(s->envelope->user);
	s->envelope->sender = mem_text(sender);
	s->envelope->user = mem_text(user);
	s->envelope->arrived_wall_s = clock_wall_s();
	envelope_add(s->envelope, to1, NULL, 0);
	if (to2 != NULL)
		envelope_add(s->envelope, to2, NULL, 0);
	for (unsigned i = 0; i < r->many; i++) {
		char to[32];

		snprintf(to, sizeof to, "%u@many.example", i);
		envelope_add(s->envelope, to, NULL, 0);
	}
	s->id = memo_next_id();
	s->back = r->listener;
	buf_puts(&s->prefix, "Received: by relay.example\r\n");
	buf_puts(&s->text, "Subject: hello\r\n\r\nbody\r\n");
	for (size_t i = 0; i < r->octets; i += 10)
		buf_puts(&s->text, "12345678\r\n");
	s->envelope->size = r->claim > 0 ? r->claim : s->prefix.len + s->text.len;
	r->last_id = s->id;
	memo_post(queue_get_channel(r->queue), &s->memo);
	return s->id;
}

static __attribute__((unused)) uint64_t
submit_from(struct rig *r, const char *sender, const char *to1, const char *to2)
{
	return submit_whole(r, "app", sender, to1, to2);
}

static __attribute__((unused)) uint64_t
submit(struct rig *r, const char *to1, const char *to2)
{
	return submit_from(r, "app@client.example", to1, to2);
}

static __attribute__((unused)) struct queue_totals
totals(struct rig *r)
{
	struct queue_totals t;

	queue_get_totals(r->queue, &t);
	return t;
}

#endif
