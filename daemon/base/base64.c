/* Base 64, without tolerance. */
#include "base/base64.h"

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_put(struct buf *out, const void *p, size_t n)
{
	const unsigned char *at = p;
	size_t len = (n + 2) / 3 * 4;
	char *to = buf_room(out, len);

	for (; n >= 3; n -= 3, at += 3) {
		*to++ = letters[at[0] >> 2];
		*to++ = letters[(at[0] & 3) << 4 | at[1] >> 4];
		*to++ = letters[(at[1] & 15) << 2 | at[2] >> 6];
		*to++ = letters[at[2] & 63];
	}
	if (n > 0) {
		unsigned char second = n == 2 ? at[1] : 0;

		*to++ = letters[at[0] >> 2];
		*to++ = letters[(at[0] & 3) << 4 | second >> 4];
		*to++ = n == 2 ? letters[(second & 15) << 2] : '=';
		*to++ = '=';
	}
	*to = '\0';
	out->len += len;
}

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool
base64_take(struct buf *out, struct str s)
{
	size_t before = out->len, pads = 0;
	unsigned bits = 0;

	if (s.n % 4 != 0)
		return false;
	while (pads < 2 && pads < s.n && s.p[s.n - pads - 1] == '=')
		pads++;
	s.n -= pads;
	buf_room(out, s.n / 4 * 3 + 2);
	for (size_t i = 0; i < s.n; i++) {
		int v = value_of(s.p[i]);

		if (v < 0)
			goto fail;
		bits = bits << 6 | (unsigned)v;
		if (i % 4 != 0)		/* 6 bits, 12, 18, 24: a byte is complete */
			buf_putc(out, (char)(bits >> (6 - i % 4 * 2)));
	}
	if ((bits & (pads == 2 ? 15 : pads == 1 ? 3 : 0)) == 0)
		return true;
fail:
	buf_cut(out, before);
	return false;
}
