/* Reads a message: finds where its header ends, as Postfix's sendmail would, and keeps the rest in memory or a file. */
#include "command/letter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"

enum { READ_OCTETS = 64 * 1024, MEMORY_MAX = 256 * 1024, NAME_MAX_OCTETS = 998 };

/* --- the file ----------------------------------------------------------------- */

static int
open_file(struct letter *l)
{
	const char *dir = secure_getenv("TMPDIR");
	const char *const dirs[] = { dir != NULL && dir[0] == '/' ? dir : "/var/tmp", "/var/tmp", "/tmp" };

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0] && l->fd < 0; i++) {
		char *name = mem_printf("%s/sendmail.XXXXXX", dirs[i]);

		l->fd = open(dirs[i], O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
		if (l->fd < 0 && (l->fd = mkostemp(name, O_CLOEXEC)) >= 0)
			unlink(name);
		free(name);
	}
	return l->fd;
}

static int
spill(struct letter *l, struct why *why)
{
	size_t at = 0;
	ssize_t n;

	if (l->fd < 0 && open_file(l) < 0)
		return fail(why, "cannot make a temporary file for the message: %s", strerror(errno));
	while (at < l->body.len) {
		n = write(l->fd, l->body.data + at, l->body.len - at);
		if (n < 0 && errno != EINTR)
			return fail(why, "cannot write the message to a temporary file: %s", strerror(errno));
		at += n > 0 ? (size_t)n : 0;
	}
	buf_cut(&l->body, 0);
	return 0;
}

/* --- the header --------------------------------------------------------------- */

enum line { LINE_FIELD, LINE_MORE, LINE_EMPTY, LINE_NONE, LINE_UNIX };

/* What begins here: decided as soon as it can be, since the rest of the line may be long in coming. */
static enum line
classify(struct str s, bool first, bool ended)
{
	static const char unix_from[] = "From ";
	size_t skip = 0, n = 0;

	if (s.n >= 2 && memcmp(s.p, "\r\n", 2) == 0)
		return LINE_EMPTY;
	if (s.p[0] == ' ' || s.p[0] == '\t')
		return first ? LINE_NONE : LINE_FIELD;	/* the one before goes on */
	while (first && skip < s.n && skip < NAME_MAX_OCTETS - strlen(unix_from) && s.p[skip] == '>')
		skip++;
	if (first && s.n - skip >= strlen(unix_from) && memcmp(s.p + skip, unix_from, strlen(unix_from)) == 0)
		return LINE_UNIX;
	while (n < s.n && s.p[n] > ' ' && s.p[n] < 0x7f && s.p[n] != ':')
		n++;
	skip = n;
	while (n > 0 && n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	if (n > NAME_MAX_OCTETS)	/* also when more has come: reads of other sizes must not make another header */
		return LINE_NONE;
	if (n < s.n)
		return s.p[n] == ':' && skip > 0 ? LINE_FIELD : LINE_NONE;
	return ended ? LINE_NONE : LINE_MORE;
}

/* The header ends before `end'; what stands behind it, less an empty line, is body. */
static void
end_header(struct letter *l, size_t end, size_t empty)
{
	l->in_body = true;
	buf_put(&l->body, l->header.data + end + empty, l->header.len - end - empty);
	buf_cut(&l->header, end);
}

/* Takes whole fields off what was read; `ended': nothing more comes. */
static void
judge_header(struct letter *l, bool ended)
{
	while (!l->in_body && l->judged < l->header.len) {
		struct str s = str_from(buf_str(&l->header), l->judged);
		const char *newline = memchr(s.p, '\n', s.n);
		size_t n = newline != NULL ? (size_t)(newline + 1 - s.p) : 0;

		switch (classify(s, l->judged == 0, ended)) {
		case LINE_MORE:
			return;
		case LINE_EMPTY:
			end_header(l, l->judged, 2);
			return;
		case LINE_NONE:
			end_header(l, l->judged, 0);
			return;
		case LINE_UNIX:
			if (n == 0)
				return;
			buf_drop(&l->header, n);
			break;
		case LINE_FIELD:
			if (n == 0)
				return;
			l->judged += n;
		}
	}
	l->in_body = l->in_body || ended;
}

/* --- all ------------------------------------------------------------------------ */

static int
keep(struct letter *l, bool ended, uint64_t max, struct why *why)
{
	size_t before;

	if (!l->in_body)
		judge_header(l, ended);
	if (!l->in_body && l->header.len > LETTER_HEADER_MAX) {
		fail(why, "the message's header is longer than %d KB", LETTER_HEADER_MAX / 1024);
		return EX_DATAERR;
	}
	if (l->crlf.nul) {
		fail(why, "the message has a NUL; encode what is not text (base64)");
		return EX_DATAERR;
	}
	before = l->body.len;
	if (max > 0 && l->octets + before > max) {
		fail(why, "the message is longer than the %llu octets that are taken", (unsigned long long)max);
		return EX_DATAERR;
	}
	if (before > MEMORY_MAX || (l->fd >= 0 && (ended || before > READ_OCTETS))) {
		l->octets += before;
		return spill(l, why) < 0 ? EX_TEMPFAIL : EX_OK;
	}
	return EX_OK;
}

int
letter_read(struct letter *l, int from, bool dot_ends, uint64_t max, struct why *why)
{
	char in[READ_OCTETS];
	bool ended = false;
	int status = EX_OK;
	ssize_t n;

	*l = (struct letter){ .fd = -1 };
	crlf_init(&l->crlf, dot_ends);
	while (!ended && status == EX_OK) {
		struct buf *out = l->in_body ? &l->body : &l->header;

		n = read(from, in, sizeof in);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fail(why, "cannot read the message: %s", strerror(errno));
			return EX_IOERR;
		}
		ended = n == 0 || crlf_feed(&l->crlf, (struct str){ in, (size_t)n }, out);
		if (n == 0)
			crlf_end(&l->crlf, out);
		status = keep(l, ended, max, why);
	}
	if (l->fd < 0)
		l->octets = l->body.len;
	l->has_8bit = l->crlf.has_8bit;
	return status;
}

void
letter_clear(struct letter *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	buf_clear(&l->header);
	buf_clear(&l->body);
}

int
letter_each(struct letter *l, int (*take)(void *, struct str, struct why *), void *arg, struct why *why)
{
	char piece[READ_OCTETS];
	off_t at = 0;
	ssize_t n;

	if (l->fd < 0)
		return take(arg, buf_str(&l->body), why);
	while ((uint64_t)at < l->octets) {
		n = pread(l->fd, piece, sizeof piece, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(why, "cannot read the message again: %s", n < 0 ? strerror(errno) : "it is cut off");
		if (take(arg, (struct str){ piece, (size_t)n }, why) < 0)
			return -1;
		at += n;
	}
	return 0;
}
