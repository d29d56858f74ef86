/* The machine's network changes: everything is tried again from the start, at once (CONTRACT.md 4). */
#include "gateway_rig.h"

static const char text[] = "upstream \"up\" { host = \"192.0.2.1\" "
    "chain = {\"587/starttls\", \"465/implicit\", \"2525/starttls\"} auth = \"none\" }\n";

static struct rig r;

static void
set_up(void)
{
	rig_up(&r, text);
}

static void
tear_down(void)
{
	rig_down(&r);
}

static void
change(void)
{
	loop_turn(r.loop, false);	/* its clock */
	queue_network_changed(r.queue);
}

/* The first port is blocked, the second won; its lane is idle. */
static void
come_up(void)
{
	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	rig_hear(&r, &r.open[0]->candidate[0], HEARD_BLOCKED, 5000);
	rig_hear(&r, &r.open[0]->candidate[1], HEARD_UP, 300);
	rig_answer(&r, 0, OPENED_UP, 1);
	turn_until(&r, r.nsent == 1);
	turn_until(&r, rig_gateway(&r)->nbusy == 0);
	ck_assert_int_eq(rig_door(&r, 0), DOOR_BLOCKED);
	ck_assert_int_eq(rig_door(&r, 1), DOOR_UP);
	clock_fake_add(1000);
}

