/*
 * A message's content on its way from the spool to the wire: a piece at a time, stuffed for DATA or as it is for BDAT,
 * and never with a line end that the server could take for something else (C-01).
 */
#ifndef RELAY_CONTENT_H
#define RELAY_CONTENT_H

#include "smtp/dot.h"
#include "spool/spool.h"

enum content_result {
	CONTENT_MORE,
	CONTENT_END,		/* all of it, and the end of data, was appended */
	CONTENT_UNREADABLE,	/* why */
	CONTENT_UNCLEAN		/* a bare CR, LF or NUL: it must not be sent */
};

struct content {
	uint64_t octets;	/* of the whole, unstuffed: SIZE=, BDAT */
	/* private */
	struct spool_reader *reader;
	struct buf head;	/* goes out in place of the first `replaced' octets */
	size_t replaced;
	uint64_t taken;
	bool chunked, cr, headed;
	struct dot_out dot;
};

/* Borrows the reader, which stands at its beginning. */
void content_init(struct content *c, struct spool_reader *r);
void content_clear(struct content *c);

/* Puts `head' (taken) in place of the first octets. */
void content_replace(struct content *c, struct buf *head, size_t replaced);

/* From the beginning, in this form. */
int content_start(struct content *c, bool chunked, struct why *why) must_check;

/* Appends at least `n' octets, or all that is left.  After a failure nothing that would complete the message was appended. */
enum content_result content_pour(struct content *c, struct buf *out, size_t n, struct why *why);

/* 1: there is an octet above 127, 0: none, -1: unreadable.  Reads all; content_start after it. */
int content_has_8bit(struct content *c, struct why *why) must_check;

#endif
