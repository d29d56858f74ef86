/* Starts the program: what may be done between fork and execve, and what is done before. */
#include "e2e/spawn.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PASS_MAX = 8 };

/*
 * What the child needs, made before there is one: the provider's threads may hold any lock when we fork, the one of the memory too,
 * and in the child nobody is left to release it.
 */
struct start {
	char *env[256];
	unsigned n;
	char preload[512], pid[32], fds[32];
};

static void
add(struct start *s, char *what)
{
	ck_assert_uint_lt(s->n + 1, sizeof s->env / sizeof s->env[0]);
	s->env[s->n++] = what;
	s->env[s->n] = NULL;
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static void
prepare(struct start *s, unsigned npass)
{
	const char *more = getenv("GATEPOST_PRELOAD"), *already = getenv("LD_PRELOAD");

	s->n = 0;
	for (char **e = environ; *e != NULL; e++)
		if (!begins(*e, "LISTEN_") && (more == NULL || !begins(*e, "LD_PRELOAD=")))
			add(s, *e);
	if (more != NULL) {
		snprintf(s->preload, sizeof s->preload, "LD_PRELOAD=%s%s%s", more, already != NULL ? ":" : "", already != NULL ? already : "");
		add(s, s->preload);
	}
	if (npass > 0) {	/* sd_listen_fds(3); whose pid it is, only the child can say */
		snprintf(s->pid, sizeof s->pid, "LISTEN_PID=");
		add(s, s->pid);
		snprintf(s->fds, sizeof s->fds, "LISTEN_FDS=%u", npass);
		add(s, s->fds);
	}
}

static void
put_number(char *at, unsigned value)
{
	char digit[16];
	int n = 0;

	do
		digit[n++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	while (n > 0)
		*at++ = digit[--n];
	*at = '\0';
}

static void
pass_sockets(const struct spawn *p, struct start *s)
{
	int high[PASS_MAX];

	for (unsigned i = 0; i < p->npass; i++)
		high[i] = fcntl(p->pass[i], F_DUPFD_CLOEXEC, 100);
	for (unsigned i = 0; i < p->npass; i++)
		dup2(high[i], 3 + (int)i);
	put_number(s->pid + strlen(s->pid), (unsigned)getpid());
}

pid_t
spawn(const struct spawn *p)
{
	const char *program = getenv("GATEPOST");
	struct start s;
	pid_t pid;

	ck_assert_uint_le(p->npass, PASS_MAX);
	prepare(&s, p->npass);
	pid = fork();
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(p->in, 0);
	dup2(p->out, 1);
	dup2(p->out, 2);
	if (p->npass > 0)
		pass_sockets(p, &s);
	execve(program, (char *const *)p->argv, s.env);
	_exit(127);
}

static void
first_line(pid_t pid, const char *name, char *text, int size)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	f = fopen(path, "r");
	if (f == NULL || fgets(text, size, f) == NULL)
		text[0] = '\0';
	if (f != NULL)
		fclose(f);
}

void
spawn_state(pid_t pid, char *text, size_t size)
{
	char where[64], stat[128];
	siginfo_t ended = { 0 };

	if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0) {
		snprintf(text, size, "it ended with %s %d", ended.si_code == CLD_EXITED ? "status" : "signal", ended.si_status);
		return;
	}
	first_line(pid, "wchan", where, sizeof where);
	first_line(pid, "stat", stat, sizeof stat);
	snprintf(text, size, "it runs still, in %s: %s", where, stat);
}
