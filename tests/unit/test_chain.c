/* Which door is tried first, and how doors follow from entries and addresses
 * (CONTRACT.md 4, PROTOCOL.md B.1, E.1). */
#include "route/chain.h"

#include "unit/doors.h"

static const struct {
	const char *addresses, *told, *order, *rechecked;
} orders[] = {
	{ "1", "", "587/1 465/1 2525/1", "" },
	{ "a1", "", "587/a 587/1 465/a 465/1 2525/a 2525/1", "" },
	{ "12ab", "", "587/1 587/a 587/2 587/b 465/1 465/a 465/2 465/b "
	    "2525/1 2525/a 2525/2 2525/b", "" },		/* RFC 8305 4 */
	{ "1", "587/1-up", "587/1 465/1 2525/1", "" },
	{ "1", "587/1-blocked", "465/1 2525/1 587/1", "" },	/* B-003 B-005 B-006 */
	{ "1", "587/1-unsafe", "465/1 2525/1 587/1", "" },	/* B-012 … B-016 */
	{ "1", "587/1-blocked 465/1-up", "465/1 2525/1 587/1", "587/1" },
	{ "1", "587/1-unsafe 465/1-up", "465/1 2525/1 587/1", "587/1" },
	{ "1", "587/1-blocked 465/1-blocked 2525/1-up", "2525/1 587/1 465/1",
	    "587/1 465/1" },
	{ "1", "587/1-unsafe 465/1-blocked 2525/1-unsafe", "587/1 465/1 2525/1", "" },
	{ "1", "465/1-up", "465/1 587/1 2525/1", "587/1" },
	{ "1", "2525/1-up 465/1-up 587/1-up", "587/1 465/1 2525/1", "" },
	{ "1", "587/1-up 465/1-up 587/1-blocked", "465/1 2525/1 587/1", "587/1" },
	{ "1", "587/1-blocked 465/1-up 587/1-up", "587/1 465/1 2525/1", "" },
	{ "1", "587/1-busy", "587/1 465/1 2525/1", "" },	/* B-007 B-011 */
	{ "1", "587/1-local 465/1-nothing", "587/1 465/1 2525/1", "" }, /* B-004 */
	{ "1", "587/1-up 587/1-busy", "587/1 465/1 2525/1", "" },
	{ "1", "587/1-blocked 587/1-local", "465/1 2525/1 587/1", "" },
	{ "a1", "587/a-blocked 587/1-up", "587/1 465/a 465/1 2525/a 2525/1 587/a",
	    "587/a" },
	{ "a1", "587/a-blocked 587/1-blocked 465/a-blocked 465/1-up",
	    "465/1 2525/a 2525/1 587/a 587/1 465/a", "587/a 587/1 465/a" },
	{ "", "", "", "" },
};

START_TEST(in_order)
{
	look_up(route, orders[_i].addresses);
	tell_all(orders[_i].told);
	ck_assert_str_eq(ordered(route), orders[_i].order);
	ck_assert_str_eq(rechecked(), orders[_i].rechecked);
}
END_TEST

START_TEST(no_more_than_asked)
{
	struct candidate c[2];

	look_up(route, "12");
	ck_assert_uint_eq(route_order(route, c, 2), 2);
	ck_assert_uint_eq(route_order(route, c, 0), 0);
}
END_TEST

/* Of too many addresses each entry has the same ones, of both families. */
START_TEST(many_addresses)
{
	char text[60][48];
	const char *address[60];
	unsigned n = 0, v6 = 0;
	const struct door *d;

	for (unsigned i = 0; i < 60; i++) {
		snprintf(text[i], 48, i < 30 ? "192.0.2.%u" : "2001:db8::%u", i);
		address[i] = text[i];
	}
	route_addresses(route, address, 60, WALL_S);
	for (; (d = route_find(route, n)) != NULL; n++) {
		ck_assert_uint_eq(d->at.rank, n / 21);
		v6 += strchr(d->at.address, ':') != NULL;
	}
	ck_assert_uint_eq(n, 3 * (ROUTE_CANDIDATES_MAX / 3));
	ck_assert_uint_eq(v6, 3 * 10);
}
END_TEST

START_TEST(odd_addresses)
{
	static const char *const odd[] = {
		"192.0.2.1", "", "localhost", "192.0.2.1", "192.0.2.256",
		"fe80::1%lo", "2001:db8::1::2", "1234567890123456789012345678901"
		"2345678901234567890", "192.0.2.1%lo"
	};

	ck_assert(!route_has_addresses(route, WALL_S));
	route_addresses(route, odd, sizeof odd / sizeof odd[0], WALL_S);
	ck_assert(route_has_addresses(route, WALL_S));
	ck_assert_str_eq(route_find(route, 0)->at.address, "192.0.2.1");
	ck_assert_str_eq(route_find(route, 1)->at.address, "fe80::1%lo");
	ck_assert_uint_eq(route_find(route, 2)->at.port, 465);
	route_addresses(route, NULL, 0, WALL_S);	/* nothing learned, nothing lost */
	ck_assert(route_has_addresses(route, WALL_S));
}
END_TEST

static const struct {
	const char *before, *told, *after, *order;
} moves[] = {
	{ "1", "587/1-blocked 465/1-up", "12",
	    "465/1 587/2 465/2 2525/1 2525/2 587/1" },
	{ "12", "587/1-blocked 465/1-up 587/2-blocked 465/2-up", "2",
	    "465/2 2525/2 587/2" },
	{ "1", "587/1-blocked 465/1-up", "2", "465/2 2525/2 587/2" },
	{ "1", "587/1-unsafe", "2", "465/2 2525/2 587/2" },
	{ "12", "587/1-blocked 587/2-up", "3", "587/3 465/3 2525/3" },
	{ "1", "587/1-blocked 587/1-up", "2", "587/2 465/2 2525/2" },
	{ "1", "", "2", "587/2 465/2 2525/2" },
};

START_TEST(addresses_change)
{
	look_up(route, moves[_i].before);
	tell_all(moves[_i].told);
	look_up(route, moves[_i].after);
	ck_assert_str_eq(ordered(route), moves[_i].order);
}
END_TEST

/* A name that changes its addresses all the time leads nobody to a blocked port. */
START_TEST(addresses_change_again)
{
	look_up(route, "1");
	tell_all("587/1-blocked");
	look_up(route, "2");
	look_up(route, "3");
	ck_assert_str_eq(ordered(route), "465/3 2525/3 587/3");
	tell_all("465/3-up");
	look_up(route, "4");
	ck_assert_str_eq(ordered(route), "465/4 2525/4 587/4");
	tell_all("587/4-up");
	look_up(route, "5");
	ck_assert_str_eq(ordered(route), "587/5 465/5 2525/5");
}
END_TEST

Suite *test_chain(void);
Suite *
test_chain(void)
{
	Suite *s = suite_create("test_chain");
	TCase *tc = tcase_create("chain");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	LOOP(tc, in_order, orders);
	tcase_add_test(tc, no_more_than_asked);
	tcase_add_test(tc, many_addresses);
	tcase_add_test(tc, odd_addresses);
	LOOP(tc, addresses_change, moves);
	tcase_add_test(tc, addresses_change_again);
	suite_add_tcase(s, tc);
	return s;
}
