/* The log, end to end: every event of the contract under a mixed load, each line one and whole, and never a secret. */
#include "e2e/byname.h"

#include <check.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a hostile provider says: terminal control, broken UTF-8, quotes, a line that looks like ours (C-29). */
#define HOSTILE "\x1b]0:x\x07 \xff\xfe\x80 \"quoted\\\" \xe2\x80\xae {\"event\":\"accepted\"} \x7f\x01"

static struct world w;
static char out[262144];

static const char script[] =
    "rcpt/bad: 550 5.1.1 no " HOSTILE "; rcpt/later: 451 4.2.0 wait " HOSTILE "|second " HOSTILE "; rcpt/lost: !close;"
    "mail/raw: !raw 250 \xc3\x28 " HOSTILE "|";

static void
submit(struct client *c, const char *from, const char *to)
{
	(void)client_mail(c, from, to, "Subject: x\r\nFrom: a@client.example\r\n\r\ncanary-body\r\n");
}

/* Good mail, refused, deferred, lost; strangers who speak badly; operators who act. */
static void
load(void)
{
	static const char *const words[] = { "-F", "x\n\x1b", "you@far.example", NULL };
	struct client *c = client_new(&w, w.l587, CLIENT_STARTTLS);
	struct client *stranger = client_new(&w, w.l587, CLIENT_STARTTLS);
	char line[256];

	ck_assert(client_login(c));
	submit(c, "app@client.example", "you@far.example");
	submit(c, "app@client.example", "bad@far.example");
	submit(c, "app@client.example", "later@far.example");
	snprintf(line, sizeof line, "delete %s --yes", client_id(c));
	submit(c, "app@client.example", "lost@far.example");
	submit(c, "raw@client.example", "you@far.example");
	submit(c, "\"q\\\"\\\\ x\"@client.example", "you@far.example");
	client_ask(c, "MAIL FROM:<a\x1b@x>\r\n");
	client_free(&c);
	client_ask(stranger, "EHLO \xff\x1b[31m\"=\r\n");
	client_ask(stranger, "AUTH PLAIN AGV2AWwbWzMxbf8iAGNhbmFyeS13cm9uZw==\r\n");	/* ev\x01l\x1b[31m\xff", canary-wrong */
	client_ask(stranger, "AUTH LOGIN Y2FuYXJ5LXVzZXI=\r\n");
	client_ask(stranger, "Y2FuYXJ5LXdyb25n\r\n");
	client_ask(stranger, "canary-wrong\r\n");		/* a password where a command belongs */
	client_free(&stranger);
	ck_assert_int_eq(byname_sendmail(&w, out, sizeof out, "hello\n", words), 0);
	ck_assert(world_wait_log(&w, "451 4.2.0", 30000));
	for (int ms = 0; world_run(&w, out, sizeof out, NULL, line) != 0; ms += 20) {	/* the queue hears the reply later than the log */
		ck_assert_msg(ms < 15000, "%s", out);
		usleep(20000);
	}
	ck_assert(world_wait_log(&w, "bounced", 30000));
	ck_assert(provider_wait(w.provider, 4, 30000));
}

/* --- JSON ------------------------------------------------------------------------------ */

