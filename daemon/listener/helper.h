/*
 * The thread that checks passwords, off every loop: a hash is slow by design (C-27).  It also
 * remembers who failed, and says how long the refusal of a failure is to wait.
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
	const struct user *user;	/* NULL: nobody; it takes as long */
	char *name;			/* as the client gave it, if it can be one; may be a password typed there: wiped, and shown to nobody */
	const struct user *known;	/* whose name it is; NULL: nobody's */
	char *password;
	size_t password_len;
	char address[48];
	int64_t at_ms;			/* when they were given */
	/* the answer */
	bool ok;
	int64_t delay_ms;		/* before the client hears that it was not */
};

void helper_start(void);
void helper_stop(void);

/* Takes *c; false, and *c is still the caller's, if too many wait. */
bool helper_put(struct check **c) must_check;

/* Drops what waits for this channel; after it nothing will be posted there. */
void helper_forget(struct channel *back);

void helper_free_check(struct check **c);

#endif
