/*
 * What the files of this room share: a listener's thread, one client's session, and the
 * transaction that it may have open.  Private to the room.
 *
 * The journey of bytes: intake.c takes them from the stream and cuts them up; verbs.c acts on
 * commands by a table, transaction.c on MAIL, RCPT and DATA, auth.c on AUTH; body.c takes the
 * content and posts it to the queue.  Each verb, each line of an AUTH dialogue and each end of data
 * owes exactly one reply; while one is owed no input is looked at.
 */
#ifndef LISTENER_SESSION_H
#define LISTENER_SESSION_H

#include "base/peak.h"
#include "listener/logins.h"
#include "listener/remark.h"
#include "listener/share.h"
#include "mail/fixup.h"
#include "memo/memo.h"
#include "net/accept.h"
#include "net/stream.h"
#include "smtp/dot.h"
#include "smtp/line.h"
#include "smtp/verb.h"

enum {
	COMMAND_LINE_MAX = 2048,
	AUTH_LINE_MAX = 12288,		/* RFC 4954 4 */
	REPLY_TEXT_MAX = 1024
};

/* --- a thread's worth ------------------------------------------------------ */

struct port {			/* one listening socket, as this thread serves it */
	struct listener *listener;
	char *name;
	int fd;
	bool is_submit;
	const struct listen *listen;	/* in listener->config; NULL for submit_socket */
	struct accept *accept;
};

struct slot {			/* what a handle names */
	struct session *session;	/* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct listener {
	struct loop *loop;
	struct config *config;		/* for new sessions; they hold their own reference */
	struct tls *tls;		/* may be NULL */
	struct logins logins;
	struct channel *channel;	/* memos */
	struct channel *checked;	/* passwords come back from the helper */
	struct channel *queue, *main;
	struct spool_blobs *blobs;
	struct port *port;
	unsigned nport;
	struct slot *slot;
	uint32_t nslot, free_slot;
	unsigned nsession;
	struct limits limits;		/* what the queue said last */
	bool draining, drained;
	int64_t refusal_logged_at_ms;
	struct remarks remarks;
	/* crowd.c */
	unsigned descriptors;		/* sessions that the process was to have descriptors for */
	unsigned bearable;		/* as many as it was seen to have; no more than that */
	struct node strangers, known;	/* sessions: who came first; who was used least lately */
	struct timer sweep;
	struct peak peak;		/* most sessions lately */
	unsigned gave_way;		/* sent away since that was logged */
	int64_t over_since_ms;		/* more are known than may be; 0: no */
	int64_t full_since_ms, full_at_ms;	/* newcomers found it so, again and again */
	int64_t accept_errors, starved_at_ms, crowded_logged_at_ms;
	struct buf out;			/* replies of the session that is being served */
	struct buf content;		/* unstuffed, on its way to the fix-up */
};

void listener_add(struct listener *l, struct session *s);	/* gives it its handle */
void listener_remove(struct listener *l, struct session *s);

/* --- a client -------------------------------------------------------------- */

enum session_state {
	SESSION_HANDSHAKE,	/* TLS is being made; nothing is said */
	SESSION_NEW,		/* no EHLO or HELO since it began, or since TLS began */
	SESSION_GREETED,
	SESSION_SENDER,		/* MAIL was accepted */
	SESSION_RCPT,		/* and at least one recipient */
	SESSION_AUTH,		/* the next line belongs to an AUTH dialogue */
	SESSION_BODY,		/* the next bytes are content */
	SESSION_CLOSING,	/* all has been said */
	SESSION_STATES
};

enum answer { ANSWERED, WILL_ANSWER };

enum auth_step { AUTH_STEP_NONE, AUTH_STEP_PLAIN, AUTH_STEP_USER, AUTH_STEP_PASSWORD };

struct transaction;

struct session {
	struct listener *listener;
	const struct port *port;
	struct stream *stream;
	struct config *config;
	const struct listen *listen;	/* in config; NULL on the submit socket */
	struct handle self;
	enum session_state state;	/* assigned by session_enter only */
	unsigned owed;			/* replies: 0 or 1 */
	struct line line;
	struct transaction *txn;	/* from MAIL to the end of data */
	char *helo;			/* what EHLO or HELO said */
	char *user;			/* who it is, once known; "" never */
	struct users *users;		/* keeps `account' alive */
	const struct user *account;	/* NULL: not in the users file (submit socket) */
	struct buf auth_name;		/* LOGIN: the user name, while the password is awaited */
	enum auth_step auth_step;
	struct timer timer;		/* when `late' is to be said */
	struct buf late;		/* a reply that waits on purpose; empty: none */
	size_t progress;		/* octets of content since the deadline was set */
	unsigned errors, auth_failures, refused_rcpt;
	char address[48];		/* the client's; "" on the submit socket */
	struct node crowd;
	int64_t there_since_ms;		/* on its list */
	int64_t eof_at_ms;		/* when the client ended its side */
	_Atomic unsigned *holder;	/* in crowd.c: the sessions of whose it is; NULL: a stranger's */
	bool esmtp, secure, trusted;
	bool by_trust;			/* in crowd.c: it has a holder, and that is an address */
	bool plain_auth;		/* may log in without TLS */
	bool checking;			/* helper.h has a password of it */
	bool tls_due;			/* when what was said has been written */
	bool paused, eof, is_abrupt;
	bool more_input;		/* more stands behind what has been handled */
	bool any_input;
	bool new_deadline;		/* something was done: the next request has its own time */
};

