/* Commands of the configuration, run by the helper: passwords, and alerts. */
#include "e2e/world.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TEXT "Subject: x\r\n\r\ny\r\n"

static void
pause_ms(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
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

/* As world_configure, with a command instead of the file with the password. */
static void
configure(struct world *w, const char *command, const char *rest)
{
	static const char file_line[] = " password_file = \"secret\"\n";
	char path[128], *text, *at;
	size_t size = 0;
	FILE *f;

	world_configure(w, "", rest);
	snprintf(path, sizeof path, "%s/gatepost.conf", w->dir);
	text = NULL;
	f = fopen(path, "r");
	ck_assert_int_gt(getdelim(&text, &size, '\0', f), 0);
	fclose(f);
	at = strstr(text, file_line);
	ck_assert_ptr_nonnull(at);
	*at = '\0';
	f = fopen(path, "w");
	fprintf(f, "%s password_command = \"%s\"\n%s", text, command, at + strlen(file_line));
	fclose(f);
	free(text);
}

static void
configure_cat(struct world *w, const char *name)
{
	char command[128];

	snprintf(command, sizeof command, "/bin/cat %s/%s", w->dir, name);
	configure(w, command, "log { level = \"debug\" }");
}

static void
up(struct world *w)
{
	world_new(w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
}

static void
mail(struct world *w)
{
	struct client *c = client_new(w, w->l587, CLIENT_STARTTLS);

	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	client_free(&c);
}

/* The daemon's child. */
static pid_t
find_helper(const struct world *w)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)w->pid, (int)w->pid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	return pid;
}

static bool
wait_gone(pid_t pid)
{
	for (int i = 0; i < 500; i++) {
		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		pause_ms(10);
	}
	return false;
}

START_TEST(a_command_gives_the_password)
{
	struct world w;
	char *log;

	up(&w);
	configure_cat(&w, "pw");
	write_file(&w, "pw", "provider-secret\nand more\n");
	world_start(&w);
	mail(&w);
	ck_assert(provider_wait(w.provider, 1, 10000));
	ck_assert_str_eq(provider_message(w.provider, 0)->user, "apikey");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	log = world_read_log(&w);
	ck_assert_ptr_null(strstr(log, "provider-secret"));
	free(log);
	world_free(&w);
}
END_TEST

/* The provider's password was changed: what the command says now is taken without a reload. */
START_TEST(a_refused_password_is_asked_for_again)
{
	struct world w;
	char out[4096], *said;

	up(&w);
	configure_cat(&w, "pw");
	write_file(&w, "pw", "an-old-secret\n");
	world_start(&w);
	mail(&w);
	ck_assert(world_wait_log(&w, "state=auth_failed", 10000));
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 1);	/* the same again is not tried (B-019) */
	write_file(&w, "pw", "provider-secret\n");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 10000));
	said = world_read_log(&w);
	ck_assert_ptr_null(strstr(said, "an-old-secret"));
	free(said);
	world_free(&w);
}
END_TEST

START_TEST(a_failing_command_means_later_and_its_words_are_logged)
{
	struct world w;
	char out[4096];

	up(&w);
	configure_cat(&w, "missing");
	world_start(&w);
	mail(&w);
	ck_assert(world_wait_log(&w, "password_command: the command ended with status 1", 10000));
	ck_assert(world_wait_log(&w, "No such file", 10000));
	write_file(&w, "missing", "provider-secret\n");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 10000));
	world_free(&w);
}
END_TEST

START_TEST(a_reload_brings_a_command)
{
	struct world w;

	up(&w);
	world_configure(&w, "", "");
	write_file(&w, "secret", "wrong\n");
	world_start(&w);
	configure_cat(&w, "pw");
	write_file(&w, "pw", "provider-secret\n");
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reloaded", 10000));
	mail(&w);
	ck_assert(provider_wait(w.provider, 1, 10000));
	world_free(&w);
}
END_TEST

START_TEST(the_daemon_survives_its_helper)
{
	struct world w;
	pid_t helper;

	up(&w);
	configure_cat(&w, "pw");
	write_file(&w, "pw", "provider-secret\n");
	world_start(&w);
	helper = find_helper(&w);
	ck_assert_int_eq(kill(helper, SIGTERM), 0);	/* as systemd stops all of a unit: it waits for the daemon */
	ck_assert_int_eq(kill(helper, SIGKILL), 0);
	ck_assert(world_wait_log(&w, "event=helper_gone", 10000));
	mail(&w);
	ck_assert(world_wait_log(&w, "restart gatepost if this stays", 10000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);
	ck_assert(provider_wait(w.provider, 1, 10000));
	world_free(&w);
}
END_TEST

START_TEST(the_helper_ends_with_the_daemon)
{
	struct world w;
	pid_t helper;

	up(&w);
	configure_cat(&w, "pw");
	world_start(&w);
	helper = find_helper(&w);
	kill(helper, SIGTERM);
	pause_ms(50);
	ck_assert_int_eq(kill(helper, 0), 0);
	world_stop(&w, SIGKILL);
	ck_assert(wait_gone(helper));
	world_start(&w);
	helper = find_helper(&w);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert(wait_gone(helper));
	world_free(&w);
}
END_TEST

Suite *errands_suite(void);
Suite *
errands_suite(void)
{
	Suite *s = suite_create("errands");
	TCase *tc = tcase_create("commands");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_command_gives_the_password);
	tcase_add_test(tc, a_refused_password_is_asked_for_again);
	tcase_add_test(tc, a_failing_command_means_later_and_its_words_are_logged);
	tcase_add_test(tc, a_reload_brings_a_command);
	tcase_add_test(tc, the_daemon_survives_its_helper);
	tcase_add_test(tc, the_helper_ends_with_the_daemon);
	suite_add_tcase(s, tc);
	return s;
}
