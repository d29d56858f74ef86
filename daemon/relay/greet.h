/*
 * One candidate's way from nothing to EHLO inside verified TLS (or as its entry asks): TCP, banner, EHLO, STARTTLS,
 * TLS, EHLO again.  Ends in a verdict on the door; never logs in, and nothing that was said before TLS outlives it.
 */
#ifndef RELAY_GREET_H
#define RELAY_GREET_H

#include "config/config.h"
#include "mail/outcome.h"
#include "relay/advise.h"
#include "relay/exchange.h"
#include "relay/relay.h"
#include "smtp/caps.h"

enum greet_state {
	GREET_CONNECTING, GREET_BANNER, GREET_EHLO, GREET_HELO, GREET_STARTTLS, GREET_TLS,
	GREET_DONE,	/* the exchange waits to be taken, or the verdict is a failure */
	GREET_STATES
};

struct greet;
/* `over': the verdict is there.  Else: one step further. */
typedef void (*greet_fn)(void *arg, struct greet *g, bool over);

struct greet {
	/* what it is given: borrowed, and must outlive it */
	const struct upstream *settings;
	const char *hostname;
	struct tls *tls;
	struct candidate candidate;
	/* the verdict */
	enum trouble trouble;		/* TROUBLE_NONE: up */
	char reason[160];
	struct outcome said;		/* inside TLS: the server's refusal */
	struct caps caps;		/* of the EHLO inside TLS */
	enum probe_stage stage;
	struct probe_step step[PROBE_DONE];	/* the way so far */
	unsigned nstep;
	int64_t step_at_ms;
	int64_t started_at_ms, took_ms;
	char tls_version[16];
	bool has_certificate;
	struct tls_certificate certificate;
	/* private */
	struct loop *loop;
	struct exchange *x;
	enum greet_state state;
	greet_fn fn;
	void *arg;
};

struct greet *greet_start(struct loop *l, const struct config *c, const struct upstream *u, struct tls *t,
    const struct candidate *at, greet_fn fn, void *arg);

void greet_hide(struct greet *g, struct veil *v);	/* before anything is heard: exchange_hide */

/* The verdict is "up": takes the connection.  NULL: it was lost meanwhile. */
struct exchange *greet_take(struct greet *g);

void greet_free(struct greet **g);	/* QUITs if it is up and was not taken; may be called from fn */

#endif
