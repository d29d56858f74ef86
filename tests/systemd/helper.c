/*
 * What a shell cannot do, for tests/systemd.
 *
 *   helper knock ADDRESS:PORT|PATH       connects over and over, reading each greeting, until SIGTERM; then says how it went
 *   helper freeze PID THREAD             stops one thread of a process, and only that, until SIGTERM
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t over;

static void
on_term(int sig)
{
	(void)sig;
	over = 1;
}

static socklen_t
parse(char *text, struct sockaddr_storage *sa)
{
	struct sockaddr_un *sun = (struct sockaddr_un *)sa;
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	char *colon = strrchr(text, ':');

	memset(sa, 0, sizeof *sa);
	if (text[0] == '/') {
		sun->sun_family = AF_UNIX;
		snprintf(sun->sun_path, sizeof sun->sun_path, "%s", text);
		return sizeof *sun;
	}
	if (colon == NULL)
		return 0;
	*colon = '\0';
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)atoi(colon + 1));
	return inet_pton(AF_INET, text, &in->sin_addr) == 1 ? sizeof *in : 0;
}

static int
knock(char *where)
{
	struct sockaddr_storage sa;
	socklen_t len = parse(where, &sa);
	unsigned refused = 0, greeted = 0, later = 0, silent = 0;
	char line[128];
	ssize_t n;

	if (len == 0)
		return 64;
	while (!over) {
		int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 10 }, sizeof(struct timeval));
		if (connect(fd, (struct sockaddr *)&sa, len) < 0) {
			refused++;
		} else {
			n = recv(fd, line, sizeof line, 0);
			if (n >= 3 && memcmp(line, "220", 3) == 0)
				greeted++;
			else if (n >= 3 && memcmp(line, "421", 3) == 0)	/* it came in, and was told that we stop */
				later++;
			else if (!over)
				silent++;
		}
		close(fd);
		usleep(2000);
	}
	printf("refused=%u silent=%u later=%u greeted=%u\n", refused, silent, later, greeted);
	return refused == 0 && silent == 0 && greeted > 0 ? 0 : 1;
}

/* The thread of this name. */
static pid_t
find_thread(const char *pid, const char *name)
{
	char path[64], comm[32];
	struct dirent *e;
	pid_t found = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%.20s/task", pid);
	d = opendir(path);
	while (d != NULL && found == 0 && (e = readdir(d)) != NULL) {
		FILE *f;

		snprintf(path, sizeof path, "/proc/%.20s/task/%.15s/comm", pid, e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fgets(comm, sizeof comm, f) != NULL && strncmp(comm, name, strlen(name)) == 0)
			found = (pid_t)atoi(e->d_name);
		fclose(f);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static int
freeze(const char *pid, const char *name)
{
	pid_t tid = find_thread(pid, name);
	int status;

	if (tid == 0 || ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0) {
		fprintf(stderr, "cannot stop thread %s: %s\n", name, tid == 0 ? "there is none" : strerror(errno));
		return 1;
	}
	printf("frozen\n");
	fflush(stdout);
	/* Killed, it is not gone before we have waited for it: so wait, as nobody does for a thread that is stuck by itself. */
	while (!over && (waitpid(tid, &status, __WALL) < 0 ? errno == EINTR : !WIFEXITED(status) && !WIFSIGNALED(status)))
		;
	return 0;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };

	sigaction(SIGTERM, &sa, NULL);
	if (argc == 3 && strcmp(argv[1], "knock") == 0)
		return knock(argv[2]);
	if (argc == 4 && strcmp(argv[1], "freeze") == 0)
		return freeze(argv[2], argv[3]);
	fprintf(stderr, "usage: helper knock WHERE | freeze PID THREAD\n");
	return 64;
}
