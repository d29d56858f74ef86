/* What others may do to the running daemon and to commands, and what it may do to them, whatever its user may (C-06, C-31). */
#include "e2e/spawn.h"
#include "e2e/world.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct world w;

/* A number in /proc/PID/status, -1 without it. */
static long long
status_of(pid_t pid, const char *field)
{
	char path[64], line[256];
	long long n = -1;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (n < 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, field, strlen(field)) == 0 && line[strlen(field)] == ':')
			n = strtoll(line + strlen(field) + 1, NULL, strncmp(field, "Cap", 3) == 0 ? 16 : 10);
	fclose(f);
	return n;
}

/* Its helper: the one process that it forked. */
static pid_t
child_of(pid_t pid)
{
	char path[64];
	int child = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &child), 1);
	fclose(f);
	return child;
}

enum { NOBODY = 65534 };

/* In a child: no more than the daemon's user may. */
static void
become_nobody(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(2);
}

static bool
may_nobody_run(const char *program)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		become_nobody();
		_exit(access(program, X_OK) == 0 ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int
give(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return lchown(path, NOBODY, NOBODY);
}

/* As a user without any right: root's processes may do all to all.  False: that user may not run the program. */
static bool
up_as_nobody(void)
{
	char path[128], program[PATH_MAX];
	FILE *f;

	if (geteuid() != 0) {
		world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
		world_configure(&w, "", "");
		world_start(&w);
		return true;
	}
	ck_assert_ptr_nonnull(realpath(getenv("GATEPOST"), program));
	if (!may_nobody_run(program)) {
		fprintf(stderr, "the user nobody cannot run %s: skipped\n", program);
		return false;
	}
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	world_configure(&w, "", "");
	snprintf(path, sizeof path, "%s/as-nobody", w.dir);
	f = fopen(path, "w");
	fprintf(f, "#!/bin/sh\nexec setpriv --reuid=%d --regid=%d --clear-groups --pdeathsig=KILL -- %s \"$@\"\n", NOBODY, NOBODY, program);
	fchmod(fileno(f), 0755);
	fclose(f);
	ck_assert_int_eq(nftw(w.dir, give, 16, FTW_PHYS) | chmod(provider_ca(w.provider), 0644), 0);
	ck_assert_int_eq(setenv("GATEPOST", path, 1), 0);
	world_start(&w);
	return true;
}

/* May another process of the same user read its memory, or its environment?  (ptrace(2): not of one that is not dumpable.) */
static bool
is_open_to_its_user(pid_t pid)
{
	char mem[64], environ[64];
	pid_t child = fork();
	int status;

	snprintf(mem, sizeof mem, "/proc/%d/mem", (int)pid);
	snprintf(environ, sizeof environ, "/proc/%d/environ", (int)pid);
	if (child == 0) {
		become_nobody();
		_exit(open(mem, O_RDONLY | O_CLOEXEC) >= 0 || open(environ, O_RDONLY | O_CLOEXEC) >= 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 1;
}

/* An ordinary program of that user, to see that it is the daemon's doing. */
static pid_t
start_ordinary(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		become_nobody();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("sleep", "sleep", "60", (char *)NULL);
		_exit(2);
	}
	return pid;
}

static bool
waits_for_ordinary(pid_t pid)
{
	for (int i = 0; i < 300; i++, usleep(10000))
		if (is_open_to_its_user(pid))
			return true;
	return false;
}

START_TEST(its_user_cannot_look_into_it)	/* C-31 */
{
	pid_t ordinary, helper;

	if (!up_as_nobody())
		return;
	ordinary = start_ordinary();
	if (waits_for_ordinary(ordinary)) {	/* else the kernel lets nobody (Yama) */
		helper = child_of(w.pid);
		ck_assert(!is_open_to_its_user(w.pid));
		ck_assert(!is_open_to_its_user(helper));
	}
	kill(ordinary, SIGKILL);
	waitpid(ordinary, NULL, 0);
	world_free(&w);
}
END_TEST

START_TEST(it_and_its_helper_gain_nothing)	/* C-06 */
{
	if (!up_as_nobody())
		return;
	for (int i = 0; i < 2; i++) {
		pid_t pid = i == 0 ? w.pid : child_of(w.pid);

		ck_assert_int_eq(status_of(pid, "NoNewPrivs"), 1);
		ck_assert_int_eq(status_of(pid, "CapPrm"), 0);
		ck_assert_int_eq(status_of(pid, "CapEff"), 0);
		ck_assert_int_eq(status_of(pid, "CapAmb"), 0);
	}
	world_free(&w);
}
END_TEST

/* Whatever its user may: a Maildir below its state has a link that leads out of it. */
START_TEST(it_writes_nowhere_else)
{
	char outside[] = "/tmp/gatepost-outside-XXXXXX", path[128];
	struct client *c;

	ck_assert_ptr_nonnull(mkdtemp(outside));
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	snprintf(path, sizeof path, "%s/box", w.dir);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/box/tmp", w.dir);
	ck_assert_int_eq(symlink(outside, path), 0);
	world_configure(&w, "capture = \"box\"", "");
	world_start(&w);
	if (world_wait_log(&w, "landlock=0", 10) || getenv("GATEPOST_PRELOAD") != NULL) {
		fprintf(stderr, "there is no Landlock, or it was told so: skipped\n");
	} else {
		c = client_new(&w, w.l587, CLIENT_STARTTLS);
		ck_assert(client_login(c));
		ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", "Subject: x\r\n\r\nx\r\n"), 250);
		client_free(&c);
		ck_assert(world_wait_log(&w, "Permission denied", 15000));
	}
	world_free(&w);
	ck_assert_int_eq(rmdir(outside), 0);	/* empty */
}
END_TEST

/* --- commands ------------------------------------------------------------------------------ */

/* Whoever reads its limits; false: it may leave a core.  Of who is not dumpable root owns them (proc(5)). */
static bool
leaves_no_core(pid_t pid)
{
	char path[64], line[256], soft[32], hard[32];
	bool none = false;
	struct stat st;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "Max core file size %31s %31s", soft, hard) == 2)
			none = strcmp(soft, "0") == 0 && strcmp(hard, "0") == 0;
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	fclose(f);
	return none && st.st_uid == 0;
}