static const char *
field(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

/* Fields that the contract (section 5) names for an attempt. */
static void
check_attempt(const json_t *o, const char *line)
{
	static const char *const texts[] = { "msg", "to", "upstream", "tls", "address", "dsn", "reply", "level" };
	static const char *const numbers[] = { "port", "code", "delay_ms" };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		ck_assert_msg(json_is_string(json_object_get(o, texts[i])), "no %s in %s", texts[i], line);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		ck_assert_msg(json_is_integer(json_object_get(o, numbers[i])), "no %s in %s", numbers[i], line);
}

static bool
is_harmless(const char *line)
{
	for (; *line != '\0'; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			return false;
	return true;
}

START_TEST(every_line_is_json)	/* C-29, B-108 */
{
	static const char *const wanted[] = { "started", "accepted", "relayed", "refused", "deferred", "bounced", "deleted", "port",
		"upstream", "auth_failed", "said", "heard", "stopping", "stopped" };
	unsigned seen[sizeof wanted / sizeof wanted[0]] = { 0 };
	char *log, *rest, *line;

	byname_up(&w, script, "log { level = \"debug\" format = \"json\" }");
	load();
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	rest = log = world_read_log(&w);
	ck_assert_int_eq(log[strlen(log) - 1], '\n');
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		json_error_t why;
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, &why);
		const char *event;

		ck_assert_msg(json_is_object(o), "%s in %s", why.text, line);
		ck_assert_msg(is_harmless(line), "%s", line);
		event = field(o, "event");
		for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
			seen[i] += strcmp(event, wanted[i]) == 0;
		if (strcmp(event, "relayed") == 0 || strcmp(event, "deferred") == 0)
			check_attempt(o, line);
		if (strcmp(event, "accepted") == 0 || strcmp(event, "bounced") == 0 || strcmp(event, "deleted") == 0)
			ck_assert_msg(strlen(field(o, "msg")) == 13, "%s", line);
		json_decref(o);
	}
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		ck_assert_msg(seen[i] > 0, "no %s", wanted[i]);
	free(log);
	world_free(&w);
}
END_TEST

/* --- one message, one grep ---------------------------------------------------------------- */

START_TEST(a_message_is_found_by_its_number)
{
	static const char *const wanted[] = { "event=accepted ", "event=refused ", "event=bounced " };
	struct client *c;
	char id[64], *log, *rest, *line;
	unsigned n = 0;

	byname_up(&w, "rcpt/bad: 550 5.1.1 no " HOSTILE, "");
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	submit(c, "app@client.example", "bad@far.example");
	snprintf(id, sizeof id, " msg=%s ", client_id(c));
	client_free(&c);
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	rest = log = world_read_log(&w);
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strstr(line, id) != NULL) {
			ck_assert_uint_lt(n, 3);
			ck_assert_msg(strstr(line, wanted[n]) == line, "%s", line);
			ck_assert(is_harmless(line));
			n++;
		}
	ck_assert_uint_eq(n, 3);
	free(log);
	world_free(&w);
}
END_TEST

/* --- how loudly ------------------------------------------------------------------------------ */

static const struct {
	const char *name, *script, *want;
} levels[] = {
	{ "B-008", "banner: 554 5.3.2 go away", "event=upstream level=error " },
	{ "B-016", "cert: wrong-name", "event=upstream level=error " },
	{ "B-019", "auth: 535 5.7.8 no", "event=upstream level=error " },
	{ "B-006", "banner: !close", "event=upstream level=warning " },
};

START_TEST(an_upstream_that_answers_wrongly_is_an_error)
{
	static const char *const words[] = { "you@far.example", NULL };
	char *log;

	byname_up(&w, levels[_i].script, "");
	ck_assert_int_eq(byname_sendmail(&w, out, sizeof out, "x\n", words), 0);
	ck_assert(world_wait_log(&w, "event=upstream level=", 30000));
	log = world_read_log(&w);
	ck_assert_msg(strstr(log, levels[_i].want) != NULL, "%s: %s", levels[_i].name, log);
	free(log);
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}
END_TEST

