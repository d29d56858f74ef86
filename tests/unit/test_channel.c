/* Channels: order, one wake for many, several senders, draining. */
#include "net/channel.h"

#include "support_net.h"

#include <pthread.h>

enum { SENDERS = 4, EACH = 20000 };

struct parcel {
	struct link link;
	int sender, number;
};

static struct loop *l;
static struct channel *c;
static int next_of[SENDERS], came;

static void
setup(void)
{
	l = loop_new("test");
	memset(next_of, 0, sizeof next_of);
	came = 0;
}

static void
teardown(void)
{
	channel_free(&c);
	channel_free(&c);
	loop_free(&l);
}

static void
on_parcel(void *arg, struct link *link)
{
	struct parcel *p = container_of(link, struct parcel, link);

	ck_assert_ptr_eq(arg, next_of);
	ck_assert_int_eq(p->number, next_of[p->sender]);
	next_of[p->sender]++;
	came++;
	free(p);
}

static void
post(int sender, int number)
{
	struct parcel *p = mem_zero(sizeof *p);

	p->sender = sender;
	p->number = number;
	channel_post(c, &p->link);
}

static void *
send_all(void *arg)
{
	for (int i = 0; i < EACH; i++)
		post(*(int *)arg, i);
	return NULL;
}

START_TEST(in_order_in_one_turn)
{
	c = channel_new(l, on_parcel, next_of);
	loop_turn(l, false);
	for (int i = 0; i < 100; i++)
		post(0, i);
	ck_assert_int_eq(came, 0);
	loop_turn(l, true);
	ck_assert_int_eq(came, 100);
	post(0, 100);		/* it wakes again */
	loop_turn(l, true);
	ck_assert_int_eq(came, 101);
}
END_TEST

START_TEST(many_senders)
{
	pthread_t thread[SENDERS];
	int id[SENDERS];

	c = channel_new(l, on_parcel, next_of);
	for (int i = 0; i < SENDERS; i++) {
		id[i] = i;
		ck_assert_int_eq(pthread_create(&thread[i], NULL, send_all, &id[i]), 0);
	}
	UNTIL(l, came == SENDERS * EACH);	/* a lost wake would hang here */
	for (int i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
}
END_TEST

static void
answer(void *arg, struct link *link)
{
	struct parcel *p = container_of(link, struct parcel, link);

	(void)arg;
	came++;
	if (p->number < 3)
		post(0, p->number + 1);
	free(p);
}

START_TEST(posting_to_oneself)
{
	c = channel_new(l, answer, NULL);
	post(0, 0);
	UNTIL(l, came == 4);
}
END_TEST

START_TEST(drain_needs_no_loop)
{
	c = channel_new(l, on_parcel, next_of);
	post(1, 0);
	post(1, 1);
	channel_drain(c);
	ck_assert_int_eq(came, 2);
	loop_turn(l, false);	/* the wake that is left over harms nobody */
	ck_assert_int_eq(came, 2);
	post(1, 2);
	UNTIL(l, came == 3);
}
END_TEST

Suite *test_channel(void);
Suite *
test_channel(void)
{
	Suite *s = suite_create("test_channel");
	TCase *tc = tcase_create("channel");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, in_order_in_one_turn);
	tcase_add_test(tc, many_senders);
	tcase_add_test(tc, posting_to_oneself);
	tcase_add_test(tc, drain_needs_no_loop);
	suite_add_tcase(s, tc);
	return s;
}
