/* What is taken into the queue, and what not. */
#include "queue_rig.h"

#define LIMITED(rate) "limits { user_rate = \"" rate "\" }\n" \
    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" }\n"

static enum verdict
verdict_on(struct rig *r, const char *user)
{
	unsigned before = r->verdicts;

	submit_whole(r, user, "app@client.example", "you@b.example", NULL);
	turn_until(r, r->verdicts == before + 1);
	return r->last_verdict;
}

/* Each user has his own allowance, and it comes back. */
START_TEST(user_rate)
{
	struct rig r;

	rig_up(&r, LIMITED("2/m"));
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_TOO_FAST);
	ck_assert_int_eq(verdict_on(&r, "cron"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, ""), VERDICT_KEPT);	/* a trusted peer has no name */
	ck_assert_int_eq(verdict_on(&r, ""), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, ""), VERDICT_KEPT);
	clock_fake_add(30 * 1000);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_TOO_FAST);
	rig_down(&r);
}
END_TEST

static const char small_spool[] = "limits { spool_size = \"1M\" }\n"
    "upstream \"up\" { host = \"127.0.0.1\" chain = {\"2525/none\"} auth = \"none\" max_recipients = 1000 }\n";

/* Until one is refused; how many were taken. */
static unsigned
fill(struct rig *r)
{
	unsigned n = 0;

	while (verdict_on(r, "app") == VERDICT_KEPT)
		ck_assert_uint_lt(++n, 10000);
	ck_assert_int_eq(r->last_verdict, VERDICT_NO_SPACE);
	return n;
}

static void
second(struct rig *r)	/* the limits are looked at */
{
	clock_fake_add(1000);
	settle(r);
}

static void
reopen(struct rig *r)
{
	turn_until(r, gateway_find(r->queue, "up")->gate.state == GATE_DOWN);
	r->open_result = OPENED_UP;
	queue_open_gates(r->queue, NULL);
}

static void
delete_one(struct rig *r)
{
	struct why why;

	ck_assert_int_eq(queue_act(r->queue, order_next(&r->queue->order, 0)->item.id, QUEUE_DELETE, &why), 0);
}

/* Content, or a thousand recipients and next to none of it: what counts is what it takes of the disk. */
static const struct {
	size_t octets;
	unsigned many, least, most;
} loads[] = {
	{ 100000, 0, 10, 10 },
	{ 0, 999, 6, 9 },	/* an envelope of some 25 octets, and room for notes of 96, for each */
	{ 60000, 999, 4, 6 },
	{ 1000, 0, 600, 800 },
};

START_TEST(over_spool_size_nothing_is_accepted)	/* D-33 */
{
	struct rig r;
	uint64_t live;
	unsigned n;

	rig_up(&r, small_spool);
	r.open_result = OPENED_ALL_FAILED;
	r.octets = loads[_i].octets;
	r.many = loads[_i].many;
	n = fill(&r);
	ck_assert_uint_ge(n, loads[_i].least);
	ck_assert_uint_le(n, loads[_i].most);
	live = spool_live_bytes(r.queue->spool);
	ck_assert_uint_le(live, 1 << 20);
	ck_assert_uint_lt(totals(&r).bytes, n * (loads[_i].octets + 100));	/* which shows the messages' own size */
	restart(&r, small_spool);
	ck_assert_uint_eq(spool_live_bytes(r.queue->spool), live);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_NO_SPACE);
	ck_assert_uint_eq(totals(&r).messages, n);
	delete_one(&r);			/* the next has its place, and no more */
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	ck_assert_uint_eq(spool_live_bytes(r.queue->spool), live);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_NO_SPACE);
	reopen(&r);			/* and when they are delivered all have */
	turn_until(&r, totals(&r).messages == 0);
	ck_assert_uint_eq(spool_live_bytes(r.queue->spool), 0);
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	rig_down(&r);
}
END_TEST

