/*
 * Takes addresses of people out of texts that strangers wrote.  Providers repeat addresses in their replies, whole,
 * in angle brackets, encoded for a URL, or only the part before the @: rather too much is hidden than too little.
 */
#include "control/mask.h"

#include <string.h>

#define HIDDEN "[address]"

enum { QUOTED_MAX = 256 };	/* octets of a local part in quotes; RFC 5321 4.5.3.1.1 has 64 */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool
ends_word(char c)
{
	return (unsigned char)c <= ' ' || strchr("<>()[]\"',;:", c) != NULL;
}

static bool
is_at(struct str s, size_t n)
{
	return n < s.n && (s.p[n] == '@' || (s.n - n >= 3 && memcmp(s.p + n, "%40", 3) == 0));
}

/* How long the word is that begins here, if it has an @; else 0. */
static size_t
address_length(struct str s)
{
	bool found = false;
	size_t n;

	for (n = 0; n < s.n && !ends_word(s.p[n]); n++)
		found |= is_at(s, n);
	return found ? n : 0;
}

/* "jane doe"@far.example: the quotes hold blanks, and other quotes after a backslash. */
static size_t
quoted_length(struct str s)
{
	size_t n = 1;

	if (s.p[0] != '"')
		return 0;
	while (n < s.n && n < QUOTED_MAX && s.p[n] != '"')
		n += s.p[n] == '\\' ? 2 : 1;
	if (n >= s.n || s.p[n] != '"' || !is_at(s, n + 1))
		return 0;
	return n + 1 + address_length(str_from(s, n + 1));
}

static size_t
known_length(struct str all, size_t at, const struct str *known, unsigned nknown)
{
	struct str rest = str_from(all, at);
	size_t best = 0;

	if (at > 0 && is_letter(all.p[at - 1]))
		return 0;
	for (unsigned i = 0; i < nknown; i++) {
		size_t n = known[i].n;

		if (n <= best || n > rest.n || (n < rest.n && is_letter(rest.p[n])))
			continue;
		if (str_ieq((struct str){ rest.p, n }, known[i]))
			best = n;
	}
	if (best > 0 && is_at(rest, best))	/* a local part, and then its domain */
		best += address_length(str_from(rest, best));
	return best;
}

void
mask_put(struct buf *out, struct str text, const struct str *known, unsigned nknown)
{
	bool begins = true;	/* a word */
	size_t n;

	for (size_t at = 0; at < text.n; at += n) {
		n = known_length(text, at, known, nknown);
		if (n == 0)
			n = quoted_length(str_from(text, at));
		if (n == 0 && begins)
			n = address_length(str_from(text, at));
		if (n > 0) {
			buf_puts(out, HIDDEN);
			begins = false;
			continue;
		}
		n = 1;
		begins = ends_word(text.p[at]);
		buf_putc(out, text.p[at]);
	}
}
