/*
 * One daemon on a spool.  The directory itself is locked, because a file in it can be removed while
 * somebody holds it; the file `lock' is locked as well, for file systems that lock no directories, and holds
 * the process's number, for people.  Locks live as long as their descriptors: a killed daemon leaves none.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spool/disk.h"
#include "spool/state.h"

/* Who looks on only (spool check) has it shared, and leaves the number of a daemon that has ended. */
static int
refuse(struct spool *s, int fd, const char *dir, bool shared, struct why *why)
{
	int file = -1, error = errno;
	char text[24] = "";
	int64_t n;
	long pid;

	if (error != EWOULDBLOCK)
		return fail(why, "cannot lock %s: %s", dir, strerror(error));
	if (!shared && disk_lock(fd, true) == 0)
		return fail(why, "%s is being looked at by another process (gatepost spool?): wait until it has ended", dir);
	if ((file = disk_open(s->dir, "lock", O_RDONLY | O_NONBLOCK)) >= 0) {
		n = disk_read(file, text, sizeof text - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		disk_close(&file);
	}
	if ((pid = strtol(text, NULL, 10)) > 0)
		return fail(why, "%s is in use by process %ld", dir, pid);
	return fail(why, "%s is in use by another process", dir);
}

static int
lock_file(struct spool *s, const char *dir, bool shared, bool is_locked, struct why *why)
{
	char text[24];
	int n;

	s->lock = disk_open(s->dir, "lock", shared ? O_RDONLY | O_NONBLOCK : O_RDWR | O_CREAT | O_NONBLOCK);
	if (s->lock < 0 && errno == EINVAL && is_locked)
		return 0;		/* no file, and needless */
	if (s->lock < 0 && (!shared || errno == EINVAL))
		return fail(why, "cannot open %s/lock: %s", dir, strerror(errno));
	if (s->lock >= 0 && disk_lock(s->lock, shared) < 0)
		return refuse(s, s->lock, dir, shared, why);
	if (shared)
		return 0;
	n = snprintf(text, sizeof text, "%-20ld\n", (long)getpid());
	(void)!disk_write(s->lock, text, (size_t)n, 0);		/* not worth failing for */
	return 0;
}

int
lock_take(struct spool *s, const char *dir, bool shared, struct why *why)
{
	bool is_locked = disk_lock(s->dir, shared) == 0;

	if (!is_locked && errno == EWOULDBLOCK)
		return refuse(s, s->dir, dir, shared, why);
	return lock_file(s, dir, shared, is_locked, why);
}
