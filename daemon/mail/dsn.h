/* Builds delivery status notifications (RFC 3464, 3461 6; PROTOCOL.md A.9). */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "base/buf.h"
#include "mail/envelope.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED };

struct dsn_recipient {
	const struct recipient *rcpt;	/* address, orcpt, last outcome */
	struct peer peer;		/* who said it; host "" if nobody */
};

struct dsn {
	enum dsn_action action;
	const char *hostname;		/* Reporting-MTA */
	const char *to;			/* who is told; NULL: the envelope's sender */
	uint64_t id;			/* of the message that it is about */
	uint64_t own_id;		/* of the notification: Message-ID and boundary */
	const struct envelope *envelope;
	const struct dsn_recipient *rcpt;
	unsigned nrcpt;
	int64_t now_wall_s, expires_wall_s;	/* the latter for DELAYED: tried until */
	struct str original;		/* the message or its header, CRLF lines */
	bool headers_only;		/* text/rfc822-headers rather than message/rfc822 */
};

/* Appends the whole message: Received-less header (From: MAILER-DAEMON@hostname,
 * To: who is told, Auto-Submitted, MIME…), a text part in plain words, the
 * delivery-status part, and the original, of which only the header where a
 * line is longer than 998 octets.  CRLF lines only. */
void dsn_build(struct buf *out, const struct dsn *d);

/* Appends the words about one recipient: the address, and what was answered. */
void dsn_put_recipient(struct buf *out, enum dsn_action action, const struct dsn_recipient *r);

#endif
