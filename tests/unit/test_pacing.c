/*
 * How fast upstreams are used, through the whole queue: a real spool and loop, a provider that is the test, and its clock.
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
#include "turns.h"

#define S INT64_C(1000)
#define MIN (60 * S)
#define H (60 * MIN)
#define UP(more) "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" " more " }\n"
#define BACKUP "upstream \"backup\" { host = \"127.0.0.1\" chain = {\"2526/none\"} auth = \"none\" }\n"

struct rig {
	char dir[64], file[96];
	struct loop *loop;
	struct queue *queue;
	struct channel *main, *listener, *relay;
	unsigned opens, jobs, up, backup, rcpts, bounces;	/* up, backup: messages sent there */
	int64_t refused_at_ms;		/* the last message that was too fast */
	/* the script */
	short code;			/* what "up" says to messages; 0: takes them */
	const char *text;
	const char *poison;		/* it says it to this recipient alone */
	unsigned lanes, lanes_max;	/* more connections are refused; 0: any number */
	bool hold;			/* jobs are kept */
	bool busy;			/* what it says is 4.3.2 */
	struct job *held[64];
	unsigned nheld;
};

static void
on_dropped(void *arg, struct link *l)
{
	struct memo *m = container_of(l, struct memo, link);

	(void)arg;
	if (m->kind == MEMO_VERDICT) {
		struct submit *s = (struct submit *)m;

		ck_assert_int_eq(s->verdict, VERDICT_KEPT);
		memo_submit_free(&s);
	} else {
		if (m->kind == MEMO_LIMITS)
			memo_limits_clear((struct limits *)m);
		free(m);
	}
}

static void
answer_job(struct rig *r, struct job *j)
{
	const struct gateway *g = r->queue->gateway[lane_find(r->queue, j->lane)->gateway];
	bool first = strcmp(g->name, "up") == 0, fast;

	fast = first && r->code > 0 && (r->poison == NULL || strcmp(j->envelope->rcpt[j->rcpt[0]].address, r->poison) == 0);
	r->jobs++;
	if (fast)
		r->refused_at_ms = clock_now_ms();
	for (unsigned i = 0; i < j->nrcpt; i++)
		if (fast)
			outcome_set(&j->result[i], OUTCOME_DEFER, r->code, "4.7.0", str_of(r->text));
		else
			outcome_set(&j->result[i], OUTCOME_SENT, 250, "2.0.0", STR("ok"));
	if (fast)
		j->upstream = r->busy ? UPSTREAM_BUSY : UPSTREAM_TOO_FAST;
	else if (j->envelope->is_bounce)
		r->bounces++;
	else if (first)
		r->up++;
	else
		r->backup++;
	r->rcpts += fast ? 0 : j->nrcpt;
	snprintf(j->peer.upstream, sizeof j->peer.upstream, "%s", g->name);
	j->memo.kind = MEMO_REPORT;
	memo_post(queue_get_channel(r->queue), &j->memo);
}

static void
answer_open(struct rig *r, struct open *o)
{
	r->opens++;
	o->result = r->lanes_max > 0 && r->lanes == r->lanes_max ? OPENED_BUSY : OPENED_UP;
	r->lanes += o->result == OPENED_UP;
	o->winner = o->candidate[0];
	if (o->result == OPENED_BUSY)
		outcome_set(&o->outcome, OUTCOME_DEFER, 421, "4.7.0", STR("too many connections"));
	o->memo.kind = MEMO_OPENED;
	memo_post(queue_get_channel(r->queue), &o->memo);
}

static void
on_relay(void *arg, struct link *l)
{
	struct rig *r = arg;
	struct memo *m = container_of(l, struct memo, link);

	if (m->kind == MEMO_OPEN) {
		answer_open(r, (struct open *)m);
	} else if (m->kind == MEMO_JOB && r->hold) {
		ck_assert_uint_lt(r->nheld, 64);
		r->held[r->nheld++] = (struct job *)m;
	} else if (m->kind == MEMO_JOB) {
		answer_job(r, (struct job *)m);
	} else {
		ck_assert_int_eq(m->kind, MEMO_CLOSE);
		r->lanes--;
		m->kind = MEMO_CLOSED;
		memo_post(queue_get_channel(r->queue), m);
	}
}

