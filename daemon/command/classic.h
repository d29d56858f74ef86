/* The command line of sendmail, as four decades of programs write it.  Private to the room. */
#ifndef COMMAND_CLASSIC_H
#define COMMAND_CLASSIC_H

#include <stdbool.h>

#include "base/buf.h"

enum classic_mode {
	CLASSIC_MAIL,
	CLASSIC_SMTP,		/* -bs */
	CLASSIC_QUEUE,		/* -bp */
	CLASSIC_FLUSH,		/* -q */
	CLASSIC_NOTHING		/* -bi: our aliases need no building */
};

struct classic {
	enum classic_mode mode;
	bool extract;		/* -t */
	bool dot_ends;		/* no -i */
	const char *config;	/* -C; NULL: the default */
	const char *sender;	/* -f; NULL: who runs it */
	const char *name;	/* -F; NULL: not given */
	const char *notify, *ret;	/* -N, -R as SMTP has them; NULL: not given */
	struct buf envid;	/* -V, in xtext */
	char **rcpt;
	int nrcpt;
};

/* ARGS_GO_ON, or 64 after a complaint.  Clear it either way. */
int classic_parse(struct classic *c, int argc, char **argv);
void classic_clear(struct classic *c);

#endif
