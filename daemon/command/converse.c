/* Passes bytes on between our two descriptors and the submit socket; it understands none of them. */
#include "command/converse.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command/args.h"
#include "command/command.h"
#include "command/handoff.h"

enum { PIECE = 64 * 1024 };

static bool
put(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno != EINTR)
			return false;
		p += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	return true;
}

/* One piece; false: there are no more, or nobody takes them. */
static bool
pass(int from, int to)
{
	char piece[PIECE];
	ssize_t n = read(from, piece, sizeof piece);

	if (n < 0)
		return errno == EINTR;
	return n > 0 && put(to, piece, (size_t)n);
}

int
converse(const char *socket)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct why why;
	int fd = handoff_reach(socket, &why);

	if (fd < 0) {
		printf("421 4.3.0 the mail system is not running\r\n");
		(void)fflush(stdout);
		return command_fail(ARGS_UNREACHABLE, "sendmail: %s", why.text);
	}
	p[0].fd = fd;
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents != 0 && !pass(fd, STDOUT_FILENO))
			break;
		if (p[1].revents != 0 && !pass(STDIN_FILENO, fd)) {
			shutdown(fd, SHUT_WR);	/* the daemon still answers what it was told */
			p[1].fd = -1;
		}
	}
	close(fd);
	return ARGS_OK;
}
