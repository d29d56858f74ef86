/* A reload that somebody waits for: `gatepost reload', and what systemd's ExecReload= gets of it. */
#include "e2e/world.h"

#include <check.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMES = 6, AT_ONCE = 4, EARLY_MS = 300 };

static void
up(struct world *w, const char *rest)
{
	world_new(w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(w, "", rest);
	world_start(w);
}

static void
down(struct world *w)
{
	ck_assert_int_eq(world_stop(w, SIGTERM), 0);
	world_free(w);
}

static void
reloads(const struct world *w, const char *args, int status, const char *words)
{
	char out[4096];
	int got = world_run(w, out, sizeof out, NULL, args);

	ck_assert_msg(got == status && strstr(out, words) != NULL, "%d: %s", got, out);
	ck_assert_ptr_eq(strchr(out, '\n'), out + strlen(out) - 1);	/* one line */
}

/* As a unit does, without --state, and with that file. */
static int
reload_alone(const struct world *w, const char *runtime, char *out, size_t size)
{
	char line[512];
	size_t n;
	FILE *f;

	snprintf(line, sizeof line, "env %s%s %s reload -c %s/bad.conf 2>&1", runtime != NULL ? "RUNTIME_DIRECTORY=" : "-u ",
	    runtime != NULL ? runtime : "RUNTIME_DIRECTORY", getenv("GATEPOST"), w->dir);
	f = popen(line, "r");
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	return WEXITSTATUS(pclose(f));
}

/* The very next client has the new limit, whichever thread takes it. */
START_TEST(a_reload_is_in_force_when_it_is_told)
{
	struct world w;
	struct client *c;
	char rest[64], size[32];

	up(&w, "");
	for (unsigned i = 1; i <= TIMES; i++) {
		snprintf(rest, sizeof rest, "limits { message_size = \"%uM\" }", i);
		world_configure(&w, "", rest);
		reloads(&w, "reload", 0, "reloaded /");
		snprintf(size, sizeof size, "SIZE %u\r\n", i * 1024 * 1024);
		for (unsigned k = 0; k < 4; k++) {
			c = client_new(&w, w.l587, CLIENT_PLAIN);
			ck_assert_int_eq(client_ask(c, "EHLO client.example\r\n"), 250);
			ck_assert_msg(strstr(client_text(c), size) != NULL, "%s", client_text(c));
			client_free(&c);
		}
	}
	down(&w);
}
END_TEST

/* 0: none has its name yet. */
static pid_t
find_listener(const struct world *w)
{
	char path[300], name[32];
	struct dirent *e;
	pid_t tid = 0;
	DIR *d;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task", (int)w->pid);
	d = opendir(path);
	while (tid == 0 && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "/proc/%d/task/%.16s/comm", (int)w->pid, e->d_name);
		f = fopen(path, "r");
		if (f != NULL && fgets(name, sizeof name, f) != NULL && strcmp(name, "listener\n") == 0)
			tid = atoi(e->d_name);
		if (f != NULL)
			fclose(f);
	}
	closedir(d);
	return tid;
}

/* A listener of the daemon, stopped in whatever it does; 0: it may not be. */
static pid_t
freeze_listener(const struct world *w)
{
	pid_t tid = 0;

	for (unsigned i = 0; i < 10000 && (tid = find_listener(w)) == 0; i++)
		usleep(1000);
	ck_assert_int_ne(tid, 0);
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0)
		return 0;
	ck_assert_int_eq(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(tid, NULL, __WALL), tid);
	return tid;
}

