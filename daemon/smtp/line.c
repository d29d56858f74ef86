/* The cutter of lines: what is whole is lent, what is not is kept up to the limit, and wiped: a password may be in it. */
#include "smtp/line.h"

#include "smtp/plain.h"

void
line_init(struct line *l, size_t max)
{
	*l = (struct line){ .max = max };
}

void
line_clear(struct line *l)
{
	buf_wipe(&l->part);
	*l = (struct line){ .max = l->max };
}

/* A stretch of the line without CR, LF or NUL; kept only while it can still be
 * one that is not too long. */
static void
gather(struct line *l, struct str s)
{
	if (l->skipping || l->part.len + s.n + 2 > l->max) {
		l->skipping = true;
		buf_wipe(&l->part);
		return;
	}
	buf_put_secret(&l->part, s.p, s.n);
}

/* The line ends behind `s'. */
static enum line_result
finish(struct line *l, struct str s, struct str *line)
{
	bool too_long = l->skipping || l->part.len + s.n + 2 > l->max;

	l->cr = l->skipping = false;
	l->done = true;
	if (too_long)
		return LINE_TOO_LONG;
	if (l->part.len > 0) {
		buf_put_secret(&l->part, s.p, s.n);
		s = buf_str(&l->part);
	}
	*line = s;
	return LINE_READY;
}

enum line_result
line_feed(struct line *l, struct str *in, struct str *line)
{
	struct str s = *in;
	size_t n;

	if (l->done) {
		buf_wipe(&l->part);
		l->done = false;
	}
	if (s.n == 0)
		return LINE_MORE;
	if (l->cr) {
		*in = str_from(s, 1);
		s.n = 0;
		return *s.p == '\n' ? finish(l, s, line) : LINE_BAD;
	}
	n = plain_run(s.p, s.n);
	*in = str_from(s, n);
	s.n = n;
	if (in->n == 0) {
		gather(l, s);
		return LINE_MORE;
	}
	if (*in->p != '\r')
		return LINE_BAD;
	*in = str_from(*in, 1);
	if (in->n > 0) {
		if (*in->p != '\n')
			return LINE_BAD;
		*in = str_from(*in, 1);
		return finish(l, s, line);
	}
	gather(l, s);
	l->cr = true;
	return LINE_MORE;
}
