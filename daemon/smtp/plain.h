/* Finds the bytes that matter to SMTP's line structure.  Private to the room. */
#ifndef SMTP_PLAIN_H
#define SMTP_PLAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How many bytes stand before the first CR, LF or NUL; n if there is none.  Looks
 * at eight at once for any below 14, of which text has few others (tabs). */
static inline size_t
plain_run(const char *p, size_t n)
{
	const uint64_t each = UINT64_MAX / 255;
	size_t i = 0, stop;
	uint64_t w;

	while (i < n) {
		stop = n;
		if (n - i >= sizeof w) {
			memcpy(&w, p + i, sizeof w);
			if (((w - each * 14) & ~w & each * 128) == 0) {
				i += sizeof w;
				continue;
			}
			stop = i + sizeof w;
		}
		for (; i < stop; i++)
			if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0')
				return i;
	}
	return n;
}

#endif
