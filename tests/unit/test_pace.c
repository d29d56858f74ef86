/* How fast an upstream may be used, on a clock of the test's. */
#include "route/route.h"

#include <check.h>
#include <limits.h>
#include <string.h>

#define S INT64_C(1000)
#define MIN (60 * S)
#define H (60 * MIN)
#define START (1000 * H)

static struct pace p;
static int64_t now;

static void
up(unsigned connections, struct rate rate, unsigned quota, bool recipients)
{
	struct upstream u = { .connections = connections, .rate = rate, .daily_quota = quota, .quota_recipients = recipients };

	now = START;
	pace_init(&p, now);
	pace_configure(&p, &u, now);
}

/* One message that the provider takes at once. */
static void
send(unsigned nrcpt)
{
	ck_assert_int_eq(pace_wait_ms(&p, now), 0);
	pace_take(&p, nrcpt, now);
	pace_settle(&p, nrcpt, nrcpt, true, now);
}

/* --- rate -------------------------------------------------------------------- */

static const struct {
	struct rate rate;
	unsigned burst;		/* that may go at once after a rest */
	int64_t gap_ms;		/* between two, at most, when there is always one to send */
	unsigned least;		/* in one stretch, with as many to send as may go */
} rates[] = {
	{ { 14, 1000 }, 1, 72, 13 },
	{ { 1, 1000 }, 1, 1112, 0 },
	{ { 30, 60000 }, 2, 2100, 28 },
	{ { 100, 60000 }, 6, 640, 94 },
	{ { 500, 3600000 }, 26, 7600, 474 },
	{ { 5, 3600000 }, 1, 735000, 4 },
	{ { 1000, 1000 }, 51, 2, 900 },
	{ { 1, 86400000 }, 1, 96000001, 0 },
};

/* B-141: never more than the number in any stretch, whatever came before; evenly; and nearly as many as allowed. */
START_TEST(a_rate_is_kept_and_smooth)
{
	const struct rate r = rates[_i].rate;
	static int64_t sent[8192];
	unsigned n = 0, from = 0, burst = 0;
	int64_t wait;

	up(8, r, 0, false);
	now += 3 * r.per_ms;		/* a rest */
	while (n < 4 * r.count + 8 && n < 8192) {
		wait = pace_wait_ms(&p, now);
		ck_assert_int_ge(wait, 0);
		if (wait > 0) {
			ck_assert_int_le(wait, rates[_i].gap_ms);
			if (burst == 0)
				burst = n;
			now += wait;
			ck_assert_int_eq(pace_wait_ms(&p, now), 0);	/* it says exactly when */
		}
		pace_take(&p, 1, now);
		pace_settle(&p, 1, 1, true, now);
		sent[n++] = now;
		while (sent[from] <= now - r.per_ms)
			from++;
		ck_assert_uint_le(n - from, r.count);
	}
	ck_assert_uint_eq(burst, rates[_i].burst);
	ck_assert_uint_ge(n - from, rates[_i].least);
}
END_TEST

START_TEST(a_late_dispatcher_loses_nothing)
{
	unsigned n = 0;

	up(8, (struct rate){ 14, 1000 }, 0, false);
	for (; now < START + 60 * S; n++) {
		int64_t wait = pace_wait_ms(&p, now);

		now += wait + (wait > 0 ? 5 : 0);
		pace_take(&p, 1, now);
		pace_settle(&p, 1, 1, true, now);
	}
	ck_assert_uint_ge(n, 60 * 14 * 98 / 100);
	ck_assert_uint_le(n, 60 * 14 + 1);
}
END_TEST

START_TEST(what_never_reached_the_server_costs_nothing)	/* B-058 */
{
	up(8, (struct rate){ 1, 3600000 }, 1, false);
	pace_take(&p, 1, now);
	ck_assert_int_eq(pace_quota_left(&p, now), 0);
	ck_assert_int_eq(pace_wait_ms(&p, now), PACE_REPORTS);	/* it may come back */
	pace_settle(&p, 1, 0, false, now);
	ck_assert_int_eq(pace_wait_ms(&p, now), 0);
	pace_take(&p, 1, now);
	pace_settle(&p, 1, 0, true, now);	/* asked and refused: the rate counts it, the quota does not */
	ck_assert_int_gt(pace_wait_ms(&p, now), 59 * MIN);
	ck_assert_int_eq(pace_quota_left(&p, now), 1);
}
END_TEST

