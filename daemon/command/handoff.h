/*
 * Handing a message to the daemon over its submit socket: SMTP with blocking calls, a peer that the kernel vouches
 * for, so no password.  Private to the room.
 */
#ifndef COMMAND_HANDOFF_H
#define COMMAND_HANDOFF_H

#include "base/str.h"
#include "base/why.h"
#include "smtp/reply.h"

struct handoff;

int handoff_reach(const char *socket, struct why *why) must_check;	/* connects, no more: a descriptor, or -1 */

/* Connects, and says EHLO.  -1: the daemon cannot be reached (or will not talk): why. */
int handoff_open(struct handoff **out, const char *socket, struct why *why) must_check;
void handoff_close(struct handoff **h);	/* QUIT where that is possible */

const char *handoff_host(const struct handoff *h);	/* the daemon's name for this machine */
uint64_t handoff_size_max(const struct handoff *h);	/* octets of a message; 0: it does not say */

/* What MAIL and RCPT ask for from now on, as far as the daemon offers it; the texts are borrowed. */
struct handoff_wishes {
	const char *notify, *ret, *envid;	/* RFC 3461, as they are sent; NULL: nothing */
	uint64_t octets;			/* of the message, 0: not known */
	bool utf8;				/* a recipient needs SMTPUTF8 */
};
void handoff_wish(struct handoff *h, const struct handoff_wishes *w);

/* One address each, without brackets; checked here, as they may come from anybody.  -1: why, with the daemon's reply;
 * handoff_code tells whether it was for good. */
int handoff_mail(struct handoff *h, const char *sender, bool has_8bit, struct why *why) must_check;
int handoff_rcpt(struct handoff *h, const char *recipient, struct why *why) must_check;

/* DATA, the content in pieces (CRLF lines), and its end. */
int handoff_data(struct handoff *h, struct why *why) must_check;
int handoff_put(struct handoff *h, struct str content, struct why *why) must_check;
int handoff_end(struct handoff *h, uint64_t *id, struct why *why) must_check;	/* queued as *id */

int handoff_code(const struct handoff *h);	/* of the last reply; 0: there was none */
const char *handoff_status(const struct handoff *h);	/* its enhanced code, or "" */

#endif
