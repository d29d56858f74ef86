/* Pace, end to end: rates, quotas, limits of a connection, and what is said of them. */
#include "e2e/world.h"

#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT "Subject: hello\r\nFrom: app@client.example\r\n\r\nbody\r\n"

static void
up(struct world *w, const char *script, const char *upstream, const char *rest)
{
	world_new(w, PROVIDER_STARTTLS, script, PROVIDER_NONE, NULL, PROVIDER_NONE, NULL);
	world_configure(w, upstream, rest);
	world_start(w);
}

static void
submit(struct world *w, unsigned n)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);

	ck_assert_ptr_nonnull(c);
	ck_assert(client_login(c));
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	client_free(&c);
}

static void
down(struct world *w)
{
	ck_assert_uint_eq(provider_complaints(w->provider), 0);
	ck_assert_int_eq(world_stop(w, SIGTERM), 0);
	world_free(w);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* `status' says it, some time soon. */
static void
wait_status(struct world *w, const char *args, const char *text)
{
	char out[8192];

	for (unsigned i = 0; i < 200; i++) {
		ck_assert_int_eq(world_run(w, out, sizeof out, NULL, args), 0);
		if (strstr(out, text) != NULL)
			return;
		nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
	}
	ck_abort_msg("%s: no \"%s\" in %s", args, text, out);
}

START_TEST(a_rate_spreads_messages)	/* B-141 */
{
	struct world w;
	int64_t began;

	up(&w, NULL, "rate = \"10/s\"", "");
	began = now_ms();
	submit(&w, 20);
	ck_assert(provider_wait(w.provider, 20, 30000));
	ck_assert_int_ge(now_ms() - began, 1850);	/* 19 gaps of a tenth of a second */
	down(&w);
}
END_TEST

START_TEST(a_quota_waits_over_a_restart_and_is_told)
{
	struct world w;

	up(&w, NULL, "daily_quota = 3", "");
	submit(&w, 5);
	ck_assert(provider_wait(w.provider, 3, 30000));
	ck_assert(world_wait_log(&w, "state=paused reason=\"daily quota of 3 used; goes on in 24 h 15 min\"", 30000));
	wait_status(&w, "status --json", "\"state\":\"paused\",\"reason\":\"daily quota of 3 used; goes on in 24 h");
	wait_status(&w, "status --json", "\"quota_left\":0");
	wait_status(&w, "status", "paused: daily quota of 3 used; goes on in 24 h");
	wait_status(&w, "queue --json", "daily quota of 3 used; goes on in 24 h");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);
	wait_status(&w, "status --json", "\"state\":\"paused\"");
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
	world_start(&w);
	wait_status(&w, "status --json", "\"quota_left\":0");
	ck_assert_uint_eq(provider_count(w.provider), 3);
	/* a larger one, by a reload */
	world_configure(&w, "daily_quota = 8", "");
	kill(w.pid, SIGHUP);
	ck_assert(provider_wait(w.provider, 5, 30000));
	wait_status(&w, "status --json", "\"state\":\"up\"");
	down(&w);
}
END_TEST

START_TEST(a_killed_process_counted_what_it_sent)
{
	struct world w;

	up(&w, NULL, "daily_quota = 10", "");
	submit(&w, 4);
	ck_assert(provider_wait(w.provider, 4, 30000));
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
	world_start(&w);
	submit(&w, 20);
	ck_assert(world_wait_log(&w, "state=paused", 30000));
	ck_assert(provider_wait(w.provider, 7, 30000));		/* what was counted may still be on its way */
	ck_assert_uint_le(provider_count(w.provider), 10);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

static const struct {
	const char *script, *upstream, *said;
} refusals[] = {
	{ "mail: 454 4.7.0 Throttling failure", "", "Throttling failure" },
	{ "mail: !last 421 4.7.0 slow down", "", "slow down" },
	{ "eod#1: 550 5.9.9 not so fast", "too_fast = {\"550 5.9.9\"} connections = 1", "over the provider's quota: 550 5.9.9 not so fast" },
	{ "rcpt: 450 4.2.1 not so fast", "too_fast = {\"450 4.2.1\"}", "not so fast" },
};

START_TEST(too_fast_waits_and_bounces_nothing)	/* B-030; the 5xx one pauses for longer than a test lasts */
{
	struct world w;

	up(&w, refusals[_i].script, refusals[_i].upstream, "");
	submit(&w, 1);
	ck_assert(world_wait_log(&w, "state=paused", 30000));
	wait_status(&w, "status", "; goes on in ");
	wait_status(&w, "status", refusals[_i].said);
	wait_status(&w, "queue --json", "\"attempts\":0");
	if (strstr(refusals[_i].said, "quota") == NULL) {
		provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
		ck_assert(provider_wait(w.provider, 1, 60000));	/* by itself, when the pause is over */
		wait_status(&w, "status --json", "\"messages\":0");
	}
	wait_status(&w, "status --json", "\"bounced\":0");
	down(&w);
}
END_TEST

START_TEST(the_next_upstream_takes_over_a_quota)
{
	struct world w;
	char more[512];
	unsigned first = 0;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_NONE, NULL, PROVIDER_STARTTLS, NULL);
	snprintf(more, sizeof more, " daily_quota = 2\n}\nupstream \"backup\" {\n host = \"127.0.0.1\"\n"
	    " chain = {\"%u/starttls\"}\n username = \"apikey\"\n password_file = \"secret\"\n tls_ca = \"%s\"\n",
	    w.p2525, provider_ca(w.provider));
	world_configure(&w, more, "");
	world_start(&w);
	submit(&w, 5);
	ck_assert(provider_wait(w.provider, 5, 30000));
	for (unsigned i = 0; i < 5; i++)
		first += provider_message(w.provider, i)->port == w.p587;
	ck_assert_uint_eq(first, 2);
	down(&w);
}
END_TEST

/* The relay itself ends a connection, with QUIT, and goes on over another. */
START_TEST(a_connection_carries_so_many_messages)
{
	struct world w;
	unsigned on[64] = { 0 };

	up(&w, NULL, "messages_per_connection = 3 connections = 1", "");
	submit(&w, 9);
	ck_assert(provider_wait(w.provider, 9, 30000));
	for (unsigned i = 0; i < 9; i++)
		ck_assert_uint_le(++on[provider_message(w.provider, i)->connection % 64], 3);
	wait_status(&w, "status --json", "\"messages\":0");
	for (unsigned i = 0; i < 1500 && provider_said(w.provider, "QUIT") < 3; i++)
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	ck_assert_uint_ge(provider_said(w.provider, "QUIT"), 3);
	down(&w);
}
END_TEST

Suite *pace_suite(void);

Suite *
pace_suite(void)
{
	Suite *s = suite_create("pace");
	TCase *t = tcase_create("pace");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_rate_spreads_messages);
	tcase_add_test(t, a_quota_waits_over_a_restart_and_is_told);
	tcase_add_test(t, a_killed_process_counted_what_it_sent);
	tcase_add_loop_test(t, too_fast_waits_and_bounces_nothing, 0, (int)(sizeof refusals / sizeof refusals[0]));
	tcase_add_test(t, the_next_upstream_takes_over_a_quota);
	tcase_add_test(t, a_connection_carries_so_many_messages);
	suite_add_tcase(s, t);
	return s;
}
