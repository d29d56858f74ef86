/* Commands of the configuration, run by the helper: passwords, and alerts. */
#include "e2e/world.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

/* The file NAME, when it holds the text; "" when it does not in time.  Caller frees. */
static char *
wait_file(const struct world *w, const char *name, const char *text, int ms)
{
	struct world file = *w;

	snprintf(file.log, sizeof file.log, "%s/%s", w->dir, name);
	file.pid = 0;
	return world_wait_log(&file, text, ms) ? world_read_log(&file) : strdup("");
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
	for (int i = 0; i < 1500; i++) {
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
	ck_assert(provider_wait(w.provider, 1, 30000));
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
	ck_assert(world_wait_log(&w, "state=auth_failed", 30000));
	ck_assert_uint_eq(provider_said(w.provider, "AUTH"), 1);	/* the same again is not tried (B-019) */
	write_file(&w, "pw", "provider-secret\n");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
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
	ck_assert(world_wait_log(&w, "password_command: the command ended with status 1", 30000));
	ck_assert(world_wait_log(&w, "No such file", 30000));
	write_file(&w, "missing", "provider-secret\n");
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
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
	if (world_wait_log(&w, "event=no_landlock", 0)) {	/* all is the daemon's to write to */
		ck_assert(world_wait_log(&w, "event=reload_refused", 30000));
	} else {
		ck_assert(world_wait_log(&w, "event=reloaded", 30000));
		mail(&w);
		ck_assert(provider_wait(w.provider, 1, 30000));
	}
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
	ck_assert(world_wait_log(&w, "event=helper_gone", 30000));
	mail(&w);
	ck_assert(world_wait_log(&w, "restart gatepost if this stays", 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_start(&w);
	ck_assert(provider_wait(w.provider, 1, 30000));
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

/* --- alerts ---------------------------------------------------------------------- */

static void
remove_alerts(const struct world *w)
{
	char path[128];

	snprintf(path, sizeof path, "%s/alerts", w->dir);
	ck_assert_int_eq(unlink(path), 0);
}

/* All ports of the provider go by the script; alerts go to a file. */
static void
alerts_up(struct world *w, const char *script, const char *after)
{
	char rest[512], text[256];

	world_new(w, PROVIDER_STARTTLS, script, PROVIDER_IMPLICIT, script, PROVIDER_STARTTLS, script);
	snprintf(text, sizeof text, "cat >>%s/alerts\n", w->dir);
	write_file(w, "tell.sh", text);
	snprintf(rest, sizeof rest, "limits { min_free = \"1M\" }\nalert { command = \"/bin/sh %s/tell.sh\" after = \"%s\" }",
	    w->dir, after);
	world_configure(w, "", rest);
	world_start(w);
}

static void
wait_alert(const struct world *w, const char *head, const char *what)
{
	char *text = wait_file(w, "alerts", head, 30000), *at = strstr(text, head);

	ck_assert_msg(at != NULL, "%s: %s", head, text);
	ck_assert_msg(strstr(at, what) != NULL, "%s: %s", what, text);
	free(text);
}

START_TEST(an_upstream_down_is_told_and_that_it_is_up_again)
{
	struct world w;
	char out[4096];

	alerts_up(&w, "connect: !close", "1s");
	mail(&w);
	wait_alert(&w, "{\"event\":\"upstream_down\",\"state\":\"raised\",\"time\":\"20", "\"upstream\":\"provider\"");
	wait_alert(&w, "{\"event\":\"message_waiting\",\"state\":\"raised\"", "\"hostname\":\"relay.example\"");
	ck_assert_uint_ne(provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, NULL), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	wait_alert(&w, "{\"event\":\"upstream_down\",\"state\":\"over\"", "can be reached again");
	wait_alert(&w, "{\"event\":\"message_waiting\",\"state\":\"over\"", "no message");
	world_free(&w);
}
END_TEST

START_TEST(refused_credentials_are_told)
{
	struct world w;
	char *text;

	alerts_up(&w, "auth: 535 5.7.8 no", "10m");
	mail(&w);
	wait_alert(&w, "{\"event\":\"credentials_refused\",\"state\":\"raised\"", "refuses the login: ");
	text = wait_file(&w, "alerts", "refuses", 1);
	ck_assert_ptr_null(strstr(text, "provider-secret"));
	free(text);
	world_free(&w);
}
END_TEST

/* The recipient is refused, and then the bounce is too: it is held (CONTRACT.md 3). */
START_TEST(bounces_and_what_is_held_are_told)
{
	struct world w;

	alerts_up(&w, "rcpt: 550 5.1.1 no such user", "10m");
	mail(&w);
	wait_alert(&w, "{\"event\":\"bounced\",\"state\":\"raised\"", "\"count\":");
	wait_alert(&w, "{\"event\":\"message_held\",\"state\":\"raised\"", "\"count\":1");
	world_stop(&w, SIGKILL);
	remove_alerts(&w);
	world_start(&w);		/* it is still held */
	wait_alert(&w, "{\"event\":\"message_held\",\"state\":\"raised\"", "\"count\":1");
	world_free(&w);
}
END_TEST

/* A damaged record is reported (CONTRACT.md 3). */
START_TEST(damage_in_the_spool_is_told)
{
	struct world w;
	char out[16384], path[192], segment[32];
	unsigned at, size;
	const char *line;
	FILE *f;
	int byte;

	alerts_up(&w, "connect: !close", "10m");
	mail(&w);
	mail(&w);
	world_stop(&w, SIGKILL);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "spool dump"), 0);
	line = strstr(out, " text ");	/* in the line of the first message */
	ck_assert_ptr_nonnull(line);
	while (line > out && line[-1] != '\n')
		line--;
	ck_assert_int_eq(sscanf(line, "%31s %u %u", segment, &at, &size), 3);
	snprintf(path, sizeof path, "%s/spool/%s", w.dir, segment);
	f = fopen(path, "r+");
	ck_assert_ptr_nonnull(f);
	fseek(f, at + size / 2, SEEK_SET);
	byte = fgetc(f);
	fseek(f, at + size / 2, SEEK_SET);
	fputc(byte ^ 1, f);
	fclose(f);
	world_start(&w);
	wait_alert(&w, "{\"event\":\"spool_damaged\",\"state\":\"raised\"", "\"count\":1");
	world_free(&w);
}
END_TEST

/* A reload brings the command. */
START_TEST(a_full_disk_is_told_after_a_reload)
{
	struct world w;
	char rest[256];

	alerts_up(&w, NULL, "1s");
	world_configure(&w, "", "limits { min_free = \"1000T\" }");
	world_stop(&w, SIGTERM);
	world_start(&w);
	snprintf(rest, sizeof rest, "limits { min_free = \"1000T\" }\nalert { command = \"/bin/sh %s/tell.sh\" }", w.dir);
	world_configure(&w, "", rest);
	kill(w.pid, SIGHUP);
	wait_alert(&w, "{\"event\":\"disk_low\",\"state\":\"raised\"", "mail is refused");
	world_free(&w);
}
END_TEST

/* --- a receiver of one webhook ----------------------------------------------------- */

static int
open_receiver(unsigned *port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(fd, 8), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

/* One request, whole, answered with the status. */
static void
receive(int fd, char *out, size_t size, const char *status)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char answer[128];
	size_t n = 0, body = 0;
	const char *end = NULL, *length;
	ssize_t got;
	int c;

	ck_assert_int_eq(poll(&p, 1, 30000), 1);
	c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(c, 0);
	out[0] = '\0';
	while ((end == NULL || n < (size_t)(end + 4 - out) + body) && (got = recv(c, out + n, size - 1 - n, 0)) > 0) {
		n += (size_t)got;
		out[n] = '\0';
		end = strstr(out, "\r\n\r\n");
		length = strcasestr(out, "content-length:");
		body = length != NULL ? strtoul(length + 15, NULL, 10) : 0;
	}
	snprintf(answer, sizeof answer, "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
	ck_assert_int_gt(send(c, answer, strlen(answer), MSG_NOSIGNAL), 0);
	close(c);
}

START_TEST(a_webhook_gets_the_same)
{
	struct world w;
	char rest[256], got[8192];
	unsigned port;
	int fd = open_receiver(&port);

	up(&w);
	provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, "auth: 535 5.7.8 no");
	snprintf(rest, sizeof rest, "limits { min_free = \"1M\" }\nalert { webhook = \"http://127.0.0.1:%u/hook\" }", port);
	world_configure(&w, "", rest);
	world_start(&w);
	mail(&w);
	receive(fd, got, sizeof got, "503 Later");
	ck_assert_msg(strncmp(got, "POST /hook HTTP/1.1\r\n", 21) == 0, "%s", got);
	ck_assert_ptr_nonnull(strcasestr(got, "application/json"));
	ck_assert_ptr_nonnull(strstr(got, "\r\n\r\n{\"event\":\"credentials_refused\",\"state\":\"raised\""));
	ck_assert(world_wait_log(&w, "event=alert_failed", 30000));
	receive(fd, got, sizeof got, "204 Thanks");	/* again, after 10 s */
	ck_assert_ptr_nonnull(strstr(got, "credentials_refused"));
	ck_assert(world_wait_log(&w, "event=alert_works", 30000));
	close(fd);
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
	tcase_add_test(tc, an_upstream_down_is_told_and_that_it_is_up_again);
	tcase_add_test(tc, refused_credentials_are_told);
	tcase_add_test(tc, bounces_and_what_is_held_are_told);
	tcase_add_test(tc, damage_in_the_spool_is_told);
	tcase_add_test(tc, a_full_disk_is_told_after_a_reload);
	tcase_add_test(tc, a_webhook_gets_the_same);
	suite_add_tcase(s, tc);
	return s;
}
