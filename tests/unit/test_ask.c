/* The asking side of the control protocol, against a daemon that a child plays by a script. */
#include "control/control.h"

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"

static char dir[64], path[96];
static struct buf heard;
static unsigned nheard, stop_after;

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/gatepost-ask.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
	nheard = 0;
	stop_after = 1000;
}

static void
teardown(void)
{
	unlink(path);
	rmdir(dir);
	buf_clear(&heard);
}

/* A child that reads a line and says `answer', `step' octets a time; it checks the request. */
static pid_t
play(const char *request, const char *answer, size_t step)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), peer;
	size_t left = strlen(answer), n = 0;
	char line[256];
	pid_t pid;

	memcpy(sa.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid > 0) {
		close(fd);
		return pid;
	}
	alarm(10);
	peer = accept(fd, NULL, NULL);
	while (n < sizeof line - 1 && read(peer, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = '\0';
	for (; left > 0; left -= n, answer += n) {
		n = left < step ? left : step;
		if (send(peer, answer, n, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(strcmp(line, request) == 0 ? 0 : 1);
}

static void
must_end_well(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool
on_line(void *arg, const char *json)
{
	ck_assert_ptr_eq(arg, &heard);
	buf_printf(&heard, "%s|", json);
	return ++nheard < stop_after;
}

static const struct {
	const char *answer;
	int result, code;
	const char *heard, *why;
} cases[] = {
	{ "{\"end\":true}\n", 0, 0, "", "" },
	{ "{\"a\":1}\n{\"b\":2}\n{\"end\":true}\n", 0, 0, "{\"a\":1}|{\"b\":2}|", "" },
	{ "{\"a\":1}\n{\"error\":\"no\",\"exit\":1}\n", -1, 1, "{\"a\":1}|", "no" },
	{ "{\"error\":\"bad\",\"exit\":64}\n", -1, 64, "", "bad" },
	{ "{\"error\":\"bad\"}\n", -1, 1, "", "bad" },
	{ "{\"error\":\"a\\u001b[2Jb\",\"exit\":1}\n", -1, 1, "", "a?[2Jb" },
	{ "{\"a\":1}\n", -1, 75, "{\"a\":1}|", "ended the connection" },
	{ "", -1, 75, "", "ended the connection" },
	{ "HTTP/1.1 400 Bad Request\n", -1, 1, "", "not JSON" },
	{ "[]\n", -1, 1, "", "not JSON" },
};

static void
run_case(int i, size_t step)
{
	struct why why = { "" };
	pid_t pid;
	int code = 0;

	pid = play("{\"command\":\"x\"}", cases[i].answer, step);
	ck_assert_int_eq(control_ask(path, "{\"command\":\"x\"}", on_line, &heard, &code, &why), cases[i].result);
	if (cases[i].result < 0) {
		ck_assert_int_eq(code, cases[i].code);
		ck_assert_msg(strstr(why.text, cases[i].why) != NULL, "%s", why.text);
	}
	ck_assert_str_eq(heard.data == NULL ? "" : heard.data, cases[i].heard);
	must_end_well(pid);
}

START_TEST(whole)
{
	run_case(_i, SIZE_MAX);
}
END_TEST

START_TEST(trickled)
{
	run_case(_i / 3, 1 + (size_t)_i % 3);
}
END_TEST

START_TEST(stops_when_told)
{
	struct why why;
	pid_t pid;
	int code;

	stop_after = 2;
	pid = play("{}", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n{\"error\":\"never seen\"}\n", SIZE_MAX);
	ck_assert_int_eq(control_ask(path, "{}", on_line, &heard, &code, &why), 0);
	ck_assert_str_eq(heard.data, "{\"a\":1}|{\"a\":2}|");
	must_end_well(pid);
}
END_TEST

START_TEST(nobody_there)
{
	struct why why;
	int code = 0;

	ck_assert_int_eq(control_ask(path, "{}", on_line, &heard, &code, &why), -1);
	ck_assert_int_eq(code, 75);
	ck_assert_ptr_nonnull(strstr(why.text, "--socket"));
	ck_assert_int_eq(control_ask("/tmp/01234567890123456789012345678901234567890123456789012345678901234567890123456789"
	    "01234567890123456789012345678901234567890123456789", "{}", on_line, &heard, &code, &why), -1);
	ck_assert_int_eq(code, 75);
}
END_TEST

Suite *test_ask(void);

Suite *
test_ask(void)
{
	Suite *s = suite_create("test_ask");
	TCase *t = tcase_create("ask");
	int n = sizeof cases / sizeof cases[0];

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, whole, 0, n);
	tcase_add_loop_test(t, trickled, 0, 3 * n);
	tcase_add_test(t, stops_when_told);
	tcase_add_test(t, nobody_there);
	suite_add_tcase(s, t);
	return s;
}
