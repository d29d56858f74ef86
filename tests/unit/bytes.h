/* For tests of parsers: input in pieces, whole or in trickles, each piece alone on the
 * heap so that a sanitizer sees every step beyond it; and comparing bytes. */
#ifndef UNIT_BYTES_H
#define UNIT_BYTES_H

#include <check.h>
#include <stdlib.h>

#undef fail	/* base/why has one too */

#include "base/buf.h"
#include "base/mem.h"

static const size_t bytes_steps[] = { SIZE_MAX, 1, 2, 3 };
enum { BYTES_STEPS = sizeof bytes_steps / sizeof bytes_steps[0] };

struct bytes {
	struct str rest;
	size_t step;
	char *piece;
};

static inline bool
bytes_next(struct bytes *b, struct str *piece)
{
	size_t n = b->rest.n < b->step ? b->rest.n : b->step;

	free(b->piece);
	b->piece = NULL;
	if (n == 0)
		return false;
	b->piece = mem_copy(b->rest.p, n);
	*piece = (struct str){ b->piece, n };
	b->rest = str_from(b->rest, n);
	return true;
}

#define bytes_eq(got, want)                                                    \
	do {                                                                   \
		struct str bytes_got = (got), bytes_want = (want);             \
		ck_assert_msg(str_eq(bytes_got, bytes_want),                   \
		    "got \"%.*s\", want \"%.*s\"", (int)bytes_got.n,           \
		    bytes_got.p, (int)bytes_want.n, bytes_want.p);             \
	} while (0)

/* The same numbers in every run. */
static inline uint32_t
bytes_random(uint32_t *seed, uint32_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % below;
}

#endif
