/*
 * The relays: threads that talk to providers.  They race for connections, speak SMTP as a client, and report
 * what happened; they decide nothing about when or where.  The room's one door.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "base/veil.h"
#include "memo/memo.h"

struct relay;	/* one thread's worth */

/* `hostname' for EHLO comes with each OPEN's config. */
struct relay *relay_new(struct loop *l, struct channel *queue, struct channel *main);
struct channel *relay_get_channel(struct relay *r);	/* OPEN, PROBE, JOB, CLOSE, DRAIN, STOP */
/* After its loop ended, while the queue's channel is still there: what is on its way, or waits to be, is reported as lost. */
void relay_free(struct relay **r);

/*
 * `gatepost probe': tries every candidate of an upstream at once, on a loop of its own; login on the first that works
 * only.  Used by command/probe_show.
 */
enum probe_stage { PROBE_NAME, PROBE_TCP, PROBE_BANNER, PROBE_STARTTLS, PROBE_TLS, PROBE_EHLO, PROBE_AUTH, PROBE_DONE };

struct probe_step {
	enum probe_stage stage;
	int64_t ms;			/* it took */
};

struct probe_result {
	struct candidate candidate;
	bool ok;
	enum probe_stage stage;		/* the last one reached */
	struct probe_step step[PROBE_DONE];	/* as they came; without ok the last one failed */
	unsigned nstep;
	enum heard heard;
	char reason[160], advice[320];
	int64_t ms;
	char tls_version[16];
	bool has_certificate;
	struct tls_certificate certificate;
	enum { PROBE_AUTH_NOT_TRIED, PROBE_AUTH_OK, PROBE_AUTH_REFUSED } auth;
};

/* What to log in with: NULL of both, where the upstream needs none.  Borrowed. */
struct probe_secret {
	const char *secret;
	const char *trouble;	/* why there is none; then no login is tried, and that candidate fails */
	bool refused;		/* by those who give it: the operator must do something */
	struct veil *veil;	/* what no result may show of what is said; NULL: nothing */
};

/* Fills at most `max'; returns how many, -1 if the name does not resolve (why). */
int relay_probe(const struct config *c, const struct upstream *u, const struct probe_secret *s, struct probe_result *out,
    unsigned max, struct why *why);

#endif
