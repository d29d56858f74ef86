/* What `sendmail -bs' makes of its input on the way to the daemon, and that the daemon's words come back. */
#include "command/converse.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/bytes.h"

static const struct {
	struct str in, out;
} cases[] = {
	{ STR(""), STR("") },
	{ STR("EHLO x\r\nDATA\r\na\r\n.\r\n"), STR("EHLO x\r\nDATA\r\na\r\n.\r\n") },
	{ STR("EHLO x\nDATA\na\n\n.b\n.\nQUIT\n"), STR("EHLO x\r\nDATA\r\na\r\n\r\n.b\r\n.\r\nQUIT\r\n") },
	/* The first line decides: what the daemon is to refuse stays as it is (C-01). */
	{ STR("EHLO x\r\nDATA\r\na\n.\nb\rc\r\n"), STR("EHLO x\r\nDATA\r\na\n.\nb\rc\r\n") },
	{ STR("EHLO x\nDATA\na\r\nb\rc\n.\r\n"), STR("EHLO x\r\nDATA\r\na\r\nb c\r\n.\r\n") },
	{ STR("\nx\n"), STR("\r\nx\r\n") },
	{ STR("\r\nx\n"), STR("\r\nx\n") },
	{ STR("a\rb\nc\n"), STR("a\rb\r\nc\r\n") },
	{ STR("no end"), STR("no end") },
	{ STR("x\nno end"), STR("x\r\nno end") },
};

static char dir[64], path[96];

static void
setup(void)
{
	snprintf(dir, sizeof dir, "/tmp/gatepost-converse.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/s", dir);
}

static void
teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static int
listen_here(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, path, strlen(path) + 1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* In packets, so that each is a read of its own. */
static void
feed(int fd, struct str in, size_t step)
{
	for (size_t n; in.n > 0; in = str_from(in, n)) {
		n = in.n < step ? in.n : step;
		ck_assert_int_eq(send(fd, in.p, n, MSG_NOSIGNAL), (ssize_t)n);
	}
	close(fd);
}

static void
gather(int fd, struct buf *out)
{
	char piece[256];
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0)
		buf_put(out, piece, (size_t)n);
}

static void
converse_with(struct str in, size_t step, struct buf *heard, struct buf *said)
{
	int in_fds[2], out_fds[2], listening = listen_here(), peer, status;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, in_fds), 0);
	ck_assert_int_eq(pipe2(out_fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		if (dup2(in_fds[0], 0) < 0 || dup2(out_fds[1], 1) < 0)
			_exit(126);
		close(in_fds[1]);
		_exit(converse(path));
	}
	close(in_fds[0]);
	close(out_fds[1]);
	peer = accept(listening, NULL, NULL);
	ck_assert_int_ge(peer, 0);
	feed(in_fds[1], in, step);
	gather(peer, heard);
	ck_assert_int_eq(send(peer, "221 bye\r\n", 9, MSG_NOSIGNAL), 9);	/* what comes late is still passed on */
	close(peer);
	gather(out_fds[0], said);
	close(out_fds[0]);
	close(listening);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	unlink(path);
}

START_TEST(lines_end_as_the_first)
{
	for (unsigned step = 0; step < BYTES_STEPS; step++) {
		struct buf heard = { 0 }, said = { 0 };

		converse_with(cases[_i].in, bytes_steps[step], &heard, &said);
		bytes_eq(buf_str(&heard), cases[_i].out);
		bytes_eq(buf_str(&said), STR("221 bye\r\n"));
		buf_clear(&heard);
		buf_clear(&said);
	}
}
END_TEST

Suite *test_converse(void);

Suite *
test_converse(void)
{
	Suite *s = suite_create("test_converse");
	TCase *t = tcase_create("converse");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, lines_end_as_the_first, 0, sizeof cases / sizeof cases[0]);
	suite_add_tcase(s, t);
	return s;
}
