/* The memory of one door: what it learns, and how it is read back. */
#include "route/breaker.h"

#include "unit/doors.h"

START_TEST(remembers)
{
	const struct door *d;

	look_up(route, "1");
	ck_assert(tell(587, '1', HEARD_BLOCKED, 5000));
	d = door(587, '1');
	ck_assert_int_eq(d->state, DOOR_BLOCKED);
	ck_assert_str_eq(d->reason, "the reason");
	ck_assert_int_eq(d->since_wall_s, WALL_S + 5);
	ck_assert(!tell(587, '1', HEARD_BLOCKED, 9000));
	ck_assert_int_eq(d->since_wall_s, WALL_S + 5);
	ck_assert(tell(587, '1', HEARD_UNSAFE, 9000));
	ck_assert(!tell(587, '1', HEARD_BUSY, 10000));
	ck_assert(!tell(587, '1', HEARD_LOCAL, 10000));
	ck_assert(!tell(587, '1', HEARD_NOTHING, 10000));
	ck_assert_int_eq(d->state, DOOR_UNSAFE);
	ck_assert(tell(587, '1', HEARD_UP, 11000));
	ck_assert_str_eq(d->reason, "");
	ck_assert_int_eq(d->since_wall_s, WALL_S + 11);
	ck_assert(!tell(587, '9', HEARD_UP, 11000));	/* no such door */
	ck_assert(!tell(25, '1', HEARD_UP, 11000));
}
END_TEST

START_TEST(reason_is_safe)
{
	char reason[400];
	struct candidate c = candidate_of(587, '1');

	look_up(route, "1");
	memset(reason, 'x', sizeof reason);
	reason[1] = '\n';
	reason[2] = (char)0xff;
	reason[sizeof reason - 1] = '\0';
	route_tell(route, &c, HEARD_BLOCKED, reason, NOW_MS, WALL_S);
	ck_assert_uint_eq(strlen(door(587, '1')->reason),
	    sizeof door(587, '1')->reason - 1);
	ck_assert_int_eq(strncmp(door(587, '1')->reason, "x??x", 4), 0);
	route_tell(route, &c, HEARD_UNSAFE, NULL, NOW_MS, WALL_S);
	ck_assert_str_eq(door(587, '1')->reason, "");
}
END_TEST

/* What was saved comes back, whatever the state. */
START_TEST(reads_back)
{
	struct candidate at = candidate_of(465, 'a');
	struct breaker b, back;
	struct buf out = { 0 };
	struct cursor c;

	breaker_init(&b, &at);
	breaker_tell(&b, (enum heard)_i, "why", NOW_MS, WALL_S);
	breaker_save(&b, &out);
	c = cursor_init(out.data, out.len);
	ck_assert(breaker_load(&back, &c));
	ck_assert_uint_eq(c.left, 0);
	ck_assert(breaker_is_at(&back, &at));
	ck_assert_int_eq(back.door.state, b.door.state);
	ck_assert_str_eq(back.door.reason, b.door.reason);
	ck_assert_int_eq(back.door.since_wall_s, b.door.since_wall_s);
	ck_assert_int_eq(breaker_is_bad(&back),
	    _i == HEARD_BLOCKED || _i == HEARD_UNSAFE);
	buf_clear(&out);
}
END_TEST
START_TEST(names)
{
	ck_assert_str_eq(door_state_name(DOOR_UNKNOWN), "unknown");
	ck_assert_str_eq(door_state_name(DOOR_UP), "up");
	ck_assert_str_eq(door_state_name(DOOR_BLOCKED), "blocked");
	ck_assert_str_eq(door_state_name(DOOR_UNSAFE), "unsafe");
}
END_TEST

Suite *test_breaker(void);
Suite *
test_breaker(void)
{
	Suite *s = suite_create("test_breaker");
	TCase *tc = tcase_create("breaker");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, remembers);
	tcase_add_test(tc, reason_is_safe);
	tcase_add_loop_test(tc, reads_back, 0, HEARDS);
	tcase_add_test(tc, names);
	suite_add_tcase(s, tc);
	return s;
}