START_TEST(a_reload_with_the_same_rate_changes_nothing)
{
	struct upstream u = { .connections = 4, .rate = { 1, 60000 } };

	up(4, u.rate, 0, false);
	send(1);
	ck_assert_int_gt(pace_wait_ms(&p, now), 0);
	pace_configure(&p, &u, now);
	ck_assert_int_gt(pace_wait_ms(&p, now), 0);
	u.rate = (struct rate){ 0 };
	pace_configure(&p, &u, now);
	ck_assert_int_eq(pace_wait_ms(&p, now), 0);
}
END_TEST

START_TEST(too_fast_halves_the_rate_and_it_grows_back)	/* B-030, B-141 */
{
	const struct rate r = { 60, 60000 };
	double full;

	up(8, r, 0, false);
	full = p.per_ms;
	pace_refuse(&p, PACE_TOO_FAST, 4, now);
	ck_assert(p.per_ms < full * 0.51 && p.per_ms > full * 0.49);
	for (unsigned i = 0; i < 20; i++) {	/* however often */
		now = p.paused_until_ms;
		pace_refuse(&p, PACE_TOO_FAST, 4, now);
	}
	ck_assert(p.per_ms > full / 21);
	now = p.paused_until_ms;
	for (unsigned i = 0; i < 2000 && p.per_ms < full; i++) {
		now += pace_wait_ms(&p, now);
		send(1);
	}
	ck_assert(p.per_ms == full);
	ck_assert_int_gt(now - p.paused_until_ms, 3 * MIN);
	ck_assert_int_lt(now - p.paused_until_ms, 10 * MIN);
}
END_TEST

START_TEST(without_a_rate_the_one_of_the_refusal_is_halved)
{
	up(8, (struct rate){ 0 }, 0, false);
	pace_refuse(&p, PACE_TOO_FAST, 8, now);
	ck_assert(p.per_ms == 0);		/* one message shows no rate */
	now = p.paused_until_ms;
	for (unsigned i = 0; i < 200; i++, now += 100)
		send(1);
	pace_refuse(&p, PACE_TOO_FAST, 8, now);
	ck_assert(p.per_ms > 0.0045 && p.per_ms < 0.0056);	/* half of ten a second */
	now = p.paused_until_ms;
	for (unsigned i = 0; i < 5000 && p.per_ms > 0; i++) {
		now += pace_wait_ms(&p, now);
		send(1);
	}
	ck_assert(p.per_ms == 0);		/* and in the end there is none again */
}
END_TEST

/* --- connections --------------------------------------------------------------- */

static const struct {
	unsigned allowed;
	bool is_up;
	unsigned lanes, opening, wanted, open;
} openings[] = {
	{ 8, false, 0, 0, 100, 1 },	/* slow start: one */
	{ 8, false, 1, 1, 100, 0 },
	{ 8, true, 1, 0, 100, 1 },	/* then as many more as there are */
	{ 8, true, 2, 0, 100, 2 },
	{ 8, true, 4, 1, 100, 2 },
	{ 8, true, 6, 0, 100, 2 },	/* up to what is allowed */
	{ 8, true, 8, 0, 100, 0 },
	{ 8, true, 9, 0, 100, 0 },
	{ 8, true, 4, 0, 1, 1 },	/* and no more than there is work for */
	{ 8, true, 4, 1, 1, 0 },
	{ 8, true, 4, 0, 0, 0 },
	{ 1, true, 1, 0, 9, 0 },
	{ 8, true, 0, 0, 9, 1 },	/* all have gone meanwhile */
};

START_TEST(connections_open_as_work_needs)
{
	up(openings[_i].allowed, (struct rate){ 0 }, 0, false);
	ck_assert_uint_eq(pace_lanes(&p, openings[_i].is_up, openings[_i].lanes, openings[_i].opening, openings[_i].wanted),
	    openings[_i].open);
}
END_TEST

