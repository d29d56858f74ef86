/* Living with it: commands, reload, errors, and what may never be seen. */
#include "e2e/world.h"

#include <arpa/inet.h>
#include <check.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT "Subject: x\r\n\r\ny\r\n"

static void
up(struct world *w)
{
	world_new(w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(w, "", "log { level = \"debug\" }");
	world_start(w);
}

static void
append(const struct world *w, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/gatepost.conf", w->dir);
	f = fopen(path, "a");
	fputs(text, f);
	fclose(f);
}

static void
write_file(const struct world *w, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", w->dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

START_TEST(commands_answer)
{
	struct world w;
	char out[16384];

	up(&w);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(out[0] == '{' && strstr(out, "\"counters\"") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "queue"), 0);
	ck_assert_msg(world_run(&w, out, sizeof out, NULL, "test you@far.example") == 0, "%s", out);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "ca"), 0);
	ck_assert_ptr_nonnull(strstr(out, "BEGIN CERTIFICATE"));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry 0000000000001"), 1);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "nonsense"), 64);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run --nonsense"), 64);
	ck_assert_msg(strstr(out, "see `gatepost help run'") != NULL, "%s", out);
	/* what was accepted is not 75, or a script would send it again */
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "test --socket /nonexistent/s you@far.example"), 1);
	ck_assert_msg(strstr(out, "it was accepted as ") != NULL, "%s", out);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 75);
	world_free(&w);
}
END_TEST

/* Until the command's output has this. */
static void
wait_answer(const struct world *w, const char *command, const char *text)
{
	char out[16384];

	for (unsigned i = 0; i < 750; i++) {
		ck_assert_msg(world_run(w, out, sizeof out, NULL, command) == 0, "%s", out);
		if (strstr(out, text) != NULL)
			return;
		usleep(20000);
	}
	ck_abort_msg("%s: no \"%s\" in %s", command, text, out);
}

/* What happened to a message is told after its end too, by the next process too. */
START_TEST(trace_tells_the_story)
{
	struct world w;
	struct client *c;
	char out[16384], trace[64], id[32];

	world_new(&w, PROVIDER_STARTTLS, "rcpt/bad: 550 5.1.1 no such user", PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_start(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_ask(c, "MAIL FROM:<app@client.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<you@far.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<bad@far.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	ck_assert_int_eq(client_ask(c, TEXT ".\r\n"), 250);
	snprintf(id, sizeof id, "%s", client_id(c));
	client_free(&c);
	ck_assert(provider_wait(w.provider, 2, 30000));	/* the bounce is the second */
	snprintf(trace, sizeof trace, "trace %s", id);
	wait_answer(&w, trace, "ended ");
	for (unsigned process = 0; process < 2; process++) {
		ck_assert_msg(world_run(&w, out, sizeof out, NULL, trace) == 0, "%s", out);
		ck_assert_msg(strstr(out, "accepted  from app@client.example, user app") != NULL, "%s", out);
		ck_assert_msg(strstr(out, "relayed   you@far.example via provider 127.0.0.1 port ") != NULL, "%s", out);
		ck_assert_msg(strstr(out, "refused   bad@far.example via provider") != NULL, "%s", out);
		ck_assert_msg(strstr(out, "550 5.1.1 no such user\n") != NULL, "%s", out);
		ck_assert_msg(strstr(out, "bounced   app@client.example is told") != NULL, "%s", out);
		ck_assert_msg(strstr(out, "ended ") != NULL, "%s", out);
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
		world_start(&w);
	}
	snprintf(trace, sizeof trace, "trace %s --json", id);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, trace), 0);
	ck_assert_msg(strncmp(out, "[{\"time_ms\":", 12) == 0 && strstr(out, "}]\n") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "trace 0000000000001"), 1);
	ck_assert_msg(strstr(out, "no message 0000000000001") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "trace nonsense"), 64);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "spool check"), 0);
	world_free(&w);
}
END_TEST

