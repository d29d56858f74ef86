/* What the system does to a process: no descriptors, no memory, false clocks, signals, and a second one like it. */
#include "e2e/faults.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CROWD = 100, LARGE = 300 * 1024 };

static void
set_descriptors(const struct world *w, rlim_t most)
{
	struct rlimit r;

	ck_assert_int_eq(prlimit(w->pid, RLIMIT_NOFILE, NULL, &r), 0);
	r.rlim_cur = most != 0 ? most : r.rlim_max;
	ck_assert_int_eq(prlimit(w->pid, RLIMIT_NOFILE, &r, NULL), 0);
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Milliseconds of processor time so far. */
static long
used_ms(const struct world *w)
{
	char path[64], line[1024] = "", *p;
	unsigned long user = 0, system = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)w->pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, f));
	fclose(f);
	p = strrchr(line, ')');
	ck_assert(p != NULL && sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2);
	return (long)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

static int
knock(unsigned port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	return fd;
}

/* How many of them have heard this, or anything. */
static unsigned
count_heard(const int *fd, const char *what)
{
	unsigned n = 0;
	char code[4];

	for (unsigned i = 0; i < CROWD; i++)
		n += recv(fd[i], code, 3, MSG_DONTWAIT | MSG_PEEK) == 3 && (what == NULL || memcmp(code, what, 3) == 0);
	return n;
}

/* Once it has greeted whom it can, it uses next to no time: who spins does so in each second. */
static void
wait_calm(const struct world *w)
{
	long before, used = 0;

	for (unsigned i = 0; i < 15; i++) {
		before = used_ms(w);
		faults_pause_ms(1000);
		if ((used = used_ms(w) - before) <= 100)
			return;
	}
	ck_abort_msg("%ld ms of a second", used);
}

static const rlim_t few[] = { 3, 72 };

