/* The password thread: who is checked first (C-27), what does not show (A-055, C-26), answers to whom they belong, and who is not answered. */
#include "listener/helper.h"

#include <crypt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/channel.h"
#include "scratch.h"

#include <check.h>

enum { USERS = 24 };

struct asker {
	struct loop *loop;
	struct channel *channel;
	unsigned answers, good;
	int64_t tell_at_ms;
	char first[16], second[16];	/* whose answers came so */
};

/* Whose password is not "p" but for the first's. */
static struct user user[USERS];
static char hash[2][128], name[USERS][16];

static void
make_users(void)
{
	snprintf(hash[0], sizeof hash[0], "%s", crypt("p", "$6$rounds=20000$saltsalt$"));
	snprintf(hash[1], sizeof hash[1], "%s", crypt("other", "$6$rounds=20000$saltsalt$"));
	for (unsigned i = 0; i < USERS; i++) {
		snprintf(name[i], sizeof name[i], "u%u", i);
		user[i] = (struct user){ .name = name[i], .hash = hash[i > 0], .allowed = "" };
	}
}

static void
on_answer(void *arg, struct link *link)
{
	struct asker *a = arg;
	struct check *c = container_of(link, struct check, link);

	if (a->answers++ < 2)
		snprintf(a->answers == 1 ? a->first : a->second, sizeof a->first, "%s", c->name);
	a->good += c->ok;
	a->tell_at_ms = c->tell_at_ms;
	helper_free_check(&c);
}

