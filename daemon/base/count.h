/* Counters of the whole process: one writer each where it matters, any reader. */
#ifndef BASE_COUNT_H
#define BASE_COUNT_H

#include <stdint.h>

enum count_id {
	COUNT_ACCEPTED,		/* messages answered 250 */
	COUNT_RELAYED,		/* recipients: the provider's 2xx */
	COUNT_DEFERRED,		/* recipients: an attempt that ended in "later" */
	COUNT_BOUNCED,		/* recipients: failed for good */
	COUNT_DUPLICATES_POSSIBLE, /* links lost between the end of data and its reply */
	COUNT_AUTH_FAILURES,	/* of local clients */
	COUNT_DAMAGED,		/* records set aside */
	COUNT_SYNCS,		/* fdatasync batches */
	COUNT_SESSIONS,		/* local sessions now open (goes down too) */
	COUNT_OPEN_OCTETS,	/* of recipients in transactions now open, beyond those that all may have (goes down too) */
	COUNT_STAGED_OCTETS,	/* of the disk, taken by contents that have no end or no answer yet (goes down too) */
	COUNT_STAGING_ROOM,	/* so much these may take, as the queue saw it last; any until then (goes down too) */
	COUNT_ACCEPT_ERRORS,	/* accept() failures for want of descriptors */
	COUNTS
};

void count_add(enum count_id id, int64_t n);
void count_set(enum count_id id, int64_t n);	/* where one thread alone writes it */
int64_t count_get(enum count_id id);

#endif
