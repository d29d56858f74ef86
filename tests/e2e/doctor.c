/* What a person sees: the probe of real ports, and the commands on a terminal (a pty), wide, narrow and interrupted. */
#include "e2e/world.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *doctor_suite(void);

enum { OUT = 65536, ID_TEXT = 32 };

static struct world w;
static char out[OUT];

static void
setup(void)
{
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
}

static void
teardown(void)
{
	if (w.pid != 0)
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}

static void
expect(const char *what)
{
	ck_assert_msg(strstr(out, what) != NULL, "%s not in\n%s", what, out);
}

static void
expect_not(const char *what)
{
	ck_assert_msg(strstr(out, what) == NULL, "%s in\n%s", what, out);
}

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", w.dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fchmod(fileno(f), 0600);
	fputs(text, f);
	fclose(f);
}

static void
configure(const char *upstream)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/gatepost.conf", w.dir);
	f = fopen(path, "w");
	fprintf(f, "upstream \"provider\" {\n host = \"127.0.0.1\"\n chain = {\"%u/starttls\", \"%u/implicit\"}\n"
	    " username = \"apikey\"\n tls_ca = \"%s\"\n connect_timeout = \"1s\"\n%s\n}\n", w.p587, w.p465,
	    provider_ca(w.provider), upstream);
	fclose(f);
}

/* --- a terminal -------------------------------------------------------------------- */

struct terminal {
	int fd;
	pid_t pid;
	size_t got;
};

static void
terminal_run(struct terminal *t, unsigned columns, const char *command, const char *what, const char *more)
{
	struct winsize ws = { .ws_col = (unsigned short)columns, .ws_row = 24 };

	t->got = 0;
	setenv("TERM", "xterm", 1);	/* here: a lock of the provider's threads would be held for ever there */
	unsetenv("NO_COLOR");
	t->pid = forkpty(&t->fd, NULL, NULL, &ws);
	ck_assert_int_ge(t->pid, 0);
	if (t->pid > 0)
		return;
	execl(getenv("GATEPOST"), "gatepost", command, "--state", w.dir, what, more, NULL);
	_exit(127);
}

/* Reads until the text has come, or (NULL) the end; false: it did not in time. */
static bool
terminal_read(struct terminal *t, const char *until, int ms)
{
	struct pollfd p = { t->fd, POLLIN, 0 };
	ssize_t n;

	while (until == NULL || strstr(out, until) == NULL) {
		if (t->got == OUT - 1 || poll(&p, 1, ms) <= 0)
			return false;
		n = read(t->fd, out + t->got, OUT - 1 - t->got);
		if (n <= 0)
			return until == NULL;
		t->got += (size_t)n;
		out[t->got] = '\0';
	}
	return true;
}

static int
terminal_end(struct terminal *t)
{
	int status;

	ck_assert(terminal_read(t, NULL, 30000));
	close(t->fd);
	ck_assert_int_eq(waitpid(t->pid, &status, 0), t->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int
on_terminal(unsigned columns, const char *command, const char *what, const char *more)
{
	struct terminal t;

	out[0] = '\0';
	terminal_run(&t, columns, command, what, more);
	return terminal_end(&t);
}

static void
expect_lines_within(unsigned columns)
{
	unsigned n = 0;

	for (const char *p = out; *p != '\0'; p++) {
		if (*p == '\033')
			p = strchr(p, 'm');
		else if (*p == '\n')
			n = 0;
		else if (*p != '\r' && ((unsigned char)*p & 0xc0) != 0x80)
			ck_assert_msg(++n <= columns, "a line is longer than %u in\n%s", columns, out);
		ck_assert_ptr_nonnull(p);
	}
}

/* --- probe -------------------------------------------------------------------------- */

START_TEST(a_probe_of_everything)
{
	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "strip: 1");
	world_configure(&w, "", "");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "probe"), 0);
	expect("provider (127.0.0.1): usable, best by ");
	expect("STARTTLS FAILED");
	expect("a middlebox takes it out");
	expect("login ok");
	expect("issued by CN=Fake provider's CA");
	expect_not("provider-secret");
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 1);
	ck_assert_uint_eq(provider_said(w.provider, "MAIL"), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "probe nobody"), 64);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "probe --host"), 64);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "probe -c /nonexistent"), 78);
}
END_TEST

