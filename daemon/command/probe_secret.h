/* What a probe logs in with, wherever the configuration says that it comes from.  Private to the room. */
#ifndef COMMAND_PROBE_SECRET_H
#define COMMAND_PROBE_SECRET_H

#include "config/config.h"
#include "relay/relay.h"

struct probe_secret_kept {
	struct probe_secret told;	/* for relay_probe */
	char *secret;			/* fetched; owned */
	struct why why;
};

/* Does getting it need a command or a token endpoint? */
bool probe_secret_is_fetched(const struct upstream *u);

/*
 * Root becomes `user' for good, as the daemon does: commands are run, and token files written, by him alone.  0, or the
 * exit status after a complaint.
 */
int probe_secret_become_user(const struct config *c) must_check;

/* Asks its source once, with a loop of its own; what cannot be had is told with the result. */
void probe_secret_get(struct probe_secret_kept *k, const struct config *c, const struct upstream *u);
void probe_secret_clear(struct probe_secret_kept *k);	/* wipes */

#endif
