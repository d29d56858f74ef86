/*
 * What a route learns and forgets, when it wants to look again, and what survives a
 * change of the configuration and a restart (CONTRACT.md 4, PROTOCOL.md B.1).
 */
#include "route/route.h"

#include "base/crc32c.h"
#include "unit/doors.h"

#include <stdlib.h>

static char other_host[] = "other.example", other_ca[] = "/ca.pem";
static char source[] = "198.51.100.1";

START_TEST(forgets)
{
	look_up(route, "1");
	tell_all("587/1-blocked 465/1-up");
	route_forget(route);
	ck_assert_str_eq(ordered(route), "587/1 465/1 2525/1");
	ck_assert_str_eq(rechecked(), "");
	ck_assert_int_eq(route_recheck_at_ms(route), 0);
	ck_assert_int_eq(door(587, '1')->state, DOOR_UNKNOWN);
	ck_assert_str_eq(door(587, '1')->reason, "");
}
END_TEST

/* --- rechecks ---------------------------------------------------------------- */

START_TEST(is_rechecked)
{
	int64_t at = NOW_MS + RECHECK_MS;

	look_up(route, "1");
	tell_all("587/1-blocked 465/1-up");
	ck_assert_int_eq(route_recheck_at_ms(route), at);
	ck_assert_ptr_null(route_recheck_due(route, at - 1));
	ck_assert_ptr_eq(route_recheck_due(route, at), door(587, '1'));

	/* Whatever is heard, the next one is later: nobody spins. */
	for (enum heard h = HEARD_BLOCKED; h < HEARDS; h++) {
		tell(587, '1', h, at + 10);
		at += 10 + RECHECK_MS;
		ck_assert_int_eq(route_recheck_at_ms(route), at);
		ck_assert_ptr_null(route_recheck_due(route, at - 1));
	}
	tell(587, '1', HEARD_UP, at);
	ck_assert_int_eq(route_recheck_at_ms(route), 0);
	ck_assert_ptr_null(route_recheck_due(route, INT64_MAX));
}
END_TEST

START_TEST(one_after_the_other)
{
	look_up(route, "1");
	tell(465, '1', HEARD_BLOCKED, 2000);
	tell(587, '1', HEARD_BLOCKED, 3000);
	ck_assert_int_eq(route_recheck_at_ms(route), 0);	/* none is up */
	tell(2525, '1', HEARD_UP, 4000);
	ck_assert_int_eq(route_recheck_at_ms(route), 2000 + RECHECK_MS);
	ck_assert_ptr_eq(route_recheck_due(route, INT64_MAX), door(465, '1'));
	tell(465, '1', HEARD_BLOCKED, 2000 + RECHECK_MS);
	ck_assert_ptr_eq(route_recheck_due(route, INT64_MAX), door(587, '1'));
	tell(465, '1', HEARD_UP, 5000 + RECHECK_MS);
	tell(2525, '1', HEARD_BLOCKED, 5000 + RECHECK_MS);
	ck_assert_str_eq(rechecked(), "587/1");	/* not 2525: a better one is up */
}
END_TEST

/* A door that was never tried, because a later one won first, gets its turn too. */
START_TEST(unknown_is_rechecked)
{
	look_up(route, "1");
	tell(465, '1', HEARD_UP, 4000);
	ck_assert_int_eq(door(587, '1')->recheck_at_ms, 4000 + RECHECK_MS);
	tell(465, '1', HEARD_UP, 9000);
	ck_assert_int_eq(door(587, '1')->recheck_at_ms, 4000 + RECHECK_MS);
}
END_TEST

START_TEST(recheck_is_configured)
{
	look_up(route, "1");
	tell_all("587/1-blocked 465/1-up");
	upstream.recheck_ms = 60000;
	route_configure(route, &upstream);
	ck_assert_int_eq(route_recheck_at_ms(route), NOW_MS + 60000);
	upstream.recheck_ms = 0;
	route_configure(route, &upstream);
	ck_assert_int_eq(route_recheck_at_ms(route), 0);
}
END_TEST

/* --- changes of the configuration ------------------------------------------------ */

START_TEST(chain_changes)
{
	static struct chain_entry other[] = {
		{ 465, TLS_IMPLICIT }, { 587, TLS_IMPLICIT }, { 587, TLS_STARTTLS },
	};
	const struct door *d;

	look_up(route, "1");
	tell_all("587/1-blocked 465/1-up");
	upstream.chain = other;
	route_configure(route, &upstream);
	d = route_find(route, 0);
	ck_assert(d->at.port == 465 && d->at.rank == 0 && d->state == DOOR_UP);
	d = route_find(route, 1);
	ck_assert(d->at.tls == TLS_IMPLICIT && d->state == DOOR_UNKNOWN);
	d = route_find(route, 2);
	ck_assert(d->at.rank == 2 && d->state == DOOR_BLOCKED);
	ck_assert_int_eq(route_recheck_at_ms(route), 0);
	upstream.nchain = 0;
	route_configure(route, &upstream);
	ck_assert_str_eq(ordered(route), "");
}
END_TEST

