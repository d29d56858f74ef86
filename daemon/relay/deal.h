/*
 * One message's transaction: a list of commands (RSET, MAIL, a RCPT each, DATA, the content) and two cursors in it, how
 * far it is said and how far it is answered.  The first runs ahead of the second as far as the server allows, so that
 * pipelining is only a longer leash.  Ends in an outcome for each recipient.
 */
#ifndef RELAY_DEAL_H
#define RELAY_DEAL_H

#include "memo/memo.h"
#include "relay/content.h"
#include "relay/exchange.h"

struct deal_terms {		/* of the connection */
	const struct config *config;
	const struct upstream *settings;
	struct caps caps;
	unsigned *quirks;	/* QUIRK_…; a deal adds what it learns */
	bool reused;		/* it has carried a message before */
};

struct deal {
	struct node node;
	struct job *job;
	/* private */
	const struct deal_terms *terms;
	struct content content;
	unsigned *rcpt;		/* the job's recipients that take part */
	unsigned nrcpt;
	unsigned said, heard;	/* cursors */
	unsigned total;		/* commands; shrinks when there is no point in going on */
	unsigned accepted;
	int64_t began_at_ms;
	bool begun;
	bool reset, chunked;	/* RSET goes first; BDAT rather than DATA */
	bool piped, behind;	/* commands need not wait for answers; it began with another before it */
	bool optional, bare;	/* MAIL has parameters that can be left out; they are left out */
	bool again;		/* …and shall be: the same once more when the answers are in */
	bool pouring;		/* some of the content is out */
	bool ended;		/* all of it is, with its end */
	bool open;		/* at the server: MAIL was taken, and no end has come */
	bool spoiled;		/* nothing new on this connection (B-056) */
};

enum deal_next {
	DEAL_GO_ON,
	DEAL_CLOSE,		/* the connection is of no more use */
	DEAL_QUIT,		/* the same, but the server can still be told so */
	DEAL_BYE		/* 421: the server closes it, when it has answered what it will */
};

enum deal_loss { LOSS_LINK, LOSS_BYE /* the end that 421 had announced */, LOSS_TIMEOUT, LOSS_PROTOCOL };

struct deal *deal_new(struct job *j);
void deal_free(struct deal **d);	/* the job stays */

/* Plans it.  What this server cannot take at all is refused now, and there is nothing to say.  `dirty': a transaction was left
 * open; `behind': another message is still on its way. */
void deal_begin(struct deal *d, const struct deal_terms *t, bool dirty, bool behind, int64_t now_ms);
bool deal_is_over(const struct deal *d);	/* all is said and answered */
bool deal_is_said(const struct deal *d);	/* all is said, and another message may follow at once */
bool deal_is_flight(const struct deal *d);	/* the content does not wait for what goes before it (B-112) */
bool deal_may_say(const struct deal *d);	/* the next command, now */
bool deal_awaits_content(const struct deal *d);	/* the reply to the end of data is next */

enum deal_next deal_say(struct deal *d, struct exchange *x);
enum deal_next deal_pour(struct deal *d, struct exchange *x);	/* more content: there is room */
enum deal_next deal_hear(struct deal *d, struct exchange *x, const struct reply *r);

/* The quirk that would explain that the link failed here; 0: none. */
unsigned deal_suspect(const struct deal *d);

/* The link has gone, or is of no use: an outcome for all that have none. */
void deal_lose(struct deal *d, enum deal_loss loss, const char *why);

#endif