START_TEST(a_command_leaves_no_core)	/* C-31 */
{
	const char *const argv[] = { "gatepost", "passwd", "--state", w.dir, "app", NULL };
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int to[2], out, status, left = 1;
	struct spawn p;
	pid_t pid;

	(void)setrlimit(RLIMIT_CORE, &all);	/* as root; else what we have */
	if (!up_as_nobody())
		return;
	out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
	p = (struct spawn){ .argv = argv, .in = to[0], .out = out };
	pid = spawn(&p);
	ck_assert_int_eq(write(to[1], "half-a-pass", 11), 11);	/* and no end of the line */
	for (int i = 0; i < 1500 && left > 0; i++, usleep(10000))
		ck_assert_int_eq(ioctl(to[1], FIONREAD, &left), 0);
	ck_assert_int_eq(left, 0);		/* it has that, and waits */
	ck_assert(leaves_no_core(pid));
	kill(pid, SIGABRT);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && !WCOREDUMP(status));
	close(to[0]);
	close(to[1]);
	close(out);
	world_free(&w);
}
END_TEST

Suite *confined_suite(void);

Suite *
confined_suite(void)
{
	Suite *s = suite_create("confined");
	TCase *t = tcase_create("confined");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, its_user_cannot_look_into_it);
	tcase_add_test(t, it_and_its_helper_gain_nothing);
	tcase_add_test(t, it_writes_nowhere_else);
	tcase_add_test(t, a_command_leaves_no_core);
	suite_add_tcase(s, t);
	return s;
}
