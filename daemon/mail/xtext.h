/* xtext (RFC 3461 4): how the values of ENVID, ORCPT and AUTH are written. */
#ifndef MAIL_XTEXT_H
#define MAIL_XTEXT_H

#include "base/buf.h"

bool xtext_is(struct str s);		/* a lone '+' or a bad pair is not */
bool xtext_is_printable(struct str s);	/* and means nothing but printable ASCII */
bool xtext_decode(struct buf *out, struct str s) must_check; /* false: nothing appended */
void xtext_encode(struct buf *out, struct str s);

#endif
