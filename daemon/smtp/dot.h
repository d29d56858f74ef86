/*
 * The content of DATA (RFC 5321 4.5.2): one strict automaton for what comes in,
 * one writer for what goes out.  CRLF.CRLF alone ends a message.
 */
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include "base/buf.h"

struct dot {
	bool normalize;		/* make CRLF of bare CR and LF (content only) */
	bool bare_cr, bare_lf, nul;	/* seen so far (also when normalizing) */
	/* private */
	unsigned state;
};

void dot_init(struct dot *d, bool normalize);

/*
 * Takes bytes from *in and appends content (unstuffed) to out.  True: the end of
 * data was taken and *in starts behind it; false: all input was used.  Bytes go on
 * being appended after a bare CR, LF or NUL; the caller looks at the flags at the
 * end.  out may be NULL: count and discard.
 */
bool dot_feed(struct dot *d, struct str *in, struct buf *out);

/* Outgoing: stuffs leading dots.  Feed pieces in order, then dot_stuff_end, which
 * adds CRLF only if the content lacks one at its end, then ".\r\n".  Content
 * that is not clean CRLF lines (a bare CR, LF or NUL) makes dot_stuff return -1:
 * it must not be sent (C-01). */
struct dot_out {
	unsigned state;
};

void dot_stuff_init(struct dot_out *d);
int dot_stuff(struct dot_out *d, const char *p, size_t n, struct buf *out) must_check;
void dot_stuff_end(struct dot_out *d, struct buf *out);

#endif
