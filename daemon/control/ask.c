/* The asking side: one request, its answer line by line; plain blocking calls with a limit in time. */
#include "control/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	SILENCE_MS = 120 * 1000,	/* a walk of a long queue that finds little says nothing for a while */
	LINE_MAX_OCTETS = 8 * 1024 * 1024,
	READ_OCTETS = 64 * 1024,
	STATUS_UNREACHABLE = 75
};

static int
reach(const char *path, struct why *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof sa.sun_path)
		return fail(why, "the path of the control socket is too long: %s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(why, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		fail(why, "no permission for %s, which is for root and members of the group gatepost; become one "
		    "(adduser NAME gatepost, then log in again)", path);
	else
		fail(why, "no daemon answers at %s (%s); start it (systemctl start gatepost), or name its "
		    "socket with --socket", path, strerror(errno));
	close(fd);
	return -1;
}

static int
send_all(int fd, const char *p, size_t n, struct why *why)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EPIPE)
			return 0;	/* what it said before it closed is worth reading */
		if (sent < 0)
			return fail(why, "cannot ask the daemon: %s", strerror(errno));
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* More of the answer; false: there is no more to come. */
static bool
receive(int fd, struct buf *in, struct why *why)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	do {
		n = poll(&p, 1, SILENCE_MS);
		if (n > 0)
			n = recv(fd, buf_room(in, READ_OCTETS), READ_OCTETS, 0);
		else if (n == 0)
			return fail(why, "the daemon does not answer; look at its log") == 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(why, "lost the daemon: %s", strerror(errno)) == 0;
	if (n == 0)
		return fail(why, "the daemon ended the connection; look at its log") == 0;
	in->len += (size_t)n;
	in->data[in->len] = '\0';
	return true;
}

enum heard_line { LINE_ANSWER, LINE_END, LINE_ERROR };

static enum heard_line
judge(const char *text, int *code, struct why *why)
{
	json_t *doc = json_loads(text, 0, NULL);
	const char *error = json_string_value(json_object_get(doc, "error"));
	json_t *status = json_object_get(doc, "exit");
	enum heard_line result = LINE_ANSWER;

	if (!json_is_object(doc)) {
		fail(why, "the daemon's answer is not JSON: is it of another version?");
		*code = 1;
		result = LINE_ERROR;
	} else if (error != NULL) {
		fail(why, "%s", error);
		*code = json_is_integer(status) ? (int)json_integer_value(status) : 1;
		result = LINE_ERROR;
	} else if (json_is_true(json_object_get(doc, "end"))) {
		result = LINE_END;
	}
	json_decref(doc);
	return result;
}

/* All whole lines that are there; 1: go on, 0: done, -1: error. */
static int
take_lines(struct buf *in, bool (*line)(void *arg, const char *json), void *arg, int *code, struct why *why)
{
	size_t at = 0;
	char *end;
	int result = 1;

	while (result == 1 && at < in->len && (end = memchr(in->data + at, '\n', in->len - at)) != NULL) {
		const char *text = in->data + at;

		*end = '\0';
		at = (size_t)(end + 1 - in->data);
		switch (judge(text, code, why)) {
		case LINE_ANSWER:
			if (!line(arg, text))
				result = 0;
			break;
		case LINE_END:
			result = 0;
			break;
		case LINE_ERROR:
			result = -1;
			break;
		}
	}
	buf_drop(in, at);
	if (result == 1 && in->len > LINE_MAX_OCTETS) {
		*code = 1;
		return fail(why, "the daemon's answer has a line that is too long");
	}
	return result;
}

int
control_ask(const char *socket, const char *request, bool (*line)(void *arg, const char *json),
    void *arg, int *code, struct why *why)
{
	struct buf in = { 0 };
	int fd = reach(socket, why), result = -1;

	*code = STATUS_UNREACHABLE;
	if (fd < 0)
		return -1;
	if (send_all(fd, request, strlen(request), why) < 0 || send_all(fd, "\n", 1, why) < 0)
		goto out;
	do
		result = receive(fd, &in, why) ? take_lines(&in, line, arg, code, why) : -1;
	while (result == 1);
out:
	buf_clear(&in);
	close(fd);
	return result;
}