/* It is not told before the last thread has it. */
START_TEST(a_reload_waits_for_every_thread)
{
	struct world w;
	char line[256], out[512];
	struct pollfd p = { .events = POLLIN };
	pid_t frozen;
	FILE *f;

	up(&w, "");
	frozen = freeze_listener(&w);
	snprintf(line, sizeof line, "%s reload --state %s 2>&1", getenv("GATEPOST"), w.dir);
	f = popen(line, "r");
	ck_assert(world_wait_log(&w, "event=reloaded", 30000));
	p.fd = fileno(f);
	ck_assert(frozen == 0 || poll(&p, 1, EARLY_MS) == 0);
	ck_assert(frozen == 0 || ptrace(PTRACE_DETACH, frozen, NULL, NULL) == 0);
	ck_assert_ptr_nonnull(fgets(out, sizeof out, f));
	ck_assert_msg(strncmp(out, "reloaded ", 9) == 0, "%s", out);
	ck_assert_int_eq(pclose(f), 0);
	down(&w);
}
END_TEST

static const struct {
	const char *rest;
	int status;
	const char *words;
} refused[] = {
	{ "no_such_option = \"1\"", 78, "no_such_option" },
	{ "limits { message_size = \"1", 78, "gatepost.conf" },		/* cannot be parsed: where is the socket? */
	{ "tls { certificate = \"secret\" key = \"secret\" }", 78, "certificate" },
	{ "upstream \"other\" { host = \"h.example\" tls_ca = \"secret\" }", 78, "tls_ca: " },
	{ "threads = 9", 1, "threads cannot change while running: restart; the old configuration stays" },
	{ "control_socket = \"/nonexistent/c.sock\"", 1, "control_socket cannot change while running: restart" },
};

START_TEST(a_refused_reload_tells_why)
{
	struct world w;

	up(&w, "");
	world_configure(&w, "", refused[_i].rest);
	reloads(&w, "reload", refused[_i].status, refused[_i].words);
	reloads(&w, "reload", refused[_i].status, "the old configuration stays");
	ck_assert(world_wait_log(&w, "event=reload_refused", 30000));	/* by the daemon too */
	world_configure(&w, "", "");
	reloads(&w, "reload", 0, "reloaded ");
	down(&w);
}
END_TEST

static const char *const secretive[] = {
	"password = \"Tr0ub4dor${CanaryRest99\"", "password = \"Tr0ub4dor${CanaryRest99}\"", "password = correct horse CanaryBattery9",
	"password = \"a\" \"x SecretCanary2\"", "password = \"x\"\n}\nalert {\n webhook = \"hooks.example/Canary3\"",
};

/* C-16, C-29: a password with a sign too many is not told to the journal, nor to whoever asks. */
START_TEST(a_refused_reload_says_nothing_of_a_secret)
{
	struct world w;
	char rest[256], *log;

	up(&w, "");
	snprintf(rest, sizeof rest, "upstream \"other\" {\nhost = \"h.example\"\nusername = \"u\"\n%s\n}", secretive[_i]);
	world_configure(&w, "", rest);
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reload_refused", 30000));
	log = world_read_log(&w);
	ck_assert_msg(strstr(log, "Canary") == NULL && strstr(log, "horse") == NULL, "%s", log);
	free(log);
	reloads(&w, "reload", 78, "gatepost.conf:");
	for (unsigned i = 0; i < 2; i++) {
		static const char *const commands[] = { "check", "reload" };
		char out[4096];

		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, commands[i]), 78);
		ck_assert_msg(strstr(out, "Canary") == NULL && strstr(out, "horse") == NULL, "%s", out);
		ck_assert_ptr_nonnull(strstr(out, _i < 4 ? ": password: " : ": webhook: "));
	}
	down(&w);
}
END_TEST

/* What a unit runs: the file does not say where the socket is, systemd does. */
START_TEST(the_socket_is_found_without_the_file)
{
	struct world w;
	char out[4096];
	int status;
	FILE *f;

	up(&w, "");
	snprintf(out, sizeof out, "%s/bad.conf", w.dir);
	f = fopen(out, "w");
	fputs("hostname = \"relay\n", f);
	fclose(f);
	status = reload_alone(&w, w.dir, out, sizeof out);
	ck_assert_msg(status == 0 && strstr(out, "reloaded /") != NULL, "%d: %s", status, out);
	ck_assert_ptr_nonnull(strstr(out, "/gatepost.conf\n"));		/* the daemon's own */
	/* never another daemon's */
	status = reload_alone(&w, NULL, out, sizeof out);
	ck_assert_msg(status == 78 && strstr(out, "the daemon was not asked") != NULL, "%d: %s", status, out);
	down(&w);
}
END_TEST

