/* What a race's end is to the upstream as a whole, where test_network and test_queue do not say it. */
#include "gateway_rig.h"

#define UPSTREAM "upstream \"up\" { host = \"127.0.0.1\" chain = {\"587/starttls\", \"465/implicit\"} auth = \"none\" }\n"

static struct rig r;

static void
set_up(void)
{
	rig_up(&r, UPSTREAM);
}

static void
tear_down(void)
{
	rig_down(&r);
}

/* B-004: our own fault condemns neither the upstream nor a port; it is tried again soon, and nothing bounces for it. */
START_TEST(our_own_fault)
{
	rig_submit(&r);
	for (unsigned i = 1; i < 5; i++) {
		turn_until(&r, r.nopen == i);
		rig_answer(&r, i - 1, OPENED_LOCAL, 0);
		rig_settle(&r);
		ck_assert_uint_eq(r.nopen, i);	/* not at once: nothing is better yet */
		ck_assert_int_eq(rig_gateway(&r)->gate.state, GATE_UNKNOWN);
		ck_assert_int_eq(rig_door(&r, 0), DOOR_UNKNOWN);
		ck_assert_uint_eq(r.queue->totals.messages, 1);
		clock_fake_add(1000);
	}
	turn_until(&r, r.nopen == 5);
	rig_answer(&r, 4, OPENED_UP, 0);
	turn_until(&r, r.nsent == 1);
}
END_TEST

/* Each end, and how long mail waits for it then (B-007, B-008, B-017, B-019 to B-021, B-024). */
static const struct {
	enum opened end;
	enum gate_state state;
	int64_t wait_ms;
} ends[] = {
	{ OPENED_ALL_FAILED, GATE_DOWN, 30 * 1000 }, { OPENED_BUSY, GATE_DOWN, 30 * 1000 },
	{ OPENED_LOGIN_REFUSED, GATE_AUTH_FAILED, 60 * 1000 }, { OPENED_LOGIN_LATER, GATE_DOWN, 5 * 60 * 1000 },
};

START_TEST(mail_waits)
{
	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	rig_answer(&r, 0, ends[_i].end, 0);
	turn_until(&r, rig_gateway(&r)->gate.state == ends[_i].state);
	rig_submit(&r);			/* more mail changes nothing */
	clock_fake_add(ends[_i].wait_ms * 9 / 10 - 100);	/* a tenth earlier is allowed */
	rig_settle(&r);
	ck_assert_uint_eq(r.nopen, 1);
	ck_assert_uint_eq(r.queue->totals.messages, 2);
	clock_fake_add(ends[_i].wait_ms / 10 + 100);
	turn_until(&r, r.nopen == 2);
	rig_answer(&r, 1, OPENED_UP, 0);
	turn_until(&r, r.nsent == 2);
}
END_TEST

/* C-16: what the provider was told since a lane was opened goes with each message over it. */
START_TEST(a_message_brings_what_is_to_be_hidden)
{
	struct veil *newest;

	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	rig_answer(&r, 0, OPENED_UP, 0);
	turn_until(&r, r.nsent == 1);
	newest = credential_veil(rig_gateway(&r), "renewed-token");	/* as another lane's OPEN takes it */
	r.hold = true;
	rig_submit(&r);
	turn_until(&r, r.held != NULL);
	ck_assert_uint_eq(r.nopen, 1);		/* over the same lane */
	ck_assert(r.held->veil == newest && veil_finds(newest, STR("renewed-token")));
	veil_unref(&newest);
}
END_TEST

Suite *test_gateway(void);

Suite *
test_gateway(void)
{
	Suite *s = suite_create("test_gateway");
	TCase *t = tcase_create("ends");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 20);
	tcase_add_test(t, our_own_fault);
	tcase_add_test(t, a_message_brings_what_is_to_be_hidden);
	tcase_add_loop_test(t, mail_waits, 0, (int)(sizeof ends / sizeof ends[0]));
	suite_add_tcase(s, t);
	return s;
}