START_TEST(a_refusal_cuts_connections_and_they_come_back)
{
	up(8, (struct rate){ 0 }, 0, false);
	pace_refuse(&p, PACE_TOO_FAST, 8, now);
	ck_assert_uint_eq(p.allowed, 4);
	pace_refuse(&p, PACE_TOO_FAST, 8, now);	/* the others of the same moment */
	ck_assert_uint_eq(p.allowed, 4);
	for (unsigned i = 0; i < 8; i++) {
		now = p.paused_until_ms;
		pace_refuse(&p, PACE_TOO_FAST, p.allowed, now);
	}
	ck_assert_uint_eq(p.allowed, 1);
	now = p.paused_until_ms + 1;
	for (unsigned was = p.allowed, i = 0; i < 10000 && p.allowed < 8; i++, now += S) {
		send(1);
		ck_assert_uint_le(p.allowed, was + 1);	/* one at a time */
		was = p.allowed;
	}
	ck_assert_uint_eq(p.allowed, 8);
}
END_TEST

START_TEST(a_wall_is_tried_less_and_less_often)	/* a limit of connections below ours: 421 4.7.0 */
{
	int64_t hit[4];

	up(8, (struct rate){ 0 }, 0, false);
	for (unsigned i = 0; i < 4; i++) {
		pace_no_more(&p, 3, now);
		ck_assert_uint_eq(p.allowed, 3);
		hit[i] = now;
		while (p.allowed == 3) {
			now += S;
			send(1);
		}
		ck_assert_uint_eq(p.allowed, 4);
	}
	ck_assert_int_gt(hit[3] - hit[2], hit[1] - hit[0]);
	ck_assert_int_eq(pace_paused_until_ms(&p, now), 0);
}
END_TEST

/* --- pauses ------------------------------------------------------------------------ */

static const struct {
	enum pace_refusal r;
	int64_t wait_ms[8];
} waits[] = {
	{ PACE_TOO_FAST, { 5 * S, 10 * S, 20 * S, 40 * S, 80 * S, 160 * S, 5 * MIN, 5 * MIN } },
	{ PACE_QUOTA, { 10 * MIN, 20 * MIN, 40 * MIN, H, H, H, H, H } },
};

START_TEST(pauses_double_until_something_goes_through)
{
	up(8, (struct rate){ 0 }, 0, false);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_int_eq(pace_refuse(&p, waits[_i].r, 8, now), now + waits[_i].wait_ms[i]);
		ck_assert_int_eq(pace_refuse(&p, waits[_i].r, 8, now + 1), now + waits[_i].wait_ms[i]);
		ck_assert_int_eq(pace_wait_ms(&p, now + S), waits[_i].wait_ms[i] - S);
		ck_assert_int_eq(pace_is_over_quota(&p, now), waits[_i].r == PACE_QUOTA);
		now = p.paused_until_ms;
		ck_assert_int_eq(pace_paused_until_ms(&p, now), 0);
		ck_assert(!pace_is_over_quota(&p, now));
	}
	send(1);
	ck_assert_int_eq(pace_refuse(&p, waits[_i].r, 8, now), now + waits[_i].wait_ms[0]);
}
END_TEST

/* --- quota ---------------------------------------------------------------------------- */

START_TEST(a_quota_of_messages)
{
	up(8, (struct rate){ 0 }, 5, false);
	ck_assert_int_eq(pace_quota_left(&p, now), 5);
	ck_assert_uint_eq(pace_most_recipients(&p, now), UINT_MAX);
	for (unsigned i = 0; i < 4; i++)
		send(50);
	pace_take(&p, 3, now);
	ck_assert_int_eq(pace_quota_left(&p, now), 0);
	ck_assert_int_eq(pace_wait_ms(&p, now), PACE_REPORTS);
	ck_assert_int_eq(pace_paused_until_ms(&p, now), 0);
	pace_settle(&p, 3, 1, true, now);	/* one of three taken is a message */
	ck_assert(pace_is_used_up(&p, now));
	ck_assert_int_eq(pace_paused_until_ms(&p, now), START + PACE_SLOTS * (int64_t)PACE_SLOT_MS);
	ck_assert_int_gt(pace_wait_ms(&p, now), 24 * H - 1);
}
END_TEST

START_TEST(a_quota_of_recipients)
{
	up(8, (struct rate){ 0 }, 100, true);
	send(60);
	ck_assert_uint_eq(pace_most_recipients(&p, now), 40);
	pace_take(&p, 40, now);
	ck_assert_int_eq(pace_wait_ms(&p, now), PACE_REPORTS);
	pace_settle(&p, 40, 25, true, now);	/* the others were refused */
	ck_assert_int_eq(pace_quota_left(&p, now), 15);
	ck_assert_uint_eq(pace_room(&p, 99, now), 99);
	send(15);
	ck_assert(pace_is_used_up(&p, now));
}
END_TEST

