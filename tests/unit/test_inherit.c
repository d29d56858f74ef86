/*
 * Sockets from who started us: what is believed of the three variables, and how a socket is found.  Each test has a process
 * of its own, whose descriptors from 3 on may be what it likes (the framework has some there); it ends with the line that
 * failed.
 */
#include "net/inherit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/accept.h"

#include <check.h>

#define NEED(x) do { if (!(x)) return __LINE__; } while (0)

static struct inherit in;
static struct why why;

static void
apart(int (*fn)(int i), int i)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn(i));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "status %x", (unsigned)status);
	ck_assert_msg(WEXITSTATUS(status) == 0, "line %d", WEXITSTATUS(status));
}

static void
say(const char *pid, const char *fds)
{
	char own[16];

	snprintf(own, sizeof own, "%d", (int)getpid());
	setenv("LISTEN_PID", pid != NULL ? pid : own, 1);
	setenv("LISTEN_FDS", fds, 1);
	setenv("LISTEN_FDNAMES", "a:b", 1);
}

static const struct {
	const char *pid, *fds, *says;	/* pid NULL: ours; says NULL: nothing was passed */
} variables[] = {
	{ "1", "1", NULL },
	{ "", "1", NULL },
	{ "x", "1", NULL },
	{ "99999999999999999999", "1", NULL },
	{ NULL, "0", NULL },
	{ NULL, "", "not a number" },
	{ NULL, "-1", "not a number" },
	{ NULL, "1 ", "not a number" },
	{ NULL, "65", "more than 64 sockets" },
	{ NULL, "18446744073709551617", "more than 64 sockets" },
	{ NULL, "2", "descriptor 4, which is not open" },
};

static int
believe(int i)
{
	const char *says = variables[i].says;
	int fd = accept_bind("127.0.0.1:0", &why);

	NEED(dup2(fd, 3) == 3);
	close_range(4, ~0U, 0);
	say(variables[i].pid, variables[i].fds);
	NEED(inherit_init(&in, &why) == (says == NULL ? 0 : -1));
	NEED(says != NULL ? strstr(why.text, says) != NULL : in.n == 0);
	NEED(getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL && getenv("LISTEN_FDNAMES") == NULL);
	return 0;
}

START_TEST(variables_are_believed_or_not)
{
	apart(believe, _i);
}
END_TEST

static const char *path;

static int
find(int i)
{
	char v4[160], v6[160], other[200];
	int a = accept_bind("127.0.0.1:0", &why), b = accept_bind("[::1]:0", &why), c = accept_bind_unix(path, 0600, &why);

	(void)i;
	if (b < 0)
		b = accept_bind("127.0.0.2:0", &why);	/* no IPv6 here */
	a = fcntl(a, F_DUPFD, 50);
	b = fcntl(b, F_DUPFD, 50);
	c = fcntl(c, F_DUPFD, 50);
	fcntl(a, F_SETFL, 0);
	NEED(dup2(c, 3) == 3 && dup2(a, 4) == 4 && dup2(b, 5) == 5);
	say(NULL, "3");
	NEED(inherit_init(&in, &why) == 0 && in.n == 3);
	NEED(inherit_has(&in, true) && inherit_has(&in, false));
	NEED(strcmp(in.socket[0].address, path) == 0);
	snprintf(v4, sizeof v4, "%s", in.socket[1].address);
	snprintf(v6, sizeof v6, "%s", in.socket[2].address);
	NEED(strncmp(v4, "127.0.0.1:", 10) == 0);
	NEED(inherit_take(&in, "127.0.0.1:1") == -1 && inherit_take(&in, "/s") == -1 && inherit_take(&in, "submit") == -1);
	/* The address counts, not how it is written. */
	snprintf(other, sizeof other, "%s%s", strncmp(v6, "[::1]", 5) == 0 ? "[0:0::1]" : "", v6 + (v6[0] == '[' ? 5 : 0));
	NEED(inherit_take(&in, other) == 5);
	NEED(inherit_take(&in, v4) == 4);
	NEED(inherit_take(&in, v4) == -1);	/* once */
	NEED((fcntl(4, F_GETFL) & O_NONBLOCK) != 0 && fcntl(4, F_GETFD) == FD_CLOEXEC);
	NEED(inherit_find_left(&in) == &in.socket[0]);
	inherit_clear(&in);
	NEED(fcntl(3, F_GETFD) == -1 && fcntl(4, F_GETFD) >= 0);
	return 0;
}

START_TEST(found_by_address)
{
	char dir[] = "/tmp/gatepost-inherit-XXXXXX", in_dir[64];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(in_dir, sizeof in_dir, "%s/s", dir);
	path = in_dir;
	apart(find, 0);
	unlink(in_dir);
	rmdir(dir);
}
END_TEST

/* Not what we can serve. */
static int
refuse(int i)
{
	int pair[2] = { -1, -1 };

	switch (i) {
	case 0:
		pair[0] = socket(AF_INET, SOCK_DGRAM, 0);
		break;
	case 1:
		pair[0] = socket(AF_INET, SOCK_STREAM, 0);	/* does not listen */
		break;
	case 2:
		NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);	/* Accept=yes */
		break;
	default:
		pair[0] = open("/dev/null", O_RDONLY);
	}
	NEED(dup2(pair[0], 3) == 3);
	say(NULL, "1");
	NEED(inherit_init(&in, &why) == -1);
	NEED(strstr(why.text, "descriptor 3") != NULL && strstr(why.text, "no listening stream socket") != NULL);
	return 0;
}

START_TEST(others_are_refused)
{
	apart(refuse, _i);
}
END_TEST

Suite *test_inherit(void);
Suite *
test_inherit(void)
{
	Suite *s = suite_create("test_inherit");
	TCase *tc = tcase_create("inherit");

	tcase_add_loop_test(tc, variables_are_believed_or_not, 0, sizeof variables / sizeof variables[0]);
	tcase_add_test(tc, found_by_address);
	tcase_add_loop_test(tc, others_are_refused, 0, 4);
	suite_add_tcase(s, tc);
	return s;
}
