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

#endif
