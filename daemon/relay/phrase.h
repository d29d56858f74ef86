/* MAIL and RCPT with the parameters that the message needs and the server offers (PROTOCOL.md B.5). */
#ifndef RELAY_PHRASE_H
#define RELAY_PHRASE_H

#include "memo/memo.h"
#include "relay/exchange.h"

struct phrase_mail {
	const struct caps *caps;
	uint64_t octets;
	bool bare;		/* without what can be left out */
	bool dsn, utf8;
};

/* -1: a control character in it; nothing was said.  *optional: it has parameters that `bare' leaves out. */
int phrase_mail(struct exchange *x, const struct job *j, const struct phrase_mail *m, bool *optional) must_check;
int phrase_rcpt(struct exchange *x, const struct recipient *r, bool dsn) must_check;

#endif
