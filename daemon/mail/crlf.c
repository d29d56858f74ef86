/* Lines of this system into lines of mail.  Holds back CRs until what follows them is known, and a dot that may be all
 * there is on its line. */
#include "mail/crlf.h"

enum { CR_MAX = 16 };		/* held back; no line end has more */

void
crlf_init(struct crlf *c, bool dot_ends)
{
	*c = (struct crlf){ .dot_ends = dot_ends };
}

static void
put_held(struct crlf *c, struct buf *out)
{
	if (c->dot)
		buf_putc(out, '.');
	c->dot = false;
	for (; c->cr > 0; c->cr--)
		buf_putc(out, ' ');
}

static size_t
run_length(struct crlf *c, const char *p, size_t n)
{
	size_t i = 0;

	for (; i < n && p[i] != '\n' && p[i] != '\r'; i++) {
		c->nul = c->nul || p[i] == '\0';
		c->has_8bit = c->has_8bit || (p[i] & 0x80) != 0;
	}
	return i;
}

bool
crlf_feed(struct crlf *c, struct str in, struct buf *out)
{
	while (in.n > 0) {
		size_t n = 1;

		if (in.p[0] == '\n') {
			if (c->dot)
				return true;
			buf_puts(out, "\r\n");
			c->cr = 0;
			c->in_line = false;
		} else if (in.p[0] == '\r') {
			if (++c->cr > CR_MAX)
				put_held(c, out);
			c->in_line = true;
		} else if (in.p[0] == '.' && c->dot_ends && !c->in_line) {
			c->dot = c->in_line = true;
		} else {
			put_held(c, out);
			n = run_length(c, in.p, in.n);
			buf_put(out, in.p, n);
			c->in_line = true;
		}
		in = str_from(in, n);
	}
	return false;
}

void
crlf_end(struct crlf *c, struct buf *out)
{
	if (c->in_line && !c->dot)
		buf_puts(out, "\r\n");
}
