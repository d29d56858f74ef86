/*
 * Passes bytes on between our two descriptors and the submit socket; it understands none of them, but for how the first
 * line ends.  Who ends that with LF alone, as scripts do, ends all lines so, and they are made CRLF of; for all others the
 * daemon's strict framing stays: an LF somewhere in their data must not become an end of line (C-01).
 */
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
#include "mail/crlf.h"

enum { PIECE = 64 * 1024 };

/* How the lines of standard input end. */
enum line_ends { ENDS_UNKNOWN, ENDS_CRLF, ENDS_LF };

struct input {
	enum line_ends ends;
	char last;		/* octet of the first line so far */
	struct crlf crlf;
	struct buf out;
};

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

/* One piece from the daemon; false: there are no more, or nobody takes them. */
static bool
pass_back(int from)
{
	char piece[PIECE];
	ssize_t n = read(from, piece, sizeof piece);

	if (n < 0)
		return errno == EINTR;
	return n > 0 && put(STDOUT_FILENO, piece, (size_t)n);
}

/* Takes off *s what comes before the end of the first line, and puts that as it is. */
static bool
pass_first_line(struct input *in, struct str *s, int to)
{
	const char *newline = memchr(s->p, '\n', s->n);
	size_t n = newline != NULL ? (size_t)(newline - s->p) : s->n;
	bool ok = put(to, s->p, n);

	in->last = n > 0 ? s->p[n - 1] : in->last;
	if (newline != NULL)
		in->ends = in->last == '\r' ? ENDS_CRLF : ENDS_LF;
	*s = str_from(*s, n);
	return ok;
}

/* One piece to the daemon; false as above. */
static bool
pass_on(struct input *in, int to)
{
	char piece[PIECE];
	ssize_t n = read(STDIN_FILENO, piece, sizeof piece);
	struct str s = { piece, n > 0 ? (size_t)n : 0 };

	if (n < 0)
		return errno == EINTR;
	if (n == 0 || (in->ends == ENDS_UNKNOWN && !pass_first_line(in, &s, to)))
		return false;
	if (in->ends != ENDS_LF)
		return put(to, s.p, s.n);
	buf_cut(&in->out, 0);
	return !crlf_feed(&in->crlf, s, &in->out) && put(to, in->out.data, in->out.len);
}

int
converse(const char *socket)
{
	struct pollfd p[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct input in = { .ends = ENDS_UNKNOWN };
	struct why why;
	int fd = handoff_reach(socket, &why);

	if (fd < 0) {
		printf("421 4.3.0 the mail system is not running\r\n");
		(void)fflush(stdout);
		return command_fail(ARGS_UNREACHABLE, "sendmail: %s", why.text);
	}
	p[0].fd = fd;
	crlf_init(&in.crlf, false);
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents != 0 && !pass_back(fd))
			break;
		if (p[1].revents != 0 && !pass_on(&in, fd)) {
			shutdown(fd, SHUT_WR);	/* the daemon still answers what it was told */
			p[1].fd = -1;
		}
	}
	buf_clear(&in.out);
	close(fd);
	return ARGS_OK;
}
