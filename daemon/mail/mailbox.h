/*
 * The addresses of a header field, or of a command line, one after the other (RFC 5322 3.4): as forgiving as sendmail
 * always was, since what is read here is only to be sent to.  Who is allowed to send as whom is judged by addrlist.
 */
#ifndef MAIL_MAILBOX_H
#define MAIL_MAILBOX_H

#include <stdbool.h>

#include "base/buf.h"

enum mailbox_result {
	MAILBOX_END,
	MAILBOX_ONE,
	MAILBOX_BAD		/* this one cannot be read; the next may be */
};

struct mailbox {
	struct buf address;	/* without comments, blanks and a display name */
	const char *end;	/* behind it in the value: there a missing domain goes */
	bool has_domain;
	/* private */
	bool beside;		/* no comma since the one before */
	const char *words_end;	/* of bare words side by side; NULL: it has to be looked for */
};

/* The next of *rest, whose line breaks count as blanks.  The first call wants a zeroed mailbox; clear its address at the
 * end. */
enum mailbox_result mailbox_next(struct str *rest, struct mailbox *m);

#endif
