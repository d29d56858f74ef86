/* The world: directories, processes, ports. */
#include "e2e/world.h"
#include "e2e/spawn.h"
#include "patience.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
pause_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

/* Ours until this process ends, among all tests that run on the machine: a name that only one can have. */
static bool
claim(unsigned port)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n;

	n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "gatepost-e2e-%u", port);
	if (bind(fd, (struct sockaddr *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0)
		return true;
	close(fd);
	return false;
}

unsigned
world_free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint16_t any;
	int fd, r;

	/* Not one of those that the kernel gives to outgoing connections: it must be free whenever the daemon starts. */
	do {
		ck_assert_int_eq(getrandom(&any, sizeof any, 0), sizeof any);
		sa.sin_port = htons((uint16_t)(10000 + any % 22000));
		fd = socket(AF_INET, SOCK_STREAM, 0);
		r = bind(fd, (struct sockaddr *)&sa, sizeof sa);
		close(fd);
	} while (r < 0 || !claim(ntohs(sa.sin_port)));
	return ntohs(sa.sin_port);
}

/* Under a sanitizer the disk is not what is tested, and a busy one would only hold it up. */
static void
where(char *dir, size_t size)
{
	const char *memory = getenv("GATEPOST_MEMORY");

	snprintf(dir, size, "%s/gatepost-e2e-XXXXXX", getenv("GATEPOST_IN_MEMORY") != NULL && memory != NULL ? memory : "/tmp");
}

void
world_new(struct world *w, enum provider_mode m587, const char *script587, enum provider_mode m465,
    const char *script465, enum provider_mode m2525, const char *script2525)
{
	const struct provider_options o = { .user = "apikey", .password = "provider-secret" };

	memset(w, 0, sizeof *w);
	where(w->dir, sizeof w->dir);
	ck_assert_ptr_nonnull(mkdtemp(w->dir));
	snprintf(w->log, sizeof w->log, "%s/log", w->dir);
	w->provider = provider_new(&o);
	ck_assert_ptr_nonnull(w->provider);
	w->p587 = provider_listen(w->provider, "127.0.0.1", 0, m587, script587);
	w->p465 = provider_listen(w->provider, "127.0.0.1", 0, m465, script465);
	w->p2525 = provider_listen(w->provider, "127.0.0.1", 0, m2525, script2525);
	ck_assert_uint_ne(w->p587 * w->p465 * w->p2525, 0);
	w->l587 = world_free_port();
	w->l465 = world_free_port();
	w->l2525 = world_free_port();
}

/*
 * On a slow machine a port that is well may need longer than race_delay, and then another one takes the mail: that is not what most
 * tests are about.  A test with a race_delay of its own has all such times its own.
 */
static const char *
calm(const char *upstream)
{
	return strstr(upstream, "race_delay") != NULL ? "" : " race_delay = \"1m\" connect_timeout = \"1s\"\n";
}

void
world_configure(struct world *w, const char *upstream, const char *rest)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/secret", w->dir);
	f = fopen(path, "w");
	fputs("provider-secret\n", f);
	fchmod(fileno(f), 0600);
	fclose(f);
	snprintf(path, sizeof path, "%s/gatepost.conf", w->dir);
	f = fopen(path, "w");
	fprintf(f, "hostname = \"relay.example\"\n%s\n"
	    "listen \"127.0.0.1:%u\" {}\nlisten \"127.0.0.1:%u\" { tls = \"implicit\" }\nlisten \"127.0.0.1:%u\" {}\n"
	    "upstream \"provider\" {\n host = \"127.0.0.1\"\n"
	    " chain = {\"%u/starttls\", \"%u/implicit\", \"%u/starttls\"}\n"
	    " username = \"apikey\"\n password_file = \"secret\"\n tls_ca = \"%s\"\n%s%s\n}\n",
	    rest, w->l587, w->l465, w->l2525, w->p587, w->p465, w->p2525, provider_ca(w->provider), calm(upstream), upstream);
	fclose(f);
	snprintf(path, sizeof path, "%s/users", w->dir);
	if (access(path, F_OK) < 0) {
		char out[512];

		ck_assert_msg(world_run(w, out, sizeof out, "app-secret\n", "passwd app") == 0, "%s", out);
	}
}

