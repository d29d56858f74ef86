/*
 * How fast an upstream may be used: connections at once, messages in a time, and the day's quota.
 * Pure: time is handed in, and monotonic.
 *
 * Connections: one at first, doubling while they work (slow start), never more than there is work for.  A refusal cuts
 * them; they come back one at a time.
 *
 * Rate: a bucket that never lets more than the configured number through in any stretch of its length, spread evenly; a
 * twentieth may go at once after a rest.  "Too fast" halves it, and what is sent without trouble raises it again in steps.
 * Where none is configured, the rate at which the refusal came is halved.
 *
 * Quota: what was sent in the last 24 hours, in slots of a quarter of an hour; what is on its way counts.
 */
#ifndef ROUTE_PACE_H
#define ROUTE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"

enum {
	PACE_SLOT_MS = 15 * 60 * 1000,
	PACE_SLOTS = 97		/* a day, and the slot that is being filled */
};

struct pace {
	/* connections */
	unsigned most, allowed;
	int64_t grow_ms, grown_at_ms;	/* how long a step up takes; the last step or cut */

	/* rate */
	struct rate rate;		/* as configured */
	double per_ms;			/* in force; 0: none */
	double ceiling;			/* what it grows back to */
	double tokens;
	int64_t refilled_at_ms, rated_at_ms;
	unsigned recent, before;	/* sent in this stretch, and in the one before */
	int64_t recent_at_ms;

	/* told "too fast" */
	unsigned strikes;		/* since something last went through */
	int64_t paused_until_ms;
	bool quota_refused;		/* the provider itself said: quota */

	/* quota */
	uint32_t quota;			/* 0: none */
	bool recipients;		/* what it counts */
	uint32_t slot[PACE_SLOTS];
	unsigned now_slot;
	int64_t slot_at_ms;		/* when it began */
	uint64_t used;			/* their sum */
	unsigned out_messages, out_recipients;	/* on their way */
	uint32_t left, next;		/* how many more may be taken as the file on disk has it, and the one being written */
	bool going;			/* something is to be sent in this life */
};

enum { PACE_REPORTS = -1 };	/* all that is left is on its way: a report will tell */

void pace_init(struct pace *p, int64_t now_ms);
void pace_configure(struct pace *p, const struct upstream *u, int64_t now_ms);	/* keeps what still applies */

/* How many connections to open now, with so many there, `opening' of them on their way, and work for `wanted' more. */
unsigned pace_lanes(const struct pace *p, bool is_up, unsigned lanes, unsigned opening, unsigned wanted);

/* When may the next message go?  0: now; PACE_REPORTS; else in so many ms. */
int64_t pace_wait_ms(struct pace *p, int64_t now_ms);
unsigned pace_room(struct pace *p, unsigned wanted, int64_t now_ms);	/* how many of them may go at once */
unsigned pace_most_recipients(struct pace *p, int64_t now_ms);	/* of the next transaction */

void pace_take(struct pace *p, unsigned nrcpt, int64_t now_ms);	/* a transaction goes */
/* It came back; `spent' of its recipients count.  Where the server was not even asked it costs nothing. */
void pace_settle(struct pace *p, unsigned nrcpt, unsigned spent, bool asked, int64_t now_ms);

enum pace_refusal { PACE_TOO_FAST, PACE_QUOTA };
/* The provider said so, at `lanes' connections: cuts, and returns until when to pause.  What comes during a pause is the
 * same trouble. */
int64_t pace_refuse(struct pace *p, enum pace_refusal r, unsigned lanes, int64_t now_ms);
void pace_no_more(struct pace *p, unsigned lanes, int64_t now_ms);	/* a further connection was refused */

void pace_resume(struct pace *p, int64_t now_ms);	/* the operator ends a pause for "too fast"; a quota stays used up */

/* Until when nothing may go, for a pause or for the quota; 0: it may. */
int64_t pace_paused_until_ms(struct pace *p, int64_t now_ms);
bool pace_is_used_up(struct pace *p, int64_t now_ms);	/* our own count says so */
bool pace_is_over_quota(struct pace *p, int64_t now_ms);	/* that, or the provider does */
int64_t pace_quota_left(struct pace *p, int64_t now_ms);	/* -1: no quota */

/*
 * The day's count across a restart.  What is saved runs ahead of what was counted, and no more than that is taken until a newer
 * one is on disk: a process that ends without another save has sent no more.  pace_is_unsaved: it is time to save; `late':
 * nothing may be taken before.  pace_saved: what pace_save gave last is on disk.
 */
bool pace_is_unsaved(const struct pace *p, bool late);
void pace_saved(struct pace *p);
void pace_save(struct pace *p, struct buf *out, bool final, int64_t now_ms);	/* final: nothing is sent after it */
bool pace_load(struct pace *p, struct str bytes, int64_t away_ms, int64_t now_ms) must_check;	/* false: nonsense; no change */

#endif
