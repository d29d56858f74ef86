/* The upstream as a whole: delays, pauses, and who may try when (CONTRACT.md 4). */
#include "route/route.h"

#include <check.h>
#include <string.h>

enum { START_MS = 1000, WALL_S = 1000000000 };
#define S 1000
#define MIN (60 * S)
#define QUOTA_MS (START_MS + 9 * 60 * MIN)

static struct gate gate;
static int64_t now_ms;

static bool
tell(enum gate_event ev, int64_t until_ms)
{
	return gate_tell(&gate, ev, "the reason", until_ms, now_ms,
	    WALL_S + now_ms / 1000);
}

static void
set_up(void)
{
	gate_init(&gate);
	now_ms = START_MS;
}

START_TEST(begins_open)
{
	ck_assert_int_eq(gate.state, GATE_UNKNOWN);
	ck_assert(gate_may_try(&gate, 0));
	ck_assert(!gate_is_closed(&gate));
	ck_assert(tell(GATE_EV_OPENED, 0));
	ck_assert_int_eq(gate.state, GATE_UP);
	ck_assert_int_eq(gate.since_wall_s, WALL_S + 1);
	ck_assert(!tell(GATE_EV_OPENED, 0));
}
END_TEST

static const struct {
	enum gate_event event;
	enum gate_state state;
	int waits_ms[9];
} delays[] = {
	{ GATE_EV_ALL_FAILED, GATE_DOWN,
	    { 30 * S, 60 * S, 120 * S, 240 * S, 300 * S, 300 * S } },
	{ GATE_EV_BUSY, GATE_DOWN,
	    { 30 * S, 60 * S, 120 * S, 240 * S, 300 * S, 300 * S } },
	{ GATE_EV_LOGIN_REFUSED, GATE_AUTH_FAILED,	/* B-019 */
	    { 1 * MIN, 2 * MIN, 4 * MIN, 8 * MIN, 16 * MIN, 32 * MIN, 60 * MIN,
	    60 * MIN } },
};

START_TEST(doubles)
{
	for (int round = 0; round < 2; round++) {
		for (int i = 0; delays[_i].waits_ms[i] != 0; i++) {
			ck_assert_int_eq(tell(delays[_i].event, 0), i == 0);
			ck_assert_int_eq(gate.state, delays[_i].state);
			ck_assert_str_eq(gate.reason, "the reason");
			ck_assert(gate_is_closed(&gate));
			ck_assert_int_eq(gate.retry_at_ms - now_ms,
			    delays[_i].waits_ms[i]);
			ck_assert(!gate_may_try(&gate, gate.retry_at_ms - 1));
			ck_assert(gate_may_try(&gate, gate.retry_at_ms));
			now_ms = gate.retry_at_ms;
		}
		ck_assert(tell(GATE_EV_OPENED, 0));	/* and all is forgiven */
		ck_assert_str_eq(gate.reason, "");
		ck_assert_int_eq(gate.retry_at_ms, 0);
		ck_assert(!gate_is_closed(&gate));
	}
}
END_TEST

START_TEST(ten_thousand_failures)
{
	for (int i = 0; i < 10000; i++) {
		tell(GATE_EV_ALL_FAILED, 0);
		now_ms = gate.retry_at_ms;
	}
	tell(GATE_EV_ALL_FAILED, 0);
	ck_assert_int_eq(gate.retry_at_ms - now_ms, 5 * MIN);
	ck_assert_int_eq(gate.since_wall_s, WALL_S + START_MS / 1000);
}
END_TEST

