/* xtext: printable ASCII as it is, all else as '+' and two capital hex digits. */
#include "mail/xtext.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

/* Takes the next octet; -1 if s does not begin with one. */
static int
take(struct str *s)
{
	unsigned char c = (unsigned char)s->p[0];

	if (is_plain(c)) {
		*s = str_from(*s, 1);
		return c;
	}
	if (c != '+' || s->n < 3 || hex(s->p[1]) < 0 || hex(s->p[2]) < 0)
		return -1;
	c = (unsigned char)(hex(s->p[1]) * 16 + hex(s->p[2]));
	*s = str_from(*s, 3);
	return c;
}

bool
xtext_is(struct str s)
{
	while (s.n > 0)
		if (take(&s) < 0)
			return false;
	return true;
}

bool
xtext_is_printable(struct str s)
{
	while (s.n > 0) {
		int c = take(&s);

		if (c < ' ' || c >= 0x7f)
			return false;
	}
	return true;
}

bool
xtext_decode(struct buf *out, struct str s)
{
	if (!xtext_is(s))
		return false;
	while (s.n > 0)
		buf_putc(out, (char)take(&s));
	return true;
}

void
xtext_encode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_plain(c))
			buf_putc(out, (char)c);
		else
			buf_printf(out, "+%02X", c);
	}
}