static void
release(struct rig *r)
{
	r->hold = false;
	for (unsigned i = 0; i < r->nheld; i++)
		answer_job(r, r->held[i]);
	r->nheld = 0;
}

static struct config *
load(struct rig *r, const char *text)
{
	struct config_options o = { .file = r->file, .state = r->dir, .secrets = true };
	struct config *c;
	struct why why;
	FILE *f = fopen(r->file, "w");

	fprintf(f, "hostname = \"relay.example\"\n%s", text);
	fclose(f);
	if (config_load(&c, &o, NULL, NULL, &why) < 0)
		ck_abort_msg("%s", why.text);
	return c;
}

static void
start(struct rig *r, const char *text)
{
	struct queue_options o = { 0 };
	struct why why;

	r->loop = loop_new("test");
	r->main = channel_new(r->loop, on_dropped, r);
	r->listener = channel_new(r->loop, on_dropped, r);
	r->relay = channel_new(r->loop, on_relay, r);
	o.main = r->main;
	o.config = load(r, text);
	if (queue_new(&r->queue, r->loop, &o, &why) < 0)
		ck_abort_msg("%s", why.text);
	config_unref(&o.config);
	queue_set_peers(r->queue, &r->listener, 1, &r->relay, 1);
	queue_start(r->queue);
}

static void
stop(struct rig *r)
{
	channel_drain(r->relay);
	queue_free(&r->queue);
	channel_drain(r->main);
	channel_drain(r->listener);
	channel_free(&r->main);
	channel_free(&r->listener);
	channel_free(&r->relay);
	loop_free(&r->loop);
}

