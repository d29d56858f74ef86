/*
 * What became of one attempt for one recipient: the only thing that the queue,
 * DSNs and logs are built from (PROTOCOL.md E.4, 7).
 */
#ifndef MAIL_OUTCOME_H
#define MAIL_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum outcome_kind {
	OUTCOME_NONE,	/* nothing was tried for it */
	OUTCOME_SENT,	/* the provider's 2xx: its responsibility now */
	OUTCOME_DEFER,	/* later, by the message's schedule */
	OUTCOME_REFUSE,	/* for good: bounce */
	OUTCOME_AGAIN,	/* not tried through no fault of its own (B-042 surplus, lost
			 * before the end of data): at once, no attempt is counted */
	OUTCOMES
};

/* What the attempt says of the upstream, one for a whole job. */
enum outcome_upstream {
	UPSTREAM_FINE,
	UPSTREAM_TOO_FAST,	/* pace it down (421/45x, too_fast) */
	UPSTREAM_BUSY,		/* upstream timer */
	UPSTREAM_LOGIN,		/* credentials refused: pause, no other port */
	UPSTREAM_LOST,		/* the connection died; open another */
	UPSTREAM_VERDICTS
};

enum tls_mode { TLS_NONE, TLS_STARTTLS, TLS_IMPLICIT };	/* as chain entries name them */

/* The other end, for logs and DSNs. */
struct peer {
	char upstream[48];
	char host[256];
	char address[48];	/* without port; "" before any connection */
	uint16_t port;
	enum tls_mode tls;
};

struct outcome {
	enum outcome_kind kind;
	bool maybe;		/* it may have been delivered all the same (B-055) */
	short code;		/* 0: no server said anything */
	char status[12];	/* enhanced, "4.4.1"; never empty but for OUTCOME_NONE */
	char *text;		/* the server's words, made safe, at most 2 KB, or ours;
				 * owned; NULL for none */
};

void outcome_clear(struct outcome *o);
void outcome_set(struct outcome *o, enum outcome_kind kind, int code,
    const char *status, struct str text);	/* text is copied and made safe */
void outcome_copy(struct outcome *to, const struct outcome *from);
const char *tls_mode_name(enum tls_mode m);		/* "none", "starttls", "implicit" */

/* For the spool: binary, length-prefixed. */
void outcome_encode(struct buf *b, const struct outcome *o);
int outcome_decode(struct cursor *c, struct outcome *o) must_check;

#endif
