/* A disk that cannot sync, and one that does its work in pieces. */
#include "e2e/faults.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SENDERS = 3, EACH = 40, LARGE = 150 * 1024 };

struct sender {
	struct world *w;
	struct ledger *l;
	pthread_t thread;
};

/* Until the daemon is gone. */
static void *
send_on(void *arg)
{
	struct sender *s = arg;
	struct client *c = ledger_client(s->w);

	for (unsigned n = 0; c != NULL && n < EACH; n++)
		if (ledger_mail(s->l, c, "you@far.example", n % 4 == 2 ? LARGE : 300) == 0)
			break;
	client_free(&c);
	return NULL;
}

static void
send_together(struct world *w, struct ledger *l)
{
	struct sender s[SENDERS];

	for (unsigned i = 0; i < SENDERS; i++) {
		s[i] = (struct sender){ .w = w, .l = l };
		ck_assert_int_eq(pthread_create(&s[i].thread, NULL, send_on, &s[i]), 0);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(s[i].thread, NULL);
}

static void
deliver_all(struct world *w, struct ledger *l)
{
	provider_listen(w->provider, "127.0.0.1", w->p587, PROVIDER_STARTTLS, NULL);
	ledger_fetch(l, w);
	ck_assert_uint_eq(l->repeated, 0);
	ck_assert_int_eq(world_stop(w, SIGTERM), 0);
}

static const struct {
	enum fault_call call;
	int error;
	unsigned n;		/* the 1st, the 2nd… of those calls */
	bool at_start;
} bad_syncs[] = {
	{ FAULT_DATASYNC, EIO, 7, false }, { FAULT_DATASYNC, ENOSPC, 7, false }, { FAULT_DATASYNC, EDQUOT, 7, false },
	{ FAULT_SYNC, EIO, 4, false }, { FAULT_DATASYNC, EIO, 1, true }, { FAULT_SYNC, EIO, 3, true },
};

/* 354 and 250 in their form, and the 250 not before the sync: who dies when it would begin has acknowledged nothing. */
START_TEST(the_number_comes_after_the_sync)
{
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_REFUSE, NULL, "");
	struct client *c;

	ck_assert(faults_start(&w, f));
	for (unsigned i = 0; i < 2; i++) {
		c = ledger_client(&w);
		ck_assert_ptr_nonnull(c);
		ck_assert_int_eq(client_ask(c, "MAIL FROM:<app@client.example>\r\n"), 250);
		ck_assert_int_eq(client_ask(c, "RCPT TO:<you@far.example>\r\n"), 250);
		ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
		ck_assert_msg(strncmp(client_text(c), "354 end", 7) == 0, "%s", client_text(c));
		if (i == 1) {
			f->kill_how = FAULT_BEFORE;
			f->kill_only = FAULT_DATASYNC;
			f->kill_at = f->changes + 1;
		}
		ck_assert_int_eq(client_ask(c, "Subject: x\r\n\r\ny\r\n.\r\n"), i == 0 ? 250 : 0);
		ck_assert_uint_eq(strlen(client_id(c)), i == 0 ? 13 : 0);
		ck_assert(i == 1 || strncmp(client_text(c), "250 2.0.0 queued as ", 20) == 0);
		client_free(&c);
	}
	ck_assert_int_eq(world_stop(&w, SIGTERM), -SIGKILL);
	faults_free(&w, &f);
}
END_TEST

/*
 * D-07, A-141: the n-th sync fails, what it was to make durable is lost, and the syncs after it succeed.  Whoever was answered 250
 * must not be among the lost.
 */
START_TEST(a_failed_sync_acknowledges_nothing)
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_REFUSE, NULL, "");

	world_start(&w);
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);	/* so that recovery has something to do */
	for (unsigned n = 1; n <= bad_syncs[_i].n; n++) {
		bool started;

		faults_clear(f);
		f->forget = 1;
		if (bad_syncs[_i].at_start)
			faults_plan(f, bad_syncs[_i].call, n, 1, bad_syncs[_i].error);
		started = faults_start(&w, f);
		ck_assert_msg(!started || !bad_syncs[_i].at_start, "%u: it started all the same", n);
		if (started) {
			faults_plan(f, bad_syncs[_i].call, n, 1, bad_syncs[_i].error);
			send_together(&w, &l);
			ck_assert_msg(world_wait_log(&w, "event=spool_failed", 30000), "%u: it goes on", n);
		}
		ck_assert_int_eq(world_stop(&w, 0), 1);
	}
	ck_assert(bad_syncs[_i].at_start || l.n > bad_syncs[_i].n);
	world_start(&w);
	deliver_all(&w, &l);
	faults_free(&w, &f);
}
END_TEST

static const struct {
	const char *what;
	int error;		/* 0: cut short */
	enum fault_call call[6];
	unsigned ncall;
} pieces[] = {
	{ "short", 0, { FAULT_READ, FAULT_WRITE }, 2 },
	{ "EINTR", EINTR, { FAULT_OPEN, FAULT_READ, FAULT_WRITE, FAULT_ALLOCATE, FAULT_DATASYNC, FAULT_SYNC }, 6 },
	{ "EAGAIN", EAGAIN, { FAULT_READ, FAULT_WRITE, FAULT_DATASYNC, FAULT_SYNC }, 4 },
};

static void
plan_pieces(struct fault_control *f, unsigned i)
{
	faults_clear(f);
	for (unsigned k = 0; k < pieces[i].ncall; k++) {
		faults_plan(f, pieces[i].call[k], 1, UINT64_MAX, pieces[i].error);
		f->rule[pieces[i].call[k]].every = pieces[i].error == 0 ? 1 : 2;
	}
}

START_TEST(short_and_interrupted_calls_are_not_seen)	/* D-09 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_REFUSE, NULL, "");
	char out[4096];

	plan_pieces(f, _i);
	ck_assert(faults_start(&w, f));
	send_together(&w, &l);
	for (unsigned i = 0; i < l.n; i++)
		ck_assert_msg(l.acknowledged[i], "%s: message %u", pieces[_i].what, i);
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
	plan_pieces(f, _i);
	ck_assert(faults_start(&w, f));
	deliver_all(&w, &l);
	ck_assert_uint_gt(f->calls[FAULT_READ], 0);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "spool check") == 0, "%s", out);
	faults_free(&w, &f);
}
END_TEST

TCase *
faults_sync_case(void)
{
	TCase *t = tcase_create("sync");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_number_comes_after_the_sync);
	tcase_add_loop_test(t, a_failed_sync_acknowledges_nothing, 0, (int)(sizeof bad_syncs / sizeof bad_syncs[0]));
	tcase_add_loop_test(t, short_and_interrupted_calls_are_not_seen, 0, (int)(sizeof pieces / sizeof pieces[0]));
	return t;
}