static void
rig_up(struct rig *r, const char *text)
{
	memset(r, 0, sizeof *r);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1800000000);
	strcpy(r->dir, "/tmp/gatepost-pacing-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(r->dir));
	snprintf(r->file, sizeof r->file, "%s/gatepost.conf", r->dir);
	start(r, text);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void
rig_down(struct rig *r)
{
	stop(r);
	nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
reload(struct rig *r, const char *text)
{
	struct config_memo *m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);

	m->config = load(r, text);
	memo_post(queue_get_channel(r->queue), &m->memo);
}

static void
settle(struct rig *r)
{
	for (unsigned i = 0; i < 150; i++) {
		loop_turn(r->loop, false);
		nanosleep(&(struct timespec){ 0, 100000 }, NULL);
	}
}

static uint64_t
submit(struct rig *r, const char *to, unsigned nrcpt)
{
	struct submit *s = memo_submit_new();
	char other[64];

	s->envelope = envelope_new();
	free(s->envelope->sender);
	free(s->envelope->user);
	s->envelope->sender = mem_text("app@client.example");
	s->envelope->user = mem_text("app");
	s->envelope->arrived_wall_s = clock_wall_s();
	envelope_add(s->envelope, to, NULL, 0);
	for (unsigned i = 1; i < nrcpt; i++) {
		snprintf(other, sizeof other, "%u%s", i, to);
		envelope_add(s->envelope, other, NULL, 0);
	}
	s->id = memo_next_id();
	s->back = r->listener;
	buf_puts(&s->text, "Subject: hello\r\n\r\nbody\r\n");
	s->envelope->size = s->text.len;
	memo_post(queue_get_channel(r->queue), &s->memo);
	return s->id;
}

static void
submit_many(struct rig *r, unsigned n)
{
	while (n-- > 0)
		submit(r, "a@b.example", 1);
}

static struct queue_upstream
upstream(struct rig *r)
{
	struct queue_upstream u;

	ck_assert(queue_find_upstream(r->queue, 0, &u));
	return u;
}

static unsigned
attempts(struct rig *r, uint64_t id)
{
	struct queue_message m;

	ck_assert(queue_find_message(r->queue, id, false, &m));
	return m.attempts;
}

static uint64_t
messages(struct rig *r)
{
	struct queue_totals t;

	queue_get_totals(r->queue, &t);
	return t.messages;
}

/* --- rate -------------------------------------------------------------------------- */

START_TEST(a_rate_is_kept_and_the_next_goes_when_it_may)	/* B-141 */
{
	struct rig r;

	rig_up(&r, UP("rate = \"10/s\""));
	submit_many(&r, 12);
	turn_until(&r, r.up == 1);
	settle(&r);
	ck_assert_uint_eq(r.up, 1);
	for (unsigned i = 2; i <= 12; i++) {
		int64_t due = r.queue->gateway[0]->pacing.node.key;

		ck_assert_int_le(due, clock_now_ms() + 102);	/* a timer, to the millisecond */
		clock_fake_add(due - 1 - clock_now_ms());
		settle(&r);
		ck_assert_uint_eq(r.up, i - 1);
		clock_fake_add(1);
		turn_until(&r, r.up == i);
	}
	ck_assert_uint_eq(r.opens, 1);		/* one connection is enough for that */
	ck_assert_int_eq(upstream(&r).gate->state, GATE_UP);
	rig_down(&r);
}
END_TEST

/* --- quota --------------------------------------------------------------------------- */

START_TEST(over_its_quota_it_is_passed_over_and_used_again)
{
	struct rig r;

	rig_up(&r, UP("daily_quota = 3") BACKUP);
	ck_assert_int_eq(upstream(&r).quota_left, 3);
	submit_many(&r, 5);
	turn_until(&r, r.up + r.backup == 5);
	ck_assert_uint_eq(r.up, 3);
	ck_assert_int_eq(upstream(&r).gate->state, GATE_PAUSED);
	ck_assert_int_eq(upstream(&r).quota_left, 0);
	ck_assert_str_eq(upstream(&r).reason, "daily quota of 3 used; goes on in 24 h 15 min");
	clock_fake_add(20 * H + 55 * MIN);
	settle(&r);
	ck_assert_str_eq(upstream(&r).reason, "daily quota of 3 used; goes on in 3 h 20 min");
	submit_many(&r, 1);
	turn_until(&r, r.backup == 3);
	clock_fake_add(3 * H + 20 * MIN);
	turn_until(&r, upstream(&r).gate->state == GATE_UP);	/* without any mail */
	ck_assert_int_eq(upstream(&r).quota_left, 3);
	ck_assert_str_eq(upstream(&r).reason, "");
	submit_many(&r, 1);
	turn_until(&r, r.up == 4);
	rig_down(&r);
}
END_TEST

START_TEST(mail_waits_for_the_quota_and_does_not_age)
{
	struct rig r;
	struct queue_message m;
	uint64_t id;

	rig_up(&r, "queue { expire = \"2h\" delay_warning = \"1h\" }\n" UP("daily_quota = 1"));
	submit_many(&r, 1);
	turn_until(&r, r.up == 1 && messages(&r) == 0);
	id = submit(&r, "late@b.example", 1);
	turn_until(&r, queue_find_message(r.queue, id, false, &m));
	settle(&r);
	ck_assert_int_eq(m.state, MESSAGE_DEFERRED);
	ck_assert_int_eq(m.next_attempt_s, 24 * 3600 + 15 * 60);
	ck_assert_msg(strstr(m.reason, "daily quota of 1 used") != NULL, "%s", m.reason);
	clock_fake_add(12 * H);
	settle(&r);
	clock_fake_add(12 * H + 15 * MIN);
	turn_until(&r, r.up == 2);
	ck_assert_uint_eq(r.bounces, 0);
	turn_until(&r, messages(&r) == 0);
	rig_down(&r);
}
END_TEST

START_TEST(no_more_is_sent_than_the_quota_however_many_lanes)
{
	struct rig r;

	rig_up(&r, UP("daily_quota = 5"));
	r.hold = true;
	submit_many(&r, 20);
	turn_until(&r, r.nheld == 5);
	settle(&r);
	ck_assert_uint_eq(r.nheld, 5);
	ck_assert_int_eq(upstream(&r).gate->state, GATE_UP);	/* they may come back */
	release(&r);
	turn_until(&r, upstream(&r).gate->state == GATE_PAUSED);
	settle(&r);
	ck_assert_uint_eq(r.jobs, 5);
	rig_down(&r);
}
END_TEST

START_TEST(a_quota_of_recipients_splits_a_message)
{
	struct rig r;

	rig_up(&r, UP("daily_quota = 3 quota_counts = \"recipients\""));
	submit(&r, "a@b.example", 5);
	turn_until(&r, r.rcpts == 3 && upstream(&r).gate->state == GATE_PAUSED);
	ck_assert_str_eq(upstream(&r).reason, "daily quota of 3 recipients used; goes on in 24 h 15 min");
	settle(&r);
	ck_assert_uint_eq(r.jobs, 1);
	clock_fake_add(24 * H + 15 * MIN);
	turn_until(&r, r.rcpts == 5 && messages(&r) == 0);
	rig_down(&r);
}
END_TEST

START_TEST(a_reload_with_a_larger_quota_goes_on_at_once)
{
	struct rig r;

	rig_up(&r, UP("daily_quota = 1"));
	submit_many(&r, 2);
	turn_until(&r, upstream(&r).gate->state == GATE_PAUSED);
	queue_open_gates(r.queue, NULL);	/* `gatepost retry' is no reason */
	settle(&r);
	ck_assert_uint_eq(r.jobs, 1);
	reload(&r, UP("daily_quota = 2"));
	turn_until(&r, r.up == 2);
	turn_until(&r, upstream(&r).gate->state == GATE_PAUSED);
	reload(&r, UP(""));
	turn_until(&r, upstream(&r).gate->state == GATE_UP);
	ck_assert_int_eq(upstream(&r).quota_left, -1);
	rig_down(&r);
}
END_TEST

static size_t
read_quota(const struct rig *r, char *out, size_t size)
{
	char path[160];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "%s/spool/quota", r->dir);
	if ((f = fopen(path, "r")) == NULL) {
		snprintf(path, sizeof path, "%s/quota", r->dir);
		f = fopen(path, "r");
	}
	ck_assert_ptr_nonnull(f);
	n = fread(out, 1, size, f);
	fclose(f);
	return n;
}

