/*
 * One at a time, and no stranger: whoever may open a file can lock it, and a directory can be opened by nearly all.  So the lock is
 * on a file of our own, which is there only as long as it is needed; one that was left behind is taken over.
 */
#include "config/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { PAUSE_MS = 20 };

/* -1: *error is EWOULDBLOCK where somebody has it, or had it until now and removed it; EEXIST where another user made it. */
static int
try(const char *name, int *error)
{
	int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	struct stat st;

	*error = errno;
	if (fd < 0) {
		if (*error == EACCES && faccessat(AT_FDCWD, name, F_OK, AT_EACCESS) == 0)
			*error = EEXIST;
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
		return fd;
	*error = EWOULDBLOCK;
	close(fd);
	return -1;
}

static int
refuse(const char *file, const char *name, int error, struct why *why)
{
	if (error == EWOULDBLOCK)
		return fail(why, "%s: another program changes it, and does not end: it has locked %s; find it with `fuser -v', end it, and try again",
		    file, name);
	if (error == EEXIST || error == ELOOP || error == EISDIR)
		return fail(why, "%s: another user changes it, or left %s behind: try again, or remove that", file, name);
	return fail(why, "%s: cannot be changed: %s: %s; create the directory, or become who may write to it (sudo)", file, name,
	    strerror(error));
}

int
hold_take(struct hold *h, const char *file, int64_t wait_ms, struct why *why)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	int64_t end = clock_now_ms() + wait_ms;
	int error = EWOULDBLOCK;

	h->name = mem_printf("%s.lock", file);
	while ((h->fd = try(h->name, &error)) < 0 && (error == EWOULDBLOCK || error == EEXIST) && clock_now_ms() < end)
		nanosleep(&pause, NULL);
	if (h->fd >= 0)
		return 0;
	refuse(file, h->name, error, why);
	free(h->name);
	return -1;
}

/* Removed while it is ours: who waits for it sees that, and makes another. */
void
hold_drop(struct hold *h)
{
	unlink(h->name);
	close(h->fd);
	free(h->name);
}
