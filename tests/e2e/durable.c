/* The promise, end to end: what was answered 250 arrives, whatever happens to the process meanwhile. */
#include "e2e/world.h"

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SENDERS = 6, KILLS = 5 };

struct load {
	struct world *w;
	unsigned number;
	_Atomic unsigned accepted;	/* the n-th message of this sender was answered 250 */
	unsigned char ok[100000];
	_Atomic int stop;
};

static void *
send_all(void *arg)
{
	struct load *l = arg;
	struct client *c = NULL;
	unsigned n = 0;
	char text[256];

	while (!atomic_load(&l->stop) && n < sizeof l->ok) {
		if (c == NULL) {
			c = client_new(l->w, l->w->l2525, CLIENT_STARTTLS);
			if (c == NULL || !client_login(c)) {
				client_free(&c);
				nanosleep(&(struct timespec){ 0, 20000000 }, NULL);
				continue;
			}
		}
		snprintf(text, sizeof text, "Subject: load\r\n\r\nnumber=%u-%u.\r\n", l->number, n);
		if (client_mail(c, "app@client.example", "you@far.example", text) == 250) {
			l->ok[n] = 1;
			atomic_fetch_add(&l->accepted, 1);
		} else {
			client_free(&c);
		}
		n++;
	}
	client_free(&c);
	return NULL;
}

static bool
has_arrived(struct provider *p, unsigned sender, unsigned n)
{
	static unsigned char seen[SENDERS][100000];
	static unsigned looked;
	unsigned a, b, count = provider_count(p);

	for (; looked < count; looked++) {
		const char *at = strstr(provider_message(p, looked)->text, "number=");

		if (at != NULL && sscanf(at, "number=%u-%u.", &a, &b) == 2 && a < SENDERS && b < 100000)
			seen[a][b] = 1;
	}
	return seen[sender][n];
}

static unsigned
count_missing(struct load *load, struct provider *p)
{
	unsigned missing = 0;

	for (unsigned i = 0; i < SENDERS; i++)
		for (unsigned n = 0; n < sizeof load->ok; n++)
			if (load[i].ok[n] && !has_arrived(p, i, n))
				missing++;
	return missing;
}

START_TEST(killed_under_load_nothing_acknowledged_is_lost)	/* D-02 */
{
	struct world w;
	struct load *load = calloc(SENDERS, sizeof *load);
	pthread_t thread[SENDERS];
	unsigned total = 0, missing = 1;

	world_new(&w, PROVIDER_REFUSE, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	for (unsigned i = 0; i < SENDERS; i++) {
		load[i].w = &w;
		load[i].number = i;
		pthread_create(&thread[i], NULL, send_all, &load[i]);
	}
	for (unsigned k = 0; k < KILLS; k++) {
		unsigned before = total;

		/* Each life must have accepted something before it ends. */
		for (unsigned tries = 0; total < before + 40 && tries < 6000; tries++) {
			nanosleep(&(struct timespec){ 0, 5000000 }, NULL);
			total = 0;
			for (unsigned i = 0; i < SENDERS; i++)
				total += atomic_load(&load[i].accepted);
		}
		ck_assert_uint_gt(total, before);
		ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
		world_start(&w);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		atomic_store(&load[i].stop, 1);
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	for (unsigned tries = 0; missing > 0 && tries < 1200; tries++) {
		nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
		missing = count_missing(load, w.provider);
	}
	ck_assert_uint_eq(missing, 0);
	ck_assert_uint_eq(provider_complaints(w.provider), 0);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
	free(load);
}
END_TEST

/* So many messages, and all three ports refuse to be connected to. */
static void
start_while_down(struct world *w, unsigned messages)
{
	struct client *c;

	world_new(w, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(w, "", "");
	world_start(w);
	c = client_new(w, w->l465, CLIENT_IMPLICIT);
	ck_assert(client_login(c));
	for (unsigned i = 0; i < messages; i++)
		ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", "Subject: x\r\n\r\ny\r\n"), 250);
	client_free(&c);
	ck_assert(world_wait_log(w, "state=down", 30000));
}

START_TEST(mail_waits_while_the_provider_is_down_and_goes_when_it_is_back)
{
	struct world w;
	char out[16384];

	start_while_down(&w, 10);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "queue --json"), 0);
	ck_assert_msg(strstr(out, "\"state\": \"deferred\"") != NULL || strstr(out, "\"state\":\"deferred\"") != NULL, "%s", out);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);
	provider_listen(w.provider, "127.0.0.1", w.p465, PROVIDER_IMPLICIT, NULL);
	for (unsigned tries = 0; !provider_wait(w.provider, 10, 2000); tries++) {	/* an attempt that began before may fail after it */
		ck_assert_uint_lt(tries, 15);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	}
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* What the operator was told is done outlives a SIGKILL in the same moment. */
START_TEST(the_operators_word_stands)
{
	static const char *const said[] = { "delete --all --yes", "hold --all" };
	struct world w;
	char out[16384];

	start_while_down(&w, 5);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, said[_i]) == 0, "%s", out);
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
	world_start(&w);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, _i == 0 ? "\"messages\":0," : "\"held\":5,") != NULL, "%s", out);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

START_TEST(a_large_message_arrives_byte_for_byte)	/* A-165, S5 */
{
	struct world w;
	struct client *c;
	size_t size = 6 * 1024 * 1024;
	char *text = malloc(size + 1), *at = text;
	const struct provider_message *m;

	at += sprintf(at, "Subject: large\r\n\r\n");
	for (unsigned n = 0; at + 200 < text + size; n++)
		at += sprintf(at, "%u line %*s\r\n", n, (int)(n * 7919 % 90), "x");
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", text), 250);
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	ck_assert_ptr_nonnull(strstr(m->text, text));
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	free(text);
	world_free(&w);
}
END_TEST

START_TEST(a_second_daemon_on_the_same_spool_refuses)	/* D-19 */
{
	struct world w;
	char out[4096];

	world_new(&w, PROVIDER_REFUSE, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 1);
	ck_assert_msg(strstr(out, "gatepost: ") == out, "%s", out);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

Suite *durable_suite(void);

Suite *
durable_suite(void)
{
	Suite *s = suite_create("durable");
	TCase *t = tcase_create("durable");

	tcase_set_timeout(t, 180);
	tcase_add_test(t, killed_under_load_nothing_acknowledged_is_lost);
	tcase_add_test(t, mail_waits_while_the_provider_is_down_and_goes_when_it_is_back);
	tcase_add_loop_test(t, the_operators_word_stands, 0, 2);
	tcase_add_test(t, a_large_message_arrives_byte_for_byte);
	tcase_add_test(t, a_second_daemon_on_the_same_spool_refuses);
	suite_add_tcase(s, t);
	return s;
}
