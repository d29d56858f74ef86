/* Commands of a client, parsed (RFC 5321 4.1, 1870, 3461, 6152, 6531, 4954 5). */
#ifndef SMTP_VERB_H
#define SMTP_VERB_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/address.h"
#include "mail/envelope.h"

enum verb_id {
	VERB_UNKNOWN, VERB_HELO, VERB_EHLO, VERB_STARTTLS, VERB_AUTH, VERB_MAIL,
	VERB_RCPT, VERB_DATA, VERB_BDAT, VERB_RSET, VERB_NOOP, VERB_QUIT, VERB_VRFY,
	VERB_EXPN, VERB_HELP, VERB_OTHER_KNOWN /* ETRN, TURN, XCLIENT…: 502 */,
	VERB_FOREIGN /* GET, POST, CONNECT, SSH-…: close */, VERBS
};

/* Splits a command line: the verb, and its argument with white space trimmed at
 * the end. */
enum verb_id verb_parse(struct str line, struct str *args);

/* An error of grammar or parameter: the reply to give, ready to send. */
struct verb_error {
	int code;
	const char *status;	/* "5.5.4" */
	const char *text;
	bool is_path;		/* of the argument's grammar, not of a parameter behind it */
};

struct verb_mail {
	struct address sender;
	bool has_size, size_overflow;
	uint64_t size;
	bool is_8bit, utf8;
	enum ret ret;
	struct str envid;	/* xtext as given, empty: none */
};

struct verb_rcpt {
	struct address rcpt;
	uint8_t notify;
	struct str orcpt;	/* as given, empty: none */
};

/*
 * 0, or -1 with *e filled.  `esmtp' false (after HELO): parameters are refused with
 * 555.  `utf8' says whether SMTPUTF8 is offered (MAIL) or was asked for (RCPT).
 * Slices point into args.
 */
int verb_parse_mail(struct str args, bool esmtp, bool utf8, struct verb_mail *out,
    struct verb_error *e) must_check;
int verb_parse_rcpt(struct str args, bool esmtp, bool utf8, struct verb_rcpt *out,
    struct verb_error *e) must_check;

#endif
