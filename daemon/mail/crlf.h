/*
 * What programs of this system write (lines that end in LF) as mail has it: lines that end in CRLF.  CRs before an LF
 * count as part of the line's end, however many; a CR anywhere else becomes a space, so that nobody on the way can take
 * it for an end of line (C-01).
 */
#ifndef MAIL_CRLF_H
#define MAIL_CRLF_H

#include "base/buf.h"

struct crlf {
	bool dot_ends;		/* a line of one dot is the end */
	bool nul, has_8bit;	/* seen so far */
	/* private */
	bool in_line, dot;
	unsigned cr;
};

void crlf_init(struct crlf *c, bool dot_ends);

/* True: the line that ends it was there; what follows was not looked at. */
bool crlf_feed(struct crlf *c, struct str in, struct buf *out) must_check;
void crlf_end(struct crlf *c, struct buf *out);		/* of the input: ends a line that has no end */

#endif
