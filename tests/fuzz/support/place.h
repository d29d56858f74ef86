/* A directory of a target's own, in memory where that is to be had; it goes when the process ends. */
#ifndef FUZZ_PLACE_H
#define FUZZ_PLACE_H

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include "fuzz/support/fuzz.h"

static char place[64];

static inline int
place_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

static inline void
place_remove(void)
{
	nftw(place, place_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void
place_save(const char *name, struct str text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", place, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	hold(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	close(fd);
}

/* False: it is there already. */
static inline bool
place_make(void)
{
	if (place[0] != '\0')
		return false;
	snprintf(place, sizeof place, "%s/gatepost-fuzz.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	hold(mkdtemp(place) != NULL);
	atexit(place_remove);
	return true;
}

#endif
