/*
 * A lane's connection, once it is up and logged in: it carries messages one after the other (with BDAT up to two at once),
 * waits between them for as long as it may, and ends with QUIT.
 */
#ifndef RELAY_CLIENT_H
#define RELAY_CLIENT_H

#include "relay/deal.h"

enum client_end {
	CLIENT_REPORTED,	/* the last report said so (lane_lost) */
	CLIENT_CLOSED,		/* idle for too long, or asked to close */
	CLIENT_REFUSED		/* idle, and the server said 421 or hung up */
};

struct client_owner {
	void *arg;
	/* The job is answered; it is the owner's again. */
	void (*report)(void *arg, struct job *j);
	/* Once, at the end; client_free it. */
	void (*over)(void *arg, enum client_end how);
};

struct client;

/* Takes the exchange; holds a reference to o's config. */
struct client *client_new(struct exchange *x, const struct open *o, const struct client_owner *owner);

/* Takes the job.  Reports never come from inside these two. */
void client_put(struct client *c, struct job *j);
void client_close(struct client *c);	/* when what it carries is done */

/* Ends it at once: what it carries is reported as lost, then it is over, all from inside the call. */
void client_cut(struct client *c, const char *why);

void client_free(struct client **c);	/* when it is over */

#endif