/* From a state, an event while its wait runs (or when it is over). */
static const struct {
	enum gate_event first, then;
	int64_t until_ms;	/* handed in with a quota or "busy" */
	int after_ms;		/* between the two */
	enum gate_state state;
	int64_t retry_at_ms;
	unsigned failures;
} pairs[] = {
	/* Connections that were under way say the same again. */
	{ GATE_EV_ALL_FAILED, GATE_EV_ALL_FAILED, 0, 5 * S, GATE_DOWN,
	    START_MS + 30 * S, 1 },
	{ GATE_EV_BUSY, GATE_EV_ALL_FAILED, 0, 5 * S, GATE_DOWN,
	    START_MS + 30 * S, 1 },
	{ GATE_EV_LOGIN_REFUSED, GATE_EV_LOGIN_REFUSED, 0, 5 * S,
	    GATE_AUTH_FAILED, START_MS + 1 * MIN, 1 },
	{ GATE_EV_LOGIN_REFUSED, GATE_EV_ALL_FAILED, 0, 5 * S,
	    GATE_AUTH_FAILED, START_MS + 1 * MIN, 1 },
	{ GATE_EV_QUOTA, GATE_EV_BUSY, QUOTA_MS, 5 * S, GATE_PAUSED, QUOTA_MS, 1 },
	{ GATE_EV_QUOTA, GATE_EV_OPENED, QUOTA_MS, 5 * S, GATE_PAUSED, QUOTA_MS, 1 },
	/* Refused credentials outrank a port that does not answer. */
	{ GATE_EV_ALL_FAILED, GATE_EV_LOGIN_REFUSED, 0, 5 * S,
	    GATE_AUTH_FAILED, START_MS + 5 * S + 1 * MIN, 1 },
	{ GATE_EV_QUOTA, GATE_EV_LOGIN_REFUSED, QUOTA_MS, 5 * S,
	    GATE_AUTH_FAILED, QUOTA_MS, 1 },
	/* Each kind of trouble counts for itself. */
	{ GATE_EV_ALL_FAILED, GATE_EV_LOGIN_REFUSED, 0, 30 * S,
	    GATE_AUTH_FAILED, START_MS + 30 * S + 1 * MIN, 1 },
	{ GATE_EV_ALL_FAILED, GATE_EV_BUSY, 0, 30 * S, GATE_DOWN,
	    START_MS + 90 * S, 2 },
	/* It came up while others failed. */
	{ GATE_EV_ALL_FAILED, GATE_EV_OPENED, 0, 5 * S, GATE_UP, 0, 0 },
	{ GATE_EV_LOGIN_REFUSED, GATE_EV_OPENED, 0, 5 * S, GATE_UP, 0, 0 },
	{ GATE_EV_QUOTA, GATE_EV_OPENED, QUOTA_MS, 540 * MIN, GATE_UP, 0, 0 },
	/* At least until_ms (B-021). */
	{ GATE_EV_OPENED, GATE_EV_BUSY, START_MS + 5 * MIN, 0, GATE_DOWN,
	    START_MS + 5 * MIN, 1 },
	{ GATE_EV_OPENED, GATE_EV_BUSY, START_MS + 1 * S, 0, GATE_DOWN,
	    START_MS + 30 * S, 1 },
	{ GATE_EV_ALL_FAILED, GATE_EV_BUSY, START_MS + 5 * MIN, 5 * S, GATE_DOWN,
	    START_MS + 5 * MIN, 1 },
};

static void
tell_of_pair(enum gate_event ev, int64_t until_ms)
{
	tell(ev, ev == GATE_EV_QUOTA || ev == GATE_EV_BUSY ? until_ms : 0);
}

START_TEST(one_then_another)
{
	tell_of_pair(pairs[_i].first, pairs[_i].until_ms);
	now_ms += pairs[_i].after_ms;
	tell_of_pair(pairs[_i].then, pairs[_i].until_ms);
	ck_assert_int_eq(gate.state, pairs[_i].state);
	ck_assert_int_eq(gate.retry_at_ms, pairs[_i].retry_at_ms);
	ck_assert_uint_eq(gate.failures, pairs[_i].failures);
}
END_TEST

START_TEST(quota_may_be_raised)
{
	ck_assert(tell(GATE_EV_QUOTA, QUOTA_MS));
	ck_assert(!gate_may_try(&gate, QUOTA_MS - 1));
	ck_assert(!tell(GATE_EV_QUOTA, START_MS + 1));
	ck_assert(gate_may_try(&gate, START_MS + 1));
}
END_TEST

static const struct {
	enum gate_event event, now;
	bool may_try;
	int next_ms;	/* the wait after one more failure */
} tries[] = {
	{ GATE_EV_ALL_FAILED, GATE_EV_RETRY, true, 30 * S },
	{ GATE_EV_LOGIN_REFUSED, GATE_EV_RETRY, true, 4 * MIN },
	{ GATE_EV_QUOTA, GATE_EV_RETRY, false, 0 },
	{ GATE_EV_ALL_FAILED, GATE_EV_NETWORK, true, 30 * S },
	{ GATE_EV_BUSY, GATE_EV_NETWORK, true, 30 * S },
	{ GATE_EV_LOGIN_REFUSED, GATE_EV_NETWORK, false, 0 },	/* a password is not better for it */
	{ GATE_EV_QUOTA, GATE_EV_NETWORK, false, 0 },
};

/* The network changed; a reload, or `gatepost retry'. */
START_TEST(tries_now)
{
	enum gate_event ev = tries[_i].event;
	enum gate_state before;

	tell(ev, QUOTA_MS * (ev == GATE_EV_QUOTA));
	if (ev != GATE_EV_QUOTA)
		now_ms = gate.retry_at_ms;
	tell(ev, QUOTA_MS * (ev == GATE_EV_QUOTA));
	before = gate.state;
	now_ms += 1;
	ck_assert(!gate_may_try(&gate, now_ms));
	ck_assert(!tell(tries[_i].now, 0));
	ck_assert_int_eq(gate.state, before);
	ck_assert(gate_is_closed(&gate));	/* until it is seen to work */
	ck_assert_int_eq(gate_may_try(&gate, now_ms), tries[_i].may_try);
	if (tries[_i].may_try) {
		ck_assert_int_gt(gate.retry_at_ms, 0);
		tell(ev, 0);
		ck_assert_int_eq(gate.retry_at_ms - now_ms, tries[_i].next_ms);
	}
}
END_TEST

