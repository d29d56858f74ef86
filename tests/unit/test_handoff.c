/* Handing a message over by SMTP, to a daemon that a child plays: it waits for each line and answers it. */
#include "command/handoff.h"

#include "base/ident.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS_MAX = 10, ACCEPTED = -2 };

struct step {
	const char *expect;	/* NULL: nothing, the child only speaks */
	const char *answer;	/* NULL: it hangs up */
};

static char dir[64], path[96];

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/gatepost-handoff.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
}

static void
teardown(void)
{
	unlink(path);
	rmdir(dir);
}

/* Exit status 0: every line was as expected. */
static void
act(int fd, const struct step *steps)
{
	char got[4096];
	int peer;

	alarm(10);
	peer = accept(fd, NULL, NULL);
	for (; steps->expect != NULL || steps->answer != NULL; steps++) {
		size_t n = 0, want = steps->expect == NULL ? 0 : strlen(steps->expect);

		while (n < want && read(peer, got + n, 1) == 1)
			n++;
		if (n < want || memcmp(got, steps->expect == NULL ? "" : steps->expect, want) != 0)
			_exit(1);
		if (steps->answer == NULL)
			_exit(0);
		for (const char *p = steps->answer; *p != '\0'; p++)	/* in trickles */
			if (send(peer, p, 1, MSG_NOSIGNAL) != 1)
				_exit(2);
	}
	while (read(peer, got, sizeof got) > 0)
		;
	_exit(0);
}

static pid_t
play(const struct step *steps)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	memcpy(sa.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		act(fd, steps);
	close(fd);
	return pid;
}

#define GREETING { NULL, "220 h ESMTP\r\n" }, { "EHLO localhost\r\n", "250-h\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n" }
#define MAIL { "MAIL FROM:<a@x>\r\n", "250 2.1.0 fine\r\n" }
#define RCPT { "RCPT TO:<b@y>\r\n", "250 2.1.5 fine\r\n" }
#define DATA { "DATA\r\n", "354 go\r\n" }
#define QUIT { "QUIT\r\n", "221 bye\r\n" }
#define ID "001K0T4HF1BVT"