static void
write_quota(const struct rig *r, const char *bytes, size_t n)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof path, "%s/spool/quota", r->dir);
	if (access(path, F_OK) < 0)
		snprintf(path, sizeof path, "%s/quota", r->dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

START_TEST(the_count_survives_restarts_and_clocks)	/* D-16 */
{
	struct rig r;

	rig_up(&r, UP("daily_quota = 3"));
	submit_many(&r, 2);
	turn_until(&r, r.up == 2 && messages(&r) == 0);
	stop(&r);
	clock_fake(5000, 1800000000 + 3600);
	start(&r, UP("daily_quota = 3"));
	ck_assert_int_eq(upstream(&r).quota_left, 1);
	submit_many(&r, 2);
	turn_until(&r, r.up == 3 && upstream(&r).gate->state == GATE_PAUSED);
	stop(&r);
	clock_fake(5000, 1700000000);		/* the clock was put back by years */
	start(&r, UP("daily_quota = 3"));
	ck_assert_int_eq(upstream(&r).quota_left, 0);
	ck_assert_int_eq(upstream(&r).gate->state, GATE_PAUSED);	/* from the start */
	settle(&r);
	ck_assert_uint_eq(r.up, 3);
	clock_fake_add(25 * H);
	turn_until(&r, r.up == 4);
	rig_down(&r);
}
END_TEST

START_TEST(a_crash_forgets_nothing_that_was_sent)
{
	struct rig r;
	char bytes[512];
	size_t n;

	rig_up(&r, UP("daily_quota = 200"));
	submit_many(&r, 30);
	turn_until(&r, r.up == 30 && messages(&r) == 0);
	n = read_quota(&r, bytes, sizeof bytes);	/* what a killed process would have left */
	ck_assert_int_eq(upstream(&r).quota_left, 170);
	stop(&r);
	write_quota(&r, bytes, n);
	start(&r, UP("daily_quota = 200"));
	ck_assert_int_le(upstream(&r).quota_left, 170);
	ck_assert_int_ge(upstream(&r).quota_left, 160);
	stop(&r);
	bytes[n / 2] ^= 1;
	write_quota(&r, bytes, n);		/* damaged: it starts all the same */
	start(&r, UP("daily_quota = 200"));
	ck_assert_int_eq(upstream(&r).quota_left, 200);
	rig_down(&r);
}
END_TEST

/* --- told "too fast" ------------------------------------------------------------------ */

static const struct {
	short code;
	const char *text;
	int64_t wait_ms;
	const char *reason;
} refusals[] = {
	{ 421, "slow down", 5 * S, "the provider said \"too fast\": 421 slow down; goes on in 5 s" },
	{ 454, "Throttling failure: Maximum sending rate exceeded.", 5 * S, "the provider said \"too fast\": 454 Throttling" },
	{ 454, "Throttling failure: Daily message quota exceeded.", 10 * MIN, "over the provider's quota: 454 Throttling" },
	{ 550, "user has exceeded", 10 * MIN, "over the provider's quota: 550 user has exceeded; goes on in 10 min" },
};

START_TEST(too_fast_pauses_and_spends_no_attempt)	/* B-030 */
{
	struct queue_upstream u;
	struct rig r;
	uint64_t id;

	rig_up(&r, "queue { expire = \"10m\" }\n" UP(""));
	r.code = refusals[_i].code;
	r.text = refusals[_i].text;
	id = submit(&r, "a@b.example", 1);
	turn_until(&r, r.jobs == 1 && upstream(&r).gate->state == GATE_PAUSED);
	u = upstream(&r);
	ck_assert_msg(strncmp(u.reason, refusals[_i].reason, strlen(refusals[_i].reason)) == 0, "%s", u.reason);
	clock_fake_add(refusals[_i].wait_ms - 1);
	settle(&r);
	ck_assert_uint_eq(r.jobs, 1);
	ck_assert_uint_eq(attempts(&r, id), 0);
	clock_fake_add(1);
	turn_until(&r, r.jobs == 2 && upstream(&r).gate->state == GATE_PAUSED);
	ck_assert_uint_eq(attempts(&r, id), 0);
	r.code = 0;
	clock_fake_add(2 * refusals[_i].wait_ms);
	turn_until(&r, r.up == 1);
	ck_assert_uint_eq(r.bounces, 0);
	rig_down(&r);
}
END_TEST

START_TEST(the_operator_ends_a_pause)
{
	struct rig r;

	rig_up(&r, UP(""));
	r.code = 421;
	r.text = "4.7.0 slow down";
	submit(&r, "a@b.example", 1);
	turn_until(&r, r.jobs == 1 && upstream(&r).gate->state == GATE_PAUSED);
	r.code = 0;
	queue_open_gates(r.queue, NULL);
	turn_until(&r, r.up == 1);
	rig_down(&r);
}
END_TEST

START_TEST(the_next_upstream_takes_what_is_too_fast_for_the_first)
{
	struct rig r;

	rig_up(&r, UP("") BACKUP);
	r.code = 421;
	r.text = "slow down";
	submit_many(&r, 1);
	turn_until(&r, r.backup == 1);		/* at once */
	r.code = 0;
	clock_fake_add(5 * S);
	turn_until(&r, upstream(&r).gate->state == GATE_UP);
	submit_many(&r, 1);
	turn_until(&r, r.up == 1);
	rig_down(&r);
}
END_TEST

START_TEST(many_lanes_refused_at_once_are_one_refusal)
{
	struct rig r;

	rig_up(&r, UP("connections = 8"));
	submit_many(&r, 60);
	turn_until(&r, r.up == 60);
	r.hold = true;
	submit_many(&r, 30);
	turn_until(&r, r.nheld == 8);
	r.code = 421;
	r.text = "slow down";
	release(&r);
	turn_until(&r, upstream(&r).gate->state == GATE_PAUSED && messages(&r) == 30 && r.queue->gateway[0]->nbusy == 0);
	settle(&r);
	ck_assert_uint_eq(r.queue->gateway[0]->pace.allowed, 4);
	ck_assert_uint_eq(r.queue->gateway[0]->nlane, 4);	/* the others were closed */
	r.code = 0;
	clock_fake_add(5 * S);
	r.hold = true;
	turn_until(&r, r.nheld > 0);
	clock_fake_add(60 * S);
	settle(&r);
	ck_assert_uint_le(r.nheld, 4);
	release(&r);
	for (unsigned i = 0; i < 600 && r.up < 90; i++) {
		clock_fake_add(S);
		loop_turn(r.loop, false);
	}
	turn_until(&r, r.up == 90);
	rig_down(&r);
}
END_TEST

START_TEST(a_busy_upstream_gets_fewer_connections)	/* B-141: 4.3.2 */
{
	struct rig r;

	rig_up(&r, UP("connections = 8"));
	submit_many(&r, 60);
	turn_until(&r, r.up == 60);
	r.hold = true;
	submit_many(&r, 30);
	turn_until(&r, r.nheld == 8);
	r.busy = true;
	r.code = 451;
	r.text = "busy";
	release(&r);
	turn_until(&r, upstream(&r).gate->state == GATE_DOWN && r.queue->gateway[0]->nbusy == 0);
	ck_assert_uint_eq(r.queue->gateway[0]->pace.allowed, 4);
	rig_down(&r);
}
END_TEST

START_TEST(refused_connections_are_no_more_opened)	/* 421 4.7.0 too many connections */
{
	struct rig r;

	rig_up(&r, UP("connections = 8"));
	r.lanes_max = 3;
	submit_many(&r, 100);
	r.hold = true;
	turn_until(&r, r.nheld == 3);
	settle(&r);
	ck_assert_uint_le(r.opens, 5);
	ck_assert_uint_eq(r.queue->gateway[0]->pace.allowed, 3);
	release(&r);
	turn_until(&r, r.up == 100);
	ck_assert_int_eq(upstream(&r).gate->state, GATE_UP);
	rig_down(&r);
}
END_TEST

START_TEST(one_message_does_not_stop_the_others)	/* B-142 */
{
	struct rig r;
	uint64_t id;
	unsigned last = 0;

	rig_up(&r, UP(""));
	r.code = 421;
	r.text = "slow down";
	r.poison = "poison@b.example";
	id = submit(&r, r.poison, 1);
	turn_until(&r, upstream(&r).gate->state == GATE_PAUSED);
	for (unsigned i = 0; i < 12 && attempts(&r, id) == 0; i++) {
		submit_many(&r, 3);
		for (unsigned k = 0; k < 20 && r.up < last + 3; k++) {
			clock_fake_add(5 * S);
			settle(&r);
		}
		ck_assert_uint_eq(r.up, last + 3);
		last = r.up;
	}
	ck_assert_uint_eq(attempts(&r, id), 1);		/* it meets the schedule, then */
	rig_down(&r);
}
END_TEST

START_TEST(what_is_always_too_fast_expires)	/* B-140 */
{
	int64_t deadline_ms;
	struct rig r;

	rig_up(&r, "queue { expire = \"1h\" delay_warning = \"0\" }\n" UP(""));
	r.code = 421;
	r.text = "slow down";
	r.poison = "a@b.example";
	submit(&r, r.poison, 1);
	turn_until(&r, r.jobs == 1);
	deadline_ms = clock_now_ms() + H;
	for (unsigned i = 0; i < 40 && r.bounces == 0; i++) {
		clock_fake_add(5 * MIN);
		settle(&r);
	}
	ck_assert_uint_eq(r.bounces, 1);
	ck_assert_int_ge(r.refused_at_ms, deadline_ms);	/* it was tried once more */
	rig_down(&r);
}
END_TEST

Suite *test_pacing(void);

Suite *
test_pacing(void)
{
	Suite *s = suite_create("test_pacing");
	TCase *t = tcase_create("pacing");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_rate_is_kept_and_the_next_goes_when_it_may);
	tcase_add_test(t, over_its_quota_it_is_passed_over_and_used_again);
	tcase_add_test(t, mail_waits_for_the_quota_and_does_not_age);
	tcase_add_test(t, no_more_is_sent_than_the_quota_however_many_lanes);
	tcase_add_test(t, a_quota_of_recipients_splits_a_message);
	tcase_add_test(t, a_reload_with_a_larger_quota_goes_on_at_once);
	tcase_add_test(t, the_count_survives_restarts_and_clocks);
	tcase_add_test(t, a_crash_forgets_nothing_that_was_sent);
	tcase_add_loop_test(t, too_fast_pauses_and_spends_no_attempt, 0, (int)(sizeof refusals / sizeof refusals[0]));
	tcase_add_test(t, the_operator_ends_a_pause);
	tcase_add_test(t, the_next_upstream_takes_what_is_too_fast_for_the_first);
	tcase_add_test(t, many_lanes_refused_at_once_are_one_refusal);
	tcase_add_test(t, a_busy_upstream_gets_fewer_connections);
	tcase_add_test(t, refused_connections_are_no_more_opened);
	tcase_add_test(t, one_message_does_not_stop_the_others);
	tcase_add_test(t, what_is_always_too_fast_expires);
	suite_add_tcase(s, t);
	return s;
}
