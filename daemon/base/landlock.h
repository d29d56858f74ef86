/*
 * Landlock (landlock(7)): what this process, and all that it starts later, may do to files from now on, whatever its user
 * may.  Where the kernel has none nothing happens.
 */
#ifndef BASE_LANDLOCK_H
#define BASE_LANDLOCK_H

#include <stdbool.h>

#include "base/why.h"

struct landlock {
	int abi;		/* of the kernel, as far as we know it; 0: there is no Landlock, or too old a one */
	int fd;
};

enum landlock_right {
	LANDLOCK_READ,
	LANDLOCK_WRITE,		/* read too; make and remove files and directories */
	LANDLOCK_REMOVE		/* files */
};

/* From landlock_enter on nothing is executed, no TCP port is bound to listen on (ABI 4), no other process gets a signal (6). */
int landlock_init(struct landlock *l, struct why *why) must_check;
/* Below path, or it alone if it is a file.  One that is not there, or out of our reach: nothing. */
int landlock_allow(struct landlock *l, const char *path, enum landlock_right right, struct why *why) must_check;
int landlock_enter(struct landlock *l, struct why *why) must_check;	/* for the calling thread and those it starts; needs no_new_privs */
bool landlock_is_below(const char *path, const char *ground);	/* both by their real names */
void landlock_clear(struct landlock *l);

#endif
