/*
 * Everything one thread may say to another.  A memo owns all that it carries; after
 * channel_post the sender holds nothing.  Each kind names its sender, its receiver and who
 * frees it.  The room's one door.
 */
#ifndef MEMO_MEMO_H
#define MEMO_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/veil.h"
#include "config/config.h"
#include "mail/envelope.h"
#include "net/channel.h"
#include "net/tls.h"
#include "route/route.h"
#include "smtp/caps.h"
#include "spool/spool.h"

enum memo_kind {
	MEMO_SUBMIT,	/* listener → queue: please keep this */
	MEMO_VERDICT,	/* queue → listener: the same struct, answered */
	MEMO_LIMITS,	/* queue → listener: what to answer with from now on */
	MEMO_OPEN,	/* queue → relay: race for a connection, on this lane */
	MEMO_OPENED,	/* relay → queue: the same struct, answered */
	MEMO_HEARD,	/* relay → queue: what one candidate showed */
	MEMO_PROBE,	/* queue → relay: is that candidate alive?  answered by MEMO_HEARD, then freed */
	MEMO_JOB,	/* queue → relay: deliver this over that lane */
	MEMO_REPORT,	/* relay → queue: the same struct, outcomes filled in */
	MEMO_CLOSE,	/* queue → relay: close this lane (QUIT when it is free) */
	MEMO_CLOSED,	/* relay → queue: this lane is gone (idle, 421, lost, or asked for) */
	MEMO_LOOK,	/* web → control, and back: what does it look like now? */
	MEMO_CONFIG,	/* main → all: use this from now on */
	MEMO_CONFIGURED,	/* all → main: the same struct, emptied: it is in use */
	MEMO_RELOAD,	/* control → main: read the configuration again */
	MEMO_RELOADED,	/* main → control: the same struct, answered when the new one is in use, or refused */
	MEMO_DRAIN,	/* main → all: take nothing new */
	MEMO_DRAINED,	/* all → main: nothing of mine is in flight */
	MEMO_HEADLINE,	/* queue → main: the state of things in a line */
	MEMO_STOP,	/* main → all: end your loop */
	MEMOS
};

struct memo {
	struct link link;	/* first */
	enum memo_kind kind;
};

/* Names a session or lane of another thread, never by pointer: when it has gone meanwhile, the answer
 * finds nobody. */
struct handle {
	uint32_t slot, generation;
};

enum verdict {
	VERDICT_NONE,
	VERDICT_KEPT,		/* synced: 250 2.0.0 queued as ID */
	VERDICT_NO_SPACE,	/* 452 4.3.1 */
	VERDICT_TOO_FAST,	/* user_rate: 450 4.7.1 */
	VERDICT_LOCAL_ERROR,	/* 451 4.3.0 */
	VERDICT_STOPPING	/* 421 4.3.2 */
};

/* SUBMIT and VERDICT.  Made and freed by the listener. */
struct submit {
	struct memo memo;
	struct channel *back;	/* where the verdict goes */
	struct handle session;
	struct envelope *envelope;	/* the queue takes it when it keeps the message */
	uint64_t id;		/* chosen by memo_next_id before Received: was written */
	struct buf prefix;	/* our header fields */
	struct buf text;	/* the content, or its first part when there is a blob */
	struct spool_blob *blob;	/* NULL for small messages */
	enum verdict verdict;
	int64_t staged_at_ms;		/* the queue's */
};

/* What the upstreams of one route can take: the best of them, for each. */
struct route_limit {
	uint64_t message_max;	/* 0: any, or not known */
	bool utf8, eightbit;
};

/* LIMITS.  Made by the queue; the listener takes what is in it, and frees it. */
struct limits {
	struct memo memo;
	bool room;		/* false: 452 4.3.1 at MAIL */
	uint64_t free_octets;	/* on the spool's disk above min_free: for SIZE= (A-095) */
	bool utf8;		/* some route can take SMTPUTF8 */
	uint64_t message_max;	/* the most that some route can take; 0: any, or not known */
	struct config *config;	/* a reference: whose routes these are */
	struct route_limit *route;	/* one each, and one for what none matches; owned; NULL: not known yet */
};

/* What an attempt to open one connection ended in. */
enum opened {
	OPENED_UP,		/* connected, secure, logged in: the lane is ready for jobs */
	OPENED_ALL_FAILED,	/* no candidate completed the handshake */
	OPENED_LOGIN_REFUSED,	/* 535 and its like */
	OPENED_BUSY,		/* inside verified TLS: 4xx to the greeting or EHLO */
	OPENED_LOGIN_LATER,	/* 4xx to AUTH, or the link was lost at it (B-021, B-024) */
	OPENED_LOCAL,		/* our own fault */
	OPENED_CANCELLED	/* stopping, or CLOSE came first */
};

/* OPEN and OPENED.  Made and freed by the queue. */
struct open {
	struct memo memo;
	uint32_t lane;			/* the queue's number for the connection */
	uint32_t upstream;		/* the queue's number for the upstream */
	struct config *config;		/* a reference; `settings' lies in it */
	const struct upstream *settings;
	struct tls *tls;		/* a reference; NULL if no candidate uses TLS */
	char *password;			/* secret or token, wiped by memo_open_free; NULL: none */
	struct veil *veil;		/* a reference: what the server may repeat and nobody is to see, the password too; NULL: nothing */
	struct candidate candidate[ROUTE_CANDIDATES_MAX];	/* in the order of the race */
	unsigned ncandidate;
	/* the answer */
	enum opened result;
	struct candidate winner;	/* UP, LOGIN_REFUSED, BUSY */
	struct caps caps;		/* UP */
	struct outcome outcome;		/* else: the server's words, or ours */
};

