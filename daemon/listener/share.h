/*
 * Shares: what all open transactions take of something that there is only so much of, so that none of their users takes it from
 * the others.  Over all threads; two holders who share a place in the table count as one.  Private to the room.
 */
#ifndef LISTENER_SHARE_H
#define LISTENER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

enum { SHARE_HOLDERS = 4096 };

enum share_of {
	SHARE_STAGED,		/* disk: contents in blobs that have no end yet */
	SHARE_RECIPIENTS,	/* memory: recipients beyond those that everybody may have */
	SHARES
};

struct share {		/* one transaction's */
	unsigned holder;
	int64_t octets[SHARES];
};

/* May a message have so many, where its holder's other messages have `others', and so many are left for all?  For tests, too. */
bool share_is_fair(int64_t own, int64_t others, int64_t left);

void share_init(struct share *s, unsigned holder);
bool share_may_take(const struct share *s, enum share_of what, int64_t more);
void share_take(struct share *s, enum share_of what, int64_t more);	/* whether it may or not */
void share_return(struct share *s, enum share_of what);			/* all of it */

#endif
