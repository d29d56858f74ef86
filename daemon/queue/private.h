/*
 * What the files of the queue share.  One thread owns all of it.
 */
#ifndef QUEUE_PRIVATE_H
#define QUEUE_PRIVATE_H

#include <stdatomic.h>

#include "base/bucket.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/peak.h"
#include "base/veil.h"
#include "mail/dsn.h"
#include "net/dns.h"
#include "net/loop.h"
#include "queue/alarm.h"
#include "queue/alert.h"
#include "queue/credential.h"
#include "queue/queue.h"
#include "queue/token.h"

enum {
	WAY_NONE = UINT16_MAX,	/* not known yet */
	NARROW_MAX = 256,	/* ways beside the configured ones (fit.c) */
	OPEN_MAX = 4096,	/* envelopes kept in memory for messages that wait their turn */
	OPEN_RCPT_MAX = 256 * 1024,	/* and their recipients: of 100 octets each, 600 with long ORCPTs */
	UNROUTED_SLICE = 256,	/* messages looked at in one turn after a reload */
	AGAIN_MAX = 3,		/* attempts lost through no fault of the message, in a row */
	HISTORY_STORIES = 5
};

#define HELD_BY_OPERATOR "held by the operator"	/* as a reason, on disk too */

/* A message's life in the queue. */
enum entry_state {
	ENTRY_SYNCING,	/* staged, not yet durable: nobody may see it */
	ENTRY_READY,	/* in its way's list: goes as soon as a lane is free */
	ENTRY_OUT,	/* in a job */
	ENTRY_WAITING,	/* in the heap until its next attempt */
	ENTRY_HELD,	/* until the operator decides */
	ENTRY_STATES
};

/* One queued message.  A million of them must be unremarkable: keep it small. */
struct entry {
	struct spool_item item;
	union {
		struct node ready;	/* READY: in a way's list */
		struct heap_node due;	/* WAITING */
		char *held;		/* HELD: why; owned */
	} at;
	struct envelope *envelope;	/* when it is in memory; owned */
	uint64_t size;
	uint32_t arrived_queue_s;	/* on the queue's clock; when HELD: its age then */
	uint32_t recipients;		/* not yet at their end */
	uint32_t all_recipients;
	uint16_t attempts;		/* rounds made */
	uint16_t way;
	uint8_t state;			/* enum entry_state; set by entry_move only */
	uint8_t again;			/* lost attempts in a row */
	uint8_t misread;		/* times that the disk would not give it */
	bool is_bounce : 1;
	bool is_8bit : 1;		/* what the envelope says that it needs */
	bool is_utf8 : 1;
	bool warned : 1;		/* the delay warning was sent */
	bool doomed : 1;		/* delete it when its job comes back */
	bool pinned : 1;		/* its note is not on disk: the envelope must stay in memory */
	bool hold_asked : 1;		/* hold it when its job comes back */
	bool damaged : 1;		/* its content could not be read for a notice: it is set aside in the end */
	bool kept : 1;			/* held, and counted in queue.nkept */
	bool shifted : 1;		/* younger than its id says: it was held */
	bool gathered : 1;		/* its notice goes with others' (owed.c) */
};

/* Entries by id, which is by age: a sorted array with holes (order.c). */
struct order_slot {
	uint64_t id;
	struct entry *entry;	/* NULL: a hole */
};

struct order {
	struct order_slot *v;
	size_t n, cap, holes, first;	/* first: no entry stands before it */
};

void order_clear(struct order *o);
void order_put(struct order *o, struct entry *e);	/* by e->item.id */
struct entry *order_find(const struct order *o, uint64_t id);
void order_take(struct order *o, uint64_t id);
struct entry *order_next(const struct order *o, uint64_t after); /* the oldest with id > after */

/* A list of upstreams in order, and the messages that go there. */
struct way {
	const char *name;	/* "" is the default; in the config */
	unsigned *gateway;	/* indexes into queue.gateway */
	unsigned ngateway;
	struct node ready;
	size_t nready;
	unsigned base;		/* narrow ones: the way of which these are the upstreams that fit, as bits */
	uint64_t mask;
};

/* What an upstream said in its newest EHLO. */
struct offer {
	bool known, utf8, eightbit;
	uint64_t size;		/* 0: any */
	char host[256];		/* that said it */
};

enum lane_state { LANE_OPENING, LANE_IDLE, LANE_BUSY, LANE_CLOSING };

