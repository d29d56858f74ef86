/*
 * What can go wrong between us and a candidate, what that says of its door (PROTOCOL.md B.2), and what an
 * experienced person would say about it.  A table; no sockets.
 */
#ifndef RELAY_ADVISE_H
#define RELAY_ADVISE_H

#include "route/route.h"
#include "smtp/caps.h"

enum trouble {
	TROUBLE_NONE,
	/* the network */
	TROUBLE_TCP_TIMEOUT, TROUBLE_REFUSED, TROUBLE_UNREACHABLE, TROUBLE_DENIED, TROUBLE_LOCAL,
	TROUBLE_RESET, TROUBLE_SILENT, TROUBLE_CLOSED,
	/* not a mail server, or not only one */
	TROUBLE_HTTP, TROUBLE_FOREIGN, TROUBLE_MASKED,
	/* what was said before TLS */
	TROUBLE_PLAIN_BUSY, TROUBLE_PLAIN_REFUSED, TROUBLE_PLAIN_EHLO, TROUBLE_NO_STARTTLS, TROUBLE_STARTTLS_REFUSED,
	TROUBLE_INJECTED,
	/* TLS */
	TROUBLE_TLS, TROUBLE_TLS_OLD, TROUBLE_TLS_PLAIN, TROUBLE_TLS_CUT, TROUBLE_TLS_BLOCKED, TROUBLE_NAME, TROUBLE_EXPIRED, TROUBLE_SELF_SIGNED, TROUBLE_UNTRUSTED,
	/* inside TLS, or as a `none' entry asks */
	TROUBLE_BUSY, TROUBLE_REFUSED_INSIDE, TROUBLE_EHLO_INSIDE, TROUBLE_NO_LOGIN, TROUBLE_NO_AUTH,
	TROUBLE_LOGIN_REFUSED, TROUBLE_LOGIN_BUSY, TROUBLE_LOGIN_ODD, TROUBLE_LOGIN_LOST, TROUBLE_NO_SECRET, TROUBLE_SECRET_REFUSED,
	TROUBLES
};

enum heard advise_heard(enum trouble t);

/* Nothing that is configured can log in there: which trouble that is, and in words. */
enum trouble advise_no_login(const struct caps *c);
const char *advise_words(enum trouble t);	/* of what advise_no_login returns */

/* A sentence or two, in at most `size' octets. */
void advise(char *out, size_t size, enum trouble t, const struct upstream *u, const struct candidate *c);

#endif
