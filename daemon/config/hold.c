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

/* -1: errno is EWOULDBLOCK where somebody else has it, or had it until now and removed it, or EACCES where he is another user. */
static int
try(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600), error;
	struct stat st = { 0 };

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
		return fd;
	error = st.st_ino != 0 ? EWOULDBLOCK : errno;
	close(fd);
	errno = error;
	return -1;
}

static int
refuse(const char *name, struct why *why)
{
	if (errno == EWOULDBLOCK)
		return fail(why, "%s: another program has it locked, and does not end; see which one with `fuser -v', end it, and try again", name);
	if (errno == EACCES && access(name, F_OK) == 0)
		return fail(why, "%s: belongs to another user, who is changing the file, or left this behind; try again, or remove it", name);
	return fail(why, "%s: cannot be made: %s; create the directory, or become who may write to it", name, strerror(errno));
}

int
hold_take(struct hold *h, const char *file, int64_t wait_ms, struct why *why)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	int64_t end = clock_now_ms() + wait_ms;
	int result = 0;

	h->name = mem_printf("%s.lock", file);
	while ((h->fd = try(h->name)) < 0 && result == 0) {
		if ((errno == EWOULDBLOCK || (errno == EACCES && access(h->name, F_OK) == 0)) && clock_now_ms() < end)
			nanosleep(&pause, NULL);
		else
			result = refuse(h->name, why);
	}
	if (h->fd < 0)
		free(h->name);
	return result;
}

/* Removed while it is ours: who waits for it sees that, and makes another. */
void
hold_drop(struct hold *h)
{
	unlink(h->name);
	close(h->fd);
	free(h->name);
}