/* One permitted connection, pinned to a relay thread. */
struct lane {
	struct node node;		/* in its gateway's idle list when IDLE; in `half' when BUSY and fit for a second job */
	uint32_t number;
	uint16_t relay;
	uint16_t gateway;
	enum lane_state state;
	unsigned jobs;			/* on their way, at most LANE_JOBS */
	unsigned left;			/* messages that the connection may still carry */
	bool flight;			/* the server offered CHUNKING and PIPELINING */
	bool proven;			/* and has taken a message */
	bool large;			/* a job's content does not fit a flight */
	bool stale;			/* not to be used again: a better door, or other settings */
	uint32_t issue;			/* of the credential it logs in with */
	struct candidate at;
};

/* An upstream as the queue sees it. */
struct gateway {
	char *name;
	uint32_t number;
	const struct upstream *settings;	/* in queue.config; NULL: no longer configured */
	struct gate gate;
	struct route *route;
	struct tls *tls;
	struct node idle;		/* lanes, the most recently used first */
	struct node half;		/* busy lanes that take a second job, the one whose first is oldest first */
	unsigned nlane, nopening, nbusy, nclosing;
	struct pace pace;		/* lanes at once for now, rate, quota */
	struct timer pacing;		/* the next message may go */
	unsigned want;			/* lanes to open when name and secret are there */
	unsigned quirks;		/* what the server announces and cannot do (quirk.c) */
	unsigned struck;		/* quirks that have shown once */
	int64_t quirks_wall_s;		/* when the newest was learned */
	bool resolving, probing;
	struct credential credential;
	struct alarm down, login;	/* alert.c */
	struct token *token;		/* NULL: none was asked for yet */
	bool login_later;		/* its last login was told so: another is for mail only */
	char *asked;			/* the name being resolved */
	void (*found)(struct gateway *g);
	struct timer patience;		/* with DNS */
	bool name_failed;		/* and was logged */
	bool has_active;
	struct candidate active;
	struct offer offer;
	struct timer retry;		/* the gate's next try */
	struct timer recheck;
	struct queue *queue;
};

struct follower {
	struct node node;
	uint64_t id;
	void (*fn)(void *arg, uint64_t id, const char *event, const char *text);
	void *arg;
};

/* What happened to messages (history.c). */
struct history {
	struct scribe *scribe;	/* NULL: there is no place for files */
	struct buf page[2];	/* the newest records, and those before them */
	size_t sent;		/* octets of page[0] that the scribe has */
	size_t record;		/* where the one being made begins */
	uint64_t least, most;	/* ids in what it has not */
	struct timer flush;
	/* The least id that something happened to in each of the last quarters of keep_history, the newest first:
	 * whatever ended in that time shall have its whole story. */
	uint64_t story[HISTORY_STORIES];
	int64_t story_at_ms;	/* when the next begins */
};

struct queue {
	struct loop *loop;
	struct channel *channel, *main;
	struct config *config;
	struct spool *spool;
	struct dns *dns;
	struct errands *errands;

	struct channel **listener, **relay;
	unsigned nlistener, nrelay, next_relay;

	struct order order;
	struct heap waiting;
	struct entry *free_entries;
	void **slabs;
	size_t nslabs;
	size_t nopen;			/* envelopes in memory */
	uint64_t nopen_rcpt;		/* their recipients: nearly all the memory that messages take */
	struct peak open_peak;
	struct buf crowded;		/* ids: their envelopes are too many, and leave at the end of the turn */

	struct way *way;		/* the routes, the default, and nway - nbase narrow ones */
	unsigned nway, nbase;
	struct node unrouted;		/* READY entries whose way must be looked up */
	struct gateway **gateway;
	unsigned ngateway;
	struct map lanes;		/* by number */
	struct lookout *lookout;	/* for changed files; NULL: it cannot be */
	uint32_t last_lane;

	struct node followers;
	struct history *history;
	struct alerts *alerts;
	struct queue_totals totals;
	uint64_t nkept;			/* held by us: the operator must decide */

	/* group commit (commit.c) */
	struct committer *committer;
	struct submit **batch, **syncing;	/* submits staged / being synced */
	size_t nbatch, cap_batch, nsyncing, cap_syncing;
	uint64_t *batch_own, *syncing_own;	/* our own (bounces), by id */
	size_t nbatch_own, cap_batch_own, nsyncing_own, cap_syncing_own;
	bool sync_running;
	struct timer lazy;		/* writes what nobody waits for */

	/* the queue's clock: seconds of running time, plus at most a day for each restart; stands still while
	 * no upstream may be tried for a reason that is not the message's (CONTRACT.md 4) */
	int64_t clock_base_s, clock_base_at_ms;
	bool clock_frozen;

