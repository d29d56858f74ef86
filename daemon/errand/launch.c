/*
 * One command as its own process group: standard input is a file in memory, or empty; a small environment; no
 * descriptor but 0, 1 and 2; no signal blocked.  It dies with the one who started it.
 */
#include "errand/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

enum { DESCRIPTORS = 1024 };

const char launch_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static int
open_input(struct str input)
{
	int fd;

	if (input.n == 0)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	if (write(fd, input.p, input.n) != (ssize_t)input.n || lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* --- in the new process ----------------------------------------------------------- */

static void
add(char **env, unsigned *n, const char *name, const char *value)
{
	if (value != NULL)
		env[(*n)++] = mem_printf("%s=%s", name, value);
}

static void
make_environment(char **env)
{
	const struct passwd *pw = getpwuid(geteuid());
	unsigned n = 0;

	add(env, &n, "PATH", launch_path);
	add(env, &n, "HOME", pw != NULL ? pw->pw_dir : "/");
	add(env, &n, "USER", pw != NULL ? pw->pw_name : NULL);
	add(env, &n, "LOGNAME", pw != NULL ? pw->pw_name : NULL);
	add(env, &n, "LANG", "C.UTF-8");
	add(env, &n, "TZ", getenv("TZ"));
	add(env, &n, "CREDENTIALS_DIRECTORY", getenv("CREDENTIALS_DIRECTORY"));
	env[n] = NULL;
}

static void
calm_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);	/* refused for some, which does not matter */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
split(char *command, char **words)
{
	char *rest = command, *word;
	unsigned n = 0;

	while (n < LAUNCH_WORDS_MAX && (word = strsep(&rest, " \t")) != NULL)
		if (word[0] != '\0')
			words[n++] = word;
	words[n] = NULL;
	if (n == 0 || rest != NULL) {
		dprintf(2, "%s\n", n == 0 ? "it is empty" : "it has too many words");
		_exit(127);
	}
}

static _Noreturn void
become(const char *command, pid_t parent, const int fd[3])
{
	char *words[LAUNCH_WORDS_MAX + 1], *env[8];
	struct rlimit limit;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (int i = 0; i < 3; i++)
		dup2(fd[i], i);
	close_range(3, ~0U, 0);
	calm_signals();
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > DESCRIPTORS) {
		limit.rlim_cur = DESCRIPTORS;	/* more than select(2) knows would surprise */
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (chdir("/") < 0)
		_exit(127);
	make_environment(env);
	split(mem_text(command), words);
	setenv("PATH", launch_path, 1);	/* where execvpe looks */
	execvpe(words[0], words, env);
	dprintf(2, "cannot run %s: %s\n", words[0], strerror(errno));
	_exit(127);
}

/* --- in ours -------------------------------------------------------------------------- */

static void
close_all(int *fd, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

int
launch_start(struct launch *l, const char *command, struct str input)
{
	int fd[3] = { -1, -1, -1 }, ours[2] = { -1, -1 }, pair[2];
	pid_t own = getpid();
	int saved;

	fd[0] = open_input(input);
	for (unsigned i = 0; i < 2 && fd[0] >= 0; i++) {
		if (pipe2(pair, O_CLOEXEC) < 0)
			goto failed;
		ours[i] = pair[0];
		fd[i + 1] = pair[1];
		if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
			goto failed;
	}
	if (fd[0] < 0)
		goto failed;
	*l = (struct launch){ .end = -1, .out = ours[0], .err = ours[1] };
	l->pid = fork();
	if (l->pid < 0)
		goto failed;
	if (l->pid == 0)
		become(command, own, fd);
	setpgid(l->pid, l->pid);	/* whoever comes first */
	l->end = pidfd_open(l->pid, 0);
	if (l->end < 0) {
		saved = errno;
		kill(l->pid, SIGKILL);
		waitpid(l->pid, NULL, 0);
		errno = saved;
		goto failed;
	}
	close_all(fd, 3);
	return 0;
failed:
	saved = errno;
	close_all(fd, 3);
	close_all(ours, 2);
	return saved;
}