static void
asker_init(struct asker *a)
{
	clock_fake(1, 1);	/* nobody's time is near */
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

static struct check *
check_of(struct asker *a, const char *address, const struct user *u, const char *text, int64_t at_ms)
{
	struct check *c = mem_zero(sizeof *c);

	c->back = a->channel;
	c->user = u;
	c->name = mem_text(text);
	c->password = mem_text("p");
	c->password_len = 1;
	snprintf(c->address, sizeof c->address, "%s", address);
	c->at_ms = at_ms;
	return c;
}

static void
ask_from(struct asker *a, const char *address, const struct user *u, int64_t at_ms)
{
	struct check *c = check_of(a, address, u, u->name, at_ms);

	ck_assert(helper_put(&c));
	ck_assert_ptr_null(c);
}

/* A name that is nobody's: when it is told so. */
static int64_t
ask_nobody(struct asker *a, const char *address, const char *text, int64_t at_ms)
{
	struct check *c = check_of(a, address, NULL, text, at_ms);
	int64_t tell_at_ms;

	ck_assert(!helper_put(&c));
	ck_assert(!c->ok);
	tell_at_ms = c->tell_at_ms;
	helper_free_check(&c);
	return tell_at_ms;
}

static void
await(struct asker *a, unsigned answers)
{
	while (a->answers < answers)
		loop_turn(a->loop, true);
}

/* What waits goes with its session, and with its listener; others' stays. */
START_TEST(test_forgotten)
{
	static const struct handle gone = { 7, 1 };
	struct asker a, b;
	struct check *c;

	asker_init(&a);
	asker_init(&b);
	for (int i = 0; i < 3; i++) {	/* nobody is there to check them */
		c = check_of(&a, "127.0.0.1", &user[0], "u0", 0);
		if (i == 1)
			c->session = gone;
		ck_assert(helper_put(&c));
	}
	ask_from(&b, "127.0.0.1", &user[0], 0);
	helper_cancel(b.channel, gone);	/* another's, by chance of the same number */
	helper_cancel(a.channel, gone);
	helper_start();
	await(&a, 2);
	await(&b, 1);
	ck_assert_uint_eq(a.good + b.good, 3);
	helper_stop();
	ask_from(&a, "127.0.0.1", &user[0], 0);
	ask_from(&b, "127.0.0.1", &user[0], 0);
	helper_forget(a.channel);
	helper_start();
	await(&b, 2);
	loop_turn(a.loop, false);
	ck_assert_uint_eq(a.answers, 2);
	asker_clear(&a);
	asker_clear(&b);
	helper_stop();
	helper_stop();
}
END_TEST

/* each failure of an account doubles its delay up to half a minute; ten minutes forgive.  One that is nobody's alike. */
START_TEST(test_doubling)
{
	static const int64_t want[] = { 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	struct asker a;
	int64_t at_ms = 0;

	asker_init(&a);
	helper_start();
	for (unsigned i = 0; i < 8; i++, at_ms += 1000) {
		if (_i == 0) {
			ask_from(&a, "127.0.0.1", &user[1], at_ms);
			await(&a, i + 1);
		} else {
			a.tell_at_ms = ask_nobody(&a, "127.0.0.1", "nobody", at_ms);
		}
		ck_assert_int_eq(a.tell_at_ms - at_ms, want[i]);
	}
	ck_assert_int_eq(ask_nobody(&a, "127.0.0.1", "another", at_ms) - at_ms, 1000);	/* eight failures of its address */
	ck_assert_int_eq(ask_nobody(&a, "127.0.0.2", "another", at_ms) - at_ms, 1000);
	at_ms += 11 * 60 * 1000;
	ck_assert_int_eq(ask_nobody(&a, "127.0.0.1", "nobody", at_ms) - at_ms, 500);
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* A-055, C-26: under a flood of guesses all hear of it as late as if each had been checked in turn, those that were and those that were not. */
START_TEST(test_flood_shows_nothing)
{
	char address[48], guess[16];
	int64_t last_ms = 0;
	struct asker a;

	asker_init(&a);
	helper_start();
	for (int i = 0; i < 100; i++) {	/* from everywhere, so that no delay has doubled */
		snprintf(address, sizeof address, "10.0.0.%d", i);
		snprintf(guess, sizeof guess, "n%d", i);
		last_ms = ask_nobody(&a, address, guess, 0);
		ck_assert_int_eq(last_ms, i < 8 ? 500 : 2 * (i + 1) * 30);
	}
	ask_from(&a, "10.0.1.1", &user[1], 0);
	await(&a, 1);
	ck_assert_int_eq(a.tell_at_ms, last_ms + 60);
	ask_from(&a, "10.0.1.2", &user[0], 0);	/* and who is right need not wait to hear it */
	await(&a, 2);
	ck_assert_uint_eq(a.good, 1);
	for (int i = 0; i < 3000; i++)
		last_ms = ask_nobody(&a, "10.0.1.3", "n", 1);
	ck_assert_int_eq(last_ms, 30001);	/* but not for ever */
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* When 40 who are nobody hear of it, who ask at once. */
static void
ask_forty(struct asker *a, int64_t at_ms, int64_t tell_ms[40])
{
	char address[48], text[16];

	for (int i = 0; i < 40; i++) {
		snprintf(address, sizeof address, "10.1.%d.%d", (int)(at_ms / 1000), i);
		snprintf(text, sizeof text, "m%d.%d", (int)(at_ms / 1000), i);
		tell_ms[i] = ask_nobody(a, address, text, at_ms) - at_ms;
	}
}

/* A-055, C-26: nor does a guess show by what it took, be it more than others' or less: names that are nobody's hear as late as before. */
START_TEST(test_one_guess_shows_nothing)
{
	static const char *const costs[] = { "$6$rounds=1000$saltsalt$", "$6$rounds=900000$saltsalt$" };
	char *text = mem_text(crypt("other", costs[_i]));
	struct user other = { .name = "other", .hash = text, .allowed = "" };
	int64_t before[40], after[40];
	struct asker a;

	asker_init(&a);
	helper_start();
	ask_forty(&a, 1000, before);
	ck_assert_int_gt(before[39], 2000);
	for (unsigned i = 0; i < (_i == 0 ? 40 : 3); i++) {
		ask_from(&a, "10.2.0.1", &other, 1000);
		await(&a, i + 1);
	}
	helper_stop();		/* so that nothing is measured anew because time has passed */
	ask_forty(&a, 1900000, after);
	ck_assert_mem_eq(before, after, sizeof before);
	asker_clear(&a);
	free(text);
}
END_TEST

/* The table's dearest hash is what all wait for, from before anybody guesses. */
START_TEST(test_dearest)
{
	int64_t before[40], after[40] = { 0 };
	struct users *users;
	struct asker a;
	struct why why;
	char lines[300];

	snprintf(lines, sizeof lines, "a:!\nb:%s\n", crypt("p", "$6$rounds=900000$saltsalt$"));
	scratch_make();
	scratch_write("users", lines);
	ck_assert_msg(users_load(&users, scratch_path("users"), &why) == 0, "%s", why.text);
	asker_init(&a);
	helper_start();
	ask_forty(&a, 1000, before);
	helper_learn(users);
	for (int64_t try = 1; try < 2000 && after[39] <= 2 * before[39]; try++) {	/* it is the thread that measures */
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		ask_forty(&a, try * 1000000, after);
	}
	ck_assert_int_gt(after[39], 2 * before[39]);
	helper_stop();
	users_unref(&users);
	asker_clear(&a);
	scratch_remove();
}
END_TEST

/* Who logs in for the first time where others guess at that very name, from that very address, is not behind all of them. */
START_TEST(test_newest)
{
	struct asker a, guesser;
	struct check *c;

	asker_init(&a);
	asker_init(&guesser);
	for (int i = 0; i < 200; i++) {
		c = check_of(&guesser, "127.0.0.1", &user[0], "u0", 1);
		c->password[0] = 'q';
		ck_assert(helper_put(&c));
	}
	ask_from(&a, "127.0.0.1", &user[0], 1);
	helper_start();
	await(&a, 1);
	ck_assert_uint_eq(a.good, 1);
	loop_turn(guesser.loop, false);
	ck_assert_uint_lt(guesser.answers, 150);
	asker_clear(&guesser);
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* Who failed often is overtaken (0), but not for longer than it takes to tell that it failed (1): else that would show whose name exists. */
START_TEST(test_in_time)
{
	static const struct handle gone = { 7, 1 };
	struct asker a;
	struct check *c;
	char address[48];

	asker_init(&a);
	for (int i = 0; i < 3; i++) {
		c = check_of(&a, "127.0.0.1", &user[1], "u1", 1000);
		if (i < 2)
			c->session = gone;
		ck_assert(helper_put(&c));
	}
	helper_cancel(a.channel, gone);	/* but they count */
	for (int i = 0; i < 10; i++) {
		snprintf(address, sizeof address, "10.0.0.%d", i);
		ask_from(&a, address, &user[2], 1000);
	}
	clock_fake(_i == 0 ? 1000 : 1480, 1);
	helper_start();
	await(&a, 11);
	ck_assert_str_eq(a.first, "u2");	/* nobody who did not fail waits for those who did */
	ck_assert_str_eq(a.second, _i == 0 ? "u2" : "u1");
	helper_stop();
	asker_clear(&a);
}
END_TEST

/* A guess whose session ends before it was checked has failed like any other, and one that is nobody's. */
START_TEST(test_abandoned)
{
	static const struct handle gone = { 7, 1 };
	struct asker a;
	struct check *c;

	asker_init(&a);
	helper_start();
	helper_stop();	/* nobody is there to check them */
	for (int i = 0; i < 10; i++) {
		c = check_of(&a, "10.0.0.1", &user[1], "u1", 1000);
		c->session = gone;
		ck_assert(helper_put(&c));
	}
	helper_cancel(a.channel, gone);
	ask_from(&a, "10.0.0.2", &user[1], 1000);
	helper_start();
	await(&a, 1);
	ck_assert_int_eq(a.tell_at_ms, 31000);
	for (int i = 0; i < 10; i++)
		(void)ask_nobody(&a, "10.0.0.3", "nobody", 1000);
	ck_assert_int_eq(ask_nobody(&a, "10.0.0.4", "nobody", 1000), 31000);
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* A right login forgives what failed where it came from, and not what others did. */
START_TEST(test_forgiven)
{
	struct asker a;

	asker_init(&a);
	helper_start();
	for (unsigned i = 0; i < 4; i++) {
		struct check *c = check_of(&a, i < 2 ? "10.0.0.1" : "10.0.0.2", &user[0], "u0", 1000 + 100000 * i);

		c->password[0] = 'q';
		ck_assert(helper_put(&c));
		await(&a, i + 1);
	}
	ck_assert_int_eq(a.tell_at_ms - 301000, 4000);
	ask_from(&a, "10.0.0.1", &user[0], 400000);
	await(&a, 5);
	ck_assert_uint_eq(a.good, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct check *c = check_of(&a, "10.0.0.3", &user[0], "u0", 500000);

		c->password[0] = 'q';
		ck_assert(helper_put(&c));
		await(&a, 6 + i);
		ck_assert_int_eq(a.tell_at_ms - 500000, i == 0 ? 2000 : 4000);
	}
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* One name that is guessed at from everywhere keeps no other app from its first login. */
START_TEST(test_from_everywhere)
{
	struct asker a;
	char address[48];

	asker_init(&a);
	for (int i = 0; i < 20; i++) {
		snprintf(address, sizeof address, "10.0.0.%d", i);
		ask_from(&a, address, &user[1], 1000);
	}
	ask_from(&a, "127.0.0.1", &user[2], 1000);
	helper_start();
	await(&a, 2);
	ck_assert(strcmp(a.first, "u2") == 0 || strcmp(a.second, "u2") == 0);
	await(&a, 21);
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* C-27: neither a first login (0) nor one that was right the last time (1) waits behind those who guess at users' names, one (2) at its own. */
START_TEST(test_guesses_wait)
{
	struct asker a, guesser;
	struct check *c;
	unsigned before;

	asker_init(&a);
	asker_init(&guesser);
	helper_start();
	if (_i == 1) {
		ask_from(&a, "127.0.0.1", &user[0], 0);
		await(&a, 1);
	}
	for (unsigned round = 0; round < 8; round++)
		for (unsigned i = 1; i < USERS; i++)
			ask_from(&guesser, "127.0.0.1", &user[i], 1);
	for (unsigned i = 0; i < 100 && _i == 2; i++) {
		c = check_of(&guesser, "127.0.0.2", &user[0], "u0", 1);
		c->password[0] = 'q';
		ck_assert(helper_put(&c));
	}
	await(&guesser, USERS + 10);	/* each name once */
	before = a.answers;
	ask_from(&a, "127.0.0.1", &user[0], 1);
	await(&a, before + 1);
	loop_turn(guesser.loop, false);
	ck_assert_uint_lt(guesser.answers, 8 * (USERS - 1) - 20);
	asker_clear(&guesser);
	asker_clear(&a);
	helper_stop();
}
END_TEST

/* An app that opens many sessions at once: one check is enough for all.  Each alone would take longer than this test may. */
START_TEST(test_sessions_of_one_app)
{
	struct user dear = { .name = "dear", .allowed = "" };
	char *text = mem_text(crypt("p", "$6$rounds=200000$saltsalt$"));
	struct asker a;

	dear.hash = text;
	asker_init(&a);
	helper_start();
	for (int i = 0; i < 1000; i++)
		ask_from(&a, "127.0.0.1", &dear, 0);
	await(&a, 1000);
	ck_assert_uint_eq(a.good, 1000);
	asker_clear(&a);
	helper_stop();
	free(text);
}
END_TEST

Suite *test_helper(void);

Suite *
test_helper(void)
{
	Suite *s = suite_create("test_helper");
	TCase *t = tcase_create("passwords");

	tcase_set_timeout(t, 30);
	make_users();
	tcase_add_test(t, test_forgotten);
	tcase_add_loop_test(t, test_doubling, 0, 2);
	tcase_add_test(t, test_flood_shows_nothing);
	tcase_add_loop_test(t, test_one_guess_shows_nothing, 0, 2);
	tcase_add_test(t, test_dearest);
	tcase_add_test(t, test_newest);
	tcase_add_loop_test(t, test_in_time, 0, 2);
	tcase_add_test(t, test_abandoned);
	tcase_add_test(t, test_from_everywhere);
	tcase_add_test(t, test_forgiven);
	tcase_add_loop_test(t, test_guesses_wait, 0, 3);
	tcase_add_test(t, test_sessions_of_one_app);
	suite_add_tcase(s, t);
	return s;
}
