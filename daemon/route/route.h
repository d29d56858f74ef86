/*
 * Which door of an upstream to knock at: pure logic, no sockets, time is handed in.
 * The room's one door.
 *
 * A candidate is a chain entry at an address.  `struct route' remembers what each is worth
 * and orders the next race; `struct gate' is the upstream as a whole: may work go to it now?
 * `struct pace' (pace.h, through this door) is how fast.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "route/pace.h"

enum { ROUTE_CANDIDATES_MAX = 64 };

struct candidate {
	char address[48];	/* literal */
	uint16_t port;
	enum tls_mode tls;
	unsigned rank;		/* place of its entry in the chain, 0 first */
};

enum door_state {
	DOOR_UNKNOWN,	/* never tried, or nothing learned */
	DOOR_UP,	/* the whole handshake worked */
	DOOR_BLOCKED,	/* this network does not let us through */
	DOOR_UNSAFE,	/* it answers, but TLS is missing, stripped or does not verify */
	DOOR_STATES
};
const char *door_state_name(enum door_state s);	/* as in status --json */

/* What one try at a candidate showed (PROTOCOL.md B.2, events before AUTH). */
enum heard {
	HEARD_UP,	/* EHLO over verified TLS (or as the entry asks) */
	HEARD_BLOCKED,	/* timeout, refused, unreachable, reset, no or foreign banner, closed */
	HEARD_UNSAFE,	/* TLS failed, STARTTLS missing or refused, certificate, injected bytes */
	HEARD_BUSY,	/* 4xx before TLS: next candidate once, nothing remembered */
	HEARD_LOCAL,	/* our own fault (descriptors, address): nothing remembered */
	HEARD_NOTHING,	/* given up without a verdict (we are stopping) */
	HEARDS
};

struct door {		/* one candidate and its memory */
	struct candidate at;
	enum door_state state;
	char reason[160];	/* in words; "" for up and unknown */
	int64_t since_wall_s;	/* of this state */
	int64_t recheck_at_ms;	/* 0: not planned */
};

struct route;

struct route *route_new(const struct upstream *u);
void route_free(struct route **r);
void route_configure(struct route *r, const struct upstream *u);	/* after a reload: keeps what still applies */

/* After a look-up: the addresses in the resolver's order.  Memory of addresses that went is dropped,
 * but an entry that was bad at all of them is not tried before others because its address is new.
 * True if that is worth saving: others than before, or the same after an hour. */
bool route_addresses(struct route *r, const char *const *address, unsigned n, int64_t wall_s);
/* Some that were found less than 24 h ago: they serve while DNS fails (B-001). */
bool route_has_addresses(const struct route *r, int64_t wall_s);

/*
 * The order of the next race: doors that are up in chain order, then unknown, then unsafe and
 * blocked ones (they too: a network changes), families interleaved within an entry.  A chain entry's
 * addresses stand together.  Returns how many were written.
 */
unsigned route_order(const struct route *r, struct candidate *out, unsigned max);

/* True if this changed the door's state (worth a log line). */
bool route_tell(struct route *r, const struct candidate *c, enum heard h, const char *reason,
    int64_t now_ms, int64_t wall_s);

/* The network changed: forget reasons, everything is unknown again. */
void route_forget(struct route *r);

/* A door before the best one that is up and whose recheck is due: probe it, and tell what was
 * heard, whatever it was (that plans the next). NULL: none. */
const struct door *route_recheck_due(const struct route *r, int64_t now_ms);
int64_t route_recheck_at_ms(const struct route *r);	/* 0: none planned */

const struct door *route_find(const struct route *r, unsigned n);	/* n-th in chain order, NULL at the end */
const struct door *route_find_candidate(const struct route *r, const struct candidate *c);

void route_save(const struct route *r, struct buf *out);		/* what to remember across restarts */
void route_load(struct route *r, struct str bytes, int64_t now_ms);	/* nonsense is ignored */

/* --- the upstream as a whole ---------------------------------------------- */

enum gate_state {	/* as in status --json */
	GATE_UNKNOWN,	/* not tried yet: open, carefully (one connection first) */
	GATE_UP,
	GATE_DOWN,	/* every candidate failed, or names do not resolve */
	GATE_AUTH_FAILED,
	GATE_PAUSED,	/* quota, or told "too fast" */
	GATE_STATES
};
const char *gate_state_name(enum gate_state s);

struct gate {
	enum gate_state state;
	char reason[200];
	int64_t since_wall_s;
	int64_t retry_at_ms;	/* when closed: the next try; 0 else */
	unsigned failures;	/* in a row, for the delays */
	bool worked;		/* the last that was known of it, but for pauses */
	int64_t not_before_ms;	/* the upstream's own wish, while it is down */
	unsigned early;		/* in thousandths, at most 100: so much earlier than its time a gate that is down is tried,
				 * lest all who use a provider come back together; the owner's to set */
};

enum gate_event {
	GATE_EV_OPENED,		/* a connection is up and logged in */
	GATE_EV_ALL_FAILED,	/* 30 s doubling to 5 min */
	GATE_EV_LOGIN_REFUSED,	/* 1 min doubling to 1 h */
	GATE_EV_BUSY,		/* 4xx to login or greeting inside TLS: 30 s doubling to 5 min, at least 5 min
				 * after a login was told "later" (B-021): that is for the caller's `until_ms' */
	GATE_EV_QUOTA,		/* until retry_at_ms, handed in as `until_ms' */
	GATE_EV_RESUME,		/* a pause has ended, and only a pause: open as it was before */
	GATE_EV_NETWORK,	/* the network changed: what was down is tried now, but not earlier than the upstream
				 * itself asked for; a refused login is not better for it */
	GATE_EV_RETRY,		/* a reload, or the operator's retry: try now, unless it is a pause */
	GATE_EVENTS
};

void gate_init(struct gate *g);
/*
 * True if the state changed.  A closed gate opens no earlier than `until_ms' (0: no wish).  What
 * connections report that were under way when it closed counts once, not once each.
 */
bool gate_tell(struct gate *g, enum gate_event ev, const char *reason, int64_t until_ms,
    int64_t now_ms, int64_t wall_s);
/* May a connection be opened now?  up, unknown; or closed and its time has come. */
bool gate_may_try(const struct gate *g, int64_t now_ms);
/* Should mail go elsewhere meanwhile? */
bool gate_is_closed(const struct gate *g);

#endif