static const struct {
	const char *name, *doors;
} settings[] = {
	{ "nothing", "bux" }, { "host", "" }, { "tls_name", "b?x" },
	{ "tls_ca", "b?x" }, { "tls_verify", "b?x" }, { "tls_min", "b?x" },
	{ "source", "?ux" }, { "username", "bux" },
};

/* What still applies is kept: b blocked, u unsafe, x up, ? unknown. */
START_TEST(settings_change)
{
	const char *what = settings[_i].name;
	const struct door *d;
	char got[4] = "";

	look_up(route, "1");
	tell_all("587/1-blocked 465/1-unsafe 2525/1-up");
	if (strcmp(what, "host") == 0)
		upstream.host = other_host;
	else if (strcmp(what, "tls_name") == 0)
		upstream.tls_name = other_host;
	else if (strcmp(what, "tls_ca") == 0)
		upstream.tls_ca = other_ca;
	else if (strcmp(what, "tls_verify") == 0)
		upstream.tls_verify = false;
	else if (strcmp(what, "tls_min") == 0)
		upstream.tls_min++;
	else if (strcmp(what, "source") == 0)
		upstream.source = source;
	else if (strcmp(what, "username") == 0)
		upstream.username = other_host;
	route_configure(route, &upstream);
	for (unsigned i = 0; i < 3 && (d = route_find(route, i)) != NULL; i++)
		got[i] = "?xbu"[d->state];
	ck_assert_str_eq(got, settings[_i].doors);
}
END_TEST

/* --- across restarts ----------------------------------------------------------- */

START_TEST(is_loaded)
{
	struct buf b = { 0 };
	struct str saved;
	const struct door *d;

	buf_puts(&b, "before");
	look_up(route, "a1");
	tell_all("587/a-blocked 587/1-unsafe 465/1-up");
	route_save(route, &b);
	saved = str_from(buf_str(&b), 6);
	route_free(&route);

	route = route_new(&upstream);
	route_load(route, saved, 7000);
	ck_assert(route_has_addresses(route, WALL_S));	/* B-001: the last known ones */
	ck_assert_str_eq(ordered(route), "465/1 465/a 2525/a 2525/1 587/a 587/1");
	d = door(587, 'a');
	ck_assert_int_eq(d->state, DOOR_BLOCKED);
	ck_assert_str_eq(d->reason, "the reason");
	ck_assert_int_eq(d->since_wall_s, WALL_S + 1);
	ck_assert_uint_eq(d->at.rank, 0);
	ck_assert_int_eq(d->recheck_at_ms, 7000 + RECHECK_MS);
	look_up(route, "1");
	ck_assert_str_eq(ordered(route), "465/1 2525/1 587/1");
	buf_clear(&b);
}
END_TEST

/* B-001: the last known addresses serve for a day, and what is worth saving is told. */
START_TEST(addresses_age)
{
	static const char *const one[] = { "192.0.2.1" }, *const two[] = { "192.0.2.1", "2001:db8::1" },
	    *const swapped[] = { "2001:db8::1", "192.0.2.1" };
	const int64_t day_s = 24 * 3600;
	struct buf b = { 0 };

	ck_assert(!route_has_addresses(route, WALL_S));
	ck_assert(route_addresses(route, one, 1, WALL_S));
	ck_assert(!route_addresses(route, one, 1, WALL_S + 3599));
	ck_assert(route_addresses(route, one, 1, WALL_S + 3600));
	ck_assert(route_addresses(route, two, 2, WALL_S + 3601));
	ck_assert(!route_addresses(route, swapped, 2, WALL_S + 3602));
	ck_assert(route_addresses(route, one, 1, WALL_S + 3603));
	ck_assert(route_addresses(route, one, 1, WALL_S));	/* the clock was set back */
	ck_assert(route_has_addresses(route, WALL_S + day_s - 1));
	ck_assert(!route_has_addresses(route, WALL_S + day_s));
	ck_assert(route_has_addresses(route, WALL_S - day_s));
	route_save(route, &b);
	route_free(&route);
	route = route_new(&upstream);
	route_load(route, buf_str(&b), NOW_MS);
	ck_assert(route_has_addresses(route, WALL_S + day_s - 1));
	ck_assert(!route_has_addresses(route, WALL_S + day_s));
	buf_clear(&b);
}
END_TEST

/* What was learned since is worth more; what is not of this chain, nothing. */
START_TEST(is_loaded_late)
{
	struct buf b = { 0 };

	look_up(route, "12");
	tell_all("587/1-blocked 465/1-blocked 2525/1-up 587/2-up");
	route_save(route, &b);
	route_free(&route);
	upstream.nchain = 2;
	route = route_new(&upstream);
	look_up(route, "1");
	tell_all("587/1-up");
	route_load(route, buf_str(&b), NOW_MS);
	ck_assert_str_eq(ordered(route), "587/1 465/1");
	ck_assert_int_eq(door(465, '1')->state, DOOR_BLOCKED);
	ck_assert_ptr_null(door(587, '2'));
	buf_clear(&b);
}
END_TEST

