/*
 * One message instead of many notifications: which messages could not be delivered, or wait, each with its number, what
 * identifies it to its sender, and what was answered for whom (CONTRACT.md 2, bounce_limit).
 */
#ifndef MAIL_ROUNDUP_H
#define MAIL_ROUNDUP_H

#include "mail/dsn.h"

struct roundup {		/* zeroed: empty */
	struct buf failed, delayed;	/* their entries, a paragraph each */
	unsigned nfailed, ndelayed;	/* messages */
};

/* An entry about one message; header: as much of it as is at hand, CRLF lines. */
void roundup_add(struct roundup *r, enum dsn_action action, uint64_t id, const struct envelope *e,
    const struct dsn_recipient *rcpt, unsigned nrcpt, struct str header);
/* Appends the whole message.  CRLF lines only. */
void roundup_build(struct buf *out, const struct roundup *r, const char *hostname, const char *to, uint64_t own_id, int64_t now_wall_s);
void roundup_clear(struct roundup *r);

#endif