	struct timer due;		/* the next of waiting */
	struct timer second;		/* limits */
	struct timer minute;		/* clock and port memory to disk */
	struct turn_job dispatch;
	struct timer slice;		/* more to route */
	struct timer rest;		/* until then nothing is dispatched: we lack descriptors */
	struct links *links;		/* NULL: the network is not watched */
	int64_t network_at_ms;		/* it last changed */
	struct bucket bounces;
	struct node owed;		/* notices over bounce_limit, by address */
	struct timer owed_due;
	struct limits limits;		/* as last told */
	struct user_bucket *user_bucket;
	size_t nuser_bucket;
	bool draining, drained, memory_changed, compacting;
	bool quota_changed;		/* to be saved within the minute */
	bool quota_staged, quota_flying;	/* it is in the next batch; in the one being synced */
	bool urgent;			/* somebody waits for what is staged, though no submit does */
	struct node awaiting;		/* struct queue_wait */
	bool finishing;			/* the relays have gone */
	int64_t compact_at_ms;
};

/* entry.c: entries and their states */
struct entry *entry_new(struct queue *q);
void entry_free(struct queue *q, struct entry *e);	/* leaves every list, totals too */
void entry_move(struct queue *q, struct entry *e, enum entry_state to, int64_t due_at_ms);
void entry_list(struct queue *q, struct entry *e);	/* known from now on: order and totals */
void entry_open(struct queue *q, struct entry *e, struct envelope **env);	/* it is in memory now; taken */
int entry_load(struct queue *q, struct entry *e, struct why *why) must_check; /* envelope into memory */
void entry_park_later(struct queue *q, struct entry *e);	/* at the end of the turn, if it is READY then */
void entry_park_crowded(struct queue *q);
void entry_park(struct queue *q, struct entry *e);	/* envelope out of memory where that loses nothing */
void entry_count(struct queue *q, struct entry *e);	/* recipients left, into totals */
void entry_count_left(struct queue *q, struct entry *e, uint32_t left);	/* the same, where the envelope is not loaded */
void entry_keep(struct queue *q, struct entry *e);	/* HELD, and not because the operator wished it */
void entry_damaged(struct queue *q, struct entry *e, const char *what); /* set aside; e is gone */
/* After entry_load or spool_read_open failed, with its errno: set aside; or, where it is the disk that fails, tried later, a
 * few times; or, where it is we who lack descriptors or memory, left for later (everything rests for a second). */
void entry_unreadable(struct queue *q, struct entry *e, const struct why *why);
void entry_unfinished(void *arg, uint64_t id, const char *file, const char *what);	/* spool_owner.unfinished */
bool entry_is_local(int error);	/* an errno of ours, not of the disk's */

/* store.c: what goes to the spool and comes back */
/* A new entry for it, which is nowhere yet, and the meta that spool_put wants. */
struct entry *store_begin(struct queue *q, const struct envelope *env, struct buf *meta) must_check;
void store_note(struct queue *q, struct entry *e);
void store_done(struct queue *q, struct entry *e);	/* and forgets it */
void store_memory(struct queue *q);			/* clock and ports */
void store_soon(struct queue *q);			/* within a second */
/* One of the spool's small files, read into b; empty if there is none, or it is damaged (which is logged). */
struct str store_find_file(struct queue *q, const char *name, struct buf *b);
int store_open(struct queue *q, struct why *why) must_check;	/* spool_open with our answers */
bool store_note_decode(struct queue *q, struct entry *e, struct envelope *env, struct str note);

/* commit.c: write, sync, and only then answer */
struct committer;
void commit_start(struct queue *q);
void commit_stop(struct queue *q);		/* waits; what is staged is written and synced */
void commit_add(struct queue *q, struct submit *m);	/* its verdict waits for the sync */
void commit_add_own(struct queue *q, uint64_t id);
void commit_turn(struct queue *q);		/* end of a turn */
void commit_second(struct queue *q);		/* nobody waits longer than he can */

/* admit.c: may this message come in? */
void admit(struct queue *q, struct submit *m);
int admit_own(struct queue *q, struct envelope **env, uint64_t id, struct str text, struct why *why) must_check; /* takes *env */
void admit_limits(struct queue *q, bool force);	/* tells the listeners what changed */
void admit_clear(struct queue *q);

/* retry.c: when; pure */
int64_t retry_delay_ms(const struct config *c, unsigned attempts);	/* after so many rounds, 1 = the first */
int64_t retry_clock_s(const struct queue *q);	/* the queue's clock */
bool retry_is_expired(const struct queue *q, const struct entry *e);
bool retry_is_young(const struct queue *q, const struct entry *e);	/* neither is to be thought of */
bool retry_wants_warning(const struct queue *q, const struct entry *e);
void retry_freeze(struct queue *q, bool frozen);

