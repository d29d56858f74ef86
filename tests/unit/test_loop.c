/* The loop: order within a turn, timers, the graveyard, watches, the watchdog's view. */
#include "net/loop.h"

#include "net/loop_private.h"
#include "support_net.h"

#include <pthread.h>
#include <sys/eventfd.h>

static struct loop *l;
static char said[64];

static void
setup(void)
{
	l = loop_new("test");
	said[0] = '\0';
}

static void
teardown(void)
{
	loop_free(&l);
	ck_assert_ptr_null(l);
}

/* What a callback with this argument says. */
static void *
word(char c)
{
	static char words[128][2];

	words[(int)c][0] = c;
	return words[(int)c];
}

static void
say(void *what)
{
	ck_assert_uint_lt(strlen(said) + strlen(what), sizeof said);
	strcat(said, what);
}

static void
say_and_stop(void *what)
{
	say(what);
	loop_stop(l);
}

START_TEST(timers_fire_in_order_and_once)
{
	struct timer t[3];
	int64_t now = clock_now_ms();

	timer_init(&t[0], say, word('c'));
	timer_init(&t[1], say, word('a'));
	timer_init(&t[2], say, word('b'));
	loop_timer(l, &t[0], now + 30);
	loop_timer(l, &t[1], now - 5);
	loop_timer(l, &t[2], now + 15);
	UNTIL(l, strlen(said) == 3);
	ck_assert_str_eq(said, "abc");
	ck_assert_int_ge(clock_now_ms(), now + 30);
	loop_turn(l, false);
	ck_assert_str_eq(said, "abc");
}
END_TEST

START_TEST(timers_move_and_cancel)
{
	struct timer a, b;
	int64_t now = clock_now_ms();

	timer_init(&a, say, word('a'));
	timer_init(&b, say, word('b'));
	loop_timer(l, &a, now + 10);
	loop_timer(l, &b, now + 20);
	loop_timer(l, &a, now + 40);	/* behind b now */
	UNTIL(l, strlen(said) == 2);
	ck_assert_str_eq(said, "ba");
	loop_timer(l, &a, clock_now_ms());
	loop_cancel(l, &a);
	loop_cancel(l, &a);
	loop_turn(l, false);
	ck_assert_str_eq(said, "ba");
}
END_TEST

static struct timer endless;
static int fired;

static void
again_now(void *arg)
{
	(void)arg;
	fired++;
	loop_timer(l, &endless, loop_now_ms(l));
}

START_TEST(timer_set_to_now_waits_for_the_next_turn)
{
	fired = 0;
	timer_init(&endless, again_now, NULL);
	loop_timer(l, &endless, clock_now_ms());
	loop_turn(l, true);
	ck_assert_int_eq(fired, 1);
	loop_turn(l, true);
	ck_assert_int_eq(fired, 2);
	loop_cancel(l, &endless);
}
END_TEST

START_TEST(fake_clock_drives_timers)
{
	struct timer t;

	clock_fake(1000, 1);
	timer_init(&t, say, word('x'));
	loop_timer(l, &t, 1000 + 3600 * 1000);
	loop_turn(l, false);
	ck_assert_str_eq(said, "");
	clock_fake_add(3600 * 1000);
	loop_turn(l, true);
	ck_assert_str_eq(said, "x");
}
END_TEST

static struct turn_job second, first;

static void
first_then_second(void *what)
{
	say(what);
	loop_at_turn_end(l, &second, say, word('2'));
}

START_TEST(hooks_then_jobs_then_hooks_again)
{
	memset(&first, 0, sizeof first);
	memset(&second, 0, sizeof second);
	loop_on_turn_end(l, say, word('h'));
	loop_on_turn_end(l, say, word('H'));
	loop_turn(l, false);
	ck_assert_str_eq(said, "hH");
	said[0] = '\0';
	loop_at_turn_end(l, &first, first_then_second, word('1'));
	loop_at_turn_end(l, &first, first_then_second, word('1'));	/* twice is once */
	loop_turn(l, true);		/* does not wait: a job does */
	ck_assert_str_eq(said, "hH12hH");
}
END_TEST

START_TEST(job_can_be_forgotten)
{
	struct turn_job j = { 0 };

	loop_at_turn_end(l, &j, say, word('j'));
	loop_forget_job(&j);
	loop_forget_job(&j);
	loop_turn(l, false);
	ck_assert_str_eq(said, "");
}
END_TEST

static void
bury_another(void *what)
{
	say(what);
	loop_bury(l, word('B'), say);
}

static void
bury_now(void *arg)
{
	(void)arg;
	loop_bury(l, word('b'), bury_another);
	say(word('j'));
}

