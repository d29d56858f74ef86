/* No room: a small disk that is really full, quotas and limits, and a disk that lies about its syncs. */
#include "e2e/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIMITS "limits { min_free = \"4M\" }\nqueue { retry = {\"200ms\"} }"

enum { MEGABYTE = 1 << 20 };

/* Takes what is left of the disk, as another program would. */
static void
eat(const struct world *w)
{
	static const char octets[64 * 1024];
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/spool/eaten", w->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	while (write(fd, octets, sizeof octets) > 0)
		continue;
	ck_assert_int_eq(errno, ENOSPC);
	close(fd);
}

static void
disgorge(const struct world *w)
{
	char path[128];

	snprintf(path, sizeof path, "%s/spool/eaten", w->dir);
	ck_assert_int_eq(unlink(path), 0);
}

static void
refused(struct client *c, int code)
{
	ck_assert_msg(code == 452 && strstr(client_text(c), "4.3.1") != NULL, "%d %s", code, client_text(c));
}

/* What fills the disk: contents with a file each, or the log. */
static const size_t sizes[] = { 6 * MEGABYTE, 120 * 1024 };

/* Mail until there is no room; returns how many of that size were accepted. */
static unsigned
fill(struct world *w, struct ledger *l, size_t octets)
{
	struct client *c = ledger_client(w);
	unsigned accepted = 0;
	int code;

	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(ledger_mail(l, c, "nobody@far.example", 300), 250);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ledger_mail(l, c, "you@far.example", 3000), 250);
	while ((code = ledger_mail(l, c, "you@far.example", octets)) == 250)
		ck_assert_uint_lt(++accepted, 1000);
	refused(c, code);
	ck_assert_int_eq(client_ask(c, "NOOP\r\n"), 250);
	if (octets == sizes[1])		/* not even a bounce has room */
		while (ledger_mail(l, c, "you@far.example", 300) == 250)
			ck_assert_uint_lt(++accepted, 1000);
	eat(w);
	for (int ms = 0; (code = ledger_mail(l, c, "you@far.example", 300)) == 250; ms += 100) {	/* the room is looked at each second */
		ck_assert_int_lt(ms, 15000);
		faults_pause_ms(100);
	}
	refused(c, code);
	client_free(&c);
	return accepted;
}

static void
mount_tmpfs(const struct world *w)
{
	char path[128];

	snprintf(path, sizeof path, "%s/spool", w->dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(mount("none", path, "tmpfs", 0, "size=90m,mode=0700"), 0);
}

/* Until the last replies have been read: nothing is queued but the bounce that may be owed. */
static void
wait_answers(const struct world *w)
{
	char out[8192];

	for (int ms = 0;; ms += 20) {
		ck_assert_int_eq(world_run(w, out, sizeof out, NULL, "queue --json"), 0);
		if (strchr(out, '\n') == strrchr(out, '\n'))
			return;
		ck_assert_msg(ms < 15000, "%s", out);
		faults_pause_ms(20);
	}
}

START_TEST(a_full_disk_takes_nothing_new_and_loses_nothing)	/* D-10, D-11 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f;
	struct client *c;
	unsigned n, count;
	int ms = 0;

	if (!faults_may_mount("a full disk"))
		return;
	f = faults_new(&w, PROVIDER_REFUSE, NULL, LIMITS);
	mount_tmpfs(&w);
	world_start(&w);
	n = fill(&w, &l, sizes[_i]);
	ck_assert_uint_gt(n, 0);
	ck_assert(faults_wait_files(&w, "blob", _i == 0 ? n : 0, 15000));	/* nothing half-accepted */
	ck_assert_uint_eq(faults_files(&w, "blob"), _i == 0 ? n : 0);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "rcpt/nobody@far: 550 5.1.1 no such user");
	kill(w.pid, SIGHUP);
	for (; ledger_missing(&l, w.provider) > 1 || faults_files(&w, "blob") > 0; ms += 10) {
		ck_assert_msg(ms < 30000, "%u are missing", ledger_missing(&l, w.provider));
		eat(&w);	/* whatever the daemon gives back */
		faults_pause_ms(10);
	}
	wait_answers(&w);
	eat(&w);
	faults_pause_ms(1000);		/* by then it is on disk that they were delivered (CONTRACT.md 3) */
	count = provider_count(w.provider);
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
	world_start(&w);
	faults_pause_ms(500);
	/* That they were delivered had been written; the bounce that was owed may have found room. */
	ck_assert_uint_le(provider_count(w.provider), count + 1);
	(void)ledger_missing(&l, w.provider);
	ck_assert_uint_eq(l.repeated, 0);
	disgorge(&w);
	c = ledger_client(&w);
	for (ms = 0; ledger_mail(&l, c, "you@far.example", 300) != 250; ms += 100) {
		ck_assert_int_lt(ms, 15000);
		faults_pause_ms(100);
	}
	client_free(&c);
	ck_assert_msg(ledger_wait(&l, w.provider, 30000), "the bounce is lost");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert(faults_run(&w, "umount spool"));
	faults_free(&w, &f);
}
END_TEST

