/* The users as one listener thread knows them: the table, read again when the file changed. */
#ifndef LISTENER_LOGINS_H
#define LISTENER_LOGINS_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/str.h"
#include "config/config.h"

struct logins {
	struct users *users;		/* NULL: there are none */
	struct stat seen;		/* of the file that `users' was read from */
	bool is_known;			/* `seen' says something */
	bool failing;			/* the file could not be read; it was logged */
};

void logins_init(struct logins *a, struct users *users);
void logins_clear(struct logins *a);
void logins_replace(struct logins *a, struct users *users);	/* a reload; takes the reference */

/* Reads the file again if it is another.  -1: it cannot be read now. */
int logins_refresh(struct logins *a, const char *file);

#endif
