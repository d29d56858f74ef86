/* Living with it: commands, reload, errors, and what may never be seen. */
#include "e2e/world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	ck_assert(provider_wait(w.provider, 1, 10000));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "ca"), 0);
	ck_assert_ptr_nonnull(strstr(out, "BEGIN CERTIFICATE"));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry 0000000000001"), 1);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "nonsense"), 64);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status"), 75);
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
	ck_assert(provider_wait(w.provider, 1, 10000));
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
	ck_assert(world_wait_log(&w, "event=reload_refused", 10000));
	ck_assert(world_wait_log(&w, "no_such_option", 1000));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	ck_assert(provider_wait(w.provider, 1, 10000));
	client_free(&c);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* Configurations that must not start: the exit status and what the error must name. */
static const struct {
	const char *rest, *upstream, *name;
} bad[] = {
	{ "no_such_option = \"1\"", "", "no_such_option" },
	{ "", "idle = \"30\"", "idle" },
	{ "", "password_file = \"/nonexistent/key\"", "password_file" },
	{ "tls { certificate = \"/nonexistent/cert.pem\" key = \"/nonexistent/key.pem\" }", "", "/nonexistent/cert.pem" },
	{ "users_file = \"/nonexistent/users\"", "", "/nonexistent/users" },
	{ "hostname = \"two words\"", "", "hostname" },
};

START_TEST(a_bad_configuration_names_the_option)
{
	struct world w;
	char out[4096], path[128];

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	world_configure(&w, "", "");
	world_configure(&w, bad[_i].upstream, bad[_i].rest);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 78);
	ck_assert_msg(strncmp(out, "gatepost: ", 10) == 0, "%s", out);
	ck_assert_msg(strstr(out, bad[_i].name) != NULL, "%s", out);
	snprintf(path, sizeof path, "%s/spool/log", w.dir);
	ck_assert_int_lt(access(path, F_OK), 0);	/* nothing started half-configured */
	world_free(&w);
}
END_TEST

START_TEST(a_port_in_use_is_named)
{
	struct world w;
	char out[4096], name[32];

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
	w.l465 = w.p465;
	world_configure(&w, "", "");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "run"), 1);
	snprintf(name, sizeof name, "127.0.0.1:%u", w.l465);
	ck_assert_msg(strstr(out, name) != NULL && strstr(out, "in use") != NULL, "%s", out);
	world_free(&w);
}
END_TEST

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
	ck_assert_int_eq(client_ask(c, "Subject: x\r\n\r\ny\r\n.\r\n"), 250);
	client_free(&c);
	client_free(&idle);
	ck_assert_int_eq(world_stop(&w, 0), 0);
	world_start(&w);
	ck_assert(provider_wait(w.provider, 1, 10000));
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
	tcase_add_test(t, no_secret_is_ever_logged);
	tcase_add_test(t, a_bad_reload_is_refused_whole);
	tcase_add_loop_test(t, a_bad_configuration_names_the_option, 0, (int)(sizeof bad / sizeof bad[0]));
	tcase_add_test(t, a_port_in_use_is_named);
	tcase_add_test(t, a_stop_under_way_finishes_what_is_in_data);
	suite_add_tcase(s, t);
	return s;
}
