/*
 * Which lane a message gets: the queue with a real spool and loop; the relay is the test, which keeps the jobs that it is
 * given until it is told to answer them.
 */
#include "queue/private.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { JOBS_MAX = 64 };

struct rig {
	char dir[64], file[96];
	struct loop *loop;
	struct queue *queue;
	struct channel *main, *listener, *relay;
	unsigned verdicts;
	struct caps caps;		/* what connections offer */
	struct open *open[8];		/* not answered yet */
	unsigned nopen;
	bool hold_opens;
	struct job *job[JOBS_MAX];	/* out, in the order in which they came */
	unsigned njob, given;
	unsigned closed;
};

static void
on_main(void *arg, struct link *l)
{
	(void)arg;
	free(l);
}

static void
on_listener(void *arg, struct link *l)
{
	struct rig *r = arg;
	struct memo *m = container_of(l, struct memo, link);

	if (m->kind == MEMO_VERDICT) {
		struct submit *s = (struct submit *)m;

		r->verdicts++;
		ck_assert_int_eq(s->verdict, VERDICT_KEPT);
		memo_submit_free(&s);
	} else {
		memo_limits_clear((struct limits *)m);
		free(m);
	}
}

static void
answer_opens(struct rig *r)
{
	for (unsigned i = 0; i < r->nopen; i++) {
		struct open *o = r->open[i];

		o->result = OPENED_UP;
		o->winner = o->candidate[0];
		o->caps = r->caps;
		o->memo.kind = MEMO_OPENED;
		memo_post(queue_get_channel(r->queue), &o->memo);
	}
	r->nopen = 0;
}

static void
on_relay(void *arg, struct link *l)
{
	struct rig *r = arg;
	struct memo *m = container_of(l, struct memo, link);

	switch (m->kind) {
	case MEMO_OPEN:
		ck_assert_uint_lt(r->nopen, 8);
		r->open[r->nopen++] = (struct open *)m;
		if (!r->hold_opens)
			answer_opens(r);
		break;
	case MEMO_JOB:
		ck_assert_uint_lt(r->njob, JOBS_MAX);
		r->job[r->njob++] = (struct job *)m;
		r->given++;
		break;
	case MEMO_CLOSE:
		r->closed++;
		m->kind = MEMO_CLOSED;
		memo_post(queue_get_channel(r->queue), m);
		break;
	default:
		ck_abort_msg("memo %d", m->kind);
	}
}

/* The n-th job that is out; `lost': its connection ended with it. */
static void
answer(struct rig *r, unsigned n, enum outcome_kind kind, bool lost)
{
	struct job *j = r->job[n];

	ck_assert_uint_lt(n, r->njob);
	memmove(&r->job[n], &r->job[n + 1], (--r->njob - n) * sizeof(struct job *));
	for (unsigned i = 0; i < j->nrcpt; i++)
		outcome_set(&j->result[i], kind, kind == OUTCOME_SENT ? 250 : 0, kind == OUTCOME_SENT ? "2.0.0" : "4.4.2", STR("x"));
	j->upstream = lost ? UPSTREAM_LOST : UPSTREAM_FINE;
	j->lane_lost = lost;
	j->memo.kind = MEMO_REPORT;
	memo_post(queue_get_channel(r->queue), &j->memo);
}

