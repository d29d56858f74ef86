/* Who else could change, or read, what we believe in (C-30, C-32). */
#ifndef CONFIG_GUARD_H
#define CONFIG_GUARD_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/why.h"

const char *guard_credentials(void);		/* where systemd put the credentials that it passed; NULL: it passed none */
bool guard_is_private(const char *path, mode_t mode);	/* others cannot touch it, or it is a credential, which has systemd's mode */

/*
 * Each is 0, or -1 with the reason and the remedy (without the file's name) and errno EPERM.  `path' is as it was opened, `st'
 * what was opened.
 */
int guard_writers(const char *path, const struct stat *st, struct why *why) must_check;	/* anybody could write it, or lead us to another */
int guard_readers(const char *path, const struct stat *st, struct why *why) must_check;	/* others could read it */
/* It is a third one's: neither root's, nor ours, nor of the user of this name (may be NULL or ""). */
int guard_owner(const char *path, const struct stat *st, const char *user, struct why *why) must_check;

#endif
