/*
 * What the fuzz targets share.  A target is one file, tests/fuzz/TARGET.c, with LLVMFuzzerTestOneInput in it; libFuzzer calls
 * that with what it makes up, support/replay.c with the files of corpus/TARGET.  What must always be true is said by hold().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define hold(promise)                                                          \
	do {                                                                   \
		if (!(promise)) {                                              \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise); \
			abort();                                               \
		}                                                              \
	} while (0)

/* --- input in pieces ------------------------------------------------------- */

/* Each piece stands alone on the heap, so that a sanitizer sees every step beyond it. */
struct pieces {
	struct str rest;
	size_t step;		/* octets each; 0: of many sizes, by what has been cut so far */
	uint32_t dice;
	char *piece;
};

enum { PIECES_WAYS = 5 };

static inline struct pieces
pieces_of(struct str all, unsigned way)
{
	static const size_t step[PIECES_WAYS] = { SIZE_MAX, 1, 2, 3, 0 };

	return (struct pieces){ .rest = all, .step = step[way], .dice = 2463534242u + (uint32_t)all.n };
}

static inline bool
pieces_next(struct pieces *s, struct str *piece)
{
	size_t n = s->step;

	free(s->piece);
	s->piece = NULL;
	if (s->rest.n == 0)
		return false;
	if (n == 0) {
		s->dice ^= s->dice << 13;
		s->dice ^= s->dice >> 17;
		s->dice ^= s->dice << 5;
		n = s->dice % 17 + 1;
	}
	if (n > s->rest.n)
		n = s->rest.n;
	s->piece = mem_copy(s->rest.p, n);
	*piece = (struct str){ s->piece, n };
	s->rest = str_from(s->rest, n);
	return true;
}

/* Before the end of its input. */
static inline void
pieces_end(struct pieces *s)
{
	free(s->piece);
	s->piece = NULL;
}

/* --- questions ---------------------------------------------------------------- */

static inline struct str
fuzz_str(const uint8_t *p, size_t n)
{
	return (struct str){ n > 0 ? (const char *)p : "", n };
}

/* The first octet chooses; a corpus file is easiest to read when that is a digit or a letter. */
static inline unsigned
fuzz_choice(struct str *in)
{
	unsigned char c = in->n > 0 ? (unsigned char)in->p[0] : '0';

	*in = in->n > 0 ? str_from(*in, 1) : *in;
	return c;
}

static inline bool
fuzz_is_within(struct str inner, struct str outer)
{
	return inner.n == 0 || (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

/* Every CR is followed by LF, every LF follows a CR. */
static inline bool
fuzz_is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n'))
			return false;
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			return false;
	}
	return true;
}

#endif
