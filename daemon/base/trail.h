/*
 * The way on which the kernel gets from a file's name to the file (path_resolution(7)): name by name, each looked up in a directory,
 * and the names that symbolic links put in between.  Who may change one of these directories may lead us elsewhere.
 */
#ifndef BASE_TRAIL_H
#define BASE_TRAIL_H

#include <sys/stat.h>

#include "base/buf.h"

enum { TRAIL_LINKS = 40 };	/* as many as the kernel follows */

struct trail {
	/* The step that was made: */
	struct buf dir;		/* where a name was looked up, by its real name: absolute, and without links */
	struct stat up;		/* that directory */
	struct buf real;	/* the directory's name and the one that was looked up; at the end that of the file */
	struct stat st;		/* what it names; S_ISLNK: the next step is from where that leads.  st_mode 0: nothing that we can see, and the next says why */

	struct buf rest;	/* of the name, still to be gone */
	unsigned links;
	int error;
};

/*
 * trail_next: 1: a step was made; 0: the end is reached; -1: there is no way, and errno is what open(2) would say.  A relative
 * name begins at the root as well, with the names of the working directory.  `.' and `..' are no steps: nobody can exchange them.
 */
void trail_init(struct trail *t, const char *path);
int trail_next(struct trail *t);
void trail_clear(struct trail *t);

#endif
