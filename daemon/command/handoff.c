/* A small SMTP client for the way from this program to its daemon on the same machine. */
#include "command/handoff.h"

#include "base/ident.h"
#include "base/mem.h"
#include "mail/address.h"
#include "smtp/caps.h"
#include "smtp/dot.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REPLY_MS = 60 * 1000, END_MS = 5 * 60 * 1000, READ_OCTETS = 4096, WRITE_OCTETS = 64 * 1024 };

struct handoff {
	int fd;
	bool lost;		/* nothing more can be said */
	struct buf in, out;
	struct reply reply;
	struct caps caps;
	bool utf8;		/* MAIL asked for SMTPUTF8 */
	char *host;
	struct handoff_wishes wishes;
	struct dot_out dot;
};

int
handoff_reach(const char *path, struct why *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof sa.sun_path)
		return fail(why, "the path of the submit socket is too long: %s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(why, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
		return fd;
	fail(why, "no daemon takes mail at %s (%s); start it (systemctl start gatepost)", path, strerror(errno));
	close(fd);
	return -1;
}

static int
lose(struct handoff *h, struct why *why, const char *what)
{
	h->lost = true;
	return fail(why, "lost the daemon: %s", what);
}

static int
send_out(struct handoff *h, struct why *why)
{
	size_t at = 0;
	ssize_t n;

	while (!h->lost && at < h->out.len) {
		n = send(h->fd, h->out.data + at, h->out.len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return lose(h, why, strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	buf_cut(&h->out, 0);
	return h->lost ? fail(why, "the connection to the daemon is lost") : 0;
}

/* More octets from the daemon. */
static int
receive(struct handoff *h, int limit_ms, struct why *why)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	ssize_t n;

	do {
		n = poll(&p, 1, limit_ms);
		if (n == 0)
			return lose(h, why, "it does not answer");
		if (n > 0)
			n = recv(h->fd, buf_room(&h->in, READ_OCTETS), READ_OCTETS, 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return lose(h, why, n == 0 ? "it ended the connection" : strerror(errno));
	h->in.len += (size_t)n;
	h->in.data[h->in.len] = '\0';
	return 0;
}

/* The reply to `what'; -1 unless its first digit is `class'. */
static int
hear(struct handoff *h, const char *what, int class, int limit_ms, struct why *why)
{
	enum reply_result result;
	struct str in;
	struct buf safe = { 0 };

	reply_reset(&h->reply);
	for (;;) {
		in = buf_str(&h->in);
		result = reply_feed(&h->reply, &in);
		buf_drop(&h->in, h->in.len - in.n);
		if (result != REPLY_MORE)
			break;
		if (receive(h, limit_ms, why) < 0)
			return -1;
	}
	if (result == REPLY_BAD)
		return lose(h, why, "it does not speak SMTP");
	if (h->reply.code == 421)
		h->lost = true;
	if (h->reply.code / 100 == class)
		return 0;
	str_safe(&safe, buf_str(&h->reply.text), true);
	fail(why, "%s: %d %s", what, h->reply.code, safe.len > 0 ? safe.data : "");
	buf_clear(&safe);
	return -1;
}

static int
command(struct handoff *h, const char *line, const char *what, int class, struct why *why)
{
	buf_puts(&h->out, line);
	buf_puts(&h->out, "\r\n");
	if (send_out(h, why) < 0)
		return -1;
	return hear(h, what, class, REPLY_MS, why);
}

/* "220 HOST ESMTP" */
static int
name_host(struct handoff *h, struct why *why)
{
	struct str text = buf_str(&h->reply.text), word;

	if (!str_split(&text, ' ', &word) || !address_is_domain(word))
		return fail(why, "the daemon does not say who it is");
	h->host = str_dup(word);
	return 0;
}

int
handoff_open(struct handoff **out, const char *socket, struct why *why)
{
	int fd = handoff_reach(socket, why);
	struct handoff *h;

	if (fd < 0)
		return -1;
	h = mem_zero(sizeof *h);
	h->fd = fd;
	reply_init(&h->reply);
	if (hear(h, "greeting", 2, REPLY_MS, why) < 0 || name_host(h, why) < 0 || command(h, "EHLO localhost", "EHLO", 2, why) < 0) {
		h->lost = true;
		handoff_close(&h);
		return -1;
	}
	caps_parse(&h->caps, &h->reply);
	*out = h;
	return 0;
}

void
handoff_close(struct handoff **h)
{
	struct why why;

	if (*h == NULL)
		return;
	if (!(*h)->lost && command(*h, "QUIT", "QUIT", 2, &why) < 0)
		(*h)->lost = true;
	close((*h)->fd);
	reply_clear(&(*h)->reply);
	buf_clear(&(*h)->in);
	buf_clear(&(*h)->out);
	free((*h)->host);
	free(*h);
	*h = NULL;
}

const char *
handoff_host(const struct handoff *h)
{
	return h->host;
}

uint64_t
handoff_size_max(const struct handoff *h)
{
	return h->caps.size_given ? h->caps.size : 0;
}

void
handoff_wish(struct handoff *h, const struct handoff_wishes *w)
{
	h->wishes = *w;
}

static void
put_wish(const struct handoff *h, struct buf *line, const char *name, const char *value)
{
	if (value != NULL && h->caps.dsn)
		buf_printf(line, " %s=%s", name, value);
}

/* "VERB:<address>", the address as it was understood; empty only for a sender. */
static int
path_line(struct buf *line, const char *verb, const char *address, struct address *parsed, struct why *why)
{
	char *printed;

	*parsed = (struct address){ .is_null = true };
	if (address[0] != '\0' && address_parse(str_of(address), parsed) < 0)
		return fail(why, "%s is not an address", address);
	printed = address_print(parsed);
	buf_printf(line, "%s:<%s>", verb, printed);
	free(printed);
	return 0;
}

int
handoff_mail(struct handoff *h, const char *sender, bool has_8bit, struct why *why)
{
	struct buf line = { 0 };
	struct address parsed;
	int result = path_line(&line, "MAIL FROM", sender, &parsed, why);

	h->utf8 = h->caps.utf8;
	if (result == 0 && parsed.is_utf8 && !h->utf8)
		result = fail(why, "%s needs SMTPUTF8, which no upstream in use takes", sender);
	if (result == 0) {
		bool utf8 = parsed.is_utf8 || (h->wishes.utf8 && h->utf8);

		if (has_8bit && h->caps.eightbit)
			buf_puts(&line, " BODY=8BITMIME");
		if (utf8)
			buf_puts(&line, " SMTPUTF8");
		if (h->wishes.octets > 0 && h->caps.size_given)
			buf_printf(&line, " SIZE=%llu", (unsigned long long)h->wishes.octets);
		put_wish(h, &line, "RET", h->wishes.ret);
		put_wish(h, &line, "ENVID", h->wishes.envid);
		h->utf8 = utf8;
		result = command(h, line.data, "sender", 2, why);
	}
	buf_clear(&line);
	return result;
}

int
handoff_rcpt(struct handoff *h, const char *recipient, struct why *why)
{
	struct buf line = { 0 };
	struct address parsed;
	int result = path_line(&line, "RCPT TO", recipient, &parsed, why);

	if (result == 0 && parsed.is_null)
		result = fail(why, "a recipient is missing");
	if (result == 0) {
		put_wish(h, &line, "NOTIFY", h->wishes.notify);
		result = command(h, line.data, "recipient", 2, why);
	}
	buf_clear(&line);
	return result;
}

int
handoff_data(struct handoff *h, struct why *why)
{
	dot_stuff_init(&h->dot);
	return command(h, "DATA", "DATA", 3, why);
}

int
handoff_put(struct handoff *h, struct str content, struct why *why)
{
	if (dot_stuff(&h->dot, content.p, content.n, &h->out) < 0) {
		h->lost = true;		/* unfinished: it must not be taken for whole */
		return fail(why, "the message has a bare CR, a bare LF or a NUL");
	}
	return h->out.len < WRITE_OCTETS ? 0 : send_out(h, why);
}

int
handoff_end(struct handoff *h, uint64_t *id, struct why *why)
{
	struct str text, word;

	*id = 0;
	dot_stuff_end(&h->dot, &h->out);
	if (send_out(h, why) < 0 || hear(h, "message", 2, END_MS, why) < 0)
		return -1;
	text = buf_str(&h->reply.text);		/* "2.0.0 queued as ID" */
	while (str_split(&text, ' ', &word))
		if (word.n == IDENT_TEXT - 1 && !ident_parse(word, id))
			*id = 0;
	return 0;
}

int
handoff_code(const struct handoff *h)
{
	return h->lost && h->reply.code != 421 ? 0 : h->reply.code;
}

const char *
handoff_status(const struct handoff *h)
{
	return handoff_code(h) == 0 ? "" : h->reply.status;
}