START_TEST(a_probe_in_a_terminal)
{
	static const unsigned columns[] = { 120, 80, 40 };

	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_REFUSE, NULL);
	w.p2525 = provider_listen(w.provider, "127.0.0.1", w.p2525, PROVIDER_STARTTLS, "cert: self");
	world_configure(&w, "", "");
	ck_assert_int_eq(on_terminal(columns[_i], "probe", NULL, NULL), 0);
	expect("\033[31mFAILED\033[0m");
	expect("connection refused");
	expect_lines_within(columns[_i]);
}
END_TEST

START_TEST(a_password_by_command)
{
	static const struct { const char *command, *say; int status; unsigned logins; } rows[] = {
		{ "/bin/echo provider-secret", "login ok", 0, 1 },
		{ "/bin/echo wrong", "Wrong user name or password", 1, 1 },
		{ "/bin/false", "ended with status 1", 1, 0 },
		{ "/bin/true", "is empty", 1, 0 },
		{ "/nonexistent/command", "password_command: ", 1, 0 },
	};
	char text[128];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned before = provider_said(w.provider, "AUTH");

		snprintf(text, sizeof text, "password_command = \"%s\"", rows[i].command);
		configure(text);
		ck_assert_msg(world_run(&w, out, sizeof out, NULL, "probe") == rows[i].status, "%s: %s", rows[i].command, out);
		expect(rows[i].say);
		expect_not("provider-secret");
		ck_assert_uint_eq(provider_said(w.provider, "AUTH") - before, rows[i].logins);
	}
}
END_TEST

/* What would fail only when it is needed is found before; and for the daemon's user, not for root. */
START_TEST(check_looks_for_the_commands)
{
	static const struct { const char *rest, *upstream, *say; int status; } rows[] = {
		{ "", "password_command = \"cat /etc/hostname\"", "upstream provider: password_command runs /", 0 },
		{ "alert { command = \"/bin/sh -c true\" }", "", "alert: command runs /bin/sh", 0 },
		{ "", "password_command = \"/nonexistent/get-password x\"",
		    "gatepost: upstream provider: password_command: /nonexistent/get-password: No such file or directory; install it", 78 },
		{ "", "password_command = \"no-such-helper\"", "no-such-helper is not in any of /usr/local/sbin:", 78 },
		{ "alert { command = \"/etc/passwd\" }", "",
		    "gatepost: alert: command: /etc/passwd is no program that the daemon's user may run; chmod +x it", 78 },
	};
	char conf[512];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		snprintf(conf, sizeof conf, "%s\nupstream \"provider\" { host = \"127.0.0.1\" chain = {\"%u/starttls\"} tls_verify = false "
		    "username = \"apikey\" %s }\n", rows[i].rest, w.p587, rows[i].upstream[0] != '\0' ? rows[i].upstream :
		    "password_file = \"secret\"");
		write_file("gatepost.conf", conf);
		write_file("secret", "provider-secret\n");
		ck_assert_msg(world_run(&w, out, sizeof out, NULL, "check") == rows[i].status, "%s", out);
		expect(rows[i].say);
	}
}
END_TEST

START_TEST(check_looks_for_the_commands_as_the_user)
{
	char path[128], conf[512];

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(w.dir, 0711), 0);
	write_file("helper", "#!/bin/sh\n");
	snprintf(path, sizeof path, "%s/helper", w.dir);
	ck_assert_int_eq(chmod(path, 0700), 0);		/* root's */
	snprintf(conf, sizeof conf, "user = \"nobody\"\nupstream \"provider\" { host = \"127.0.0.1\" chain = {\"%u/starttls\"} "
	    "tls_verify = false username = \"apikey\" password_command = \"%s\" }\n", w.p587, path);
	write_file("gatepost.conf", conf);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	expect("/helper is no program that the daemon's user may run; chmod +x it");
	ck_assert_int_eq(chmod(path, 0755), 0);
	(void)world_run(&w, out, sizeof out, NULL, "check");	/* it may complain of others */
	expect("password_command runs /");
}
END_TEST

