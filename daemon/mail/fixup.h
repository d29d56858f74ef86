/*
 * Reads a message's header as it streams by: notes what is there (Date, From,
 * Message-ID, Received), takes out Bcc, Resent-Bcc and Return-Path, and leaves every
 * other byte alone (A-155…A-166).  Input is what the dot automaton gives: CRLF lines,
 * unstuffed.  Never holds more than one field name back.
 */
#ifndef MAIL_FIXUP_H
#define MAIL_FIXUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct fixup {
	const char *hostname;	/* ours: counts our own Received fields; borrowed */
	unsigned received;	/* Received: fields seen */
	unsigned own;		/* of these, by us ("by HOSTNAME … id 13 characters") */
	bool has_date, has_from, has_message_id;
	bool has_8bit;		/* anywhere */
	bool has_8bit_header;	/* in the header section */
	uint64_t octets;	/* fed so far: what message_size counts */
	bool no_header;		/* what was passed on is not empty and begins with no
				 * header field: an empty line must part ours from it.
				 * Sure after fixup_end */
	struct buf from;	/* values of all From: and of all Sender: fields,
				 * unfolded, joined by ", ", cut behind 4 KB (which */
	struct buf sender;	/* fixup_addresses refuses): for allowed senders */
	/* private */
	unsigned state, field;
	bool dropping, kept;	/* kept: a field was passed on */
	bool loose;		/* behind a line that is no field, before an empty one */
	struct buf value;	/* of a Received: field */
	struct buf held;	/* start of the line that is not decided yet */
};

void fixup_init(struct fixup *f, const char *hostname);
void fixup_clear(struct fixup *f);
void fixup_feed(struct fixup *f, const char *p, size_t n, struct buf *out);
void fixup_end(struct fixup *f, struct buf *out);	/* what was held back */

/* Addr-specs in a From: or Sender: value (RFC 5322 3.4; comments, quoted strings,
 * groups understood).  Calls each(); false if it cannot be parsed. */
bool fixup_addresses(struct str value, void (*each)(void *, struct str addr), void *arg);

#endif