/* HEARD (and PROBE, with tls, veil, config and candidate set).  HEARD is made by the relay and freed by the
 * queue; a PROBE becomes the HEARD that answers it. */
struct heard_memo {
	struct memo memo;
	uint32_t upstream;
	struct config *config;
	const struct upstream *settings;
	struct tls *tls;
	struct veil *veil;
	struct candidate candidate;
	enum heard heard;
	char reason[160];
	int64_t took_ms;
};

/* What a server announces and cannot do: learned by a relay from its replies, remembered by the queue for the upstream. */
enum quirk {
	QUIRK_NO_BDAT = 1,
	QUIRK_NO_DSN = 2,
	QUIRK_STEPS = 4,	/* no pipelining: each command waits for the answer to the one before */
	QUIRK_ALONE = 8		/* nothing behind BDAT LAST before its answer */
};

/* Content of so many octets at most may leave in one flight with its envelope, before that is answered. */
enum { JOB_FLIGHT_OCTETS = 128 * 1024 };

/* JOB and REPORT.  Made and freed by the queue. */
struct job {
	struct memo memo;
	uint32_t lane;
	uint64_t id;			/* the message's */
	struct envelope *envelope;	/* lent by the queue; constant while out, but nobody else touches it */
	unsigned *rcpt;			/* indexes into envelope->rcpt: whom this job is for */
	unsigned nrcpt;
	struct spool_reader *body;	/* the job's own */
	const char *sender;		/* as to be said to the upstream (it may rewrite); owned by the job: free it */
	struct veil *veil;		/* a reference: as in the newest OPEN, which may know more than this lane's; NULL: nothing more */
	bool second;			/* the lane had another one then */
	unsigned quirks;		/* what is known; in the answer: and what was learned */
	/* the answer */
	unsigned leaned;		/* on what it relied of the server: the quirks that would have forbidden it */
	unsigned suspect;		/* the link failed in the way that this quirk explains */
	bool untried;			/* nothing of it was said */
	struct outcome *result;		/* nrcpt of them */
	enum outcome_upstream upstream;	/* what it says of the upstream */
	bool dsn;			/* NOTIFY went with it: what becomes of it is the server's to report */
	bool lane_lost;			/* the connection is gone with this report */
	bool body_damaged;		/* the spool's copy could not be read; why is in result[0].text */
	struct peer peer;
	int64_t took_ms;
};

/* CLOSE, CLOSED. */
struct lane_memo {
	struct memo memo;
	uint32_t lane;
	bool refused;		/* CLOSED: the server said 421 or the link was lost while idle */
};

/* LOOK.  Made and freed by web, which has at most one under way; control fills in the answer. */
struct look {
	struct memo memo;
	struct channel *back;
	unsigned wanted;		/* so many of the oldest messages */
	/* the answer: documents that nobody else has */
	struct json_t *status;		/* as in `status --json' */
	struct json_t *oldest;		/* an array; without metrics.addresses neither has any */
};

/* CONFIG: the receiver takes the references, and says by memo_config_used that it has; main frees what comes back. */
struct config_memo {
	struct memo memo;
	struct channel *back;		/* NULL: nobody waits for that */
	struct config *config;
	struct users *users;		/* listener; may be NULL */
	struct tls *tls;		/* listener's context; may be NULL */
};

/* RELOAD.  Made and freed by control, which has at most one under way. */
enum { RELOAD_TEXT = 400 };
struct reload {
	struct memo memo;
	struct channel *back;
	/* the answer */
	int status;			/* 0; or the exit status of the command that asked: 78 a bad file, 1 */
	char text[RELOAD_TEXT];		/* the file that is in use now; or why it was refused */
};

/* HEADLINE: main frees it. */
enum { HEADLINE_MAX = 480 };
struct headline_memo {
	struct memo memo;
	char text[HEADLINE_MAX];
};

/* DRAIN, DRAINED, STOP: a bare struct memo. */

struct submit *memo_submit_new(void);
void memo_submit_free(struct submit **m);
struct open *memo_open_new(void);
void memo_open_free(struct open **m);
struct heard_memo *memo_heard_new(enum memo_kind kind);
void memo_heard_free(struct heard_memo **m);
struct job *memo_job_new(unsigned nrcpt);	/* rcpt and result have room for so many */
void memo_job_free(struct job **m);
struct look *memo_look_new(void);
void memo_look_free(struct look **m);
void memo_config_used(struct config_memo *m);	/* sends it back, or frees it */
void memo_limits_clear(struct limits *l);	/* what it owns */
struct memo *memo_new(enum memo_kind kind, size_t size);	/* zeroed; size of the whole struct */

/* The next message id of the process; any thread, each only once (atomic). */
uint64_t memo_next_id(void);
void memo_start_ids(uint64_t last);	/* at start, from spool_last_id */

static inline void
memo_post(struct channel *c, struct memo *m)
{
	channel_post(c, &m->link);
}

#endif
