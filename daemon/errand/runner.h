/* The helper's side: takes records, runs commands, answers. */
#ifndef ERRAND_RUNNER_H
#define ERRAND_RUNNER_H

#include "errand/ledger.h"
#include "net/loop.h"

struct runner;

/* reload: fills a ledger from the configuration as it is now; -1: *why, and the old one stays. */
struct runner_options {
	int fd;			/* taken */
	struct ledger ledger;	/* taken */
	int (*reload)(void *arg, const struct ledger *now, struct ledger *out, struct why *why);
	void *arg;
	int64_t limit_ms;	/* how long a command may take; 0: ERRAND_MS */
};

struct runner *runner_start(struct loop *l, const struct runner_options *o);
void runner_stop(struct runner **r);	/* what still runs is killed */

#endif