/* In no 24 hours more than the quota, and all of it when there is always one to send. */
START_TEST(the_window_slides)
{
	static int64_t sent[4096];
	unsigned n = 0, from = 0;

	up(8, (struct rate){ 0 }, 100, false);
	while (now < START + 10 * 24 * H) {
		int64_t wait = pace_wait_ms(&p, now);

		now += wait + 7 * MIN;
		if (pace_wait_ms(&p, now) != 0)
			continue;
		send(1);
		sent[n++] = now;
		while (sent[from] <= now - 24 * H)
			from++;
		ck_assert_uint_le(n - from, 100);
	}
	ck_assert_uint_ge(n, 9 * 100);
}
END_TEST

START_TEST(the_count_is_kept_however_long_nothing_is_sent)
{
	up(8, (struct rate){ 0 }, 10, false);
	send(1);
	now += 23 * H;
	send(1);
	ck_assert_int_eq(pace_quota_left(&p, now), 8);
	now += 2 * H;
	ck_assert_int_eq(pace_quota_left(&p, now), 9);
	now += 1000 * H;
	ck_assert_int_eq(pace_quota_left(&p, now), 10);
	send(1);
	ck_assert_int_eq(pace_quota_left(&p, now), 9);
}
END_TEST

START_TEST(a_reload_changes_what_is_allowed_not_what_was_sent)
{
	struct upstream u = { .connections = 8, .daily_quota = 3 };

	up(8, (struct rate){ 0 }, 0, false);
	for (unsigned i = 0; i < 5; i++)
		send(1);
	ck_assert_int_eq(pace_quota_left(&p, now), -1);
	pace_configure(&p, &u, now);
	ck_assert(pace_is_used_up(&p, now));
	u.daily_quota = 6;
	pace_configure(&p, &u, now);
	ck_assert_int_eq(pace_quota_left(&p, now), 1);
	ck_assert_int_eq(pace_wait_ms(&p, now), 0);
}
END_TEST

/* --- across restarts -------------------------------------------------------------------- */

/* A new process, so long after: on another monotonic clock. */
static bool
restart(const struct buf *b, int64_t away_ms, unsigned quota)
{
	up(8, (struct rate){ 0 }, quota, false);
	now = 5 * S;
	return pace_load(&p, buf_str(b), away_ms, now);
}

static const struct {
	int64_t away_ms;
	int64_t left;		/* of 1000, with 10 sent 20 hours and 5 sent an hour before the end */
} aways[] = {
	{ 0, 985 },
	{ -10 * H, 985 },	/* the wall clock was put back: nothing is forgotten */
	{ 3 * H, 985 },
	{ 5 * H, 995 },
	{ 22 * H, 995 },
	{ 24 * H, 1000 },
	{ 100000 * H, 1000 },
};

START_TEST(a_restart_forgets_nothing)
{
	struct buf b = { 0 };

	up(8, (struct rate){ 0 }, 1000, false);
	for (unsigned i = 0; i < 10; i++)
		send(1);
	now += 19 * H;
	for (unsigned i = 0; i < 5; i++)
		send(1);
	now += H;
	pace_save(&p, &b, true, now);
	ck_assert(restart(&b, aways[_i].away_ms, 1000));
	ck_assert_int_eq(pace_quota_left(&p, now), aways[_i].left);
	buf_clear(&b);
}
END_TEST

/* What is on disk is never less than what was sent, nor much more. */
START_TEST(a_crash_counts_what_was_sent)
{
	struct buf b = { 0 };
	unsigned sent = 0;

	up(8, (struct rate){ 0 }, 1000, false);
	pace_save(&p, &b, false, now);
	pace_saved(&p);
	for (; sent < 300; now += 10) {
		if (pace_is_unsaved(&p, true)) {
			p.going = true;
			buf_cut(&b, 0);
			pace_save(&p, &b, false, now);
			pace_saved(&p);
		}
		ck_assert(!pace_is_unsaved(&p, true));
		pace_take(&p, 1, now);
		sent++;
		if (sent % 7 == 0) {
			struct pace alive = p;
			int64_t then = now;

			ck_assert(restart(&b, 0, 1000));
			ck_assert_int_le(pace_quota_left(&p, now), 1000 - (int64_t)sent);
			ck_assert_int_ge(pace_quota_left(&p, now), 1000 - (int64_t)sent - 45);
			p = alive;
			now = then;
		}
		pace_settle(&p, 1, 1, true, now);
	}
	buf_clear(&b);
}
END_TEST