/* What is written about those that wait counts too, and is taken off with them. */
START_TEST(notes_count)
{
	struct rig r;
	uint64_t live;

	rig_up(&r, small_spool);
	r.many = 999;
	r.open_result = OPENED_ALL_FAILED;
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	live = spool_live_bytes(r.queue->spool);
	r.job_result = OUTCOME_DEFER;
	reopen(&r);
	turn_until(&r, spool_live_bytes(r.queue->spool) > live + 1000 * 20);
	turn_until(&r, totals(&r).active == 0);
	delete_one(&r);
	ck_assert_uint_eq(spool_live_bytes(r.queue->spool), 0);
	rig_down(&r);
}
END_TEST

START_TEST(listeners_hear_what_is_left)	/* */
{
	struct rig r;

	rig_up(&r, small_spool);
	settle(&r);
	ck_assert_uint_eq(r.free_octets, 1 << 20);	/* less than message_size */
	ck_assert(r.room);
	r.open_result = OPENED_ALL_FAILED;
	r.octets = 100000;
	fill(&r);
	second(&r);
	ck_assert_uint_eq(r.free_octets, (1 << 20) - spool_live_bytes(r.queue->spool));
	ck_assert(r.room);
	r.octets = 1000;
	fill(&r);
	r.octets = 0;
	fill(&r);
	second(&r);
	ck_assert(!r.room);
	delete_one(&r);
	second(&r);
	ck_assert(r.room);
	ck_assert_uint_gt(r.free_octets, 100000);
	rig_down(&r);
}
END_TEST

static int64_t
left_of_spool(const struct rig *r)
{
	return (1 << 20) - (int64_t)spool_live_bytes(r->queue->spool);
}

/* How much contents may be that listeners write before the queue knows of them: what is left, theirs not counted, which the spool
 * has not heard of; of the disk, what it has beyond min_free and they have taken already. */
START_TEST(listeners_may_stage_what_is_left)
{
	enum { BLOB = 300000 };
	static const char content[BLOB];
	struct submit *m = memo_submit_new();
	struct rig r;
	struct why why;
	int64_t before;

	rig_up(&r, small_spool);
	r.open_result = OPENED_ALL_FAILED;
	second(&r);
	ck_assert_int_eq(count_get(COUNT_STAGING_ROOM), 1 << 20);
	r.octets = 100000;
	ck_assert_int_eq(verdict_on(&r, "app"), VERDICT_KEPT);
	second(&r);
	before = count_get(COUNT_STAGING_ROOM);
	ck_assert_int_eq(before, left_of_spool(&r));
	m->envelope = envelope_new();
	envelope_add(m->envelope, "a@b.example", NULL, 0);
	m->id = memo_next_id();
	m->back = r.listener;
	ck_assert_int_eq(spool_blob_new(queue_get_blobs(r.queue), &m->blob, &why), 0);
	ck_assert_int_eq(spool_blob_write(m->blob, content, BLOB, &why), 0);
	r.verdicts = 0;
	memo_post(queue_get_channel(r.queue), &m->memo);
	turn_until(&r, r.verdicts == 1);
	ck_assert_int_eq(r.last_verdict, VERDICT_KEPT);
	ck_assert_int_eq(count_get(COUNT_STAGING_ROOM), before - BLOB);	/* at once */
	second(&r);
	ck_assert_int_eq(count_get(COUNT_STAGING_ROOM), left_of_spool(&r));
	restart(&r, basic);
	second(&r);
	before = count_get(COUNT_STAGING_ROOM);
	ck_assert_int_lt(before, INT64_MAX);
	count_add(COUNT_STAGED_OCTETS, (int64_t)1 << 50);
	second(&r);
	ck_assert_int_gt(count_get(COUNT_STAGING_ROOM), (int64_t)1 << 50);
	count_add(COUNT_STAGED_OCTETS, -((int64_t)1 << 50));
	rig_down(&r);
}
END_TEST

Suite *test_admit(void);
Suite *
test_admit(void)
{
	Suite *s = suite_create("test_admit");
	TCase *t = tcase_create("admit");

	tcase_add_test(t, user_rate);
	tcase_add_loop_test(t, over_spool_size_nothing_is_accepted, 0, sizeof loads / sizeof loads[0]);
	tcase_add_test(t, notes_count);
	tcase_add_test(t, listeners_hear_what_is_left);
	tcase_add_test(t, listeners_may_stage_what_is_left);
	suite_add_tcase(s, t);
	return s;
}