/* Root's probe must not run with root's rights what the daemon runs without them. */
START_TEST(a_command_is_run_as_the_user)
{
	static const char *const ask[] = { "forall", "rootonly" };
	char command[128], path[128], text[256], conf[512];

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(w.dir, 0711), 0);
	write_file("rootonly", "provider-secret\n");
	write_file("forall", "provider-secret\n");
	snprintf(path, sizeof path, "%s/forall", w.dir);
	ck_assert_int_eq(chmod(path, 0644), 0);
	snprintf(command, sizeof command, "/bin/cat %s/%s", w.dir, ask[_i]);
	snprintf(text, sizeof text, "tls_verify = false password_command = \"%s\"", command);
	snprintf(conf, sizeof conf, "user = \"nobody\"\nupstream \"provider\" { host = \"127.0.0.1\" chain = {\"%u/starttls\"} "
	    "username = \"apikey\" %s }\n", w.p587, text);
	write_file("gatepost.conf", conf);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "probe") == _i, "%s", out);
	expect(_i == 0 ? "login ok" : "password_command: ");
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), _i == 0 ? 1 : 0);
}
END_TEST

START_TEST(a_token_for_the_probe)
{
	static const struct { const char *script, *say, *kept; int status; } rows[] = {
		{ "token: 1; grant: 200 {\"access_token\":\"provider-secret\",\"token_type\":\"Bearer\",\"expires_in\":3600,"
		    "\"refresh_token\":\"refresh-two\"}", "login ok", "refresh-two", 0 },
		{ "token: 1; grant: 400 {\"error\":\"invalid_grant\"}", "renew the consent", "refresh-one", 1 },
		{ "token: 1; grant: !close", "no token: ", "refresh-one", 1 },
	};
	unsigned port = provider_listen(w.provider, "127.0.0.1", 0, PROVIDER_NONE, rows[_i].script);
	char text[512], path[128], got[64] = "";
	FILE *f;

	write_file("refresh", "refresh-one\n");
	snprintf(text, sizeof text, "oauth2 { token_url = \"http://127.0.0.1:%u/token\" client_id = \"me\" "
	    "refresh_token_file = \"refresh\" }", port);
	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "mechs: XOAUTH2");
	configure(text);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "probe") == rows[_i].status, "%s", out);
	expect(rows[_i].say);
	expect_not("provider-secret");
	expect_not("refresh-");
	ck_assert_uint_eq(provider_said(w.provider, "AUTH XOAUTH2"), rows[_i].status == 0 ? 1 : 0);
	snprintf(path, sizeof path, "%s/refresh", w.dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(fgets(got, sizeof got, f));
	fclose(f);
	got[strcspn(got, "\n")] = 0;
	ck_assert_str_eq(got, rows[_i].kept);
}
END_TEST

/* --- the daemon's commands ------------------------------------------------------------- */

static void
submit(const char *to, const char *text, char id[ID_TEXT])
{
	struct client *c = client_new(&w, w.l465, CLIENT_IMPLICIT);

	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "a.rather.long.sender@client.example", to, text), 250);
	snprintf(id, ID_TEXT, "%s", client_id(c));
	client_free(&c);
}

#define EVIL "\033]0;owned\007\033[2J\302\233 31m \377"

/* A stranger's escape sequences reach a file, and no terminal. */
START_TEST(hostile_text_is_tamed_on_a_terminal)
{
	char id[ID_TEXT], ask[64];

	w.p465 = provider_listen(w.provider, "127.0.0.1", w.p465, PROVIDER_IMPLICIT, "mail: 451 4.3.0 \033[31mlater");
	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "mail: 451 4.3.0 \033[31mlater");
	world_configure(&w, "", "");
	world_start(&w);
	submit("you@far.example", "Subject: " EVIL " \303\251\r\n\r\nbody " EVIL "\r\nend\r\n", id);
	ck_assert(world_wait_log(&w, "event=deferred", 30000));
	for (unsigned i = 0; i < 2; i++) {
		const char *how = i == 0 ? "--raw" : "--headers";

		ck_assert_int_eq(on_terminal(80, "show", id, how), 0);
		expect("\\x1B]0;owned\\x07");
		expect("\303\251");
		ck_assert_ptr_null(strchr(out, '\033'));
		ck_assert_ptr_null(strchr(out, '\007'));
		expect_not("\302\233");
		expect_not("\377");
		snprintf(ask, sizeof ask, "show %s %s", id, how);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, ask), 0);
		expect("\033]0;owned\007");
		expect("\377");
	}
	ck_assert_int_eq(on_terminal(80, "queue", NULL, NULL), 0);
	expect_not("\033[31mlater");
	expect_lines_within(80);
}
END_TEST

