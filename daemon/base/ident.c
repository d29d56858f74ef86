/* Message identifiers as numbers and as text, and the kernel's random bytes. */
#include "base/ident.h"

#include "base/clock.h"
#include "base/why.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { DIGITS = IDENT_TEXT - 1 };

uint64_t
ident_next(uint64_t *last)
{
	int64_t now = clock_wall_us();

	if (now > 0 && (uint64_t)now > *last)
		*last = (uint64_t)now;
	else
		++*last;
	return *last;
}

void
ident_print(char out[IDENT_TEXT], uint64_t id)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

	out[DIGITS] = '\0';
	for (int i = DIGITS - 1; i >= 0; i--) {
		out[i] = digits[id & 31];
		id >>= 5;
	}
}

static int
digit_of(char c)
{
	/* The value of each letter; I and L read as 1, O as 0, U is none. */
	static const signed char letters[26] = {
		10, 11, 12, 13, 14, 15, 16, 17, 1, 18, 19, 1, 20,
		21, 0, 22, 23, 24, 25, 26, -1, 27, 28, 29, 30, 31
	};

	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'Z')
		return letters[c - 'A'];
	if (c >= 'a' && c <= 'z')
		return letters[c - 'a'];
	return -1;
}

bool
ident_parse(struct str s, uint64_t *id)
{
	uint64_t v = 0;

	if (s.n != DIGITS || digit_of(s.p[0]) > 15)	/* 13 * 5 is 65 bits */
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		int digit = digit_of(s.p[i]);

		if (digit < 0)
			return false;
		v = v << 5 | (unsigned)digit;
	}
	if (v == 0)
		return false;
	*id = v;
	return true;
}

void
ident_random(void *out, unsigned n)
{
	char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno != EINTR)
			bug("no random bytes: %s", strerror(errno));
		if (got > 0) {
			p += got;
			n -= (unsigned)got;
		}
	}
}
