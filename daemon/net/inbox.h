/*
 * Input on its way to its consumer: borrowed from the reader's scratch memory, and
 * copied only if some is left when the reader wants that back.
 */
#ifndef NET_INBOX_H
#define NET_INBOX_H

#include "base/buf.h"
#include "base/str.h"

struct inbox {
	struct str lent;	/* in the reader's memory; then nothing is kept */
	struct buf kept;
	size_t consumed;	/* of kept */
};

size_t inbox_left(const struct inbox *b);
struct str inbox_get(const struct inbox *b);	/* all that is left, in one piece */
void inbox_consume(struct inbox *b, size_t n);
void inbox_lend(struct inbox *b, char *p, size_t n);	/* wiped when it is copied */
void inbox_keep(struct inbox *b);		/* the loan ends */
void inbox_clear(struct inbox *b);

#endif
