/* One connection to the control socket: a request line at a time, its answer in slices.  Private to the room. */
#ifndef CONTROL_CALLER_H
#define CONTROL_CALLER_H

#include <jansson.h>

#include "control/asker.h"
#include "control/request.h"
#include "net/stream.h"
#include "queue/queue.h"

struct commands_row;

enum {
	CALLER_IDLE_MS = 60 * 1000,	/* for a request to come, or a stranger's answer to be read */
	CALLER_STUCK_MS = 10 * 60 * 1000,	/* for an operator's, who may be reading it in a pager */
	CALLER_PENDING_MAX = 128 * 1024	/* octets of answer in memory before the next slice waits */
};

/* What the callers of one socket share. */
struct caller_host {
	struct loop *loop;
	struct queue *queue;
	struct node callers;
	struct node ready;		/* callers with something to do, served in turn */
	struct timer turn;
	unsigned ncaller, nstranger;	/* strangers: no operators */
	int64_t started_at_ms;
	struct channel *main, *back;	/* RELOAD goes to main, and comes back */
	struct node reload_next, reload_out;	/* callers who wait for the next one, and for the one under way */
	bool reloading;
};

struct caller {
	struct node node;		/* in host.callers */
	struct node ready;		/* in host.ready */
	struct caller_host *host;
	struct stream *stream;
	struct asker asker;
	const struct commands_row *row;	/* being answered; NULL: waiting for a request */
	struct request request;
	unsigned slice;			/* of the answer: 0 first */
	bool last;			/* no request will follow: close after the answer */
	/* what an answer in slices remembers */
	uint64_t after, until;		/* message ids */
	uint64_t done, failed;
	struct spool_reader *reader;
	unsigned header;		/* where in the header its text has come to */
	struct queue_trace *trace;
	bool allowed;			/* to see it */
	struct queue_wait sync;
	bool durable;			/* what was decided is */
	bool following, waited;
	char event[32], text[512];	/* what was followed came to this; or the reload */
	struct node reload;		/* in one of host's lists until it has */
	int reload_status;
};

void caller_host_init(struct caller_host *h, struct loop *l, struct queue *q);
void caller_host_clear(struct caller_host *h);	/* closes them all */

void caller_new(struct caller_host *h, int fd, const struct asker *asker);	/* takes fd */

/* For the answers: */
void caller_say(struct caller *c, json_t *doc);	/* one line; takes doc */
void caller_fail(struct caller *c, int status, const char *fmt, ...) like_printf(3, 4);	/* the last line */
void caller_wake(struct caller *c);	/* a next slice when it is this caller's turn */
void caller_wait(struct caller *c, int64_t ms);	/* wakes it with `waited' set after so long */

#endif
