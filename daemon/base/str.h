/*
 * Slices: bytes that somebody else owns.  Case rules are ASCII's; the locale
 * has no say.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })

struct str str_of(const char *text);			/* NULL is empty */
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b);		/* ASCII case folded */
bool str_is(struct str a, const char *text);
bool str_iis(struct str a, const char *text);
bool str_istarts(struct str a, const char *prefix);
struct str str_trim(struct str s);			/* SP and HTAB, both ends */
struct str str_from(struct str s, size_t at);		/* s without its first `at' bytes */
char *str_dup(struct str s);				/* NUL-terminated; caller frees */

/* Cuts the part before the first `sep' from *rest; false when *rest is used up.
 * "a,,b" gives "a", "", "b"; "a," gives "a", ""; "" gives "". */
bool str_split(struct str *rest, char sep, struct str *part);

/* Decimal digits alone, whole slice, no sign; false for anything else.  A number
 * above `max' gives true and max + 1 (saturates; max < UINT64_MAX). */
bool str_number(struct str s, uint64_t max, uint64_t *out);

size_t str_character(struct str s);	/* length of the UTF-8 character s begins with; 0: none */
bool str_is_utf8(struct str s);		/* valid, no surrogates, no overlong */
char str_fold(char c);				/* ASCII: the small letter of a capital one */
int str_hex(char c);				/* the digit's value in either case; -1: it is none */
bool str_is_ascii(struct str s);
bool str_has_control(struct str s);	/* C0 or DEL anywhere */

/* Appends s with C0, C1, DEL, what turns the direction of text or ends a line of it, and bytes that are not UTF-8 (all 8-bit bytes unless
 * `utf8') as \xNN; a backslash stays as it is.  Never appends a newline.  For logs,
 * DSNs. */
void str_safe(struct buf *out, struct str s, bool utf8);

/* Copies what fits of s, whole characters only, with '?' for control characters and
 * bytes that are not UTF-8; ends it with a NUL. */
void str_fit(char *out, size_t size, struct str s);

#endif
