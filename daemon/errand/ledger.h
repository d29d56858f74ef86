/* The commands of a configuration, numbered: both sides must count alike, and notice when they do not. */
#ifndef ERRAND_LEDGER_H
#define ERRAND_LEDGER_H

#include "config/config.h"

enum { LEDGER_DIGEST = 32 };

struct ledger {
	struct ledger_line {
		char *name;	/* for the log: "alert", or the upstream's */
		char *command;	/* "": none */
	} *line;
	unsigned n;
	unsigned char digest[LEDGER_DIGEST];	/* of all of them, in order */
};

void ledger_init(struct ledger *l, const struct config *c);	/* copies */
void ledger_clear(struct ledger *l);
const char *ledger_find_new(const struct ledger *now, const struct ledger *next);	/* whose command `now' has not; NULL: none */

/*
 * exposed.c: -1 and why: a command is new, and the configuration's files are where the daemon, confined to `writable', may
 * write.  exposed_find: the first such file, or NULL.
 */
int exposed_check(const struct ledger *now, const struct config *fresh, const struct names *writable, struct why *why) must_check;
const char *exposed_find(const struct config *c, const struct names *writable);

#endif