START_TEST(no_secret_is_ever_logged)	/* C-16, A-073 */
{
	struct world w;
	struct client *c;
	char *log;

	up(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert_int_eq(client_ask(c, "AUTH PLAIN AGFwcABjYW5hcnktd3Jvbmc=\r\n"), 535);	/* canary-wrong */
	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	ck_assert(provider_wait(w.provider, 1, 30000));
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	log = world_read_log(&w);
	ck_assert_ptr_null(strstr(log, "canary-wrong"));
	ck_assert_ptr_null(strstr(log, "app-secret"));
	ck_assert_ptr_null(strstr(log, "provider-secret"));
	ck_assert_ptr_null(strstr(log, "AGFwcAB"));
	ck_assert_ptr_null(strstr(log, "cHJvdmlkZXItc2VjcmV0"));	/* provider-secret, base 64 */
	free(log);
	world_free(&w);
}
END_TEST

START_TEST(a_bad_reload_is_refused_whole)
{
	struct world w;
	struct client *c;

	up(&w);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	append(&w, "no_such_option = \"1\"\n");
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reload_refused", 30000));
	ck_assert(world_wait_log(&w, "no_such_option", 30000));
	world_configure(&w, "", "upstream \"other\" { host = \"h.example\" tls_ca = \"half.pem\" }");
	write_file(&w, "half.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "upstream other: tls_ca: ", 30000));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	ck_assert(provider_wait(w.provider, 1, 30000));
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* Configurations that must not start, as without a certificate: the exit status and what the error must name. */
static const struct {
	const char *rest, *upstream, *name;
} bad[] = {
	{ "no_such_option = \"1\"", "", "no_such_option" },
	{ "", "idle = \"30\"", "idle" },
	{ "", "password_file = \"/nonexistent/key\"", "password_file" },
	{ "tls { certificate = \"/nonexistent/cert.pem\" key = \"/nonexistent/key.pem\" }", "", "/nonexistent/cert.pem" },
	{ "users_file = \"/nonexistent/users\"", "", "/nonexistent/users" },
	{ "hostname = \"two words\"", "", "hostname" },
	{ "tls { certificate = \"secret\" key = \"secret\" }", "", "certificate: " },
	{ "upstream \"other\" { host = \"h.example\" tls_ca = \"secret\" }", "", "tls_ca: " },
	{ "upstream \"other\" { host = \"h.example\" tls_ca = \"half.pem\" }", "", "upstream other: tls_ca: " },
	{ "tls { certificate = \"half.pem\" key = \"half.pem\" }", "", "half.pem" },
};

START_TEST(a_bad_configuration_names_the_option)
{
	struct world w;
	char out[4096], path[128];

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_configure(&w, bad[_i].upstream, bad[_i].rest);
	write_file(&w, "half.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 78);
	ck_assert_msg(strncmp(out, "gatepost: ", 10) == 0, "%s", out);
	ck_assert_msg(strstr(out, bad[_i].name) != NULL, "%s", out);
	snprintf(path, sizeof path, "%s/spool/log", w.dir);
	ck_assert_int_lt(access(path, F_OK), 0);	/* nothing started half-configured */
	snprintf(path, sizeof path, "%s/submit.sock", w.dir);
	ck_assert_int_lt(access(path, F_OK), 0);	/* and nothing is left */
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	ck_assert_msg(strstr(out, bad[_i].name) != NULL, "%s", out);
	world_free(&w);
}
END_TEST

START_TEST(a_port_in_use_is_named)
{
	struct world w;
	char out[4096], name[32];

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	w.l465 = provider_listen(w.provider, "127.0.0.1", 0, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 1);
	snprintf(name, sizeof name, "127.0.0.1:%u", w.l465);
	ck_assert_msg(strstr(out, name) != NULL && strstr(out, "in use") != NULL, "%s", out);
	world_free(&w);
}
END_TEST

/* A command that only looks leaves no directory behind. */
START_TEST(looking_makes_nothing)
{
	struct world w, none;
	char out[4096];

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	none = w;
	snprintf(none.dir, sizeof none.dir, "%.50s/none", w.dir);
	ck_assert_int_eq(world_run(&none, out, sizeof out, NULL, "status"), 78);
	ck_assert_msg(strstr(out, "/none: does not exist; `gatepost run --state'") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&none, out, sizeof out, NULL, "check"), 78);
	ck_assert_int_lt(access(none.dir, F_OK), 0);
	world_free(&w);
}
END_TEST

START_TEST(a_user_that_does_not_exist)
{
	struct world w;
	char out[4096], path[128];

	if (geteuid() != 0)		/* then it does not matter */
		return;
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "user = \"no-such-user\"");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 78);
	ck_assert_msg(strstr(out, "user no-such-user does not exist; create it") != NULL, "%s", out);
	snprintf(path, sizeof path, "%s/spool", w.dir);
	ck_assert_int_lt(access(path, F_OK), 0);
	world_free(&w);
}
END_TEST

/* What root can read and the daemon's user cannot is found before a reload finds it. */
START_TEST(check_is_done_for_the_user)
{
	struct world w;
	char out[4096];

	if (geteuid() != 0)
		return;
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "user = \"nobody\"");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	ck_assert_msg(strstr(out, "/gatepost.conf: the daemon's user nobody may not enter /") != NULL, "%s", out);
	ck_assert_int_eq(chmod(w.dir, 0711), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "check"), 78);
	ck_assert_msg(strstr(out, "the daemon's user nobody may not read /tmp/") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "/secret; chgrp ") != NULL, "%s", out);
	world_free(&w);
}
END_TEST

