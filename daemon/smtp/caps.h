/* What a server's EHLO offers (B-109). */
#ifndef SMTP_CAPS_H
#define SMTP_CAPS_H

#include "smtp/reply.h"

enum {	/* SASL mechanisms, as bits */
	MECH_PLAIN = 1, MECH_LOGIN = 2, MECH_CRAM_MD5 = 4, MECH_XOAUTH2 = 8,
	MECH_OAUTHBEARER = 16
};

struct caps {
	bool esmtp;		/* EHLO, not HELO */
	bool starttls, pipelining, chunking, eightbit, utf8, dsn, enhanced;
	bool auth;		/* with whatever mechanisms */
	bool size_given;
	uint64_t size;		/* 0: no limit */
	unsigned mechs;		/* MECH_… */
	unsigned rcpt_max;	/* LIMITS RCPTMAX, 0: not said */
	unsigned mail_max;	/* LIMITS MAILMAX */
};

void caps_parse(struct caps *c, const struct reply *ehlo);	/* resets first (B-110);
								 * after HELO: zeros */

#endif
