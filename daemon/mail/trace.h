/* The fields that gatepost puts on top: Received (RFC 5321 4.4, 3848), and Date,
 * Message-ID, From where the message has none (RFC 6409 8). */
#ifndef MAIL_TRACE_H
#define MAIL_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct trace {
	const char *helo;	/* what the client said; checked, <= 255 */
	const char *address;	/* "127.0.0.1", "::1", or "" for the submit socket */
	const char *hostname;	/* ours */
	bool esmtp, tls, auth, utf8;
	const char *cipher;	/* "TLSv1.3 TLS_AES_…", NULL without TLS */
	char id[16];
	int64_t wall_s;
	bool add_date, add_message_id;
	const char *add_from;	/* an address, or NULL */
	struct str for_rcpt;	/* the one recipient, or empty: no "for" clause */
};

/* Appends CRLF lines, each under 998 octets, folded near 78. */
void trace_put(struct buf *b, const struct trace *t);

const char *trace_protocol(const struct trace *t);	/* "ESMTPSA", "UTF8SMTPS", … */

#endif
