/*
 * Logging in over an exchange that greet has made: one mechanism after the other (the second only if the first is
 * not understood), and never again on a refusal.  Secrets are wiped, and shown to no log.
 */
#ifndef RELAY_LOGIN_H
#define RELAY_LOGIN_H

#include "config/config.h"
#include "mail/outcome.h"
#include "relay/exchange.h"
#include "smtp/caps.h"

enum login_end {
	LOGIN_OK,
	LOGIN_REFUSED,	/* wrong credentials, or no mechanism is understood: the same on every port (B-019) */
	LOGIN_BUSY,	/* not decided: later (B-021, B-023, B-024) */
	LOGIN_ENDS
};

bool login_is_needed(const struct upstream *u);

/* Of the mechanisms offered, those that this upstream may use; 0: none in common (B-018). */
unsigned login_common(const struct upstream *u, unsigned offered);

struct login;
/* `said': the server's words, or ours; borrowed. */
typedef void (*login_fn)(void *arg, enum login_end end, const struct outcome *said);

/* The exchange, which hides the password (exchange_hide), and the password are borrowed until fn is called, or login_free; fn
 * never from inside the call.  `mechs': from login_common. */
struct login *login_start(struct exchange *x, const struct upstream *u, unsigned port, const char *password,
    unsigned mechs, login_fn fn, void *arg);
void login_free(struct login **l);	/* may be called from fn */

#endif