static pid_t
spawn_in(const struct world *w, const char *const *argv, int in, int out)
{
	return spawn(&(struct spawn){ .argv = argv, .in = in, .out = out, .pass = w->pass, .npass = w->npass });
}

bool
world_try_start(struct world *w)
{
	const char *argv[] = { "gatepost", "run", "--state", w->dir, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int log = open(w->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	w->pid = spawn_in(w, argv, null, log);
	close(null);
	close(log);
	return world_wait_log(w, w->is_json ? "\"event\":\"started\"" : "event=started", 30000);
}

void
world_start(struct world *w)
{
	char *text, state[512];

	if (world_try_start(w))
		return;
	text = world_read_log(w);
	spawn_state(w->pid, state, sizeof state);
	ck_abort_msg("gatepost did not start (%s): %s", state, text);
}

int
world_stop(struct world *w, int sig)
{
	int status;

	kill(w->pid, sig);
	ck_assert_int_eq(waitpid(w->pid, &status, 0), w->pid);
	w->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

/* A sanitizer ends the daemon where it sees something, which may be when the test has seen all it wanted. */
static void
judge_log(const struct world *w)
{
	char *text = world_read_log(w);

	if (strstr(text, "Sanitizer: ") != NULL || strstr(text, ": runtime error: ") != NULL)
		ck_abort_msg("%s", text);
	free(text);
}

/* Killed, unless GATEPOST_GENTLY wants what it does in ending: then it has a while. */
static void
end(struct world *w)
{
	int patience_ms = 3000;
	siginfo_t ended = { 0 };

	if (getenv("GATEPOST_GENTLY") != NULL)
		for (kill(w->pid, SIGTERM); patience_ms > 0 && ended.si_pid == 0; patience_ms -= 10) {
			pause_ms(10);
			ck_assert_int_eq(waitid(P_PID, (id_t)w->pid, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
		}
	world_stop(w, SIGKILL);
}

void
world_free(struct world *w)
{
	if (w->pid != 0)
		end(w);
	judge_log(w);
	provider_free(&w->provider);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *
world_read_log(const struct world *w)
{
	FILE *f = fopen(w->log, "r");
	char *text = NULL;
	size_t size = 0;

	if (f == NULL)
		return strdup("");
	if (getdelim(&text, &size, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(f);
	return text;
}

bool
world_wait_log(const struct world *w, const char *text, int ms)
{
	for (ms = patience(ms); ms > 0; ms -= 10) {
		char *log = world_read_log(w);
		bool found = strstr(log, text) != NULL;
		siginfo_t ended = { 0 };

		free(log);
		if (found)
			return true;
		if (w->pid != 0 && waitid(P_PID, (id_t)w->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0)
			return false;
		pause_ms(10);
	}
	return false;
}

int
world_run(const struct world *w, char *out, size_t size, const char *input, const char *args)
{
	const char *argv[32] = { "gatepost" };
	char *words = strdup(args), *rest = words, *word;
	int to[2], from[2], status, n = 1;
	size_t got = 0;
	ssize_t r;
	pid_t pid;

	while (n < 28 && (word = strsep(&rest, " ")) != NULL)
		argv[n++] = word;
	argv[n++] = "--state";
	argv[n++] = w->dir;
	ck_assert_int_eq(pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0);
	pid = spawn_in(w, argv, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	if (input != NULL)
		ck_assert_int_eq(write(to[1], input, strlen(input)), (ssize_t)strlen(input));
	close(to[1]);
	while ((r = read(from[0], out + got, size - 1 - got)) > 0)
		got += (size_t)r;
	out[got] = '\0';
	close(from[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	free(words);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}
