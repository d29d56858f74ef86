/* Starts the program.  The tests' own process has threads, the provider's: that asks for care. */
#ifndef E2E_SPAWN_H
#define E2E_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

struct spawn {
	const char *const *argv;
	int in, out;			/* its standard input; its output, both channels */
	const int *pass;		/* sockets that it inherits from 3 on, as from systemd */
	unsigned npass;
};

/* Runs $GATEPOST, with $GATEPOST_PRELOAD preloaded beside what is; it is killed when the caller ends.  -1: errno. */
pid_t spawn(const struct spawn *p);
/* For whoever reads that a test failed: how it ended, or what it waits for. */
void spawn_state(pid_t pid, char *text, size_t size);

#endif
