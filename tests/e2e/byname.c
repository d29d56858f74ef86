/* sendmail and mailq, end to end: what programs of Debian run, and what the provider then gets. */
#include "e2e/byname.h"

#include <check.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 16, NOBODY = 65534 };

static struct world w;
static char out[65536];
static int shut = -1;		/* descriptor that the next program finds closed */

void
byname_up(struct world *world, const char *script, const char *rest)
{
	char text[2048];

	world_new(world, PROVIDER_STARTTLS, script, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	ck_assert_int_eq(chmod(world->dir, 0711), 0);
	snprintf(text, sizeof text, "submit_socket = \"%s/submit.sock\"\ncontrol_socket = \"%s/control.sock\"\n"
	    "users_file = \"%s/users\"\n%s", world->dir, world->dir, world->dir, rest);
	world->is_json = strstr(rest, "\"json\"") != NULL;
	world_configure(world, "", "");		/* makes the users */
	world_configure(world, "", text);
	world_start(world);
}

/* A child, so that neither side waits for the other when both write more than a pipe holds. */
static void
feed(int fd, const char *in, size_t n)
{
	if (fork() == 0) {
		signal(SIGPIPE, SIG_IGN);
		while (n > 0) {
			ssize_t done = write(fd, in, n);

			if (done <= 0)
				_exit(0);
			in += done;
			n -= (size_t)done;
		}
		_exit(0);
	}
	close(fd);
}

static int
become(unsigned uid)
{
	return setgroups(0, NULL) < 0 || setgid(uid) < 0 ? -1 : setuid(uid);
}

int
byname_run(const char *const *argv, unsigned uid, const char *in, size_t n, char *text, size_t size)
{
	int to[2], from[2], status;
	size_t got = 0;
	ssize_t r;
	pid_t pid;

	ck_assert_int_eq(pipe2(to, O_CLOEXEC) | pipe2(from, O_CLOEXEC), 0);
	unsetenv("NAME");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(to[0], 0) < 0 || dup2(from[1], 1) < 0 || dup2(from[1], 2) < 0 || (uid != getuid() && become(uid) < 0) ||
		    (shut >= 0 && close(shut) < 0))
			_exit(126);
		execv(getenv("GATEPOST"), (char *const *)argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	feed(to[1], in, n);
	while ((r = read(from[0], text + got, size - 1 - got)) > 0)
		got += (size_t)r;
	text[got] = '\0';
	close(from[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int
byname_sendmail(const struct world *world, char *text, size_t size, const char *in, const char *const *words)
{
	const char *argv[WORDS_MAX + 4] = { "/usr/sbin/sendmail", "-C" };
	char conf[96];
	int n = 3;

	snprintf(conf, sizeof conf, "%s/gatepost.conf", world->dir);
	argv[2] = conf;
	for (; *words != NULL; words++)
		argv[n++] = *words;
	return byname_run(argv, getuid(), in, strlen(in), text, size);
}

#define SENDMAIL(in, ...) byname_sendmail(&w, out, sizeof out, in, (const char *const[]){ __VA_ARGS__, NULL })

static const char *
login(void)
{
	const struct passwd *p = getpwuid(getuid());

	ck_assert_ptr_nonnull(p);
	return p->pw_name;
}

static void
down(void)
{
	ck_assert_msg(provider_complaints(w.provider) == 0, "%s", provider_transcript(w.provider));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}

/* --- what arrives --------------------------------------------------------------- */

static const struct story {
	const char *words[WORDS_MAX];
	const char *in;
	const char *sender, *rcpt[3];	/* sender NULL: who runs it */
	const char *has[4], *lacks;
} stories[] = {
	/* cron */
	{ { "-i", "-FCronDaemon", "-B8BITMIME", "-oem", "you@far.example" },
	  "From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@h> date\n\n.\nout\n",
	  NULL, { "<you@far.example>" },
	  { "\r\nFrom: root@relay.example (Cron Daemon)\r\nTo: root@relay.example\r\n", "\r\n\r\n.\r\nout\r\n" }, NULL },
	/* PHP's mail(), WordPress */
	{ { "-t", "-i", "-fwww@client.example" }, "To: a@far.example\r\nSubject: x\r\nCc: b@far.example\nBcc: c@far.example\r\n\r\nbody\n",
	  "<www@client.example>", { "<a@far.example>", "<b@far.example>", "<c@far.example>" },
	  { "\r\nCc: b@far.example\r\n\r\nbody\r\n", "<www@client.example>\r\n" }, "c@far.example" },
	/* git send-email */
	{ { "-i", "-f", "dev@client.example", "a@far.example", "b@far.example" },
	  "From: Dev <dev@client.example>\nTo: list@far.example\nSubject: [PATCH] x\n\n---\n.\n-- \n2.39\n",
	  "<dev@client.example>", { "<a@far.example>", "<b@far.example>" }, { "\r\n---\r\n.\r\n-- \r\n2.39\r\n" }, NULL },
	/* mutt with dsn_notify, dsn_return and use_8bitmime */
	{ { "-oem", "-oi", "-f", "me@client.example", "-N", "failure,delay", "-R", "hdrs", "-V", "e+1", "-B8BITMIME", "--", "a@far.example" },
	  "From: me@client.example\nSubject: x\n\n\xc3\xa9\n", "<me@client.example>", { "<a@far.example>" }, { "\r\n\xc3\xa9\r\n" }, NULL },
	/* logwatch */
	{ { "-t" }, "To: you@far.example\nFrom: logwatch@client.example\nSubject: Logwatch\n\n ### \n", NULL, { "<you@far.example>" },
	  { " ### \r\n" }, NULL },
	/* by hand: no header, a dot, nobody to answer; Postfix's rules */
	{ { "you@far.example" }, "hello\n.\nnot this\n", NULL, { "<you@far.example>" }, { "\r\n\r\nhello\r\n" }, "not this" },
	{ { "-F", "J. Doe", "-f", "j@client.example", "a@far.example, B <b@far.example>" }, "Subject: x\nno field\n",
	  "<j@client.example>", { "<a@far.example>", "<b@far.example>" },
	  { "From: \"J. Doe\" <j@client.example>\r\n", "Subject: x\r\n\r\nno field\r\n" }, NULL },
	{ { "-f", "<>", "you@far.example" }, "From: x@client.example\n\nstray\rCR\n", "<>", { "<you@far.example>" }, { "stray CR\r\n" }, NULL },
	{ { "-f", "", "you@far.example" }, "Subject: x\n\nb\n", "<>", { "<you@far.example>" },
	  { "\r\nFrom: <MAILER-DAEMON@relay.example>\r\n" }, NULL },
	{ { "-f<>", "-F", "J\xfcrg", "you@far.example" }, "b\n", "<>", { "<you@far.example>" },
	  { "\r\nFrom: =?unknown-8bit?B?SvxyZw==?= <MAILER-DAEMON@relay.example>\r\n" }, NULL },
	/* who stands beside another without a comma is a recipient, too */
	{ { "-t" }, "To: A B <a@far.example> b@far.example\n\nhi\n", NULL, { "<a@far.example>", "<b@far.example>" }, { "\r\nhi\r\n" }, NULL },
	{ { "a@far.example b@far.example", "c@far.example (comment" }, "hi\n", NULL,
	  { "<a@far.example>", "<b@far.example>", "<c@far.example>" }, { "\r\nhi\r\n" }, NULL },
	{ { "-t", "z@far.example" }, "To: a@far.example\nResent-To: r@far.example\n\nx\n", NULL,
	  { "<r@far.example>", "<z@far.example>" }, { "To: a@far.example\r\n" }, NULL },
};

static bool
has_rcpt(const struct provider_message *m, const char *rcpt)
{
	for (unsigned i = 0; i < m->nrcpt; i++)
		if (strncmp(m->rcpt[i], rcpt, strlen(rcpt)) == 0)
			return true;
	return false;
}

START_TEST(programs_send_mail)
{
	const struct story *s = &stories[_i];
	const struct provider_message *m;
	char sender[128];
	unsigned n = 0;

	byname_up(&w, NULL, "");
	ck_assert_msg(byname_sendmail(&w, out, sizeof out, s->in, s->words) == 0, "%s", out);
	ck_assert_str_eq(out, "");
	ck_assert(provider_wait(w.provider, 1, 30000));
	m = provider_message(w.provider, 0);
	snprintf(sender, sizeof sender, "<%s@relay.example>", login());
	ck_assert_msg(strncmp(m->sender, s->sender != NULL ? s->sender : sender, strlen(s->sender != NULL ? s->sender : sender)) == 0,
	    "%s", m->sender);
	while (n < 3 && s->rcpt[n] != NULL)
		ck_assert_msg(has_rcpt(m, s->rcpt[n++]), "not to %s", s->rcpt[n - 1]);
	ck_assert_uint_eq(m->nrcpt, n);
	for (unsigned i = 0; i < 4 && s->has[i] != NULL; i++)
		ck_assert_msg(strstr(m->text, s->has[i]) != NULL, "%s not in\n%s", s->has[i], m->text);
	ck_assert_msg(s->lacks == NULL || strstr(m->text, s->lacks) == NULL, "%s in\n%s", s->lacks, m->text);
	if (strcmp(s->words[0], "-oem") == 0) {
		ck_assert_msg(strstr(m->sender, "RET=HDRS") != NULL && strstr(m->sender, "ENVID=e+2B1") != NULL, "%s", m->sender);
		ck_assert_msg(strstr(m->rcpt[0], "NOTIFY=") != NULL && strstr(m->rcpt[0], "SUCCESS") == NULL, "%s", m->rcpt[0]);
	}
	down();
}
END_TEST

START_TEST(a_large_message_arrives_whole)
{
	enum { LINES = 300000 };
	char *in = malloc(16 * LINES), *want;
	const char *argv[] = { "sendmail", "-C", NULL, "you@far.example", NULL };
	char conf[96];
	size_t n = 0, m = 0;

	byname_up(&w, NULL, "");
	snprintf(conf, sizeof conf, "%s/gatepost.conf", w.dir);
	argv[2] = conf;
	want = malloc(16 * LINES);
	n += (size_t)sprintf(in, "Subject: x\n\n");
	for (unsigned i = 0; i < LINES; i++) {
		n += (size_t)snprintf(in + n, 16, "line %u\n", i);
		m += (size_t)snprintf(want + m, 16, "line %u\r\n", i);
	}
	ck_assert_msg(byname_run(argv, getuid(), in, n, out, sizeof out) == 0, "%s", out);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, want));
	free(in);
	free(want);
	down();
}
END_TEST

START_TEST(another_user_is_known_by_the_uid)	/* CONTRACT 6 */
{
	const char *argv[] = { "sendmail", "-C", NULL, "you@far.example", NULL };
	const struct passwd *p = getpwuid(NOBODY);
	char conf[96], want[128];

	if (getuid() != 0 || p == NULL)
		return;		/* nobody else to be */
	byname_up(&w, NULL, "");
	snprintf(conf, sizeof conf, "%s/gatepost.conf", w.dir);
	argv[2] = conf;
	ck_assert_msg(byname_run(argv, NOBODY, "x\n", 2, out, sizeof out) == 0, "%s", out);
	snprintf(want, sizeof want, "from=%s@relay.example user=%s ", p->pw_name, p->pw_name);
	ck_assert_msg(world_wait_log(&w, want, 30000), "%s", world_read_log(&w));
	/* CONTRACT 1: 0660; who may not is told who may */
	ck_assert_int_eq(byname_run((const char *const[]){ "mailq", "-c", conf, NULL }, NOBODY, "", 0, out, sizeof out), 75);
	ck_assert_msg(strstr(out, "no permission for ") != NULL && strstr(out, "adduser NAME gatepost") != NULL, "%s", out);
	down();
}
END_TEST

START_TEST(it_speaks_smtp)
{
	byname_up(&w, NULL, "");
	ck_assert_int_eq(SENDMAIL("EHLO x\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<you@far.example>\r\nDATA\r\nS: x\r\n\r\ny\r\n.\r\nQUIT\r\n",
	    "-bs"), 0);
	ck_assert_msg(strncmp(out, "220 relay.example ", 18) == 0 && strstr(out, "250 2.0.0 queued as ") != NULL, "%s", out);
	ck_assert_msg(strstr(out, "\n221 ") != NULL && strstr(out, "AUTH") == NULL && strstr(out, "STARTTLS") == NULL, "%s", out);
	ck_assert(provider_wait(w.provider, 1, 30000));
	down();
}
END_TEST

START_TEST(it_takes_lines_that_end_in_lf)
{
	byname_up(&w, NULL, "");
	ck_assert_int_eq(SENDMAIL("EHLO x\nMAIL FROM:<a@client.example>\nRCPT TO:<you@far.example>\nDATA\nS: x\n\n..y\n.\nQUIT\n", "-bs"), 0);
	ck_assert_msg(strstr(out, "250 2.0.0 queued as ") != NULL && strstr(out, "\n221 ") != NULL, "%s", out);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_ptr_nonnull(strstr(provider_message(w.provider, 0)->text, "S: x\r\n\r\n.y\r\n"));
	/* the daemon's rules stay for who does as SMTP says: C-01 */
	ck_assert_int_eq(SENDMAIL("EHLO x\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<you@far.example>\r\nDATA\r\nS: x\r\n\r\ny\n.\nz\r\n.\r\nQUIT\r\n",
	    "-bs"), 0);
	ck_assert_msg(strstr(out, "queued as ") == NULL && strstr(out, "\n554 5.6.0 ") != NULL, "%s", out);
	ck_assert_uint_eq(provider_count(w.provider), 1);
	down();
}
END_TEST

/* No socket becomes standard input, output or error of a program that was started without. */
START_TEST(closed_descriptors_are_nothing)
{
	char conf[96];

	byname_up(&w, NULL, "");
	snprintf(conf, sizeof conf, "%s/gatepost.conf", w.dir);
	shut = 0;
	ck_assert_msg(SENDMAIL("", "you@far.example") == 0, "%s", out);
	ck_assert_int_eq(SENDMAIL("", "-bs"), 0);
	ck_assert_msg(strncmp(out, "220 ", 4) == 0, "%s", out);
	ck_assert_int_eq(byname_run((const char *const[]){ "gatepost", "passwd", "-c", conf, "x", NULL }, getuid(), "", 0, out, sizeof out), 1);
	shut = 1;
	ck_assert_int_eq(SENDMAIL("EHLO x\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<me@far.example>\r\nDATA\r\nS: x\r\n\r\ny\r\n.\r\nQUIT\r\n",
	    "-bs"), 0);
	ck_assert_int_eq(byname_run((const char *const[]){ "mailq", "-c", conf, NULL }, getuid(), "", 0, out, sizeof out), 0);
	shut = 2;
	ck_assert_int_eq(SENDMAIL("x\n", "root"), 67);
	ck_assert_int_eq(byname_run((const char *const[]){ "gatepost", "show", "-c", conf, "x", NULL }, getuid(), "", 0, out, sizeof out), 64);
	shut = -1;
	ck_assert(provider_wait(w.provider, 2, 30000));
	ck_assert_uint_eq(provider_count(w.provider), 2);
	ck_assert_msg(strstr(provider_message(w.provider, 0)->text, "421") == NULL, "%s", provider_message(w.provider, 0)->text);
	down();
}
END_TEST

/* --- what is refused --------------------------------------------------------------- */

START_TEST(refusals_have_their_status)
{
	char line[512], path[128];
	FILE *f;

	byname_up(&w, NULL, "limits { message_size = \"64K\" recipients = 2 }");
	ck_assert_int_eq(SENDMAIL("x\n", "-t"), 64);
	ck_assert_int_eq(SENDMAIL("x\n", "-i"), 64);
	ck_assert_int_eq(SENDMAIL("x\n", "-Z", "you@far.example"), 64);
	ck_assert_int_eq(SENDMAIL("To: John Smith\n\nx\n", "-t"), 65);
	ck_assert_ptr_nonnull(strstr(out, "gatepost: sendmail: a field of the header: not an address"));
	ck_assert_int_eq(SENDMAIL("To: A <a@far.example> hello\n\nx\n", "-t"), 65);	/* nobody is passed over */
	ck_assert_int_eq(SENDMAIL("To: a@far.example (x, b@far.example\n\nx\n", "-t"), 65);
	ck_assert_int_eq(SENDMAIL("To: a@far.example: b@far.example\n\nx\n", "-t"), 65);
	ck_assert_int_eq(SENDMAIL("x\n", "-f", "a@far.example b@far.example", "you@far.example"), 64);
	ck_assert_int_eq(SENDMAIL("x\n", "you@far.example", "a@b@c"), 65);
	ck_assert_int_eq(SENDMAIL("x\n", "you@far.example", "root"), 67);
	ck_assert_msg(strstr(out, "gatepost: sendmail: root: recipient: 550 5.1.1 ") == out && strstr(out, "nothing was sent") != NULL, "%s", out);
	ck_assert_int_eq(SENDMAIL("x\n", "a@far.example", "b@far.example", "c@far.example"), 65);
	ck_assert_ptr_nonnull(strstr(out, "452 4.5.3"));
	/* this user may only send as */
	ck_assert_int_eq(world_run(&w, out, sizeof out, "x-secret\n", "passwd root2"), 0);
	snprintf(path, sizeof path, "%s/users", w.dir);
	f = fopen(path, "r+");
	snprintf(line, sizeof line, "%s:", login());
	ck_assert_ptr_nonnull(f);
	{
		char text[2048], *at;
		size_t n = fread(text, 1, sizeof text - 1, f);

		text[n] = '\0';
		at = strstr(text, "root2:");
		ck_assert_ptr_nonnull(at);
		at[strcspn(at, "\n")] = '\0';
		fprintf(f, "%s%s:*@client.example\n", line, at + strlen("root2:"));
	}
	fclose(f);
	ck_assert_int_eq(SENDMAIL("x\n", "-f", "a@other.example", "you@far.example"), 77);
	ck_assert_ptr_nonnull(strstr(out, "550 5.7.1"));
	ck_assert_int_eq(SENDMAIL("From: a@other.example\n\nx\n", "-f", "a@client.example", "you@far.example"), 77);
	ck_assert_msg(SENDMAIL("From: a@client.example\n\nx\n", "-f", "a@client.example", "you@far.example") == 0, "%s", out);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_uint_eq(provider_count(w.provider), 1);	/* and nothing of the rest */
	down();
}
END_TEST

START_TEST(too_large_is_told_before_it_is_sent)
{
	enum { OCTETS = 100000 };
	char *in = malloc(OCTETS + 1);

	memset(in, 'x', OCTETS);
	in[OCTETS] = '\0';
	byname_up(&w, NULL, "limits { message_size = \"64K\" }");
	ck_assert_int_eq(SENDMAIL(in, "you@far.example"), 65);
	ck_assert_msg(strstr(out, "longer than the 65536 octets") != NULL, "%s", out);
	free(in);
	down();
}
END_TEST

START_TEST(without_a_daemon_it_is_75)
{
	byname_up(&w, NULL, "");
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	ck_assert_int_eq(SENDMAIL("x\n", "you@far.example"), 75);
	ck_assert_msg(strstr(out, "start it") != NULL && strstr(out, "nothing was sent") != NULL, "%s", out);
	ck_assert_int_eq(SENDMAIL("", "-bs"), 75);
	ck_assert_msg(strstr(out, "421 4.3.0 ") != NULL, "%s", out);
	ck_assert_int_eq(SENDMAIL("", "-bp"), 75);
	ck_assert_int_eq(SENDMAIL("", "-bi"), 0);
	ck_assert_int_eq(byname_run((const char *const[]){ "sendmail", "-C", "/nonexistent/f", "x@far.example", NULL }, getuid(), "", 0, out,
	    sizeof out), 78);
	ck_assert_int_eq(byname_run((const char *const[]){ "newaliases", NULL }, getuid(), "", 0, out, sizeof out), 0);
	world_free(&w);
}
END_TEST

START_TEST(mailq_lists)
{
	char conf[96];

	byname_up(&w, "mail: 451 4.3.0 later", "");
	snprintf(conf, sizeof conf, "%s/gatepost.conf", w.dir);
	ck_assert_int_eq(SENDMAIL("x\n", "you@far.example"), 0);
	ck_assert(world_wait_log(&w, "event=deferred", 30000));
	ck_assert_int_eq(byname_run((const char *const[]){ "/usr/bin/mailq", "-c", conf, NULL }, getuid(), "", 0, out, sizeof out), 0);
	ck_assert_msg(strstr(out, "you@far.example") != NULL && strstr(out, "1 message, ") != NULL, "%s", out);
	ck_assert_int_eq(SENDMAIL("", "-bp"), 0);
	ck_assert_msg(strstr(out, "1 message, ") != NULL, "%s", out);
	ck_assert_int_eq(SENDMAIL("", "-q"), 0);
	ck_assert_msg(strstr(out, "1 message") != NULL, "%s", out);
	down();
}
END_TEST

Suite *byname_suite(void);

Suite *
byname_suite(void)
{
	Suite *s = suite_create("byname");
	TCase *t = tcase_create("byname");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, programs_send_mail, 0, sizeof stories / sizeof stories[0]);
	tcase_add_test(t, a_large_message_arrives_whole);
	tcase_add_test(t, another_user_is_known_by_the_uid);
	tcase_add_test(t, it_speaks_smtp);
	tcase_add_test(t, it_takes_lines_that_end_in_lf);
	tcase_add_test(t, closed_descriptors_are_nothing);
	tcase_add_test(t, refusals_have_their_status);
	tcase_add_test(t, too_large_is_told_before_it_is_sent);
	tcase_add_test(t, without_a_daemon_it_is_75);
	tcase_add_test(t, mailq_lists);
	suite_add_tcase(s, t);
	return s;
}
