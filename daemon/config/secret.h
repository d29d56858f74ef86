/* Secrets in files: where they are looked for, and who else could read them. */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include <sys/types.h>

#include "base/why.h"

/* The file that a name means: an absolute one itself; a plain one the credential that
 * systemd passed, if it did; else what is in `dir'.  Caller frees. */
char *secret_path(const char *name, const char *dir);

enum { SECRET_TOKEN_MAX = 8 * 1024 };	/* where it may be a token; a password: WORD_SECRET_MAX */

/* Reads a secret: the file less one newline at its end.  It may also belong to `user' (or NULL).  *why has no file name. */
int secret_read(char **out, const char *path, size_t max, const char *user, struct why *why) must_check;

/* Replaces a file of this process's own user by one with that secret, owner and mode kept. */
int secret_write(const char *path, const char *secret, struct why *why) must_check;

#endif