/* The log is the journal for what is started next.  Starting truncates the file and keeps it, so its number is known before. */
static void
pretend_journal(void)
{
	char stream[64];
	struct stat st;
	FILE *f = fopen(w.log, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	fclose(f);
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
}

START_TEST(the_journal_gets_what_stops_a_start)
{
	char path[96], *log;
	FILE *f;

	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	pretend_journal();
	world_configure(&w, "", "");
	snprintf(path, sizeof path, "%s/gatepost.conf", w.dir);
	f = fopen(path, "a");
	fputs("nonsense = 1\n", f);
	fclose(f);
	ck_assert(!world_try_start(&w));
	unsetenv("JOURNAL_STREAM");
	ck_assert_int_eq(world_stop(&w, 0), 78);
	log = world_read_log(&w);
	ck_assert_msg(strncmp(log, "<3>gatepost: ", 13) == 0, "%s", log);
	free(log);
	world_free(&w);
}
END_TEST

START_TEST(the_journal_gets_priorities)
{
	char *log, *rest, *line;
	struct client *c;

	world_new(&w, PROVIDER_STARTTLS, "auth: 535 5.7.8 no", PROVIDER_REFUSE, NULL, PROVIDER_REFUSE, NULL);
	pretend_journal();
	world_configure(&w, "", "log { level = \"debug\" }");
	world_start(&w);
	unsetenv("JOURNAL_STREAM");
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	submit(c, "app@client.example", "you@far.example");
	client_free(&c);
	ck_assert(world_wait_log(&w, "<3>event=upstream level=error upstream=", 30000));
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	rest = log = world_read_log(&w);
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		char want = strstr(line, " level=error ") != NULL ? '3' : strstr(line, " level=warning ") != NULL ? '4' :
		    strstr(line, " level=debug") != NULL ? '7' : '6';

		ck_assert_msg(line[0] == '<' && line[1] == want && line[2] == '>' && strstr(line, " ts=") == NULL, "%s", line);
	}
	free(log);
	world_free(&w);
}
END_TEST

/* --- canaries ---------------------------------------------------------------------------------- */

/* As they are, and as base 64 has them wherever they begin in a triple; cut, in capitals, percent-encoded, in hexadecimal (C-16). */
static const char *const canaries[] = {
	"provider-se", "PROVIDER-SECRET", "provider%2Dsecret", "%70%72%6f", "provider-%", "70726f76696465722d736563726574", "70726F76696465722D",
	"provider-secret", "app-secret", "canary-wrong",
	"cHJvdmlkZXItc2VjcmV0", "Byb3ZpZGVyLXNlY3Jld", "wcm92aWRlci1zZWNyZX",
	"YXBwLXNlY3JldA", "FwcC1zZWNyZX", "hcHAtc2VjcmV0",
	"Y2FuYXJ5LXdyb25n", "NhbmFyeS13cm9uZ", "jYW5hcnktd3Jvbm",
};

static void
search(const char *where, const char *text, size_t n)
{
	for (size_t i = 0; i < sizeof canaries / sizeof canaries[0]; i++)
		ck_assert_msg(memmem(text, n, canaries[i], strlen(canaries[i])) == NULL, "%s in %s", canaries[i], where);
}

/* Every file but those that are there to hold a secret; users holds hashes. */
static int
search_file(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	const char *name = path + ftw->base;
	char *text;
	FILE *f;

	if (flag != FTW_F || !S_ISREG(st->st_mode) || strcmp(name, "secret") == 0)
		return 0;
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	text = malloc((size_t)st->st_size + 1);
	search(path, text, fread(text, 1, (size_t)st->st_size, f));
	free(text);
	fclose(f);
	return 0;
}

static const char *const formats[] = { "logfmt", "json" };

START_TEST(no_canary_is_seen)	/* C-16, A-073 */
{
	static const char *const commands[] = { "status", "status --json", "queue", "queue --json", "probe --json", "check" };
	char rest[128], *log;

	snprintf(rest, sizeof rest, "log { level = \"debug\" format = \"%s\" }", formats[_i]);
	byname_up(&w, script, rest);
	load();
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		(void)world_run(&w, out, sizeof out, NULL, commands[i]);
		search(commands[i], out, strlen(out));
	}
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	log = world_read_log(&w);	/* it has the dialogues; their secrets were left out, and bodies */
	ck_assert_ptr_nonnull(strstr(log, formats[_i][0] == 'j' ? "\"event\":\"said\"" : "event=said "));
	ck_assert_ptr_null(strstr(log, "canary-body"));
	free(log);
	ck_assert_int_eq(nftw(w.dir, search_file, 16, FTW_PHYS), 0);
	world_free(&w);
}
END_TEST