static void
rig_up(struct rig *r, const char *lines)
{
	struct config_options o = { .secrets = true };
	struct queue_options qo = { 0 };
	struct why why;
	FILE *f;

	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	strcpy(r->dir, "/tmp/gatepost-lane-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(r->file, sizeof r->file, "%s/gatepost.conf", r->dir);
	f = fopen(r->file, "w");
	fprintf(f, "hostname = \"relay.example\"\n"
	    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" %s }\n", lines);
	fclose(f);
	o.file = r->file;
	o.state = r->dir;
	r->loop = loop_new("test");
	r->main = channel_new(r->loop, on_main, r);
	r->listener = channel_new(r->loop, on_listener, r);
	r->relay = channel_new(r->loop, on_relay, r);
	r->caps.pipelining = r->caps.chunking = true;
	ck_assert_msg(config_load(&qo.config, &o, NULL, NULL, &why) == 0, "%s", why.text);
	qo.main = r->main;
	ck_assert_msg(queue_new(&r->queue, r->loop, &qo, &why) == 0, "%s", why.text);
	config_unref(&qo.config);
	queue_set_peers(r->queue, &r->listener, 1, &r->relay, 1);
	queue_start(r->queue);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void
turn(struct rig *r)
{
	loop_turn(r->loop, false);
	nanosleep(&(struct timespec){ 0, 100000 }, NULL);
}

/* Turns until the condition holds: the sync helper works in real time, everything else at once. */
#define turn_until(r, cond)                                                    \
	do {                                                                   \
		for (unsigned tries = 0; !(cond) && tries < 100000; tries++)    \
			turn(r);                                               \
		ck_assert_msg(cond, "%s", #cond);                              \
	} while (0)

static void
settle(struct rig *r)
{
	for (unsigned i = 0; i < 100; i++)
		turn(r);
}

static void
rig_down(struct rig *r)
{
	r->hold_opens = false;
	answer_opens(r);
	do {		/* whatever waited goes now */
		while (r->njob > 0)
			answer(r, 0, OUTCOME_SENT, false);
		settle(r);
	} while (r->njob > 0);
	channel_drain(r->relay);
	queue_free(&r->queue);
	channel_drain(r->main);
	channel_drain(r->listener);
	channel_free(&r->main);
	channel_free(&r->listener);
	channel_free(&r->relay);
	loop_free(&r->loop);
	nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
submit(struct rig *r, unsigned n, size_t octets)
{
	unsigned before = r->verdicts;

	for (unsigned i = 0; i < n; i++) {
		struct submit *s = memo_submit_new();

		s->envelope = envelope_new();
		free(s->envelope->sender);
		s->envelope->sender = mem_text("app@client.example");
		s->envelope->arrived_wall_s = clock_wall_s();
		envelope_add(s->envelope, "a@b.example", NULL, 0);
		s->id = memo_next_id();
		s->back = r->listener;
		buf_puts(&s->text, "Subject: hello\r\n\r\n");
		while (s->text.len < octets)
			buf_puts(&s->text, "one line of many\r\n");
		s->envelope->size = s->text.len;
		memo_post(queue_get_channel(r->queue), &s->memo);
	}
	turn_until(r, r->verdicts == before + n);
	settle(r);
}

/* One message through each of n connections, so that they are proven. */
static void
warm(struct rig *r, unsigned n)
{
	submit(r, n, 0);
	turn_until(r, r->njob == n);
	for (unsigned i = 0; i < n; i++)
		answer(r, 0, OUTCOME_SENT, false);
	settle(r);
	ck_assert_uint_eq(r->queue->gateway[0]->nlane, n);
	r->given = 0;
}

/* How many jobs a lane has at once, of ten messages, after one has gone through it. */
static const struct {
	const char *name, *lines;
	bool pipelining, chunking;
	unsigned mail_max, quirks, out;
} depths[] = {
	{ "BDAT", "connections = 1", true, true, 0, 0, 2 },
	{ "no CHUNKING", "connections = 1", true, false, 0, 0, 1 },
	{ "no PIPELINING", "connections = 1", false, true, 0, 0, 1 },
	{ "BDAT is not known", "connections = 1", true, true, 0, QUIRK_NO_BDAT, 1 },
	{ "nothing behind it", "connections = 1", true, true, 0, QUIRK_ALONE, 1 },
	{ "step by step", "connections = 1", true, true, 0, QUIRK_STEPS, 1 },
	{ "DSN is another matter", "connections = 1", true, true, 0, QUIRK_NO_DSN, 2 },
	{ "one more", "connections = 1 messages_per_connection = 2", true, true, 0, 0, 1 },
	{ "two more", "connections = 1 messages_per_connection = 3", true, true, 0, 0, 2 },
	{ "one more, it says", "connections = 1", true, true, 2, 0, 1 },
	{ "two lanes", "connections = 2", true, true, 0, 0, 4 },
};

START_TEST(how_many)
{
	unsigned lanes = strstr(depths[_i].lines, "= 2") != NULL && depths[_i].out == 4 ? 2 : 1;
	struct rig r;

	rig_up(&r, depths[_i].lines);
	r.caps.pipelining = depths[_i].pipelining;
	r.caps.chunking = depths[_i].chunking;
	r.caps.mail_max = depths[_i].mail_max;
	r.queue->gateway[0]->quirks = depths[_i].quirks;
	warm(&r, lanes);
	submit(&r, 10, 0);
	ck_assert_msg(r.njob == depths[_i].out, "%s: %u", depths[_i].name, r.njob);
	for (unsigned i = 0; i < r.njob; i++) {
		ck_assert_uint_eq(r.job[i]->quirks, depths[_i].quirks);
		ck_assert(r.job[i]->second == (i >= lanes));
	}
	rig_down(&r);
}
END_TEST

/* A connection that has not taken a message yet carries one alone. */
START_TEST(unproven)
{
	struct rig r;

	rig_up(&r, "connections = 1");
	submit(&r, 3, 0);
	ck_assert_uint_eq(r.njob, 1);
	answer(&r, 0, OUTCOME_SENT, false);
	settle(&r);
	ck_assert_uint_eq(r.njob, 2);
	rig_down(&r);
}
END_TEST

/* Two stay on their way, whatever comes back. */
START_TEST(a_stream)
{
	struct rig r;

	rig_up(&r, "connections = 1");
	warm(&r, 1);
	submit(&r, 20, 0);
	for (unsigned done = 0; done < 18; done++) {
		ck_assert_uint_eq(r.njob, 2);
		answer(&r, 0, OUTCOME_SENT, false);
		settle(&r);
	}
	ck_assert_uint_eq(r.given, 20);
	ck_assert_uint_eq(r.queue->gateway[0]->nbusy, 1);
	answer(&r, 0, OUTCOME_SENT, false);
	answer(&r, 0, OUTCOME_SENT, false);
	settle(&r);
	ck_assert_uint_eq(r.queue->gateway[0]->nbusy, 0);
	rig_down(&r);
}
END_TEST

/* A message that can have a connection to itself, if only a new one, gets it; what exceeds them goes second. */
START_TEST(new_connections_first)
{
	struct rig r;

	rig_up(&r, "connections = 3");
	warm(&r, 1);
	r.hold_opens = true;
	submit(&r, 3, 0);		/* one goes at once, and two wait for connections to come */
	ck_assert_uint_eq(r.njob, 1);
	ck_assert_uint_eq(r.nopen, 1);	/* as many at once as there are */
	submit(&r, 1, 0);		/* now there are more than connections */
	ck_assert_uint_eq(r.njob, 2);
	ck_assert(r.job[1]->second);
	r.hold_opens = false;
	answer_opens(&r);
	settle(&r);
	ck_assert_uint_eq(r.njob, 4);
	ck_assert(!r.job[2]->second && !r.job[3]->second);
	rig_down(&r);
}
END_TEST

START_TEST(idle_ones_before_busy_ones)
{
	struct rig r;

	rig_up(&r, "connections = 2");
	warm(&r, 2);
	submit(&r, 1, 0);
	submit(&r, 1, 0);
	ck_assert_uint_eq(r.njob, 2);
	ck_assert_uint_ne(r.job[0]->lane, r.job[1]->lane);
	submit(&r, 1, 0);		/* behind the one that is out for longest */
	ck_assert_uint_eq(r.njob, 3);
	ck_assert_uint_eq(r.job[2]->lane, r.job[0]->lane);
	rig_down(&r);
}
END_TEST

/* Nobody waits behind a large content, but it may be the second; then nobody else joins. */
START_TEST(large_ones)
{
	struct rig r;

	rig_up(&r, "connections = 1");
	warm(&r, 1);
	submit(&r, 1, JOB_FLIGHT_OCTETS + 1);
	submit(&r, 3, 0);
	ck_assert_uint_eq(r.njob, 1);
	answer(&r, 0, OUTCOME_SENT, false);
	settle(&r);
	ck_assert_uint_eq(r.njob, 2);
	answer(&r, 0, OUTCOME_SENT, false);
	submit(&r, 1, JOB_FLIGHT_OCTETS + 1);
	answer(&r, 0, OUTCOME_SENT, false);
	settle(&r);
	ck_assert_uint_eq(r.njob, 2);	/* the third small one, and the large one behind it */
	submit(&r, 1, 0);
	answer(&r, 0, OUTCOME_SENT, false);
	settle(&r);
	ck_assert_uint_eq(r.njob, 1);
	ck_assert(r.job[0]->second);
	rig_down(&r);
}
END_TEST

/* The link is lost: both come back, each as the relay says; what was not tried goes at once, over a new connection. */
START_TEST(both_are_lost)
{
	struct rig r;

	rig_up(&r, "connections = 1 daily_quota = 100");
	warm(&r, 1);
	submit(&r, 2, 0);
	ck_assert_uint_eq(r.njob, 2);
	r.hold_opens = true;
	answer(&r, 0, OUTCOME_DEFER, true);
	answer(&r, 0, OUTCOME_AGAIN, true);
	settle(&r);
	ck_assert_uint_eq(r.queue->gateway[0]->nlane, 1);
	ck_assert_uint_eq(r.nopen, 1);
	ck_assert_int_eq(pace_quota_left(&r.queue->gateway[0]->pace, clock_now_ms()), 99);	/* both are accounted for */
	answer_opens(&r);
	settle(&r);
	ck_assert_uint_eq(r.njob, 1);
	ck_assert(!r.job[0]->second);
	rig_down(&r);
}
END_TEST

/* To wait untried behind one that fails spends nothing; to fail does (AGAIN_MAX). */
START_TEST(the_untried_spends_nothing)
{
	struct queue_message m;
	uint64_t second;
	struct rig r;

	rig_up(&r, "connections = 1");
	warm(&r, 1);
	submit(&r, 2, 0);
	ck_assert_uint_eq(r.njob, 2);
	second = r.job[1]->id;
	for (unsigned i = 0; i < 2 * AGAIN_MAX; i++) {
		ck_assert(r.job[1]->second && r.job[1]->id == second);
		r.job[1]->untried = i < AGAIN_MAX;
		answer(&r, 1, OUTCOME_AGAIN, false);
		settle(&r);
		ck_assert_uint_eq(r.njob, i < 2 * AGAIN_MAX - 1 ? 2 : 1);
	}
	ck_assert(queue_find_message(r.queue, second, false, &m));
	ck_assert_uint_eq(m.attempts, 1);
	rig_down(&r);
}
END_TEST

/* What one thread's connection has learned holds for all of the upstream, and for those to come. */
START_TEST(one_memory)
{
	struct rig r;

	rig_up(&r, "connections = 2");
	warm(&r, 2);
	submit(&r, 2, 0);
	r.job[0]->quirks |= QUIRK_NO_BDAT;
	answer(&r, 0, OUTCOME_AGAIN, true);
	settle(&r);
	submit(&r, 4, 0);
	ck_assert_uint_eq(r.njob, 2);	/* nobody goes second any more */
	answer(&r, 0, OUTCOME_SENT, false);	/* one that was sent before it was known */
	settle(&r);
	ck_assert_uint_eq(r.njob, 2);
	for (unsigned i = 0; i < r.njob; i++)
		ck_assert_uint_eq(r.job[i]->quirks, QUIRK_NO_BDAT);
	ck_assert_uint_ne(r.job[0]->lane, r.job[1]->lane);
	rig_down(&r);
}
END_TEST

Suite *test_lane(void);

Suite *
test_lane(void)
{
	Suite *s = suite_create("test_lane");
	TCase *t = tcase_create("lanes");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, how_many, 0, (int)(sizeof depths / sizeof depths[0]));
	tcase_add_test(t, unproven);
	tcase_add_test(t, a_stream);
	tcase_add_test(t, new_connections_first);
	tcase_add_test(t, idle_ones_before_busy_ones);
	tcase_add_test(t, large_ones);
	tcase_add_test(t, both_are_lost);
	tcase_add_test(t, the_untried_spends_nothing);
	tcase_add_test(t, one_memory);
	suite_add_tcase(s, t);
	return s;
}