void session_start(struct listener *l, const struct port *p, int fd);
void session_stop(struct session *s);	/* at the listener's end: whatever it is doing */

void session_enter(struct session *s, enum session_state to);

/* The one reply that is owed.  Errors are counted here: they slow a client down, and end it.  A
 * text with LFs is a reply of several lines. */
void session_reply(struct session *s, int code, const char *status, const char *text);
void session_reply_late(struct session *s, int64_t delay_ms, int code, const char *status,
    const char *text);
/* The same, and the session ends when it has been sent. */
void session_end(struct session *s, int code, const char *status, const char *text);
/* session_end with 421 and our name before `what'. */
void session_dismiss(struct session *s, const char *status, const char *what);

/* What was owed by WILL_ANSWER has been said: looks at input again. */
void session_go_on(struct session *s);

void session_verdict(struct session *s, const struct submit *m);
void session_drain(struct session *s);	/* end it now unless it is busy with a message */
void session_give_way(struct session *s, const char *what);	/* end it now; nothing is owed */

bool session_is_busy(const struct session *s);	/* no input is looked at now */
bool session_may_log(const struct session *s);	/* a line that the client can provoke at will */
const char *session_find_user(const struct session *s);	/* for logs; NULL: nobody yet */
#define SESSION_WHO(s)	/* fields of a log line */                              \
	log_text("user", session_find_user(s)),                                \
	    log_text("address", (s)->address), log_text("listener", (s)->port->name)

bool session_needs_tls(const struct session *s);
bool session_may_auth(const struct session *s);
bool session_needs_auth(const struct session *s);

void intake_run(struct session *s);	/* takes what has come, as far as the session is not busy */
void intake_drop(struct session *s);	/* nobody will read what is left: wipes it, since a password may be in it */
void peer_identify(struct session *s);

/* --- crowd.c: who gives way when it gets crowded ----------------------------- */

bool crowd_may_come(struct listener *l);	/* false: there is no room yet, but will be */
bool crowd_admit(struct listener *l);		/* room for one more, perhaps because another gave way */
void crowd_join(struct session *s);
void crowd_welcome(struct session *s);		/* who it is has changed */
void crowd_forget(struct session *s);		/* who it is; a stranger again */
void crowd_touch(struct session *s);		/* was used */
void crowd_leave(struct session *s);
void crowd_on_sweep(void *listener);
unsigned crowd_get_holder(const struct session *s);	/* below SHARE_HOLDERS; a stranger's is anybody's */

/* --- commands --------------------------------------------------------------- */

struct command {
	enum verb_id verb;
	struct str args;
	struct verb_error error;	/* code 0: none */
	union {
		struct verb_mail mail;
		struct verb_rcpt rcpt;
	} u;
};

/* Does what the line says; the reply has been given when it is ANSWERED. */
enum answer verbs_run(struct session *s, struct str line);

enum answer auth_begin(struct session *s, struct command *c);
enum answer auth_line(struct session *s, struct str line);
void auth_too_long(struct session *s);
void auth_leave(struct session *s);	/* forgets a dialogue */
void auth_clear(struct session *s);	/* and a password that waits to be checked */
struct check;
void auth_checked(struct session *s, const struct check *c);

/* --- a message on its way in -------------------------------------------------- */

enum body_fault {	/* why the content is read only to be refused */
	BODY_FINE,
	BODY_NO_SPACE,
	BODY_BAD_BYTES,
	BODY_TOO_LARGE
};

struct body {
	struct dot dot;
	struct fixup fixup;
	uint64_t limit;		/* octets */
	enum body_fault fault;
};

struct transaction {
	struct submit *submit;	/* with its envelope; posted at the end of data */
	uint64_t size;		/* SIZE=, 0: not given */
	bool utf8;		/* SMTPUTF8 was asked for */
	bool refused;		/* some recipient was */
	struct share share;
	struct body body;
};

enum answer transaction_mail(struct session *s, struct command *c);
enum answer transaction_rcpt(struct session *s, struct command *c);
enum answer transaction_data(struct session *s, struct command *c);

/* Every end of a transaction comes here (C-13); none open is fine. */
void transaction_reset(struct session *s);

/* capacity.c: what the upstreams can take, as far as it is known */
struct route_limit capacity_of_all(const struct session *s);
struct route_limit capacity_of_sender(const struct session *s, const char *sender);
struct route_limit capacity_of_rcpt(const struct session *s, const char *sender, const char *rcpt);
struct route_limit capacity_of_envelope(const struct session *s, const struct envelope *e);
uint64_t capacity_octets(const struct session *s, const struct route_limit *l);	/* and limits.message_size */

/* May this user send as that address?  A missing domain counts as ours. */
bool transaction_may_send_as(const struct session *s, struct str address);

void body_start(struct session *s);
bool body_feed(struct session *s, struct str *in);	/* true: the end of data was taken */
enum answer body_end(struct session *s);
void body_clear(struct body *b);

#endif