/* As in a container with --cap-drop: root that may not write to what is the daemon's user's, at a second start too. */
START_TEST(root_of_few_capabilities)
{
	static const int dropped[] = { CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER };
	struct world w;
	char out[8192], rest[256], path[128];
	struct stat st;

	if (geteuid() != 0)
		return;
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	ck_assert_int_eq(chmod(w.dir, 0711), 0);
	snprintf(rest, sizeof rest, "user = \"nobody\"\ncontrol_socket = \"%s/run/control.sock\"\nsubmit_socket = \"%s/run/submit.sock\"",
	    w.dir, w.dir);
	world_configure(&w, "", rest);
	snprintf(path, sizeof path, "%s/users", w.dir);
	ck_assert_int_eq(chmod(path, 0644), 0);
	ck_assert_int_eq(chmod(provider_ca(w.provider), 0644), 0);
	for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
		ck_assert_int_eq(prctl(PR_CAPBSET_DROP, dropped[i]), 0);
	for (int i = 0; i < 2; i++) {
		world_start(&w);
		snprintf(path, sizeof path, "%s/run/control.sock", w.dir);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_msg(st.st_uid == 0 && st.st_gid != 0 && (st.st_mode & 07777) == 0660, "%o", st.st_mode);
		snprintf(path, sizeof path, "%s/run/submit.sock", w.dir);
		ck_assert_int_eq(stat(path, &st), 0);
		ck_assert_int_eq(st.st_mode & 07777, 0666);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 0);
		ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "ca"), 0);
		ck_assert_msg(strstr(out, "BEGIN CERTIFICATE") != NULL, "%s", out);
		ck_assert_int_eq(world_stop(&w, i == 0 ? SIGKILL : SIGTERM), i == 0 ? -WTERMSIG(SIGKILL) : 0);
	}
	ck_assert_int_lt(access(path, F_OK), 0);
	world_free(&w);
}
END_TEST

/* CONTRACT.md 2: asked for by the log and by status when the hostname has changed. */
START_TEST(a_new_name_asks_for_a_certificate)
{
	struct world w;
	char out[16384], path[128], text[8192];
	size_t n;
	char *at;
	FILE *f;

	up(&w);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "\"certificate\"") == NULL, "%s", out);
	snprintf(path, sizeof path, "%s/gatepost.conf", w.dir);
	f = fopen(path, "r");
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
	at = strstr(text, "relay.example");
	ck_assert_ptr_nonnull(at);
	memcpy(at, "mover", 5);
	write_file(&w, "gatepost.conf", text);
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=certificate_due", 30000));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "\"certificate\":\"the local certificate does not have the name mover.example\"") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 0);
	ck_assert_msg(strstr(out, "does not have the name mover.example; renew it with `gatepost ca --renew'") != NULL, "%s", out);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "ca --renew"), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "\"certificate\"") == NULL, "%s", out);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* Is a new client refused within so long?  One that was taken meanwhile must not be left waiting. */
static bool
refuses_soon(unsigned port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	for (int i = 0; i < 1500; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int r = connect(fd, (struct sockaddr *)&sin, sizeof sin);

		close(fd);
		if (r < 0)
			return true;
		usleep(10000);
	}
	return false;
}

START_TEST(a_stop_under_way_finishes_what_is_in_data)	/* */
{
	struct world w;
	struct client *c, *idle;

	up(&w);
	idle = client_new(&w, w.l587, CLIENT_STARTTLS);
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	ck_assert_int_eq(client_ask(c, "MAIL FROM:<app@client.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "RCPT TO:<you@far.example>\r\n"), 250);
	ck_assert_int_eq(client_ask(c, "DATA\r\n"), 354);
	kill(w.pid, SIGTERM);
	ck_assert_int_eq(client_reply(idle), 421);
	ck_assert(refuses_soon(w.l587));
	ck_assert(refuses_soon(w.l465));
	ck_assert_int_eq(client_ask(c, "Subject: x\r\n\r\ny\r\n.\r\n"), 250);
	client_free(&c);
	client_free(&idle);
	ck_assert_int_eq(world_stop(&w, 0), 0);
	world_start(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

Suite *live_suite(void);

Suite *
live_suite(void)
{
	Suite *s = suite_create("live");
	TCase *t = tcase_create("live");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, commands_answer);
	tcase_add_test(t, trace_tells_the_story);
	tcase_add_test(t, no_secret_is_ever_logged);
	tcase_add_test(t, a_bad_reload_is_refused_whole);
	tcase_add_loop_test(t, a_bad_configuration_names_the_option, 0, (int)(sizeof bad / sizeof bad[0]));
	tcase_add_test(t, a_port_in_use_is_named);
	tcase_add_test(t, looking_makes_nothing);
	tcase_add_test(t, a_user_that_does_not_exist);
	tcase_add_test(t, check_is_done_for_the_user);
	tcase_add_test(t, root_of_few_capabilities);
	tcase_add_test(t, a_new_name_asks_for_a_certificate);
	tcase_add_test(t, a_stop_under_way_finishes_what_is_in_data);
	suite_add_tcase(s, t);
	return s;
}
