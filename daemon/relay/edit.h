/*
 * What an upstream wants different in the message's header: the idempotency header, and From: where `rewrite_from' is on
 * (CONTRACT.md 2, 4).  Everything else stays as it is.
 */
#ifndef RELAY_EDIT_H
#define RELAY_EDIT_H

#include "memo/memo.h"
#include "relay/content.h"

/* Is there a header field to be added that names the transaction's recipients?  Then nothing of the content may leave before it
 * is known who they are: a key that also named one that was put off would make the provider drop his turn as a repeat. */
bool edit_is_keyed(const struct upstream *u);

/* For a transaction of these recipients of the job, as far as they have no outcome yet.  -1: the content could not be read. */
int edit_content(struct content *c, struct job *j, const unsigned *rcpt, unsigned nrcpt, const struct config *config,
    const struct upstream *u, struct why *why) must_check;

/* The same anew, from the beginning, when some of them have been refused since and that makes a difference. */
int edit_again(struct content *c, struct job *j, const unsigned *rcpt, unsigned nrcpt, const struct config *config,
    const struct upstream *u, bool chunked, struct why *why) must_check;

#endif