static const struct {
	struct step steps[STEPS_MAX];
	const char *sender, *recipient;
	bool has_8bit;
	const char *text;
	int code;		/* of the last reply; ACCEPTED: all went well */
	const char *why;
} cases[] = {
	{ { GREETING, MAIL, RCPT, DATA, { "S: x\r\n\r\n..\r\n..a\r\n.\r\n", "250 2.0.0 queued as " ID "\r\n" }, QUIT },
	  "a@x", "b@y", false, "S: x\r\n\r\n.\r\n.a\r\n", ACCEPTED, NULL },
	{ { GREETING, { "MAIL FROM:<>\r\n", "250 ok\r\n" }, RCPT, DATA, { "x\r\n.\r\n", "250 2.0.0 queued as " ID "\r\n" }, QUIT },
	  "", "b@y", false, "x\r\n", ACCEPTED, NULL },
	{ { GREETING, { "MAIL FROM:<a@x> BODY=8BITMIME\r\n", "250 ok\r\n" }, RCPT, DATA,
	    { "x\r\n.\r\n", "250 queued as " ID "\r\n" }, QUIT },
	  "a@x", "b@y", true, "x\r\n", ACCEPTED, NULL },
	{ { GREETING, { "MAIL FROM:<\xc3\xa9@x> SMTPUTF8\r\n", "250 ok\r\n" }, RCPT, DATA,
	    { "x\r\n.\r\n", "250 queued as " ID "\r\n" }, QUIT },
	  "\xc3\xa9@x", "b@y", false, "x\r\n", ACCEPTED, NULL },
	{ { GREETING, { "MAIL FROM:<a@x> SMTPUTF8\r\n", "250 ok\r\n" }, { "RCPT TO:<\xc3\xbc@y>\r\n", "250 ok\r\n" }, DATA,
	    { "x\r\n.\r\n", "250 queued as " ID "\r\n" }, QUIT },
	  "a@x", "\xc3\xbc@y", false, "x\r\n", ACCEPTED, NULL },
	{ { GREETING, { "MAIL FROM:<a@x>\r\n", "550 5.7.1 not\r\n" }, QUIT },
	  "a@x", "b@y", false, "", 550, "sender: 550 5.7.1 not" },
	{ { GREETING, MAIL, { "RCPT TO:<b@y>\r\n", "452 4.5.3 too many\r\n" }, QUIT },
	  "a@x", "b@y", false, "", 452, "recipient: 452 4.5.3 too many" },
	{ { GREETING, MAIL, RCPT, DATA, { "x\r\n.\r\n", "452 4.3.1 no room\r\n" }, QUIT },
	  "a@x", "b@y", false, "x\r\n", 452, "message: 452 4.3.1 no room" },
	{ { GREETING, MAIL, { "RCPT TO:<b@y>\r\n", "421 4.3.2 stopping\r\n" } },
	  "a@x", "b@y", false, "", 421, "stopping" },
	{ { GREETING, MAIL, { "RCPT TO:<b@y>\r\n", NULL } }, "a@x", "b@y", false, "", 0, "ended the connection" },
	{ { { NULL, "220 h\r\n" }, { "EHLO localhost\r\n", "HTTP/1.1 400\r\n" } }, "a@x", "b@y", false, "", -1, "SMTP" },
	{ { { NULL, "421 4.7.0 full\r\n" } }, "a@x", "b@y", false, "", -1, "421" },
	/* What would say more than one command does not get out. */
	{ { GREETING, QUIT }, "a@x>\r\nRCPT TO:<c@z", "b@y", false, "", 250, "is not an address" },
	{ { GREETING, MAIL, QUIT }, "a@x", "", false, "", 250, "missing" },
	{ { GREETING, MAIL, RCPT, DATA }, "a@x", "b@y", false, "a\n.\nb\r\n", 0, "bare LF" },
};

/* -1 with why and code as the case wants it, or 0. */
static int
hand_over(int i, struct handoff **h, struct why *why)
{
	uint64_t id, want;

	if (handoff_open(h, path, why) < 0)
		return -1;
	handoff_wish(*h, &(struct handoff_wishes){ .utf8 = !str_is_ascii(str_of(cases[i].recipient)) });
	if (handoff_mail(*h, cases[i].sender, cases[i].has_8bit, why) < 0 ||
	    handoff_rcpt(*h, cases[i].recipient, why) < 0 || handoff_data(*h, why) < 0 ||
	    handoff_put(*h, str_of(cases[i].text), why) < 0 || handoff_end(*h, &id, why) < 0)
		return -1;
	ck_assert(ident_parse(STR(ID), &want));
	ck_assert_uint_eq(id, want);
	return 0;
}

START_TEST(hands_over)
{
	struct handoff *h = NULL;
	struct why why = { "" };
	pid_t pid = play(cases[_i].steps);
	int result = hand_over(_i, &h, &why), status;

	if (cases[_i].code == ACCEPTED) {
		ck_assert_msg(result == 0, "%s", why.text);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_msg(strstr(why.text, cases[_i].why) != NULL, "%s", why.text);
		if (cases[_i].code >= 0)
			ck_assert_int_eq(handoff_code(h), cases[_i].code);
		else
			ck_assert_ptr_null(h);
	}
	handoff_close(&h);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the daemon saw something else");
}
END_TEST

START_TEST(nobody_there)
{
	struct handoff *h = NULL;
	struct why why;

	ck_assert_int_eq(handoff_open(&h, path, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "start it"));
	handoff_close(&h);
}
END_TEST

Suite *test_handoff(void);

Suite *
test_handoff(void)
{
	Suite *s = suite_create("test_handoff");
	TCase *t = tcase_create("handoff");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, hands_over, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, nobody_there);
	suite_add_tcase(s, t);
	return s;
}