/* dispatch.c: who goes next, over which lane */
void dispatch_soon(struct queue *q);
void dispatch_changed(struct queue *q);		/* some upstream takes mail again, or no longer */
void dispatch_configure(struct queue *q);	/* ways from the config; entries are routed again */
unsigned dispatch_base(const struct queue *q, unsigned way);	/* the one that a narrow way is part of, or itself */
unsigned dispatch_way(const struct queue *q, const struct envelope *env, const struct recipient *r);
void dispatch_anew(struct queue *q);		/* what is ready is routed again */
void dispatch_ready(struct queue *q, struct entry *e);	/* into its way's list */
bool dispatch_is_closed(const struct queue *q, unsigned way);
const struct gateway *dispatch_find_gateway(const struct queue *q, unsigned way);

/* fit.c: what upstreams can take */
void fit_learn(struct gateway *g, const struct caps *caps);	/* the EHLO of a new connection */
unsigned fit_way(struct queue *q, const struct entry *e, unsigned way);	/* of these upstreams those that fit; all, if none does */
void fit_limit(const struct queue *q, unsigned way, struct route_limit *out);
void fit_review(struct queue *q, const struct entry *e, struct job *j);	/* refused there, but not everywhere: again */
void fit_save(const struct queue *q, struct buf *out);
void fit_load(struct queue *q, struct str saved);	/* nonsense is ignored */

/* lane.c */
struct lane *lane_new(struct gateway *g);		/* OPENING */
struct lane *lane_find(const struct queue *q, uint32_t number);
void lane_free(struct gateway *g, struct lane *l);
void lane_close(struct queue *q, struct lane *l);	/* an idle one: it is gone when CLOSED comes */
void lane_up(struct gateway *g, struct lane *l, const struct open *m);	/* it is open: IDLE */
struct lane *lane_find_idle(const struct gateway *g);
/* A busy one that takes another job, where that is better than to wait; `nready' messages do. */
struct lane *lane_find_half(const struct gateway *g, size_t nready);
void lane_load(struct gateway *g, struct lane *l, uint64_t octets);	/* a job of this size is on its way */
void lane_put(struct gateway *g, struct lane *l, bool lost);	/* a job has come back */
/* Lanes that use a later door than one that works again (rank >= above), or old settings (0: all), end when they can. */
void lane_make_stale(struct gateway *g, unsigned above_rank);
/* All of them: idle ones and races under way end now, busy ones when they can. */
void lane_abandon(struct gateway *g);

/* Idle lanes beyond what the pace allows end. */
void lane_trim(struct gateway *g);

/* pacing.c: how fast an upstream is used, and what it says to that */
void pacing_init(struct gateway *g);
void pacing_configure(struct gateway *g);
void pacing_stop(struct gateway *g);
bool pacing_may_send(struct gateway *g);	/* false: dispatch runs again when it may */
unsigned pacing_room(struct gateway *g, size_t wanted);	/* messages that may go now */
unsigned pacing_most_recipients(struct gateway *g);
void pacing_sent(struct gateway *g, const struct job *j);	/* it goes */
void pacing_report(struct gateway *g, const struct job *j);	/* it came back */
void pacing_check(struct gateway *g);		/* pauses and their ends, to the gate */
bool pacing_is_over_quota(struct gateway *g);
/* A refusal for our pace spends no attempt, unless it is this message that is refused so while others get through, or
 * it is time that its sender heard of it. */
bool pacing_spares(const struct queue *q, struct entry *e, const struct gateway *g);
void pacing_print_reason(const struct gateway *g, char *out, size_t size);	/* of its state, in words */
void pacing_save(struct queue *q, bool final);	/* the day's counts, if there is anything new */
void pacing_resume(struct gateway *g);		/* the operator's retry */
void pacing_saved(struct queue *q);		/* what pacing_save gave has been written */
void pacing_recall(struct queue *q);

/* quirk.c: what servers announce and cannot do */
void quirk_hear(struct gateway *g, const struct job *j);
void quirk_recall(struct gateway *g, unsigned quirks, int64_t wall_s);	/* as saved, since then */