/* A provider repeats what it was told: in clear, and as it came. */
static const struct {
	const char *script, *event;
} echoes[] = {
	{ "auth: 535 5.7.8 not provider-secret, nor AUTH PLAIN AGFwaWtleQBwcm92aWRlci1zZWNyZXQ=", "event=upstream" },
	{ "auth: 235 2.7.0 welcome with provider-secret", "event=relayed" },
	{ "auth: !raw 334 provider-secret|", "event=upstream" },
	{ "rcpt: 550 5.7.1 said provider-secret, AGFwaWtleQBwcm92aWRlci1zZWNyZXQ=", "event=bounced" },
	{ "data: 451 4.7.1 not with provider-secret", "event=deferred" },
	/* before this connection's login: it was told then, or in an earlier life */
	{ "banner: 554 5.7.1 go away provider-secret", "event=port " },
	{ "banner: !raw HELLO provider-secret|", "event=port " },
	{ "banner: !raw HELLO and welcome to this server, dear provider-secret|", "event=port " },
	{ "ehlo: 550 5.5.1 not PROVIDER-SECRET, AGFwaWtleQBwcm92aWRlci1zZWNyZXQ=", "event=port " },
	{ "starttls: 454 4.7.0 70726f76696465722d736563726574 and 70726F76696465722D736563726574", "event=port " },
	{ "ehlo2: 554 5.7.1 provider%2Dsecret is no %70%72%6f%76%69%64%65%72%2d%73%65%63%72%65%74", "event=port " },
	{ "ehlo2: 451-4.3.0 later provider-s|451 4.3.0 ecret", "event=upstream " },
	{ "cert: repeats", "event=port " },
	{ "cert: repeats-behind", "event=port " },
};

START_TEST(a_provider_that_repeats_the_password_is_not_quoted)	/* C-16 */
{
	static const char *const commands[] = { "status", "status --json", "queue", "probe", "probe --json" };
	struct client *c;
	bool hidden = false;	/* a chain is shown by probe alone */
	char *log;

	byname_up(&w, echoes[_i].script, "log { level = \"debug\" }");
	c = client_new(&w, w.l587, CLIENT_STARTTLS);
	ck_assert(client_login(c));
	submit(c, "app@client.example", "you@far.example");
	client_free(&c);
	ck_assert(world_wait_log(&w, echoes[_i].event, 30000));
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
		(void)world_run(&w, out, sizeof out, NULL, commands[i]);
		search(commands[i], out, strlen(out));
		hidden |= strstr(out, "***") != NULL;
	}
	ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	log = world_read_log(&w);
	ck_assert_msg(hidden || strstr(log, "***") != NULL, "%s", log);
	free(log);
	ck_assert_int_eq(nftw(w.dir, search_file, 16, FTW_PHYS), 0);
	world_free(&w);
}
END_TEST

Suite *logs_suite(void);

Suite *
logs_suite(void)
{
	Suite *s = suite_create("logs");
	TCase *t = tcase_create("logs");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, every_line_is_json);
	tcase_add_test(t, a_message_is_found_by_its_number);
	tcase_add_loop_test(t, an_upstream_that_answers_wrongly_is_an_error, 0, sizeof levels / sizeof levels[0]);
	tcase_add_test(t, the_journal_gets_what_stops_a_start);
	tcase_add_test(t, the_journal_gets_priorities);
	tcase_add_loop_test(t, no_canary_is_seen, 0, sizeof formats / sizeof formats[0]);
	tcase_add_loop_test(t, a_provider_that_repeats_the_password_is_not_quoted, 0, sizeof echoes / sizeof echoes[0]);
	suite_add_tcase(s, t);
	return s;
}
