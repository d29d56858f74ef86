/* Names of upstreams: DNS failing is a case of its own (PROTOCOL.md B-001, B-002). */
#include "gateway_rig.h"
#include "support_dns.h"

#define UPSTREAM(host) "upstream \"up\" { host = \"" host "\" chain = {\"587/starttls\", \"465/implicit\"} auth = \"none\" }\n"

static struct rig r;

static void
tear_down(void)
{
	rig_down(&r);
}

static const struct { const char *text, *reason; } failures[] = {
	{ UPSTREAM("none.dns.test"), "DNS knows no address of none.dns.test (Name or service not known): check host" },
	{ UPSTREAM("nodata.dns.test"), "DNS knows no address of nodata.dns.test (" },
	{ UPSTREAM("again.dns.test"), "DNS fails for again.dns.test (Temporary failure in name resolution): check this machine's name servers" },
	{ UPSTREAM("system.dns.test"), "DNS fails for system.dns.test (Too many open files): " },
};

/* B-001, B-002.  Nothing is known: the upstream is down, in words that tell a wrong name from name servers that fail. */
START_TEST(without_memory)
{
	rig_up(&r, failures[_i].text);
	rig_submit(&r);
	turn_until(&r, rig_gateway(&r)->gate.state == GATE_DOWN);
	ck_assert_msg(strncmp(rig_gateway(&r)->gate.reason, failures[_i].reason, strlen(failures[_i].reason)) == 0, "%s",
	    rig_gateway(&r)->gate.reason);
	ck_assert_uint_eq(r.nopen, 0);
	ck_assert_uint_eq(r.queue->totals.messages, 1);		/* and waits */
	clock_fake_add(30 * 1000);	/* and it is asked again */
	turn_until(&r, rig_gateway(&r)->gate.failures == 2);
	ck_assert_uint_eq(r.queue->totals.messages, 1);
}
END_TEST

static void
remember(const char *address)
{
	(void)route_addresses(rig_gateway(&r)->route, &address, 1, clock_wall_s());
	r.queue->memory_changed = true;
}

/* B-001, B-002: after a restart too, and for a day. */
START_TEST(the_last_good_addresses_serve)
{
	rig_up(&r, failures[_i].text);
	remember("192.0.2.7");
	rig_stop(&r);
	rig_start(&r, failures[_i].text);
	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	ck_assert_str_eq(r.open[0]->candidate[0].address, "192.0.2.7");
	ck_assert_uint_eq(r.open[0]->ncandidate, 2);
	ck_assert_int_eq(rig_gateway(&r)->gate.state, GATE_UNKNOWN);
	rig_answer(&r, 0, OPENED_ALL_FAILED, 0);
	turn_until(&r, rig_gateway(&r)->gate.state == GATE_DOWN);
	ck_assert_str_eq(rig_gateway(&r)->gate.reason, "so says the relay");
	clock_fake_add(24 * 3600 * 1000);
	turn_until(&r, strncmp(rig_gateway(&r)->gate.reason, "DNS ", 4) == 0);
	ck_assert_uint_eq(r.nopen, 1);
}
END_TEST

/* What DNS said is saved, though no port has been heard of yet. */
START_TEST(addresses_are_saved)
{
	rig_up(&r, UPSTREAM("four.dns.test"));
	rig_submit(&r);
	turn_until(&r, r.nopen == 1);
	rig_stop(&r);
	rig_start(&r, UPSTREAM("four.dns.test"));
	ck_assert(route_has_addresses(rig_gateway(&r)->route, clock_wall_s()));
	ck_assert_str_eq(route_find(rig_gateway(&r)->route, 1)->at.address, "192.0.2.2");
}
END_TEST

/* B-002.  Name servers that say nothing: two seconds where there is something to go by, else ten, not the resolver's half a minute. */
START_TEST(dns_hangs)
{
	bool known = _i == 1;

	rig_up(&r, UPSTREAM("four.dns.test"));
	pthread_mutex_lock(&support_dns_gate);
	if (known)
		remember("192.0.2.7");
	rig_submit(&r);
	rig_settle(&r);
	clock_fake_add(known ? 1900 : 9900);
	rig_settle(&r);
	ck_assert_uint_eq(r.nopen, 0);
	ck_assert_int_eq(rig_gateway(&r)->gate.state, GATE_UNKNOWN);
	clock_fake_add(100);
	if (known) {
		turn_until(&r, r.nopen == 1);
		ck_assert_str_eq(r.open[0]->candidate[0].address, "192.0.2.7");
		pthread_mutex_unlock(&support_dns_gate);
		return;
	}
	turn_until(&r, rig_gateway(&r)->gate.state == GATE_DOWN);
	ck_assert_str_eq(rig_gateway(&r)->gate.reason,
	    "DNS does not answer for four.dns.test: check this machine's name servers");
	pthread_mutex_unlock(&support_dns_gate);
	clock_fake_add(30 * 1000);	/* the answer came meanwhile, and is there */
	turn_until(&r, r.nopen == 1);
	ck_assert_str_eq(r.open[0]->candidate[0].address, "192.0.2.1");
}
END_TEST

Suite *test_names(void);

Suite *
test_names(void)
{
	Suite *s = suite_create("test_names");
	TCase *t = tcase_create("names");
	const int n = (int)(sizeof failures / sizeof failures[0]);

	tcase_add_checked_fixture(t, NULL, tear_down);
	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, without_memory, 0, n);
	tcase_add_loop_test(t, the_last_good_addresses_serve, 0, n);
	tcase_add_test(t, addresses_are_saved);
	tcase_add_loop_test(t, dns_hangs, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
