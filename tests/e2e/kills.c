/*
 * SIGKILL at every call that changes the spool (D-03): before it, after it, and in the middle of a write.  One spool lives through
 * all of it, so that each death is recovered from, and dies during recovery too.
 */
#include "e2e/faults.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 150 * 1024, MEDIUM = 120 * 1024, SEGMENT = 32 << 20, SENDERS = 3, CALM = 12 };

/* The second cuts a write in two; any other call has been made. */
static const enum fault_kill hows[] = { FAULT_BEFORE, FAULT_MIDWAY };

/* The second message of each life is deferred, those to nobody are refused. */
#define SCRIPT "mail#2: 451 4.3.0 later; rcpt/nobody@far: 550 5.1.1 no such user"
#define QUICK "queue { retry = {\"50ms\"} }"

static void
send_some(struct world *w, struct ledger *l)
{
	struct client *c = ledger_client(w);

	if (c == NULL)
		return;
	(void)(ledger_mail(l, c, "you@far.example", 300) && ledger_mail(l, c, "you@far.example", 2000) &&
	    ledger_mail(l, c, "you@far.example", LARGE) && ledger_mail(l, c, "nobody@far.example", 300));
	client_free(&c);
}

/* Until all of this life's mail has come, or the daemon has died. */
static void
await_end(struct world *w, struct ledger *l)
{
	while (kill(w->pid, 0) == 0 && faults_status(w, "VmRSS:") > 0 && ledger_missing(l, w->provider) > 0)
		faults_pause_ms(5);
}

static void
reopen(struct world *w)
{
	ck_assert_uint_eq(provider_listen(w->provider, "127.0.0.1", w->p587, PROVIDER_STARTTLS, SCRIPT), w->p587);
}

/* Whatever dies, nothing that was written in order may look damaged. */
static void
check_sound(const struct world *w)
{
	char *log = world_read_log(w);

	ck_assert_msg(strstr(log, "event=damaged") == NULL, "%.4000s", log);
	free(log);
}

/* Nothing is killed: all that was acknowledged comes, and then nothing is left to come. */
static void
live_calmly(struct world *w, struct ledger *l)
{
	reopen(w);
	world_start(w);
	send_some(w, l);
	ck_assert_msg(ledger_wait(l, w->provider, 30000), "%u are missing", ledger_missing(l, w->provider));
	faults_wait_empty(w);
	ck_assert_int_eq(world_stop(w, SIGTERM), 0);
	check_sound(w);
	ledger_close(l, w->provider);
}

/* Killed at change n; false: it did not come so far. */
static bool
live_until(struct world *w, struct fault_control *f, struct ledger *l, uint64_t n, enum fault_kill how)
{
	char *log;
	int status;

	faults_clear(f);
	f->kill_at = n;
	f->kill_how = (int)how;
	reopen(w);
	if (faults_start(w, f)) {
		send_some(w, l);
		await_end(w, l);
	}
	status = world_stop(w, SIGTERM);
	log = world_read_log(w);
	ck_assert_msg(status == -SIGKILL || status == 0, "change %lu: status %d: %.4000s", (unsigned long)n, status, log);
	free(log);
	check_sound(w);
	return status != 0;
}

START_TEST(killed_at_each_change_of_the_spool)
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_REFUSE, NULL, QUICK);
	uint64_t n = 1;

	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	for (; live_until(&w, f, &l, n, hows[_i]); n++)
		if (n % CALM == 0)
			live_calmly(&w, &l);
	ck_assert_uint_gt(n, 30);	/* a start after a kill, four messages, and a stop need more */
	live_calmly(&w, &l);
	live_calmly(&w, &l);
	faults_free(&w, &f);
}
END_TEST

/* --- where the log's files begin and go ------------------------------------------------- */

struct sender {
	struct world *w;
	struct ledger *l;
	unsigned messages;
};

static void *
send_many(void *arg)
{
	const struct sender *s = arg;
	struct client *c = ledger_client(s->w);

	for (unsigned n = 0; c != NULL && n < s->messages && ledger_mail(s->l, c, "you@far.example", MEDIUM) != 0; n++)
		continue;
	client_free(&c);
	return NULL;
}

/* So many messages, from several at once; fewer if the daemon is killed. */
static void
send_all(struct world *w, struct ledger *l, unsigned messages)
{
	struct sender s = { w, l, messages / SENDERS };
	pthread_t thread[SENDERS];

	for (unsigned i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, send_many, &s), 0);
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
}

static void
kill_at_rename(struct fault_control *f, enum fault_kill how)
{
	f->kill_only = FAULT_RENAME;
	f->kill_how = (int)how;
	f->changes = 0;
	f->kill_at = 1;
}

/* Where the next file of the log cannot be made, mail is put off. */
static void
refuse_without_descriptors(struct world *w, struct fault_control *f, struct ledger *l)	/* D-13 */
{
	struct client *c = ledger_client(w);
	unsigned accepted = 0;
	int code;

	faults_plan(f, FAULT_OPEN, 1, UINT64_MAX, EMFILE);
	while ((code = ledger_mail(l, c, "you@far.example", MEDIUM)) == 250)
		ck_assert_uint_lt(++accepted, 60);
	ck_assert_msg(code / 100 == 4, "%s", client_text(c));
	f->rule[FAULT_OPEN].from = 0;
	ck_assert_int_eq(ledger_mail(l, c, "you@far.example", MEDIUM), 250);
	client_free(&c);
}

/*
 * A segment is full: the next one enters the log.  Then almost all in the old one is delivered: compaction moves the
 * rest (a message that is always deferred), and the old one leaves.
 */
START_TEST(killed_where_a_segment_comes_and_goes)	/* D-22 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_REFUSE, NULL, "queue { retry = {\"1s\"} }");
	struct client *c;

	ck_assert(faults_start(&w, f));
	c = ledger_client(&w);
	ck_assert_int_eq(ledger_mail(&l, c, "stay@far.example", 300), 250);
	client_free(&c);
	send_all(&w, &l, SEGMENT / MEDIUM * 4 / 5);
	refuse_without_descriptors(&w, f, &l);
	kill_at_rename(f, hows[_i]);
	send_all(&w, &l, SEGMENT / MEDIUM / 5 + 20);
	ck_assert_int_eq(world_stop(&w, 0), -SIGKILL);
	faults_clear(f);
	ck_assert(faults_start(&w, f));
	send_all(&w, &l, 20);
	ck_assert_uint_gt(f->calls[FAULT_RENAME], 0);
	kill_at_rename(f, hows[_i]);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "rcpt/stay@far: 451 4.3.0 later");
	kill(w.pid, SIGHUP);
	await_end(&w, &l);
	ck_assert_int_eq(world_stop(&w, 0), -SIGKILL);
	world_start(&w);
	while (ledger_missing(&l, w.provider) > 1)
		faults_pause_ms(10);
	/* Those of the last moments may; had the segment of dead ones come back, four fifths of it would. */
	ck_assert_uint_lt(l.repeated, SEGMENT / MEDIUM * 2 / 5);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	ledger_fetch(&l, &w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	check_sound(&w);
	faults_free(&w, &f);
}
END_TEST

Suite *kills_suite(void);

Suite *
kills_suite(void)
{
	Suite *s = suite_create("kills");
	TCase *t = tcase_create("kills");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, killed_at_each_change_of_the_spool, 0, 2);
	tcase_add_loop_test(t, killed_where_a_segment_comes_and_goes, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