static const struct {
	enum fault_call call;
	int error;
} no_room[] = {
	{ FAULT_ALLOCATE, ENOSPC }, { FAULT_ALLOCATE, EDQUOT }, { FAULT_ALLOCATE, EFBIG }, { FAULT_ALLOCATE, EROFS },
	{ FAULT_WRITE, ENOSPC }, { FAULT_WRITE, EDQUOT }, { FAULT_OPEN, ENOSPC }, { FAULT_OPEN, EROFS },
};

START_TEST(an_error_while_a_large_message_comes_in_refuses_it)	/* D-12 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_REFUSE, NULL, "");
	struct client *c;

	ck_assert(faults_start(&w, f));
	c = ledger_client(&w);
	for (size_t i = 0; i < sizeof no_room / sizeof no_room[0]; i++) {
		faults_plan(f, no_room[i].call, 1, UINT64_MAX, no_room[i].error);	/* whoever else opens or writes something meanwhile */
		refused(c, ledger_mail(&l, c, "you@far.example", MEGABYTE));
		faults_clear(f);
		ck_assert_int_eq(ledger_mail(&l, c, "you@far.example", MEGABYTE), 250);
	}
	client_free(&c);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	ledger_fetch(&l, &w);
	ck_assert(faults_wait_files(&w, "blob", 0, 30000));
	ck_assert_uint_eq(l.repeated, 0);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

START_TEST(a_limit_on_files_refuses_what_is_larger)	/* D-12: RLIMIT_FSIZE, and SIGXFSZ with it */
{
	static struct ledger l;
	struct rlimit now;
	struct world w;
	struct fault_control *f = faults_new(&w, PROVIDER_STARTTLS, NULL, "");
	struct client *c;

	world_start(&w);
	ck_assert_int_eq(prlimit(w.pid, RLIMIT_FSIZE, NULL, &now), 0);
	ck_assert_int_eq(prlimit(w.pid, RLIMIT_FSIZE, &(struct rlimit){ 33 * MEGABYTE, now.rlim_max }, NULL), 0);
	c = ledger_client(&w);
	refused(c, ledger_mail(&l, c, "you@far.example", 34 * MEGABYTE));
	ck_assert_int_eq(ledger_mail(&l, c, "you@far.example", MEGABYTE), 250);
	client_free(&c);
	ck_assert(ledger_wait(&l, w.provider, 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	faults_free(&w, &f);
}
END_TEST

/* --- a sync that fails once and then lies (D-08): ext4 on a loop device whose file lies on a full tmpfs ----- */

static bool
mount_liar(const struct world *w)
{
	return faults_run(w, "mkdir -m 700 disk spool && mount -t tmpfs -o size=12m none disk && truncate -s 160m disk/image && "
	    "mkfs.ext4 -q -F -m 0 -O ^has_journal -E lazy_itable_init=0,nodiscard disk/image && "
	    "mount -o loop disk/image spool && chmod 700 spool");
}

START_TEST(a_sync_that_succeeds_after_one_that_failed_is_not_believed)	/* D-08 */
{
	static struct ledger l;
	struct world w;
	struct fault_control *f;
	struct client *c;

	if (!faults_may_mount("a lying disk"))
		return;
	f = faults_new(&w, PROVIDER_REFUSE, NULL, LIMITS);
	if (!mount_liar(&w)) {
		printf("a lying disk: skipped, no loop device could be had\n");
		faults_free(&w, &f);
		return;
	}
	world_start(&w);
	c = ledger_client(&w);
	for (unsigned i = 0; i < 300 && ledger_mail(&l, c, "you@far.example", 100000) != 0; i++)
		continue;
	client_free(&c);
	ck_assert(world_wait_log(&w, "event=spool_failed", 30000));
	ck_assert_int_eq(world_stop(&w, 0), 1);
	ck_assert_uint_gt(l.n, 20);
	ck_assert(faults_run(&w, "mount -o remount,size=200m none disk"));
	world_start(&w);	/* what it reads now may be in memory only */
	c = ledger_client(&w);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(ledger_mail(&l, c, "you@far.example", 300), 250);
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGKILL), -SIGKILL);
	ck_assert(faults_run(&w, "umount spool && mount -o loop disk/image spool"));
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL);
	world_start(&w);
	ck_assert_msg(ledger_wait(&l, w.provider, 30000), "%u are lost", ledger_missing(&l, w.provider));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert(faults_run(&w, "umount spool disk"));
	faults_free(&w, &f);
}
END_TEST

TCase *
faults_space_case(void)
{
	TCase *t = tcase_create("space");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, a_full_disk_takes_nothing_new_and_loses_nothing, 0, 2);
	tcase_add_test(t, an_error_while_a_large_message_comes_in_refuses_it);
	tcase_add_test(t, a_limit_on_files_refuses_what_is_larger);
	tcase_add_test(t, a_sync_that_succeeds_after_one_that_failed_is_not_believed);
	return t;
}
