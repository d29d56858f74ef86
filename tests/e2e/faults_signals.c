/* Signals in storms, a thousand reloads, and a second daemon: under load, and nothing is lost. */
#include "e2e/faults.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define QUICK "queue { retry = {\"100ms\"} }"

enum { SENDERS = 2, RELOADS = 1000, WARM = 200, STORM = 200, LIVELY = 20, GROWTH_KB = 4096 };

struct load {
	struct world *w;
	struct ledger *l;
	pthread_t thread[SENDERS];
	_Atomic int stop;
};

static void *
send_on(void *arg)
{
	struct load *load = arg;
	struct client *c = NULL;

	while (!atomic_load(&load->stop)) {
		if (c == NULL && (c = ledger_client(load->w)) == NULL)
			faults_pause_ms(10);
		else if (ledger_mail(load->l, c, "you@far.example", 500) != 250)
			client_free(&c);
		faults_pause_ms(2);
	}
	client_free(&c);
	return NULL;
}

static void
load_start(struct load *load, struct world *w, struct ledger *l)
{
	*load = (struct load){ .w = w, .l = l };
	for (unsigned i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&load->thread[i], NULL, send_on, load), 0);
}

static void
load_stop(struct load *load)
{
	atomic_store(&load->stop, 1);
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(load->thread[i], NULL);
}

/* --- reloads ------------------------------------------------------------------------ */

/* What systemd would hear. */
static int
open_notify(const struct world *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval patience = { 60, 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/notify", w->dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
	return fd;
}

static void
await_ready(int fd)
{
	char text[256];
	ssize_t n;

	do {
		n = recv(fd, text, sizeof text - 1, 0);
		ck_assert_int_gt(n, 0);
		text[n] = '\0';
	} while (strstr(text, "READY=1") == NULL);
	ck_assert_msg(strstr(text, "refused") == NULL, "%s", text);
}

START_TEST(a_thousand_reloads_leak_nothing)	/* D-18 */
{
	static struct ledger l;
	static struct load load;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, NULL, QUICK);
	int notify = open_notify(&w);
	long memory = 0, descriptors = 0;

	world_start(&w);
	unsetenv("NOTIFY_SOCKET");
	await_ready(notify);
	load_start(&load, &w, &l);
	for (unsigned i = 0; i < RELOADS; i++) {
		if (i == WARM) {
			memory = faults_status(&w, "VmRSS:");
			descriptors = faults_status(&w, "FDSize:");
		}
		kill(w.pid, SIGHUP);
		await_ready(notify);
	}
	load_stop(&load);
	ck_assert_uint_gt(l.n, 100);
	ck_assert_msg(ledger_wait(&l, w.provider, 30000), "%u are missing", ledger_missing(&l, w.provider));
	ck_assert_uint_eq(l.repeated, 0);
	ck_assert_int_eq(faults_status(&w, "FDSize:"), descriptors);	/* a power of two above what was ever open */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)	/* they keep what is freed */
	ck_assert_int_lt(faults_status(&w, "VmRSS:"), memory + GROWTH_KB);
#endif
	(void)memory;
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	close(notify);
	faults_free(&w, &f);
}
END_TEST

static const int harmless[] = { SIGHUP, SIGUSR1, SIGPIPE, SIGUSR2, SIGXFSZ };

START_TEST(a_storm_of_signals_loses_nothing)	/* D-18 */
{
	static struct ledger l;
	static struct load load;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, NULL, QUICK);

	for (unsigned life = 0; life < 4; life++) {
		world_start(&w);
		load_start(&load, &w, &l);
		for (unsigned i = 0, until = l.n + LIVELY; i < STORM || l.n < until; i++) {
			ck_assert_uint_lt(i, 60000);
			kill(w.pid, harmless[i % (sizeof harmless / sizeof harmless[0])]);
			faults_pause_ms(1);
		}
		for (unsigned i = 0; i < life * 10; i++)
			kill(w.pid, SIGTERM);
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
		load_stop(&load);
	}
	world_start(&w);
	ck_assert_uint_gt(l.n, 50);
	ck_assert_msg(ledger_wait(&l, w.provider, 30000), "%u are missing", ledger_missing(&l, w.provider));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

/* --- two of them -------------------------------------------------------------------- */

START_TEST(a_second_daemon_names_the_first)	/* D-19 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, NULL, "");
	char path[128], args[160], out[4096], holder[64];
	struct client *c;
	FILE *file;

	snprintf(path, sizeof path, "%s/second.conf", w.dir);
	file = fopen(path, "w");
	fprintf(file, "hostname = \"other.example\"\ncontrol_socket = \"%s/second.control\"\nsubmit_socket = \"%s/second.submit\"\n"
	    "listen \"127.0.0.2:%u\" {}\n"
	    "upstream \"x\" { host = \"127.0.0.1\" auth = \"none\" }\n", w.dir, w.dir, w.l587);
	fclose(file);
	snprintf(args, sizeof args, "run -c %s", path);
	world_start(&w);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, args) == 1, "%s", out);
	snprintf(holder, sizeof holder, "is in use by process %ld", (long)w.pid);
	ck_assert_msg(strncmp(out, "gatepost: ", 10) == 0 && strstr(out, holder) != NULL, "%s", out);
	ck_assert(faults_run(&w, "rm spool/lock"));	/* it is not the file that keeps the second out */
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, args) == 1, "%s", out);
	ck_assert_msg(strstr(out, "is in use by another process") != NULL, "%s", out);
	c = ledger_client(&w);
	ck_assert_int_eq(ledger_mail(&l, c, "you@far.example", 300), 250);	/* the first has not noticed */
	client_free(&c);
	ck_assert(ledger_wait(&l, w.provider, 30000));
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
	world_start(&w);	/* a lock of the dead is no obstacle */
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

TCase *
faults_signals_case(void)
{
	TCase *t = tcase_create("signals");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_thousand_reloads_leak_nothing);
	tcase_add_test(t, a_storm_of_signals_loses_nothing);
	tcase_add_test(t, a_second_daemon_names_the_first);
	return t;
}
