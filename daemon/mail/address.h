/*
 * Addresses of the envelope (RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3): parsed,
 * checked, and written again from what was parsed; client bytes never pass raw.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>

#include "base/str.h"
#include "base/why.h"

enum {
	ADDRESS_PATH_MAX = 512,		/* octets of a whole path; longer is refused */
	ADDRESS_LOCAL_MAX = 200,	/* RFC: 64; SRS and VERP need more */
	ADDRESS_DOMAIN_MAX = 255
};

/* What stands between < and >: slices of the input; quotes are kept as they came.
 * A source route (@a,@b:u@c) was cut off. */
struct address {
	struct str local;	/* with its quotes and backslashes */
	struct str domain;	/* empty: none was given; "[192.0.2.1]" for literals */
	bool is_null;		/* <> */
	bool is_utf8;		/* has a non-ASCII character (valid UTF-8) */
};

/*
 * Parses a path that starts with '<'.  On success *rest is what follows the '>'.
 * -1: not a path.  Iterative: nesting costs no stack (C-24).
 */
int address_parse_path(struct str in, struct address *out, struct str *rest) must_check;

/* The whole slice is local@domain or local, without brackets. */
int address_parse(struct str in, struct address *out) must_check;

/* "local@domain", or "local" where there is none; "" for <>.  Caller frees. */
char *address_print(const struct address *a);

/* As address_print with `host' for a missing domain (RFC 6409 4.2). */
char *address_qualify(const struct address *a, const char *host);

/* Of a printed address: what follows the last @ outside quotes; empty if none. */
struct str address_domain(struct str printed);
struct str address_local(struct str printed);

/* Equal as mail systems see it: domains without case, local parts with. */
bool address_eq(struct str a, struct str b);

bool address_is_domain(struct str s);	/* LDH labels, U-labels, or a literal; also used for EHLO */

#endif
