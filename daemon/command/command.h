/* The subcommands of the program, and sendmail and mailq by name.  Each takes its own arguments (argv[0] is
 * its name) and returns an exit status (CONTRACT.md 1).  The room's one door. */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);	/* NULL: main's own (run) */
	const char *usage;	/* "[-c FILE] [--json]" */
	const char *help;	/* one sentence */
};

/* All of them, in the order of `gatepost help'; NULL name ends. */
extern const struct command commands[];

const struct command *command_find(const char *name);

/* One that has a `run': its exit status, a failure also where standard output did not take all. */
int command_run(const struct command *c, int argc, char **argv);

int command_help(int argc, char **argv);

/* The options of a command that has only those of all: -1 to go on, or the exit status (0 after --help, 64). */
int command_options(int argc, char **argv, const char **file, const char **state);

/* "gatepost: what: why" on standard error; returns status. */
int command_fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
