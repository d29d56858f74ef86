/* Reading small files whole: configuration, users, secrets, aliases; and replacing them. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/why.h"

enum { FILE_NOFOLLOW = 1 };	/* a symbolic link is refused */

/*
 * Appends the whole of a regular file of at most `max' octets.  -1: *why is the reason
 * and the remedy, without the file's name, and errno is set.
 */
int file_read(struct buf *out, const char *path, size_t max, unsigned flags,
    struct stat *st, struct why *why) must_check;

/* This process is the daemon: what it may not read shall be given to its group.  Nobody else is told to. */
void file_for_daemon(void);

/* errno as a reason, without the file's name, but with what is missing and a remedy; -1, errno stays. */
int file_refused(const char *path, struct why *why);

/* The absolute name of a file, and of the directory that it is in; caller frees. */
char *file_absolute(const char *path);
char *file_dir(const char *path);

/*
 * The whole file under another name first: a reader sees the old one or the new one.  `dir' is open on its directory;
 * owner and mode are those of `old', or for a new file (st_nlink 0) 0640 and the directory's group.
 */
int file_replace(const char *file, int dir, const struct stat *old, struct str text, struct why *why) must_check;

#endif