/* gateway.c: upstreams, their ports and names */
void gateway_configure(struct queue *q);
void gateway_open(struct gateway *g, unsigned n);	/* try to have n more lanes */
struct gateway *gateway_find(const struct queue *q, const char *name);
void gateway_on_opened(struct queue *q, struct open *m);
void gateway_on_heard(struct queue *q, struct heard_memo *m);
void gateway_on_closed(struct queue *q, struct lane_memo *m);
void gatelog_gate(const struct gateway *g);	/* gatelog.c: what it has become */
void gatelog_port(const struct gateway *g, const struct candidate *c);
void gateway_tell(struct gateway *g, enum gate_event ev, const char *reason, int64_t until_ms);
void gateway_free_all(struct queue *q);

/* lookout.c: files with secrets that change */
void lookout_configure(struct queue *q);
void lookout_stop(struct queue *q);

/* names.c: an upstream's name to addresses */
void names_init(struct gateway *g);
void names_clear(struct gateway *g);
/* The route's addresses are as good as they can be: fn is called.  There are none: the gate is told. */
void names_ask(struct gateway *g, void (*fn)(struct gateway *g));

/* network.c: the machine's network changing */
void network_stop(struct queue *q);
bool network_is_old(const struct queue *q, const struct heard_memo *m);	/* a verdict on the network as it was */

/* report.c: what an attempt ended in */
void report_job(struct queue *q, struct job *j);
void report_failed(struct queue *q, const struct gateway *g);	/* g as a whole has just failed: expiry and warnings */
void report_rest(struct queue *q, struct entry *e);	/* nobody is left to try: what is owed, or the end */
void report_held(struct queue *q, struct entry *e, const char *reason);	/* the operator asked for it */
void report_told(struct queue *q, struct entry *e);	/* what was owed to its sender is not any more: the note, or its end */

/* bounce.c: telling the sender */
/* Failure notice and delay warning as due.  0, or in how many ms to try again: a notice is owed. */
int64_t bounce_round(struct queue *q, struct entry *e, const struct peer *peer);
void bounce_relayed(struct queue *q, struct entry *e, const struct job *j);
/* For owed.c, of an entry with its envelope in memory: */
struct envelope *bounce_envelope(const char *to);
unsigned bounce_find_failed(const struct entry *e, const struct peer *peer, struct dsn_recipient *out);	/* not told yet */
unsigned bounce_find_delayed(const struct queue *q, const struct entry *e, struct dsn_recipient *out);	/* to be warned about */
bool bounce_send(struct queue *q, struct entry *e, enum dsn_action action, const struct dsn_recipient *rcpt, unsigned n);
void bounce_note(struct queue *q, struct entry *e, enum dsn_action action, const char *to, unsigned n, uint64_t notice);

/* owed.c: notices over bounce_limit */
void owed_start(struct queue *q);
void owed_clear(struct queue *q);
bool owed_is_open(const struct queue *q, const char *to);	/* some are being gathered for it */
void owed_put(struct queue *q, struct entry *e, const char *to);	/* once is enough */
int64_t owed_wait_ms(const struct queue *q, const char *to);	/* until they have gone */

/* operator.c: writes it into the history, and tells who follows */
void operator_tell(struct queue *q, uint64_t id, const char *event, const char *text);
void operator_tell_attempt(struct queue *q, const struct job *j, const char *event, const char *to, const struct outcome *o);

/* history.c: what happened to each message */
void history_start(struct queue *q);
void history_stop(struct queue *q);
void history_put_accepted(struct queue *q, const struct entry *e);
void history_put_attempt(struct queue *q, const struct job *j, const char *event, const char *to, const struct outcome *o);
void history_put_notice(struct queue *q, uint64_t id, const char *event, const char *to, uint64_t notice);
void history_put(struct queue *q, uint64_t id, const char *event, const char *who, const char *text);
void history_minute(struct queue *q);		/* what is too old goes */
/* The newest events, in memory: what the message came to at last.  false: not known any more. */
bool history_recall(const struct queue *q, uint64_t id, struct queue_event *out);
struct queue_trace *history_search(struct queue *q, uint64_t id, void (*ready)(void *arg), void *arg);

/* The next record about the id, without its length; empty: none. */
struct str history_find(struct cursor *c, uint64_t id);
bool history_read(struct str record, struct queue_event *out);

/* scribe.c: the thread that writes the history's files and searches them */
struct scribe;
struct scribe *scribe_start(struct loop *l, struct spool_annals *a);	/* takes a */
void scribe_stop(struct scribe **s);		/* all that was given to it is written */
/* Takes the block; an empty one only prunes. */
void scribe_write(struct scribe *s, const struct spool_annals_bounds *b, struct buf *block, uint64_t least, uint64_t most);
struct queue_trace *scribe_search(struct scribe *s, uint64_t id, void (*ready)(void *arg), void *arg);

#endif
