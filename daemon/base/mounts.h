/*
 * What lies where in which file system (mountinfo, proc_pid_mountinfo(5)): a bind mount shows a directory under a second name, and
 * who may write to it by one of them changes what the other shows.
 */
#ifndef BASE_MOUNTS_H
#define BASE_MOUNTS_H

#include <stdint.h>

#include "base/buf.h"

struct mount {
	uint64_t id;
	char *fs;		/* "8:1" */
	char *root;		/* the directory of the file system that is shown … */
	char *point;		/* … here */
};

struct mounts {
	struct mount *v;
	unsigned n;
};

int mounts_read(struct mounts *m) must_check;			/* as they are for this process; -1: it cannot tell */
int mounts_parse(struct mounts *m, struct str text) must_check;
void mounts_clear(struct mounts *m);

/* The mount in which a real name lies; UINT64_MAX: unknown.  A test gives any. */
uint64_t mounts_id(const char *real);

/* Both by real names, path in the mount `id'.  May the file be reached below ground, by whatever name?  Unknown: true. */
bool mounts_reach(const struct mounts *m, const char *ground, uint64_t ground_id, const char *path, uint64_t id);

#endif