static void
load_into_new(struct str bytes)
{
	char *copy = malloc(bytes.n + 1);	/* so that a byte too far is seen */

	memcpy(copy, bytes.p, bytes.n);
	route_free(&route);
	route = route_new(&upstream);
	route_load(route, (struct str){ copy, bytes.n }, NOW_MS);
	free(copy);
}

START_TEST(nonsense_is_ignored)
{
	struct buf b = { 0 };

	look_up(route, "a1");
	tell_all("587/a-blocked 587/1-unsafe 465/1-up");
	route_save(route, &b);
	for (size_t n = 0; n < b.len; n++) {
		load_into_new((struct str){ b.data, n });
		ck_assert(!route_has_addresses(route, WALL_S));
	}
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 1 << i % 8;
		load_into_new(buf_str(&b));
		ck_assert(!route_has_addresses(route, WALL_S));
		b.data[i] ^= 1 << i % 8;
	}
	load_into_new(buf_str(&b));
	ck_assert(route_has_addresses(route, WALL_S));
	buf_putc(&b, 0);
	load_into_new(buf_str(&b));
	ck_assert(!route_has_addresses(route, WALL_S));
	buf_clear(&b);
}
END_TEST

static const struct {
	unsigned version, ndoor, port, tls, state;
	const char *host, *address, *reason;
	int64_t since;
	bool good;
} forged[] = {
	{ 2, 1, 587, 1, 2, "mail.example", "192.0.2.1", "why", 5, true },
	{ 2, 1, 587, 1, 2, "mail.example", "fe80::1%eth0", "why", 5, true },
	{ 1, 1, 587, 1, 2, "mail.example", "192.0.2.1", "why", 5, false },
	{ 3, 1, 587, 1, 2, "mail.example", "192.0.2.1", "why", 5, false },
	{ 2, 2, 587, 1, 2, "mail.example", "192.0.2.1", "why", 5, false },
	{ 2, 0, 587, 1, 2, "mail.example", "192.0.2.1", "why", 5, false },
	{ 2, 65, 587, 1, 2, "mail.example", "192.0.2.1", "why", 5, false },
	{ 2, 1, 0, 1, 2, "mail.example", "192.0.2.1", "why", 5, false },
	{ 2, 1, 587, 3, 2, "mail.example", "192.0.2.1", "why", 5, false },
	{ 2, 1, 587, 1, 4, "mail.example", "192.0.2.1", "why", 5, false },
	{ 2, 1, 587, 1, 2, "other.example", "192.0.2.1", "why", 5, false },
	{ 2, 1, 587, 1, 2, "mail.example", "192.0.2", "why", 5, false },
	{ 2, 1, 587, 1, 2, "mail.example", "", "why", 5, false },
	{ 2, 1, 587, 1, 2, "mail.example", "192.0.2.1", "a\nb", 5, false },
	{ 2, 1, 587, 1, 2, "mail.example", "192.0.2.1", "\xff", 5, false },
	{ 2, 1, 587, 1, 2, "mail.example", "192.0.2.1", "why", -5, false },
};

/* Even with a sum that is right. */
START_TEST(forgery_is_ignored)
{
	struct buf b = { 0 };

	buf_put_u8(&b, forged[_i].version);
	buf_put_text(&b, str_of(forged[_i].host));
	buf_put_u64(&b, WALL_S);
	buf_put_u16(&b, forged[_i].ndoor);
	buf_put_text(&b, str_of(forged[_i].address));
	buf_put_u16(&b, forged[_i].port);
	buf_put_u8(&b, forged[_i].tls);
	buf_put_u8(&b, forged[_i].state);
	buf_put_u64(&b, forged[_i].since);
	buf_put_text(&b, str_of(forged[_i].reason));
	buf_put_u32(&b, crc32c(0, b.data, b.len));
	load_into_new(buf_str(&b));
	ck_assert_int_eq(route_has_addresses(route, WALL_S), forged[_i].good);
	buf_clear(&b);
}
END_TEST

Suite *test_route(void);
Suite *
test_route(void)
{
	Suite *s = suite_create("test_route");
	TCase *tc = tcase_create("route");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, forgets);
	tcase_add_test(tc, is_rechecked);
	tcase_add_test(tc, one_after_the_other);
	tcase_add_test(tc, unknown_is_rechecked);
	tcase_add_test(tc, recheck_is_configured);
	tcase_add_test(tc, chain_changes);
	LOOP(tc, settings_change, settings);
	tcase_add_test(tc, is_loaded);
	tcase_add_test(tc, addresses_age);
	tcase_add_test(tc, is_loaded_late);
	tcase_add_test(tc, nonsense_is_ignored);
	LOOP(tc, forgery_is_ignored, forged);
	suite_add_tcase(s, tc);
	return s;
}
