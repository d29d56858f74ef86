/* Replies: read with every limit and rule of PROTOCOL.md B.3, written in one place. */
#include "smtp/reply.h"

#include "smtp/plain.h"

#include <stdio.h>
#include <string.h>

enum { TEXT, CR, WHOLE, FAILED };

enum { LINE_PUT_MAX = 512 };	/* RFC 5321 4.5.3.1.5, with CRLF */

void
reply_init(struct reply *r)
{
	*r = (struct reply){ 0 };
}

void
reply_reset(struct reply *r)
{
	buf_cut(&r->text, 0);
	buf_cut(&r->line, 0);
	*r = (struct reply){ .text = r->text, .line = r->line };
}

void
reply_clear(struct reply *r)
{
	buf_clear(&r->text);
	buf_clear(&r->line);
	reply_init(r);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static enum reply_result
refuse(struct reply *r, const char *what)
{
	r->bad = what;
	r->state = FAILED;
	return REPLY_BAD;
}

/* One to three digits; how many. */
static size_t
digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && is_digit(s.p[n]))
		n++;
	return n <= 3 ? n : 0;
}

/* RFC 2034 4: the first word, of the same class as the code (B-107). */
static void
read_status(struct reply *r, struct str text)
{
	struct str word = text, part;
	size_t subject, detail, n;

	if (!str_split(&word, ' ', &part) || part.n < 5 || part.p[1] != '.' ||
	    part.p[0] != '0' + r->code / 100 || part.p[0] == '3')
		return;
	subject = digits(str_from(part, 2));
	if (subject == 0 || part.n == 2 + subject || part.p[2 + subject] != '.')
		return;
	detail = digits(str_from(part, 3 + subject));
	n = 3 + subject + detail;
	if (detail > 0 && n == part.n)
		snprintf(r->status, sizeof r->status, "%.*s", (int)n, part.p);
}

static enum reply_result
take_line(struct reply *r)
{
	struct str s = buf_str(&r->line);
	bool last = s.n == 3 || (s.n > 3 && s.p[3] == ' ');
	int code;

	if (s.n < 3 || s.p[0] < '2' || s.p[0] > '5' || !is_digit(s.p[1]) ||
	    !is_digit(s.p[2]) || (!last && s.p[3] != '-'))
		return refuse(r, "not an SMTP reply");
	code = (s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 + s.p[2] - '0';
	if (r->lines > 0 && code != r->code)
		return refuse(r, "lines of one reply with different codes");
	r->octets += s.n + 2;
	if (++r->lines > REPLY_LINES_MAX || r->octets > REPLY_BYTES_MAX)
		return refuse(r, "reply too long");
	r->code = code;
	s = str_from(s, 4);
	if (r->lines == 1)
		read_status(r, s);
	else
		buf_putc(&r->text, '\n');
	buf_putstr(&r->text, s);
	buf_cut(&r->line, 0);
	r->state = last ? WHOLE : TEXT;
	return last ? REPLY_READY : REPLY_MORE;
}

enum reply_result
reply_feed(struct reply *r, struct str *in)
{
	enum reply_result result = REPLY_MORE;
	size_t n;

	if (r->state == WHOLE)
		bug("reply_feed: a whole reply was not reset");
	if (r->state == FAILED)
		return REPLY_BAD;
	while (in->n > 0 && result == REPLY_MORE) {
		if (r->state == CR) {
			if (*in->p != '\n')
				return refuse(r, "a bare CR in a reply");
			*in = str_from(*in, 1);
			result = take_line(r);
			continue;
		}
		n = plain_run(in->p, in->n);
		if (r->line.len + n + 2 > REPLY_LINE_MAX)
			return refuse(r, "a reply line too long");
		buf_put(&r->line, in->p, n);
		*in = str_from(*in, n);
		if (in->n == 0)
			break;
		if (*in->p != '\r')
			return refuse(r, *in->p == '\n' ?
			    "a bare LF in a reply" : "a NUL in a reply");
		*in = str_from(*in, 1);
		r->state = CR;
	}
	return result;
}

bool
reply_line(const struct reply *r, unsigned n, struct str *line)
{
	struct str rest = buf_str(&r->text);

	if (n >= r->lines)
		return false;
	do {
		if (!str_split(&rest, '\n', line))
			return false;
	} while (n-- > 0);
	return true;
}

void
reply_put(struct buf *out, int code, const char *status, const char *text)
{
	const char *end;
	size_t start;

	do {
		end = strchrnul(text, '\n');
		start = out->len;
		buf_printf(out, "%03d%c", code, *end == '\0' ? ' ' : '-');
		if (status != NULL && *status != '\0')
			buf_printf(out, "%s ", status);
		str_safe(out, (struct str){ text, (size_t)(end - text) }, false);
		if (out->len - start > LINE_PUT_MAX - 2)
			buf_cut(out, start + LINE_PUT_MAX - 2);
		buf_put(out, "\r\n", 2);
		text = end + 1;
	} while (*end != '\0');
}