START_TEST(processes_that_die_at_once_use_nothing_up)
{
	struct buf b = { 0 };

	up(8, (struct rate){ 0 }, 100, false);
	send(1);
	pace_save(&p, &b, true, now);
	for (unsigned i = 0; i < 50; i++) {
		ck_assert(restart(&b, 0, 100));
		buf_cut(&b, 0);
		pace_save(&p, &b, false, now);
	}
	ck_assert_int_eq(pace_quota_left(&p, now), 99);
	buf_clear(&b);
}
END_TEST

START_TEST(it_is_saved_seldom)
{
	struct buf b = { 0 };
	unsigned saves = 0;

	up(8, (struct rate){ 0 }, 10000, false);
	p.going = true;
	for (unsigned i = 0; i < 9000; i++) {
		if (pace_is_unsaved(&p, true) || pace_is_unsaved(&p, false)) {
			saves++;
			buf_cut(&b, 0);
			pace_save(&p, &b, false, now);
			pace_saved(&p);
		}
		send(1);
	}
	ck_assert_uint_le(saves, 50);
	ck_assert_uint_ge(saves, 40);
	buf_clear(&b);
}
END_TEST

START_TEST(nonsense_is_not_loaded)
{
	struct buf b = { 0 };
	struct pace before;

	up(8, (struct rate){ 0 }, 100, false);
	for (unsigned i = 0; i < 5; i++, now += 20 * MIN)
		send(1);
	pace_save(&p, &b, true, now);
	before = p;
	for (size_t n = 0; n < b.len; n++) {
		ck_assert(!pace_load(&p, (struct str){ b.data, n }, 0, now));
		ck_assert_int_eq(memcmp(&before, &p, sizeof p), 0);
	}
	buf_putc(&b, 'x');
	ck_assert(!pace_load(&p, buf_str(&b), 0, now));
	for (unsigned i = 0; i < b.len; i++) {	/* a slot beyond the day; the rest is bounded whatever it says */
		struct pace copy = before;

		b.data[i] = (char)0xff;
		if (pace_load(&copy, (struct str){ b.data, b.len - 1 }, 0, now))
			ck_assert_int_ge(pace_quota_left(&copy, now), 0);
	}
	buf_clear(&b);
}
END_TEST

Suite *test_pace(void);

Suite *
test_pace(void)
{
	Suite *s = suite_create("test_pace");
	TCase *t = tcase_create("pace");

	tcase_add_loop_test(t, a_rate_is_kept_and_smooth, 0, (int)(sizeof rates / sizeof rates[0]));
	tcase_add_test(t, a_late_dispatcher_loses_nothing);
	tcase_add_test(t, what_never_reached_the_server_costs_nothing);
	tcase_add_test(t, a_reload_with_the_same_rate_changes_nothing);
	tcase_add_test(t, too_fast_halves_the_rate_and_it_grows_back);
	tcase_add_test(t, without_a_rate_the_one_of_the_refusal_is_halved);
	tcase_add_loop_test(t, connections_open_as_work_needs, 0, (int)(sizeof openings / sizeof openings[0]));
	tcase_add_test(t, a_refusal_cuts_connections_and_they_come_back);
	tcase_add_test(t, a_wall_is_tried_less_and_less_often);
	tcase_add_loop_test(t, pauses_double_until_something_goes_through, 0, (int)(sizeof waits / sizeof waits[0]));
	tcase_add_test(t, a_quota_of_messages);
	tcase_add_test(t, a_quota_of_recipients);
	tcase_add_test(t, the_window_slides);
	tcase_add_test(t, the_count_is_kept_however_long_nothing_is_sent);
	tcase_add_test(t, a_reload_changes_what_is_allowed_not_what_was_sent);
	tcase_add_loop_test(t, a_restart_forgets_nothing, 0, (int)(sizeof aways / sizeof aways[0]));
	tcase_add_test(t, a_crash_counts_what_was_sent);
	tcase_add_test(t, processes_that_die_at_once_use_nothing_up);
	tcase_add_test(t, it_is_saved_seldom);
	tcase_add_test(t, nonsense_is_not_loaded);
	suite_add_tcase(s, t);
	return s;
}
