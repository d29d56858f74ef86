/*
 * Message identifiers: 64 bits that only grow, so that they order messages by
 * age and stay unique across restarts and clock jumps.  As text: 13 characters of
 * Crockford's base 32 (digits and capitals without I, L, O, U).
 */
#ifndef BASE_IDENT_H
#define BASE_IDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define IDENT_TEXT 14	/* with the NUL */

/* The next one after *last: the wall clock's microseconds, or *last + 1 where
 * the clock stands behind it.  Never 0.  Updates *last. */
uint64_t ident_next(uint64_t *last);
void ident_print(char out[IDENT_TEXT], uint64_t id);
bool ident_parse(struct str s, uint64_t *id);	/* case-insensitive; I,L=1 O=0 */

/* n random bytes from the kernel. */
void ident_random(void *out, unsigned n);

#endif
