/*
 * The queue: who, when, where; the only writer of the disk.  One thread, with two helpers (the sync, and
 * names).  Listeners and relays speak to it by memos; the operator by queue_… from the control room, which runs on its
 * loop.  The room's one door.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "errand/errand.h"
#include "memo/memo.h"

struct queue;

struct queue_options {
	struct config *config;		/* a reference is taken */
	struct channel *main;		/* DRAINED */
	struct errands *errands;	/* on its loop; taken.  NULL: no command can be run */
};

/* Opens and recovers the spool.  -1: why (another daemon, damaged beyond use, newer format…). */
int queue_new(struct queue **out, struct loop *l, const struct queue_options *o, struct why *why) must_check;
struct channel *queue_get_channel(struct queue *q);
struct spool_blobs *queue_get_blobs(struct queue *q);

/* Whom to tell about limits, and the relay threads lanes are pinned to.  Before loop_run. */
void queue_set_peers(struct queue *q, struct channel *const *listener, unsigned nlistener,
    struct channel *const *relay, unsigned nrelay);
void queue_start(struct queue *q);
/* After its loop ended, when the relays have gone (their last reports lie in its channel) and the listeners are still there:
 * takes the memos that came last, and writes and syncs all.  Verdicts may go out.  Then, when nobody holds a blob or a reader any more, queue_free. */
void queue_finish(struct queue *q);
void queue_free(struct queue **q);	/* closes the spool */

/* --- for the control room, on the queue's loop ---------------------------- */

struct queue_totals {
	uint64_t messages, recipients, active, deferred, held, bytes;
	int64_t oldest_s;
	uint64_t damaged;
};
void queue_get_totals(const struct queue *q, struct queue_totals *out);

struct queue_upstream {		/* borrowed until the next turn */
	const char *name, *host, *capture;	/* capture: a Maildir instead of a host; "" */
	const struct gate *gate;
	char reason[280];		/* of its state, in words */
	const struct route *route;
	unsigned connections;
	bool has_active;
	struct candidate active;	/* the candidate that the newest connection uses */
	int64_t quota_left;		/* -1: no quota */
};
bool queue_find_upstream(const struct queue *q, unsigned n, struct queue_upstream *out);

enum message_state { MESSAGE_ACTIVE, MESSAGE_DEFERRED, MESSAGE_HELD };
const char *message_state_name(enum message_state s);

struct queue_message {
	uint64_t id, size;
	enum message_state state;
	unsigned attempts, recipients;
	int64_t age_s, next_attempt_s;	/* next: -1 when held or active */
	char reason[200];		/* of the last failed attempt, or of the hold */
	struct envelope *envelope;	/* caller frees; NULL if it could not be read */
};

/* Walks in order of age, without holding up the loop: call with *after = 0 first; false at the end.  `deep'
 * reads the envelope from disk. */
bool queue_next_message(struct queue *q, uint64_t *after, bool deep, struct queue_message *out);
bool queue_find_message(struct queue *q, uint64_t id, bool deep, struct queue_message *out);
int queue_read_message(struct queue *q, uint64_t id, struct spool_reader **out, struct why *why) must_check;

enum queue_action { QUEUE_RETRY, QUEUE_HOLD, QUEUE_RELEASE, QUEUE_DELETE };
/* -1: no such message, or not possible now (why).  DELETE of a message that is being sent waits for its report. */
int queue_act(struct queue *q, uint64_t id, enum queue_action a, struct why *why) must_check;
/* Calls fn once, when all that was decided so far is on disk; false: it is already.  `w' is the caller's; at most one use at a time. */
struct queue_wait {
	struct node node;
	void (*fn)(void *arg);
	void *arg;
	unsigned batches;
};
bool queue_await(struct queue *q, struct queue_wait *w, void (*fn)(void *arg), void *arg);
void queue_forget(struct queue_wait *w);	/* also if it was never used, or has been called */

/* retry: also opens the gates (of one upstream, or all with NULL). */
void queue_open_gates(struct queue *q, const char *upstream);

/* The machine's network changing: all ports are unknown again, and what was down is tried at once. */
void queue_watch_network(struct queue *q);	/* logs if that cannot be; before a sandbox closes */
void queue_network_changed(struct queue *q);

/* Calls fn once when the message has ended or its next attempt has been reported, for `gatepost test'. */
void queue_follow(struct queue *q, uint64_t id, void (*fn)(void *arg, uint64_t id, const char *event, const char *text), void *arg);
void queue_unfollow(struct queue *q, void *arg);

/* --- what happened to a message, also after its end while that is kept --- */

enum queue_event_kind {
	EVENT_PLAIN,	/* text, and who where it is about one recipient */
	EVENT_ACCEPTED,	/* who: the sender; user, own, size, recipients */
	EVENT_ATTEMPT,	/* who: the recipient; text, and all below it */
	EVENT_NOTICE,	/* who: the one who was told; notice: by which message */
	EVENT_KINDS
};

struct queue_event {
	int64_t wall_ms;
	enum queue_event_kind kind;
	char event[16];		/* "accepted", "relayed", "deferred"…: docs/control-protocol.md */
	char who[512], user[256];
	bool own;		/* made by us */
	uint64_t size, notice;
	unsigned recipients;
	char text[512];
	char upstream[48], address[48], status[12];
	enum tls_mode tls;
	uint16_t port;
	short code;
	bool maybe;		/* it may have been delivered all the same */
	uint32_t took_ms;
};

/*
 * Searches the history, from the oldest event on, in a thread of its own; the answer comes in parts of a
 * bounded size, each when it is asked for.  ready() is called on the loop when there is more after TRACE_LATER.
 * NULL: no history is kept.
 */
struct queue_trace;
enum queue_trace_step { TRACE_EVENT, TRACE_LATER, TRACE_END };
struct queue_trace *queue_trace_start(struct queue *q, uint64_t id, void (*ready)(void *arg), void *arg);
enum queue_trace_step queue_trace_next(struct queue_trace *t, struct queue_event *out);
void queue_trace_stop(struct queue_trace **t);	/* at any time */

const struct config *queue_get_config(const struct queue *q);

#endif