START_TEST(a_crowd_and_no_descriptors)	/* D-13, C-20 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, NULL, "threads = 2");
	struct client *c;
	int fd[CROWD];

	world_start(&w);
	set_descriptors(&w, few[_i]);
	for (unsigned i = 0; i < CROWD; i++)
		fd[i] = knock(i % 2 == 0 ? w.l587 : w.l2525);
	/* Where there are some those who do not log in give way, and all have their turn; hardly one is turned away. */
	for (int ms = 0; few[_i] != 3 && count_heard(fd, NULL) < CROWD; ms += 20) {
		ck_assert_int_lt(ms, 15000);
		faults_pause_ms(20);
	}
	wait_calm(&w);
	ck_assert(world_wait_log(&w, "event=starved", 30000));
	if (few[_i] == 3)
		ck_assert_uint_lt(count_heard(fd, "220"), CROWD);
	else
		ck_assert_uint_ge(count_heard(fd, "220"), CROWD / 2);
	set_descriptors(&w, 0);
	for (unsigned i = 0; i < CROWD; i++)
		close(fd[i]);
	c = ledger_client(&w);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(ledger_mail(&l, c, "you@far.example", LARGE), 250);
	client_free(&c);
	ck_assert(ledger_wait(&l, w.provider, 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

/* A message whose turn comes while no file can be opened waits; it is not damaged, and no port is to blame (B-004). */
START_TEST(no_descriptors_for_what_is_queued)	/* D-13 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, "mail#1: 451 4.3.0 later", "queue { retry = {\"300ms\"} }");
	struct client *c;
	char blocked[80], *log;

	world_start(&w);
	c = ledger_client(&w);
	ck_assert_int_eq(ledger_mail(&l, c, "you@far.example", LARGE), 250);
	ck_assert(world_wait_log(&w, "event=deferred", 30000));
	set_descriptors(&w, 3);
	ck_assert_int_eq(ledger_mail(&l, c, "you@far.example", 300), 250);
	faults_pause_ms(1000);
	set_descriptors(&w, 0);
	ledger_fetch(&l, &w);
	snprintf(blocked, sizeof blocked, "port=%u tls=starttls address=127.0.0.1 state=blocked", w.p587);
	log = world_read_log(&w);
	ck_assert_msg(strstr(log, "event=damaged") == NULL && strstr(log, blocked) == NULL, "%.4000s", log);
	free(log);
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

/* --- memory --------------------------------------------------------------------- */

static void
send_two(struct world *w, struct ledger *l)
{
	struct client *c = ledger_client(w);

	if (c != NULL && ledger_mail(l, c, "you@far.example", 300) != 0)
		ledger_mail(l, c, "you@far.example", LARGE);
	client_free(&c);
}

/* It went on, or ended and said so: no memory (75), a bad start (1, 78), or a bug() where a library had none. */
static void
end_of_memory(struct world *w, uint64_t n)
{
	int status = world_stop(w, SIGTERM);
	char *log = world_read_log(w);
	bool said = status == -SIGABRT && strstr(log, "event=bug") != NULL;

	ck_assert_msg(status == 0 || status == 75 || status == 78 || status == 1 || said, "allocation %lu: status %d: %.4000s", (unsigned long)n, status, log);
	free(log);
}

START_TEST(the_nth_allocation_fails)	/* D-14 */
{
	enum { STEPS = 40 };
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, NULL, "queue { retry = {\"100ms\"} }");
	uint64_t starting, running;

	ck_assert(faults_start(&w, f));
	starting = f->mallocs;
	send_two(&w, &l);
	ck_assert(ledger_wait(&l, w.provider, 30000));
	running = f->mallocs;
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	if (f->has_malloc)
		ck_assert_uint_gt(running, starting);
	else
		printf("the n-th allocation: skipped, the sanitizer has its own\n");
	for (unsigned i = 0; i < STEPS && f->has_malloc; i++) {
		faults_clear(f);
		f->malloc_fails_at = 1 + (i % 5 == 0 ? starting * i / STEPS : starting + (running - starting) * i / STEPS);
		if (faults_start(&w, f))
			send_two(&w, &l);
		end_of_memory(&w, f->malloc_fails_at);
	}
	world_start(&w);
	ledger_fetch(&l, &w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

/* --- the clock -------------------------------------------------------------------- */

#define YEARS(n) ((int64_t)(n) * 365 * 86400)

static const struct {
	int64_t offset_s, swing_s;
	bool at_start;
} jumps[] = {
	{ YEARS(10), 0, false }, { YEARS(-10), 0, false }, { YEARS(-50), 0, false }, { YEARS(12), 0, true },
	{ YEARS(-10), 0, true }, { YEARS(10), 0, true }, { 0, 3600, false }, { 0, 0, true },
};

/* The clock is what it is now, and two more attempts are made, without haste. */
static void
live_on(struct world *w, struct ledger *l, char ids[][32], unsigned *nid)
{
	unsigned tried = provider_said(w->provider, "MAIL");
	struct client *c = ledger_client(w);
	long used = used_ms(w);
	int64_t began = now_ms();

	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(ledger_mail(l, c, "you@far.example", 300), 250);
	snprintf(ids[*nid], sizeof ids[0], "%s", client_id(c));
	for (unsigned i = 0; i < *nid; i++)
		ck_assert_str_ne(ids[i], ids[*nid]);
	++*nid;
	client_free(&c);
	while (provider_said(w->provider, "MAIL") < tried + 2 * *nid) {
		ck_assert_int_lt(now_ms() - began, 30000);
		faults_pause_ms(20);
	}
	ck_assert_int_lt(used_ms(w) - used, 100 + (now_ms() - began) / 2);
}

START_TEST(the_clock_jumps_and_nothing_expires)	/* D-16 */
{
	enum { JUMPS = sizeof jumps / sizeof jumps[0] };
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, "mail: 451 4.3.0 later", "queue { retry = {\"200ms\"} delay_warning = \"0\" }");
	char ids[JUMPS][32], *log;
	unsigned nid = 0;

	ck_assert(faults_start(&w, f));
	for (unsigned i = 0; i < JUMPS; i++) {
		if (jumps[i].at_start) {
			log = world_read_log(&w);
			ck_assert_msg(strstr(log, "event=expired") == NULL && strstr(log, "event=bounced") == NULL && strstr(log, "event=warned") == NULL, "%.4000s", log);
			free(log);
			ck_assert_int_eq(world_stop(&w, i % 2 == 0 ? SIGTERM : SIGKILL), i % 2 == 0 ? 0 : -SIGKILL);
		}
		f->wall_offset_s = jumps[i].offset_s;
		f->wall_swing_s = jumps[i].swing_s;
		if (jumps[i].at_start)
			ck_assert(faults_start(&w, f));
		live_on(&w, &l, ids, &nid);
	}
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	ledger_fetch(&l, &w);
	ck_assert_uint_eq(provider_count(w.provider), JUMPS);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

TCase *
faults_process_case(void)
{
	TCase *t = tcase_create("process");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_crowd_and_no_descriptors, 0, 2);
	tcase_add_test(t, no_descriptors_for_what_is_queued);
	tcase_add_test(t, the_nth_allocation_fails);
	tcase_add_test(t, the_clock_jumps_and_nothing_expires);
	return t;
}
