/* One command: split at blanks, started without a shell. */
#ifndef ERRAND_LAUNCH_H
#define ERRAND_LAUNCH_H

#include <sys/types.h>

#include "base/str.h"

enum { LAUNCH_WORDS_MAX = 64 };

extern const char launch_path[];	/* where a name without a slash is looked for, and the command's PATH */

struct launch {
	pid_t pid;		/* also of its process group */
	int end;		/* readable when it has ended; not waited for yet */
	int out, err;		/* its output and errors, to be read without blocking */
};

/* 0, or errno: nothing was started.  What the system says against the program itself comes on its standard error, with
 * status 127. */
int launch_start(struct launch *l, const char *command, struct str input);

#endif
