/*
 * What an upstream wants different in the message's header: the idempotency header, and From: where `rewrite_from' is on
 * (CONTRACT.md 2, 4).  Everything else stays as it is.
 */
#ifndef RELAY_EDIT_H
#define RELAY_EDIT_H

#include "memo/memo.h"
#include "relay/content.h"

/* For a transaction of these recipients of the job.  -1: the content could not be read. */
int edit_content(struct content *c, struct job *j, const unsigned *rcpt, unsigned nrcpt, const struct config *config,
    const struct upstream *u, struct why *why) must_check;

#endif