START_TEST(who_is_not_there_reloads_nothing)
{
	struct world w;

	up(&w, "");
	reloads(&w, "reload --socket /nonexistent/c.sock", 75, "no daemon answers at /nonexistent/c.sock");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	reloads(&w, "reload", 75, "no daemon answers at ");
	world_configure(&w, "", "no_such_option = \"1\"");
	reloads(&w, "reload", 75, "no daemon answers at ");
	reloads(&w, "reload now", 64, "too much: now");
	world_free(&w);
}
END_TEST

START_TEST(a_daemon_that_stops_reloads_no_more)
{
	struct world w;
	struct client *c;

	up(&w, "");
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_ask(c, "MAIL FROM:<app@client.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<you@far.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	kill(w.pid, SIGTERM);
	ck_assert(world_wait_log(&w, "event=stopping", 30000));
	reloads(&w, "reload", 1, "the daemon is stopping");
	ck_assert_int_eq(client_ask(c, "Subject: x\r\n\r\ny\r\n.\r\n"), 250);
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, 0), 0);
	world_free(&w);
}
END_TEST

/* Several at once, and SIGHUP between them: each has an answer, and all the same one. */
START_TEST(reloads_at_once)
{
	struct world w;
	FILE *f[AT_ONCE];
	char line[256], out[512];

	up(&w, "");
	snprintf(line, sizeof line, "%s reload --state %s 2>&1", getenv("GATEPOST"), w.dir);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		f[i] = popen(line, "r");
		kill(w.pid, SIGHUP);
	}
	for (unsigned i = 0; i < AT_ONCE; i++) {
		ck_assert_ptr_nonnull(fgets(out, sizeof out, f[i]));
		ck_assert_msg(strncmp(out, "reloaded ", 9) == 0, "%s", out);
		ck_assert_int_eq(pclose(f[i]), 0);
	}
	down(&w);
}
END_TEST

/* Asks as soon as there is a socket; exits 0 when it was taken. */
static void
ask_early(const struct world *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char text[1024] = "";
	size_t n = 0;
	ssize_t r;
	int fd = -1;

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/control.sock", w->dir);
	for (unsigned i = 0; i < 20000; i++) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
			break;
		close(fd);
		usleep(1000);
	}
	if (write(fd, "{\"command\":\"reload\"}\n", 21) != 21)
		_exit(1);
	while (strstr(text, "{\"end\":true}") == NULL && (r = read(fd, text + n, sizeof text - 1 - n)) > 0)
		text[n += (size_t)r] = '\0';
	_exit(strstr(text, "{\"file\":") != NULL ? 0 : 2);
}

START_TEST(asked_while_it_starts)
{
	struct world w;
	int status;
	pid_t pid;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	pid = fork();
	if (pid == 0)
		ask_early(&w);
	world_start(&w);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(world_wait_log(&w, "event=reloaded", 30000));
	down(&w);
}
END_TEST

Suite *reload_suite(void);

Suite *
reload_suite(void)
{
	Suite *s = suite_create("reload");
	TCase *t = tcase_create("reload");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_reload_is_in_force_when_it_is_told);
	tcase_add_test(t, a_reload_waits_for_every_thread);
	tcase_add_loop_test(t, a_refused_reload_tells_why, 0, (int)(sizeof refused / sizeof refused[0]));
	tcase_add_loop_test(t, a_refused_reload_says_nothing_of_a_secret, 0, (int)(sizeof secretive / sizeof secretive[0]));
	tcase_add_test(t, the_socket_is_found_without_the_file);
	tcase_add_test(t, who_is_not_there_reloads_nothing);
	tcase_add_test(t, a_daemon_that_stops_reloads_no_more);
	tcase_add_test(t, reloads_at_once);
	tcase_add_test(t, asked_while_it_starts);
	suite_add_tcase(s, t);
	return s;
}
