/* Landlock, in processes of their own: there is no way back. */
#include "base/landlock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

#include <check.h>

#define NEED(x) do { if (!(x)) return __LINE__; } while (0)

static char dir[64], in[128], out[128];

static const char *
at(char *buf, const char *top, const char *name)
{
	snprintf(buf, 128, "%.60s/%.40s", top, name);
	return buf;
}

static int
make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
bind_to(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&sa, sizeof sa);
}

static int
confined(void)
{
	struct landlock l;
	struct why why;
	char a[128], b[128], buf[8];
	pid_t parent = getppid();
	int fd;

	NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	NEED(landlock_init(&l, &why) == 0);
	if (l.abi == 0)
		return 77;
	NEED(landlock_allow(&l, "/", LANDLOCK_READ, &why) == 0);
	NEED(landlock_allow(&l, in, LANDLOCK_WRITE, &why) == 0);
	NEED(landlock_allow(&l, at(a, dir, "sockets"), LANDLOCK_REMOVE, &why) == 0);
	NEED(landlock_allow(&l, at(a, dir, "not-there"), LANDLOCK_WRITE, &why) == 0);
	NEED(landlock_enter(&l, &why) == 0);
	/* What the spool needs. */
	NEED(mkdir(at(a, in, "sub"), 0700) == 0 && make(at(a, in, "sub/f")) == 0);
	NEED(rename(at(a, in, "sub/f"), at(b, in, "g")) == 0);
	NEED(truncate(b, 0) == 0 && unlink(b) == 0 && rmdir(at(a, in, "sub")) == 0);
	fd = open(in, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	NEED(fd >= 0 || errno == EOPNOTSUPP);
	/* What nobody needs. */
	NEED(make(at(a, out, "f")) == -1 && errno == EACCES);
	NEED(mkdir(at(a, out, "d"), 0700) == -1 && errno == EACCES);
	NEED(open(at(a, out, "there"), O_WRONLY) == -1 && errno == EACCES);
	NEED(unlink(at(a, out, "there")) == -1 && errno == EACCES);
	NEED(mkfifo(at(a, in, "fifo"), 0600) == -1 && symlink("/", at(a, in, "link")) == -1);
	fd = open(at(a, out, "there"), O_RDONLY | O_CLOEXEC);
	NEED(fd >= 0 && read(fd, buf, sizeof buf) == 0);
	NEED(unlink(at(a, dir, "sockets/s")) == 0 && make(a) == -1);
	NEED(execl("/bin/true", "true", NULL) == -1 && errno == EACCES);
	if (l.abi >= 4)
		NEED(bind_to(0) == 0 && bind_to(54321) == -1 && errno == EACCES);
	if (l.abi >= 6)
		NEED(kill(parent, 0) == -1 && errno == EPERM);
	return 0;
}

static int
run(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "status %x", (unsigned)status);
	return WEXITSTATUS(status);
}

START_TEST(write_here_and_nowhere_else)
{
	char a[128];
	int line;

	strcpy(dir, "/tmp/gatepost-landlock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(mkdir(at(in, dir, "in"), 0700) | mkdir(at(out, dir, "out"), 0700) | mkdir(at(a, dir, "sockets"), 0700), 0);
	ck_assert_int_eq(make(at(a, out, "there")) | make(at(a, dir, "sockets/s")), 0);
	line = run(confined);
	if (line == 77)
		fprintf(stderr, "this kernel has no Landlock: not tried\n");
	else
		ck_assert_msg(line == 0, "line %d", line);
	unlink(at(a, out, "there"));
	unlink(at(a, dir, "sockets/s"));
	rmdir(at(a, dir, "sockets"));
	rmdir(in);
	rmdir(out);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

Suite *test_landlock(void);
Suite *
test_landlock(void)
{
	Suite *s = suite_create("test_landlock");
	TCase *tc = tcase_create("landlock");

	tcase_add_test(tc, write_here_and_nowhere_else);
	suite_add_tcase(s, tc);
	return s;
}