/* B-021: who was told "later" keeps to it on any network, but not against the operator. */
START_TEST(a_wish_outlives_a_network)
{
	tell(GATE_EV_BUSY, START_MS + 5 * MIN);
	now_ms += 40 * S;
	tell(GATE_EV_NETWORK, 0);
	ck_assert_int_eq(gate.retry_at_ms, START_MS + 5 * MIN);
	tell(GATE_EV_RETRY, 0);
	ck_assert_int_eq(gate.retry_at_ms, now_ms);
	tell(GATE_EV_OPENED, 0);
	tell(GATE_EV_ALL_FAILED, 0);
	tell(GATE_EV_NETWORK, 0);
	ck_assert_int_eq(gate.retry_at_ms, now_ms);
}
END_TEST

/* Not all who use a provider come back together (B.1), but none later than the contract says, and no login earlier. */
START_TEST(comes_early)
{
	gate.early = 100;
	tell(GATE_EV_ALL_FAILED, 0);
	ck_assert_int_eq(gate.retry_at_ms - now_ms, 27 * S);
	now_ms = gate.retry_at_ms;
	tell(GATE_EV_ALL_FAILED, 0);
	ck_assert_int_eq(gate.retry_at_ms - now_ms, 54 * S);
	now_ms = gate.retry_at_ms;
	tell(GATE_EV_BUSY, now_ms + 5 * MIN);
	ck_assert_int_eq(gate.retry_at_ms - now_ms, 5 * MIN);
	now_ms = gate.retry_at_ms;
	tell(GATE_EV_LOGIN_REFUSED, 0);
	ck_assert_int_eq(gate.retry_at_ms - now_ms, 1 * MIN);
}
END_TEST

START_TEST(open_stays_open)
{
	ck_assert(!tell(GATE_EV_NETWORK, 0));
	ck_assert_int_eq(gate.state, GATE_UNKNOWN);
	tell(GATE_EV_OPENED, 0);
	ck_assert(!tell(GATE_EV_RETRY, 0));
	ck_assert(!tell(GATE_EV_NETWORK, 0));
	ck_assert_int_eq(gate.state, GATE_UP);
	ck_assert_int_eq(gate.retry_at_ms, 0);
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(gate_state_name(GATE_UNKNOWN), "unknown");
	ck_assert_str_eq(gate_state_name(GATE_UP), "up");
	ck_assert_str_eq(gate_state_name(GATE_DOWN), "down");
	ck_assert_str_eq(gate_state_name(GATE_AUTH_FAILED), "auth_failed");
	ck_assert_str_eq(gate_state_name(GATE_PAUSED), "paused");
}
END_TEST

#define LOOP(tc, fn, table)                                                    \
	tcase_add_loop_test(tc, fn, 0, (int)(sizeof table / sizeof table[0]))

START_TEST(a_pause_ends_as_it_began)
{
	ck_assert(tell(GATE_EV_QUOTA, QUOTA_MS));
	ck_assert(tell(GATE_EV_RESUME, 0));
	ck_assert_int_eq(gate.state, GATE_UNKNOWN);
	ck_assert_int_eq(gate.retry_at_ms, 0);
	tell(GATE_EV_OPENED, 0);
	ck_assert(!tell(GATE_EV_RESUME, 0));
	tell(GATE_EV_QUOTA, QUOTA_MS);
	ck_assert(tell(GATE_EV_RESUME, 0));
	ck_assert_int_eq(gate.state, GATE_UP);
	tell(GATE_EV_LOGIN_REFUSED, 0);
	ck_assert(!tell(GATE_EV_RESUME, 0));	/* only a pause */
	ck_assert_int_eq(gate.state, GATE_AUTH_FAILED);
	ck_assert_int_gt(gate.retry_at_ms, 0);
}
END_TEST

Suite *test_gate(void);
Suite *
test_gate(void)
{
	Suite *s = suite_create("test_gate");
	TCase *tc = tcase_create("gate");

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, begins_open);
	LOOP(tc, doubles, delays);
	tcase_add_test(tc, ten_thousand_failures);
	LOOP(tc, one_then_another, pairs);
	tcase_add_test(tc, quota_may_be_raised);
	LOOP(tc, tries_now, tries);
	tcase_add_test(tc, a_wish_outlives_a_network);
	tcase_add_test(tc, comes_early);
	tcase_add_test(tc, open_stays_open);
	tcase_add_test(tc, a_pause_ends_as_it_began);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	return s;
}