START_TEST(all_from_the_start)
{
	come_up();
	change();
	turn_until(&r, r.nclosed == 1);		/* the connection was made over a network that is gone */
	turn_until(&r, rig_gateway(&r)->nlane == 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(rig_door(&r, i), DOOR_UNKNOWN);
	rig_submit(&r);
	turn_until(&r, r.nopen == 2);
	ck_assert_uint_eq(r.open[1]->candidate[0].port, 587);
	rig_answer(&r, 1, OPENED_UP, 0);
	turn_until(&r, r.nsent == 2);
}
END_TEST

/* What was learned of the old network does not come back with a restart. */
START_TEST(is_forgotten_for_good)
{
	come_up();
	clock_fake_add(61 * 1000);
	rig_settle(&r);
	change();
	rig_stop(&r);
	rig_start(&r, text);
	ck_assert_int_eq(rig_door(&r, 0), DOOR_UNKNOWN);
	ck_assert_int_eq(rig_door(&r, 1), DOOR_UNKNOWN);
}
END_TEST

/* A race over the old network ends, the next begins in the same moment. */
START_TEST(a_race_begins_anew)
{
	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	change();
	turn_until(&r, r.nopen == 2);
	ck_assert_ptr_null(r.open[0]);
	ck_assert_int_eq(rig_gateway(&r)->gate.state, GATE_UNKNOWN);
	rig_answer(&r, 1, OPENED_UP, 0);
	turn_until(&r, r.nsent == 1);
}
END_TEST

/* One that is cancelled is no sign that the provider wants no more connections. */
START_TEST(the_limit_stays)
{
	r.hold = true;
	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	rig_answer(&r, 0, OPENED_UP, 0);
	turn_until(&r, r.held != NULL);
	rig_submit(&r);
	turn_until(&r, r.nopen == 2);
	change();
	turn_until(&r, r.nopen == 3);
	ck_assert_ptr_null(r.open[1]);
	ck_assert_ptr_nonnull(r.held);
}
END_TEST

/* It won just before: the connection is of the old network all the same. */
START_TEST(a_winner_comes_too_late)
{
	struct open *won;

	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	won = r.open[0];
	r.open[0] = NULL;		/* so that CLOSE finds a connection */
	change();
	turn_until(&r, r.nclosed == 1);
	won->result = OPENED_UP;
	won->winner = won->candidate[0];
	won->memo.kind = MEMO_OPENED;
	memo_post(queue_get_channel(r.queue), &won->memo);
	turn_until(&r, r.nclosed == 2);
	turn_until(&r, r.nopen == 2);
	rig_answer(&r, 1, OPENED_UP, 0);
	turn_until(&r, r.nsent == 1);
}
END_TEST

static const struct {
	enum opened end;
	enum gate_state state;
	bool at_once;
	int64_t wait_ms;	/* else */
} gates[] = {
	{ OPENED_ALL_FAILED, GATE_DOWN, true, 0 },
	{ OPENED_BUSY, GATE_DOWN, true, 0 },
	{ OPENED_LOGIN_REFUSED, GATE_AUTH_FAILED, false, 60 * 1000 },
	{ OPENED_LOGIN_LATER, GATE_DOWN, false, 5 * 60 * 1000 },	/* B-021 */
};

START_TEST(what_was_down_is_tried_at_once)
{
	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	rig_answer(&r, 0, gates[_i].end, 0);
	turn_until(&r, rig_gateway(&r)->gate.state == gates[_i].state);
	rig_settle(&r);
	ck_assert_uint_eq(r.nopen, 1);
	change();
	rig_settle(&r);
	ck_assert_uint_eq(r.nopen, gates[_i].at_once ? 2 : 1);
	if (!gates[_i].at_once)
		clock_fake_add(gates[_i].wait_ms);
	turn_until(&r, r.nopen == 2);
}
END_TEST

/* The verdicts of a race that began before come when the network is another one. */
START_TEST(late_verdicts)
{
	struct candidate c[3];

	come_up();
	for (unsigned i = 0; i < 3; i++)
		c[i] = route_find(rig_gateway(&r)->route, i)->at;
	change();
	clock_fake_add(4000);
	rig_hear(&r, &c[0], HEARD_BLOCKED, 10000);
	rig_hear(&r, &c[2], HEARD_UP, 4500);
	rig_settle(&r);
	ck_assert_int_eq(rig_door(&r, 0), DOOR_UNKNOWN);
	ck_assert_int_eq(rig_door(&r, 2), DOOR_UNKNOWN);
	rig_hear(&r, &c[0], HEARD_BLOCKED, 3000);
	rig_settle(&r);
	ck_assert_int_eq(rig_door(&r, 0), DOOR_BLOCKED);
}
END_TEST

/* While a later port is in use the earlier ones are probed without mail, and taken again when they work. */
START_TEST(rechecks)
{
	come_up();
	for (unsigned i = 1; i <= 3; i++) {
		clock_fake_add(5 * 60 * 1000);
		turn_until(&r, r.nprobe == i);
		ck_assert_uint_eq(r.probe->candidate.port, 587);
		rig_settle(&r);
		ck_assert_uint_eq(r.nprobe, i);		/* one at a time */
		r.probe->heard = i < 3 ? HEARD_BLOCKED : HEARD_UP;
		memo_post(queue_get_channel(r.queue), &r.probe->memo);
		r.probe = NULL;
		rig_settle(&r);
	}
	ck_assert_uint_eq(r.nopen, 1);
	ck_assert_int_eq(rig_door(&r, 0), DOOR_UP);
	turn_until(&r, r.nclosed == 1);		/* the lane on the later port, which was idle */
	rig_submit(&r);
	turn_until(&r, r.nopen == 2);
	ck_assert_uint_eq(r.open[1]->candidate[0].port, 587);
	ck_assert_uint_eq(r.open[1]->candidate[1].port, 465);
	clock_fake_add(60 * 60 * 1000);
	rig_settle(&r);
	ck_assert_uint_eq(r.nprobe, 3);		/* nothing is left to win */
}
END_TEST

/* A probe was out when the network changed: the next ones come all the same. */
START_TEST(a_probe_was_out)
{
	come_up();
	clock_fake_add(5 * 60 * 1000);
	turn_until(&r, r.nprobe == 1);
	clock_fake_add(100);
	change();
	clock_fake_add(1000);
	r.probe->heard = HEARD_BLOCKED;
	r.probe->took_ms = 1100;
	memo_post(queue_get_channel(r.queue), &r.probe->memo);
	r.probe = NULL;
	rig_settle(&r);
	ck_assert_int_eq(rig_door(&r, 0), DOOR_UNKNOWN);
	rig_submit(&r);
	turn_until(&r, r.nopen == 2);
	rig_hear(&r, &r.open[1]->candidate[1], HEARD_UP, 300);
	rig_answer(&r, 1, OPENED_UP, 1);
	turn_until(&r, r.nsent == 2);
	clock_fake_add(5 * 60 * 1000);
	turn_until(&r, r.nprobe == 2);
}
END_TEST

Suite *test_network(void);

Suite *
test_network(void)
{
	Suite *s = suite_create("test_network");
	TCase *t = tcase_create("network");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, all_from_the_start);
	tcase_add_test(t, is_forgotten_for_good);
	tcase_add_test(t, a_race_begins_anew);
	tcase_add_test(t, the_limit_stays);
	tcase_add_test(t, a_winner_comes_too_late);
	tcase_add_loop_test(t, what_was_down_is_tried_at_once, 0, (int)(sizeof gates / sizeof gates[0]));
	tcase_add_test(t, late_verdicts);
	tcase_add_test(t, rechecks);
	tcase_add_test(t, a_probe_was_out);
	suite_add_tcase(s, t);
	return s;
}
