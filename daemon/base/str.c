/* Slices: comparing, cutting, and making the bytes of strangers presentable. */
#include "base/str.h"

#include "base/buf.h"
#include "base/mem.h"

#include <string.h>

/* What str_split leaves of a slice that it has used up. */
static const char used_up[1];

char
str_fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool
same_folded(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_fold(a[i]) != str_fold(b[i]))
			return false;
	return true;
}

static bool
is_control(unsigned char c)
{
	return c < ' ' || c == 0x7f;
}

struct str
str_of(const char *text)
{
	return text != NULL ? (struct str){ text, strlen(text) } : STR("");
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_ieq(struct str a, struct str b)
{
	return a.n == b.n && same_folded(a.p, b.p, a.n);
}

bool
str_is(struct str a, const char *text)
{
	return str_eq(a, str_of(text));
}

bool
str_iis(struct str a, const char *text)
{
	return str_ieq(a, str_of(text));
}

bool
str_istarts(struct str a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.n >= n && same_folded(a.p, prefix, n);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct str
str_trim(struct str s)
{
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_from(s, 1);
	return s;
}

struct str
str_from(struct str s, size_t at)
{
	if (at > s.n)
		at = s.n;
	return at > 0 ? (struct str){ s.p + at, s.n - at } : s;
}

char *
str_dup(struct str s)
{
	return mem_textn(s.p, s.n);
}

bool
str_split(struct str *rest, char sep, struct str *part)
{
	const char *end;

	if (rest->p == NULL || rest->p == used_up)
		return false;
	*part = *rest;
	end = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
	if (end == NULL) {
		*rest = (struct str){ used_up, 0 };
		return true;
	}
	part->n = (size_t)(end - rest->p);
	*rest = str_from(*rest, part->n + 1);
	return true;
}

bool
str_number(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned char)s.p[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		if (v > max || digit > max || v > (max - digit) / 10)
			v = max + 1;
		else
			v = v * 10 + digit;
	}
	*out = v;
	return true;
}

size_t
str_character(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned low = 0x80, high = 0xbf;	/* what the second byte may be */
	size_t n;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;	/* overlong below */
	else if (p[0] == 0xed)
		high = 0x9f;	/* surrogates above */
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;	/* beyond U+10FFFF */
	if (s.n < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool
str_is_utf8(struct str s)
{
	size_t n;

	for (; s.n > 0; s = str_from(s, n)) {
		n = str_character(s);
		if (n == 0)
			return false;
	}
	return true;
}

int
str_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
str_is_ascii(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

bool
str_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_control((unsigned char)s.p[i]))
			return true;
	return false;
}

/* Ends a line, or turns the direction of what follows, without being a control character: U+2028 to 202E, 2066 to 2069 and their like. */
static bool
misleads(const unsigned char *p, size_t n)
{
	if (n == 2)
		return p[0] == 0xd8 && p[1] == 0x9c;	/* U+061C */
	if (n != 3 || p[0] != 0xe2)
		return false;
	return (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae))) ||
	    (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

/* How many bytes at the front of s are one harmless character, 0 if none. */
static size_t
harmless(struct str s, bool utf8)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = str_character(s);

	if (n == 1)
		return is_control(p[0]) ? 0 : 1;
	if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return 0;	/* C1: to some terminals these are commands */
	return utf8 && !misleads(p, n) ? n : 0;
}

void
str_safe(struct buf *out, struct str s, bool utf8)
{
	size_t run, n;

	while (s.n > 0) {
		for (run = 0; run < s.n; run += n) {
			n = harmless(str_from(s, run), utf8);
			if (n == 0)
				break;
		}
		buf_put(out, s.p, run);
		s = str_from(s, run);
		if (s.n > 0) {
			buf_printf(out, "\\x%02X", (unsigned char)s.p[0]);
			s = str_from(s, 1);
		}
	}
}

void
str_fit(char *out, size_t size, struct str s)
{
	size_t len = 0, n;

	for (; s.n > 0; s = str_from(s, n), len += n) {
		bool good = (n = harmless(s, true)) > 0;

		if (!good)
			n = 1;
		if (len + n >= size)
			break;
		memcpy(out + len, good ? s.p : "?", n);
	}
	if (size > 0)
		out[len] = '\0';
}
