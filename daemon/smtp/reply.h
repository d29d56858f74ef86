/* Replies of a server: a push parser by PROTOCOL.md B.3, and the one writer that
 * the listener's replies go through. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"

enum {
	REPLY_LINE_MAX = 2048,
	REPLY_LINES_MAX = 128,
	REPLY_BYTES_MAX = 64 * 1024
};

enum reply_result { REPLY_MORE, REPLY_READY, REPLY_BAD };

struct reply {
	int code;
	char status[12];	/* enhanced code of the first line if its class agrees, else "" */
	struct buf text;	/* lines without code (the enhanced one stays), joined by LF;
				 * raw bytes, no CR, LF, NUL inside a line */
	unsigned lines;
	const char *bad;	/* after REPLY_BAD: what was wrong, in words */
	/* private */
	unsigned state;
	struct buf line;
	size_t octets;
};

void reply_init(struct reply *r);
void reply_reset(struct reply *r);	/* before the next one; keeps memory */
void reply_clear(struct reply *r);
enum reply_result reply_feed(struct reply *r, struct str *in);

/* The n-th line's text (0 first); false when there are no more. */
bool reply_line(const struct reply *r, unsigned n, struct str *line);

/*
 * Writes "250 2.1.0 text\r\n", or several lines where the text has LFs, each of at
 * most 512 octets; everything unprintable is escaped.  status "" or NULL: none.
 */
void reply_put(struct buf *out, int code, const char *status, const char *text);

#endif
