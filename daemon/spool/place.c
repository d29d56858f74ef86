/* The directory that a spool is to be in, judged before anything is done to it. */
#include "spool/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nothing but a spool, or nothing: what we may make our own. */
static bool
is_for_a_spool(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	bool is_empty = true;
	unsigned of_a_spool = 0;
	const struct dirent *e;

	if (dir == NULL) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	while ((e = readdir(dir)) != NULL) {	/* NOLINT(concurrency-mt-unsafe): a DIR of its own */
		of_a_spool += strcmp(e->d_name, "blob") == 0 || strcmp(e->d_name, "log") == 0;
		is_empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "lost+found") == 0 ||
		    strcmp(e->d_name, "tls") == 0;	/* the CA may have been made before */
	}
	closedir(dir);
	return of_a_spool == 2 || is_empty;
}

/* fd -1: root of few capabilities may not look into what is another's. */
static int
judge(int fd, const char *dir, uid_t uid, const struct stat *st, struct why *why)
{
	if ((st->st_mode & 022) != 0)
		return fail(why, "spool_dir %s can be written by others (mode %03o): chmod 0700 it", dir,
		    (unsigned)st->st_mode & 07777);
	if (st->st_uid == uid && (fd < 0 || (st->st_mode & 077) == 0))
		return 0;
	if (fd < 0)
		return fail(why, "spool_dir %s belongs to user %u: chown it", dir, (unsigned)st->st_uid);
	return is_for_a_spool(fd) ? 0 : fail(why, "spool_dir %s is no spool, and other files are in it; name a directory that is "
	    "empty, or that can be made%s", dir, st->st_uid == uid ? ", or chmod 0700 it if it is to be the spool all the same" : "");
}

int
spool_open_place(int *fd, const char *dir, uid_t uid, struct stat *st, struct why *why)
{
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if ((*fd < 0 && errno != EACCES) || (*fd >= 0 ? fstat(*fd, st) : lstat(dir, st)) < 0)
		return fail(why, "spool_dir %s: %s", dir, strerror(errno));
	if (judge(*fd, dir, uid, st, why) == 0)
		return 0;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -1;
}

const char *
spool_find_stray(int fd)
{
	static const char *const dirs[] = { "blob", "log", "history" };
	struct stat st;

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		if (fstatat(fd, dirs[i], &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			return dirs[i];
	return NULL;
}