START_TEST(graveyard_comes_last)
{
	struct turn_job j = { 0 };

	loop_on_turn_end(l, say, word('h'));
	loop_at_turn_end(l, &j, bury_now, NULL);
	loop_turn(l, false);
	ck_assert_str_eq(said, "hjhbB");
}
END_TEST

START_TEST(free_buries_what_is_left)
{
	struct turn_job j = { 0 };

	loop_bury(l, word('b'), say);
	loop_at_free(l, &j, say, word('t'));
	loop_free(&l);
	ck_assert_str_eq(said, "tb");
}
END_TEST

static struct watch *w;

static void
on_event(void *arg, int fd)
{
	eventfd_t v;

	ck_assert_int_eq(eventfd_read(fd, &v), 0);
	say(arg);
	if (v == 2)
		watch_free(&w);
}

START_TEST(watch_and_free_inside)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	w = loop_watch(l, fd, on_event, word('e'));
	eventfd_write(fd, 1);
	UNTIL(l, strlen(said) == 1);
	eventfd_write(fd, 2);
	UNTIL(l, strlen(said) == 2);
	ck_assert_ptr_null(w);
	eventfd_write(fd, 1);
	loop_turn(l, false);
	ck_assert_str_eq(said, "ee");
	watch_free(&w);
	close(fd);
}
END_TEST

START_TEST(run_until_stop)
{
	struct timer t;

	timer_init(&t, say_and_stop, word('s'));
	for (int i = 0; i < 2; i++) {
		loop_timer(l, &t, clock_now_ms() + 1);
		loop_run(l);
	}
	ck_assert_str_eq(said, "ss");
}
END_TEST

static int64_t seen_ms[2];

static void
look(void *arg)
{
	(void)arg;
	seen_ms[0] = loop_now_ms(l);
	clock_fake_add(5000);
	seen_ms[1] = loop_now_ms(l);
	/* Five seconds into a callback, the watchdog gets nervous. */
	ck_assert(!loop_is_alive(l, clock_now_ms(), 4999));
	ck_assert(loop_is_alive(l, clock_now_ms(), 5000));
}

START_TEST(one_clock_a_turn_and_the_watchdog)
{
	struct timer t;

	clock_fake(1000, 1);
	timer_init(&t, look, NULL);
	loop_timer(l, &t, 1000);
	loop_turn(l, false);
	ck_assert_int_eq(seen_ms[0], 1000);
	ck_assert_int_eq(seen_ms[1], 1000);
	clock_fake_add(1);
	loop_turn(l, false);
	ck_assert_int_eq(loop_now_ms(l), 6001);
}
END_TEST

static void *
sleeper(void *arg)
{
	loop_run(arg);
	return NULL;
}

/* It turns without any work, and only so is it known to be alive. */
START_TEST(a_beat_is_a_sign_of_life)
{
	struct timer t;
	pthread_t thread;
	int64_t start = clock_now_ms();

	timer_init(&t, say_and_stop, word('s'));
	loop_timer(l, &t, start + 200);
	loop_beat(l, 5);
	ck_assert_int_eq(pthread_create(&thread, NULL, sleeper, l), 0);
	/* As of a moment that only a later turn can reach. */
	while (!loop_is_alive(l, start + 100, 0))
		ck_assert_int_lt(clock_now_ms(), start + 15000);
	pthread_join(thread, NULL);
	ck_assert_str_eq(said, "s");
}
END_TEST

START_TEST(without_a_beat_a_sleeper_is_not_alive)
{
	clock_fake(1000, 1);
	loop_turn(l, false);
	ck_assert(loop_is_alive(l, clock_now_ms(), 0));
	clock_fake_add(100);
	ck_assert(loop_is_alive(l, clock_now_ms(), 100));
	ck_assert(!loop_is_alive(l, clock_now_ms(), 99));
}
END_TEST

Suite *test_loop(void);
Suite *
test_loop(void)
{
	Suite *s = suite_create("test_loop");
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, timers_fire_in_order_and_once);
	tcase_add_test(tc, timers_move_and_cancel);
	tcase_add_test(tc, timer_set_to_now_waits_for_the_next_turn);
	tcase_add_test(tc, fake_clock_drives_timers);
	tcase_add_test(tc, hooks_then_jobs_then_hooks_again);
	tcase_add_test(tc, job_can_be_forgotten);
	tcase_add_test(tc, graveyard_comes_last);
	tcase_add_test(tc, free_buries_what_is_left);
	tcase_add_test(tc, watch_and_free_inside);
	tcase_add_test(tc, run_until_stop);
	tcase_add_test(tc, one_clock_a_turn_and_the_watchdog);
	tcase_add_test(tc, a_beat_is_a_sign_of_life);
	tcase_add_test(tc, without_a_beat_a_sleeper_is_not_alive);
	suite_add_tcase(s, tc);
	return s;
}
