/*
 * The envelope: who sent, who gets it, what was asked for; and, once queued, how
 * far each recipient has come.  Owned by whoever holds the pointer; a job and a
 * memo carry it from thread to thread.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/outcome.h"

enum {	/* RFC 3461 4.1; 0 = not given */
	NOTIFY_NEVER = 1,
	NOTIFY_SUCCESS = 2,
	NOTIFY_FAILURE = 4,
	NOTIFY_DELAY = 8
};

enum ret { RET_NONE, RET_FULL, RET_HDRS };

/* A recipient's life, as the queue sees it. */
enum rcpt_state {
	RCPT_WAITING,	/* to be tried when its message is due */
	RCPT_OUT,	/* in a job now; on disk and after a restart: waiting */
	RCPT_SENT,	/* end: the provider's 2xx */
	RCPT_FAILED,	/* end: bounced, or to be silent about (null sender, NEVER) */
	RCPT_STATES
};

struct recipient {
	char *address;		/* as it goes into RCPT TO:<…> */
	char *orcpt;		/* "rfc822;…" in xtext as given, or NULL */
	uint32_t hash;		/* of the address: private */
	uint8_t notify;		/* NOTIFY_… */
	enum rcpt_state state;
	struct outcome last;	/* of the last attempt */
	unsigned attempts;	/* made so far; the queue's, not part of the encoding */
	bool reported;		/* a FAILED one: its sender has been told; the queue's */
};

struct envelope {
	char *sender;		/* "" is the null sender */
	char *user;		/* local user who submitted; "" for trusted peers */
	char *envid;		/* xtext as given, or NULL */
	enum ret ret;
	bool is_8bit;		/* BODY=8BITMIME, or 8-bit content was seen */
	bool is_utf8;		/* needs SMTPUTF8 on the way: address or header non-ASCII */
	bool is_bounce;		/* made by us */
	uint64_t size;		/* octets as they go on the wire, undotted, all of it */
	int64_t arrived_wall_s;
	struct recipient *rcpt;	/* array */
	unsigned nrcpt;
};

struct envelope *envelope_new(void);
void envelope_free(struct envelope **e);

/* Adds one (strings are copied, orcpt may be NULL); same address and same
 * parameters twice are one: then it returns false. */
bool envelope_add(struct envelope *e, const char *address, const char *orcpt, uint8_t notify);

/* What never changes (sender … arrived, recipients' addresses) to the spool's
 * message record and back; decode is for untrusted bytes, bounds everything, and
 * returns NULL if it is not an envelope.  Version byte first. */
void envelope_encode(struct buf *b, const struct envelope *e);
struct envelope *envelope_decode(struct str bytes);

/* The fixed start of an encoded envelope, enough to schedule it: the first 64 octets suffice. */
struct envelope_peek {
	unsigned nrcpt;
	uint64_t size;
	int64_t arrived_wall_s;
	bool is_8bit, is_utf8, is_bounce;
};
bool envelope_peek(struct str head, struct envelope_peek *out);

unsigned envelope_open(const struct envelope *e);	/* recipients WAITING or OUT */

#endif
