/*
 * What of a message a server can take, by what it offers: which recipients go into one transaction, and whether the message
 * can go at all (PROTOCOL.md B-111, B-131, B-132, B-136).
 */
#ifndef RELAY_FIT_H
#define RELAY_FIT_H

#include "memo/memo.h"
#include "relay/content.h"

/* Picks the recipients, as indexes into the job's; the rest has an outcome, or is for the next transaction.  How many. */
unsigned fit_recipients(const struct upstream *u, const struct caps *caps, struct job *j, unsigned *rcpt);

bool fit_needs_utf8(const struct job *j, const unsigned *rcpt, unsigned nrcpt);

enum fit_result {
	FIT_YES,
	FIT_NEVER,		/* refused: status and text say why */
	FIT_UNREADABLE		/* the spool's copy: why */
};

struct fit_question {
	const struct caps *caps;
	const struct job *job;
	const unsigned *rcpt;	/* those who take part */
	unsigned nrcpt;
};

enum fit_result fit_content(const struct fit_question *q, struct content *c, const char **status, char *text, size_t size,
    struct why *why);

#endif
