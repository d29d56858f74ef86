/*
 * The race for one connection (CONTRACT.md 4): candidates start one after the other, the next when the one before has made
 * no progress for race_delay or has failed; the first that completes the whole handshake wins, and only it logs in.
 * The others run on to a verdict of their own.
 */
#ifndef RELAY_DIAL_H
#define RELAY_DIAL_H

#include "memo/memo.h"
#include "relay/exchange.h"

struct dial;

struct dial_owner {
	void *arg;
	/* `o' is answered; it is the owner's again.  OPENED_UP: x is its connection to keep; else NULL. */
	void (*opened)(void *arg, struct open *o, struct exchange *x);
	/* One candidate's verdict; the owner posts or frees it. */
	void (*heard)(void *arg, struct heard_memo *m);
	/* All have had their verdict: dial_free it. */
	void (*over)(void *arg, struct dial *d);
};

/* Borrows o until it is answered.  Nothing is told from inside the call. */
struct dial *dial_start(struct loop *l, struct open *o, const struct dial_owner *owner);

/* Takes a PROBE: one candidate, no login; it comes back by heard(), the same struct, still of that kind. */
struct dial *dial_probe(struct loop *l, struct heard_memo *m, const struct dial_owner *owner);

/* The lane that the race is for; false: it has been answered, or there is none. */
bool dial_is_for(const struct dial *d, uint32_t lane);

/* Answers what is open (CANCELLED; a probe: HEARD_NOTHING), and drops every connection. */
void dial_cancel(struct dial *d);
void dial_free(struct dial **d);

#endif