START_TEST(tables_fit_the_terminal)
{
	static const unsigned columns[] = { 80, 45 };
	char id[ID_TEXT];

	w.p465 = provider_listen(w.provider, "127.0.0.1", w.p465, PROVIDER_REFUSE, NULL);
	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "strip: 1");
	w.p2525 = provider_listen(w.provider, "127.0.0.1", w.p2525, PROVIDER_DROP, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	submit("you@far.example", "Subject: x\r\n\r\ny\r\n", id);
	ck_assert(world_wait_log(&w, "event=upstream", 30000));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(on_terminal(columns[i], "status", NULL, NULL), 0);
		expect("STARTTLS is not");
		expect_lines_within(columns[i]);
		ck_assert_int_eq(on_terminal(columns[i], "queue", NULL, NULL), 0);
		expect("a.rather.long.sender@client.example");
		expect_lines_within(columns[i]);
		ck_assert_int_eq(on_terminal(columns[i], "show", id, NULL), 0);
		expect_lines_within(columns[i]);
		ck_assert_int_eq(on_terminal(columns[i], "trace", id, NULL), 0);
		expect("accepted");
		expect_lines_within(columns[i]);
	}
}
END_TEST

/* It leaves the terminal as it was, whatever ends it. */
START_TEST(watching_ends_cleanly)
{
	static const char leave[] = "\033[?25h\033[?1049l";
	struct terminal t;

	world_configure(&w, "", "");
	world_start(&w);
	out[0] = '\0';
	terminal_run(&t, 80, "status", "--watch", NULL);
	ck_assert(terminal_read(&t, "queue: empty", 30000));
	expect("\033[?1049h");
	if (_i == 0) {
		ck_assert_int_eq(write(t.fd, "\003", 1), 1);
		ck_assert_int_eq(terminal_end(&t), 0);
	} else if (_i == 1) {
		kill(t.pid, SIGTERM);
		ck_assert_int_eq(terminal_end(&t), -SIGTERM);
	} else {
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
		ck_assert_int_eq(terminal_end(&t), 75);
		ck_assert_ptr_nonnull(strstr(strstr(out, leave), "gatepost: status: "));	/* told where it stays */
	}
	expect(leave);
}
END_TEST

START_TEST(a_test_tells_what_it_waits_for)
{
	static const struct { const char *script, *say; int status; } rows[] = {
		{ "", "relayed: the provider took it", 0 },
		{ "rcpt: 550 5.1.1 nobody here", "550 5.1.1 nobody here", 1 },
		{ "rcpt: 451 4.3.0 come back", "451 4.3.0 come back", 1 },
		{ "rcpt: !delay 5000", "waiting: ", 0 },
	};

	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, rows[_i].script);
	world_configure(&w, "", "");
	world_start(&w);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "test you@far.example") == rows[_i].status, "%s", out);
	expect("accepted: queued as ");
	expect(rows[_i].say);
}
END_TEST

/* A tree to build in may have none: that says nothing of the program.  Told once, where the suite runs. */
static bool
has_terminals(void)
{
	const char *suite = getenv("CK_RUN_SUITE");
	int master, slave;

	if (openpty(&master, &slave, NULL, NULL, NULL) == 0) {
		close(master);
		close(slave);
		return true;
	}
	if (suite == NULL || strcmp(suite, "doctor") == 0)
		fprintf(stderr, "doctor: tests on a terminal are skipped: no pty can be made here (%s)\n", strerror(errno));
	return false;
}

Suite *
doctor_suite(void)
{
	Suite *s = suite_create("doctor");
	TCase *t = tcase_create("doctor");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_probe_of_everything);
	tcase_add_test(t, a_password_by_command);
	tcase_add_test(t, check_looks_for_the_commands);
	tcase_add_test(t, check_looks_for_the_commands_as_the_user);
	tcase_add_loop_test(t, a_command_is_run_as_the_user, 0, 2);
	tcase_add_loop_test(t, a_token_for_the_probe, 0, 3);
	tcase_add_loop_test(t, a_test_tells_what_it_waits_for, 0, 4);
	suite_add_tcase(s, t);
	if (!has_terminals())
		return s;
	t = tcase_create("terminal");
	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_probe_in_a_terminal, 0, 3);
	tcase_add_test(t, hostile_text_is_tamed_on_a_terminal);
	tcase_add_test(t, tables_fit_the_terminal);
	tcase_add_loop_test(t, watching_ends_cleanly, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
