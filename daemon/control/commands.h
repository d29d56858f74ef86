/* The table of requests: who may make them, what they take, and how they are answered.  Private to the room. */
#ifndef CONTROL_COMMANDS_H
#define CONTROL_COMMANDS_H

#include "control/caller.h"

enum answer {
	ANSWER_DONE,	/* said all of it */
	ANSWER_MORE,	/* run again when it is this caller's turn and its output has gone */
	ANSWER_LATER,	/* run again after caller_wake */
	ANSWER_FAILED	/* caller_fail was called */
};

struct commands_row {
	const char *name;
	bool for_all;		/* strangers too, for what they own */
	unsigned takes;		/* REQUEST_… fields that may be given */
	unsigned needs;		/* and of these, at least one must */
	enum answer (*run)(struct caller *c);
};

/* The row for a request and what allows it; -1: why not. */
int commands_find(const struct commands_row **out, const struct request *r, const struct asker *a,
    struct why *why) must_check;

/* For answers about one message.  The queued message that was asked for, if it is the caller's to see; its envelope
 * is to be freed. */
bool commands_find_own(struct caller *c, struct queue_message *m);
bool commands_may_go_on(struct caller *c, unsigned n, int64_t began_ms);	/* is there time and room in this slice? */
enum answer commands_no_message(struct caller *c);

/* What an unfinished answer holds on to. */
void commands_forget(struct caller *c);

#endif
