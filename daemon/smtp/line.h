/*
 * Cuts a byte stream into CRLF lines; CRLF is the only line end (RFC 5321 2.3.8).
 * Used for commands (both sides' replies have smtp/reply).
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "base/buf.h"

enum line_result {
	LINE_MORE,	/* all input was used; no whole line yet */
	LINE_READY,	/* *line is a line without its CRLF */
	LINE_TOO_LONG,	/* a line over the limit has ended; it was skipped */
	LINE_BAD	/* bare CR, bare LF or NUL: end the session */
};

struct line {
	size_t max;	/* octets with CRLF; may be changed between lines */
	struct buf part;	/* a line that has not ended; empty in idle sessions */
	bool cr, skipping, done;	/* done: `part' has been handed out */
};

void line_init(struct line *l, size_t max);
void line_clear(struct line *l);

/* Takes bytes from the front of *in.  *line borrows from the input or from `l'
 * until the next call. */
enum line_result line_feed(struct line *l, struct str *in, struct str *line);

#endif
