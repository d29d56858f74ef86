/*
 * What a server's reply to a step of a transaction means (PROTOCOL.md B-030…B-055): a pure function.
 */
#ifndef RELAY_JUDGE_H
#define RELAY_JUDGE_H

#include "config/config.h"
#include "mail/outcome.h"

enum judge_step { JUDGE_MAIL, JUDGE_RCPT, JUDGE_DATA, JUDGE_CONTENT };

struct judge_case {
	enum judge_step step;
	int code;
	const char *status;	/* "" : none */
	bool optional;		/* MAIL or RCPT carried parameters that can be left out */
	bool reused;		/* the connection has carried messages before */
	bool chunked;		/* CONTENT: the reply to BDAT */
	bool piped;		/* the command did not wait for the answer to the one before it */
	unsigned accepted;	/* recipients so far */
	const struct too_fast *too_fast;
	unsigned ntoo_fast;
};

enum judge_act {
	JUDGE_GO_ON,
	JUDGE_CLOSE,		/* this connection is of no more use */
	JUDGE_BARE,		/* the same again without optional parameters (B-031) */
	JUDGE_NO_BDAT,		/* CHUNKING is announced and not understood: close, and never again with this server */
	JUDGE_NO_DSN,		/* the same for NOTIFY and ORCPT; the connection goes on */
	JUDGE_STEPS,		/* the same for PIPELINING */
	JUDGE_ALONE,		/* the same for a message behind BDAT LAST: close */
	JUDGE_ACTS
};

struct judgement {
	enum outcome_kind kind;		/* SENT: the step is accepted */
	bool maybe;
	enum outcome_upstream upstream;
	enum judge_act act;
};

struct judgement judge(const struct judge_case *c);

/* "4.0.0" where the server gave none. */
const char *judge_status(int code, const char *status);

/* The one that counts for the whole job. */
enum outcome_upstream judge_worse(enum outcome_upstream a, enum outcome_upstream b);

#endif
