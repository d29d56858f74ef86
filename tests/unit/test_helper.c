/* The password thread: a bounded queue (C-27), answers to whom they belong, and who is not answered. */
#include "listener/helper.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/channel.h"

#include <check.h>

struct asker {
	struct loop *loop;
	struct channel *channel;
	unsigned answers, good;
	int64_t delay_ms;
};

static void
on_answer(void *arg, struct link *link)
{
	struct asker *a = arg;
	struct check *c = container_of(link, struct check, link);

	a->answers++;
	a->good += c->ok;
	a->delay_ms = c->delay_ms;
	helper_free_check(&c);
}

static void
asker_init(struct asker *a)
{
	*a = (struct asker){ .loop = loop_new("asker") };
	a->channel = channel_new(a->loop, on_answer, a);
}

static void
asker_clear(struct asker *a)
{
	helper_forget(a->channel);
	channel_drain(a->channel);
	channel_free(&a->channel);
	loop_free(&a->loop);
}

static bool
ask_from(struct asker *a, const char *address, const struct user *user, const char *name, int64_t at_ms)
{
	struct check *c = mem_zero(sizeof *c);
	bool taken;

	c->back = a->channel;
	c->user = user;
	c->name = mem_text(name);
	c->password = mem_text("p");
	c->password_len = 1;
	snprintf(c->address, sizeof c->address, "%s", address);
	c->at_ms = at_ms;
	taken = helper_put(&c);
	ck_assert_int_eq(taken, c == NULL);
	helper_free_check(&c);
	return taken;
}

static bool
ask_user(struct asker *a, const struct user *user, const char *name, int64_t at_ms)
{
	return ask_from(a, "127.0.0.1", user, name, at_ms);
}

static bool
ask(struct asker *a, const char *name, int64_t at_ms)
{
	return ask_user(a, NULL, name, at_ms);
}

START_TEST(test_bound)
{
	unsigned taken = 0;
	struct asker a, b;

	asker_init(&a);
	asker_init(&b);
	ck_assert(!ask(&a, "x", 0));	/* nobody is there */
	helper_start();
	for (int i = 0; i < 500; i++)
		taken += ask(&a, "x", 0);
	ck_assert_uint_lt(taken, 500);
	ck_assert_uint_ge(taken, 128);
	helper_forget(a.channel);
	while (!ask(&b, "x", 0))
		continue;
	while (b.answers == 0)
		loop_turn(b.loop, true);
	channel_drain(a.channel);
	ck_assert_uint_lt(a.answers, taken);
	ck_assert_uint_eq(a.good + b.good, 0);
	ask(&a, "x", 0);
	asker_clear(&a);
	helper_stop();
	helper_stop();
	asker_clear(&b);
}
END_TEST

/* each failure of an account doubles its delay up to half a minute; ten minutes forgive. */
START_TEST(test_doubling)
{
	static const int64_t want[] = { 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	struct asker a;

	asker_init(&a);
	helper_start();
	for (int i = 0; i < 8; i++) {
		ck_assert(ask(&a, "nobody", i));
		while (a.answers <= (unsigned)i)
			loop_turn(a.loop, true);
		ck_assert_int_eq(a.delay_ms, want[i]);
	}
	ck_assert(ask(&a, "another", 9));	/* eight failures of its address */
	while (a.answers <= 8)
		loop_turn(a.loop, true);
	ck_assert_int_eq(a.delay_ms, 1000);
	ck_assert(ask(&a, "nobody", 11 * 60 * 1000));
	while (a.answers <= 9)
		loop_turn(a.loop, true);
	ck_assert_int_eq(a.delay_ms, 500);
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* C-27: who was right the last time does not wait behind those who guess, nor is turned away for them. */
START_TEST(test_proven_first)
{
	struct user app = { .name = "app", .hash = "", .allowed = "" };
	char *hash = mem_text(crypt("p", "$6$rounds=1000$saltsalt$"));
	struct asker a, guesser;

	app.hash = hash;
	asker_init(&a);
	asker_init(&guesser);
	helper_start();
	ck_assert(ask_user(&a, &app, "app", 0));
	while (a.answers < 1)
		loop_turn(a.loop, true);
	ck_assert_uint_eq(a.good, 1);
	ck_assert(ask_from(&guesser, "127.0.0.2", NULL, _i == 0 ? "guess" : "app", 1));	/* takes nothing from whose name it is */
	while (guesser.answers < 1)
		loop_turn(guesser.loop, true);
	while (ask_from(&guesser, "127.0.0.2", NULL, _i == 0 ? "guess" : "app", 1))
		continue;
	ck_assert(ask_user(&a, &app, "app", 1));
	while (a.answers < 2)
		loop_turn(a.loop, true);
	loop_turn(guesser.loop, false);
	ck_assert_uint_lt(guesser.answers, 100);	/* of 128 and more */
	asker_clear(&guesser);
	asker_clear(&a);
	helper_stop();
	free(hash);
}
END_TEST

Suite *test_helper(void);

Suite *
test_helper(void)
{
	Suite *s = suite_create("test_helper");
	TCase *t = tcase_create("passwords");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, test_bound);
	tcase_add_test(t, test_doubling);
	tcase_add_loop_test(t, test_proven_first, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
