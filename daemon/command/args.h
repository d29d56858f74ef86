/* The command line of a subcommand, and what follows from -c, --state and --socket.  Private to the room. */
#ifndef COMMAND_ARGS_H
#define COMMAND_ARGS_H

#include <stdbool.h>

#include "base/why.h"
#include "config/config.h"

enum {	/* exit status (CONTRACT.md 1) */
	ARGS_OK = 0,
	ARGS_FAILED = 1,
	ARGS_USAGE = 64,
	ARGS_UNREACHABLE = 75,
	ARGS_CONFIG = 78
};

enum { ARGS_GO_ON = -1 };

struct args_option {
	const char *name;	/* "--json"; NULL ends the table */
	bool *flag;		/* set by its presence, or: */
	const char **value;	/* its argument */
};

struct args {
	const char *command;
	const char *file, *state, *socket;	/* -c, --state, --socket; NULL: not given */
	char **name;		/* what is not an option; in argv, which is put in order for it */
	int n;
};

/*
 * Options may stand anywhere; "--" ends them.  -c, --state, --socket and --help are known to all; `own' (may be NULL)
 * adds the command's.  ARGS_GO_ON, or the exit status: 0 after --help, 64.
 */
int args_parse(struct args *a, int argc, char **argv, const struct args_option *own) must_check;

/* Exactly so many names: ARGS_GO_ON, or 64 after a complaint. */
int args_need(const struct args *a, int least, int most) must_check;

/* Loads the configuration: 0, or 78 after a complaint.  `secrets': passwords, and upstreams must be there. */
int args_config(const struct args *a, bool secrets, struct config **out) must_check;

/*
 * The daemon's sockets: by --socket, by the configuration, or, where its default file is missing or not for us to
 * read, the built-in ones.  0, or 78 after a complaint; the caller frees.
 */
int args_control_socket(const struct args *a, char **out) must_check;
int args_submit_socket(const struct args *a, char **out) must_check;

#endif
