/*
 * The thread that checks passwords, off every loop: a hash is slow by design (C-27).  It also
 * remembers who failed, and says when a failure is to be told.
 */
#ifndef LISTENER_HELPER_H
#define LISTENER_HELPER_H

#include "config/config.h"
#include "memo/memo.h"

/* One password to check: made by auth.c, answered here, freed by the listener that gets it back. */
struct check {
	struct link link;
	struct channel *back;
	struct handle session;
	struct users *users;		/* keeps `user' alive */
	const struct user *user;	/* NULL: nobody; it cannot be right */
	char *name;			/* as the client gave it, if it can be one; may be a password typed there: wiped, and shown to nobody */
	const struct user *known;	/* whose name it is; NULL: nobody's */
	char *password;
	size_t password_len;
	char address[48];
	int64_t at_ms;			/* when they were given */
	/* the answer */
	bool ok;
	int64_t tell_at_ms;		/* when the client may hear that it was not */
	/* helper.c's own */
	struct node waiting;
	uint64_t rank;			/* the least is checked first */
	int64_t due_at_ms;
};

void helper_start(void);
void helper_stop(void);

/* A table that passwords are checked by from now on.  Where it has a kind of hash that the last one had not, what the dearest takes is
 * measured.  NULL: nobody's. */
void helper_learn(struct users *users);

/* True: takes *c, which comes back to its channel.  False: *c is still the caller's, and has its answer: no.  It then
 * took no time, and says when it would have been given if it had. */
bool helper_put(struct check **c) must_check;

/* Its session has ended: drops what waits for it. */
void helper_cancel(const struct channel *back, struct handle session);

/* Drops what waits for this channel; after it nothing will be posted there. */
void helper_forget(const struct channel *back);

void helper_free_check(struct check **c);

#endif
