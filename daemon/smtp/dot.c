/*
 * The automaton of DATA and its counterpart for what we send.  Whole lines are passed
 * on in runs; only what may be part of an end of data is decided byte by byte.
 */
#include "smtp/dot.h"

#include "smtp/plain.h"

enum {
	LINE,		/* at the start of a line: the first, or after CRLF */
	SOFT,		/* at the start of a line that a bare CR or LF made */
	MIDDLE,
	CR,		/* behind a CR that is not passed on yet */
	DOT,		/* behind a line's first dot, which is not passed on yet */
	SOFT_DOT,
	DOT_CR,		/* behind both */
	SOFT_DOT_CR
};

void
dot_init(struct dot *d, bool normalize)
{
	*d = (struct dot){ .normalize = normalize, .state = LINE };
}

static void
put(struct buf *out, const char *p, size_t n)
{
	if (out != NULL && n > 0)
		buf_put(out, p, n);
}

/* Passes on, in one piece, all that needs no thought: any number of whole lines
 * that begin with no dot. */
static const char *
take_text(struct dot *d, const char *from, const char *end, struct buf *out)
{
	const char *p = from;

	while (p < end) {
		if (d->state == LINE && *p == '.') {
			put(out, from, (size_t)(p - from));
			d->state = DOT;
			return p + 1;
		}
		p += plain_run(p, (size_t)(end - p));
		d->state = MIDDLE;
		if (p == end)
			break;
		if (*p == '\r') {
			if (end - p > 1 && p[1] == '\n') {
				d->state = LINE;
				p += 2;
				continue;
			}
			put(out, from, (size_t)(p - from));
			d->state = CR;
			return p + 1;
		}
		if (*p == '\0')
			d->nul = true;
		else
			d->bare_lf = true;
		if (*p == '\n' && d->normalize) {
			put(out, from, (size_t)(p - from));
			put(out, "\r\n", 2);
			d->state = SOFT;
			return p + 1;
		}
		p++;
	}
	put(out, from, (size_t)(p - from));
	return p;
}

/* Decides about what was not passed on by the byte that follows, and takes that
 * byte if it belongs to it. */
static const char *
take_edge(struct dot *d, const char *p, struct buf *out, bool *ended)
{
	bool lf = *p == '\n';

	switch (d->state) {
	case SOFT:
		d->state = *p == '.' ? SOFT_DOT : MIDDLE;
		return *p == '.' ? p + 1 : p;
	case DOT:
	case SOFT_DOT:
		if (*p == '\r') {
			d->state = d->state == DOT ? DOT_CR : SOFT_DOT_CR;
			return p + 1;
		}
		if (lf)
			put(out, ".", 1);
		d->state = MIDDLE;
		return p;
	case DOT_CR:
		if (lf) {
			d->state = LINE;
			*ended = true;
			return p + 1;
		}
		__attribute__((fallthrough));
	case SOFT_DOT_CR:
		/* A dot alone on a line that ends nothing was stuffed by
		 * nobody (RFC 5321 4.5.2). */
		put(out, ".", 1);
		break;
	}
	if (lf) {
		put(out, "\r\n", 2);
		d->state = LINE;
		return p + 1;
	}
	d->bare_cr = true;
	put(out, "\r\n", d->normalize ? 2 : 1);
	d->state = d->normalize ? SOFT : MIDDLE;
	return p;
}

bool
dot_feed(struct dot *d, struct str *in, struct buf *out)
{
	const char *p = in->p, *end = str_from(*in, in->n).p;
	bool ended = false;

	while (p < end && !ended) {
		if (d->state == LINE || d->state == MIDDLE)
			p = take_text(d, p, end, out);
		else
			p = take_edge(d, p, out, &ended);
	}
	*in = (struct str){ p, (size_t)(end - p) };
	return ended;
}

void
dot_stuff_init(struct dot_out *d)
{
	d->state = LINE;
}

int
dot_stuff(struct dot_out *d, const char *p, size_t n, struct buf *out)
{
	const char *from = p, *end = n > 0 ? p + n : p;

	while (p < end) {
		if (d->state == CR) {
			if (*p != '\n')
				return -1;
			d->state = LINE;
			p++;
			continue;
		}
		if (d->state == LINE && *p == '.') {
			put(out, from, (size_t)(p - from));
			put(out, ".", 1);
			from = p;
		}
		p += plain_run(p, (size_t)(end - p));
		d->state = MIDDLE;
		if (p == end)
			break;
		if (*p != '\r')
			return -1;
		d->state = CR;
		p++;
	}
	put(out, from, (size_t)(end - from));
	return 0;
}

void
dot_stuff_end(struct dot_out *d, struct buf *out)
{
	if (d->state == MIDDLE)
		put(out, "\r\n", 2);
	else if (d->state == CR)
		put(out, "\n", 1);
	d->state = LINE;
	put(out, ".\r\n", 3);
}
