/*
 * A queue whose relay is the test: it keeps every OPEN and PROBE until the test answers, so that the order of things is the
 * test's.  A real spool; the clock is the test's, and the names those of test_dns.c.
 */
#ifndef UNIT_GATEWAY_RIG_H
#define UNIT_GATEWAY_RIG_H

#include "queue/private.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "turns.h"

#include <check.h>	/* last: it defines fail() */

enum { RIG_MAX = 16 };

struct rig {
	char dir[64], file[96];
	const char *text;		/* of the configuration */
	struct loop *loop;
	struct queue *queue;
	struct channel *main, *listener, *relay;
	struct open *open[RIG_MAX];	/* in the order in which they came; NULL: answered */
	struct heard_memo *probe;
	struct job *held;
	bool hold;			/* jobs are kept, too */
	unsigned nopen, nclosed, nsent, nkept, nprobe;
};

static inline void
rig_on_main(void *arg, struct link *l)
{
	(void)arg;
	free(l);
}

static inline void
rig_on_listener(void *arg, struct link *l)
{
	struct memo *m = container_of(l, struct memo, link);
	struct submit *s = (struct submit *)m;

	if (m->kind != MEMO_VERDICT) {
		memo_limits_clear((struct limits *)m);
		free(m);
		return;
	}
	((struct rig *)arg)->nkept++;
	memo_submit_free(&s);
}

/* Ends the n-th race. */
static inline void
rig_answer(struct rig *r, unsigned n, enum opened result, unsigned winner)
{
	struct open *o = r->open[n];

	ck_assert_ptr_nonnull(o);
	r->open[n] = NULL;
	o->result = result;
	o->winner = o->candidate[winner];
	if (result != OPENED_UP)
		outcome_set(&o->outcome, OUTCOME_DEFER, 0, "4.4.1", STR("so says the relay"));
	o->memo.kind = MEMO_OPENED;
	memo_post(queue_get_channel(r->queue), &o->memo);
}

static inline void
rig_on_close(struct rig *r, struct lane_memo *m)
{
	for (unsigned i = 0; i < r->nopen; i++)
		if (r->open[i] != NULL && r->open[i]->lane == m->lane) {
			rig_answer(r, i, OPENED_CANCELLED, 0);
			free(m);
			return;
		}
	r->nclosed++;
	m->memo.kind = MEMO_CLOSED;
	memo_post(queue_get_channel(r->queue), &m->memo);
}

static inline void
rig_on_job(struct rig *r, struct job *j)
{
	if (r->hold) {
		ck_assert_ptr_null(r->held);
		r->held = j;
		return;
	}
	r->nsent += j->nrcpt;
	for (unsigned i = 0; i < j->nrcpt; i++)
		outcome_set(&j->result[i], OUTCOME_SENT, 250, "2.0.0", STR("ok"));
	j->memo.kind = MEMO_REPORT;
	memo_post(queue_get_channel(r->queue), &j->memo);
}

static inline void
rig_on_relay(void *arg, struct link *l)
{
	struct rig *r = arg;
	struct memo *m = container_of(l, struct memo, link);

	switch (m->kind) {
	case MEMO_OPEN:
		ck_assert_uint_lt(r->nopen, RIG_MAX);
		r->open[r->nopen++] = (struct open *)m;
		break;
	case MEMO_PROBE:
		r->nprobe++;
		r->probe = (struct heard_memo *)m;
		break;
	case MEMO_JOB:
		rig_on_job(r, (struct job *)m);
		break;
	case MEMO_CLOSE:
		rig_on_close(r, (struct lane_memo *)m);
		break;
	default:
		ck_abort_msg("memo %d", m->kind);
	}
}

static inline void
rig_start(struct rig *r, const char *text)
{
	struct queue_options o = { 0 };
	struct config_options co = { .file = r->file, .state = r->dir, .secrets = true };
	struct why why;
	FILE *f = fopen(r->file, "w");

	fprintf(f, "hostname = \"relay.example\"\n%s", text);
	fclose(f);
	r->loop = loop_new("test");
	r->main = channel_new(r->loop, rig_on_main, r);
	r->listener = channel_new(r->loop, rig_on_listener, r);
	r->relay = channel_new(r->loop, rig_on_relay, r);
	ck_assert_msg(config_load((struct config **)&o.config, &co, NULL, NULL, &why) == 0, "%s", why.text);
	o.main = r->main;
	ck_assert_msg(queue_new(&r->queue, r->loop, &o, &why) == 0, "%s", why.text);
	config_unref((struct config **)&o.config);
	queue_set_peers(r->queue, &r->listener, 1, &r->relay, 1);
	queue_start(r->queue);
}

static inline void
rig_stop(struct rig *r)
{
	r->hold = false;
	if (r->held != NULL)
		rig_on_job(r, r->held);
	r->held = NULL;
	channel_drain(r->relay);
	for (unsigned i = 0; i < r->nopen; i++)
		memo_open_free(&r->open[i]);
	memo_heard_free(&r->probe);
	queue_free(&r->queue);
	channel_drain(r->main);
	channel_drain(r->listener);
	channel_free(&r->main);
	channel_free(&r->listener);
	channel_free(&r->relay);
	loop_free(&r->loop);
	r->nopen = 0;
}

static inline void
rig_up(struct rig *r, const char *text)
{
	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	strcpy(r->dir, "/tmp/gatepost-gateway-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(r->file, sizeof r->file, "%s/gatepost.conf", r->dir);
	rig_start(r, text);
}

static inline int
rig_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void
rig_down(struct rig *r)
{
	rig_stop(r);
	nftw(r->dir, rig_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void
rig_settle(struct rig *r)
{
	for (unsigned i = 0; i < 50; i++) {
		loop_turn(r->loop, false);
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	}
}

/* A message is there, and wants to go. */
static inline void
rig_submit(struct rig *r)
{
	struct submit *s = memo_submit_new();
	unsigned kept = r->nkept;

	s->envelope = envelope_new();
	free(s->envelope->sender);
	s->envelope->sender = mem_text("app@client.example");
	s->envelope->arrived_wall_s = clock_wall_s();
	envelope_add(s->envelope, "you@far.example", NULL, 0);
	s->id = memo_next_id();
	s->back = r->listener;
	buf_puts(&s->text, "Subject: hello\r\n\r\nbody\r\n");
	s->envelope->size = s->text.len;
	memo_post(queue_get_channel(r->queue), &s->memo);
	turn_until(r, r->nkept == kept + 1);
}

static inline struct gateway *
rig_gateway(struct rig *r)
{
	return r->queue->gateway[0];
}

/* What a race found out about one candidate, which took so long. */
static inline void
rig_hear(struct rig *r, const struct candidate *c, enum heard heard, int64_t took_ms)
{
	struct heard_memo *m = memo_heard_new(MEMO_HEARD);

	m->upstream = 0;
	m->candidate = *c;
	m->heard = heard;
	m->took_ms = took_ms;
	snprintf(m->reason, sizeof m->reason, "%s", heard == HEARD_UP ? "" : "no answer to TCP in 10 s");
	memo_post(queue_get_channel(r->queue), &m->memo);
}

static inline enum door_state
rig_door(struct rig *r, unsigned n)
{
	const struct door *d = route_find(rig_gateway(r)->route, n);

	ck_assert_ptr_nonnull(d);
	return d->state;
}

#endif
