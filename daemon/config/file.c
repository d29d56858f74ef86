/* Files that are read whole and bounded, or replaced whole; nothing here waits for a FIFO's writer. */
#include "config/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, ENTRY_MAX = 16 << 10, NAME_SHOWN = 64 };

/* --- what may not be read ---------------------------------------------------------- */

static atomic_bool is_daemon;

void
file_for_daemon(void)
{
	atomic_store(&is_daemon, true);
}

static void
name_user(char *out, uid_t uid)
{
	struct passwd entry, *found = NULL;
	char *room = mem_alloc(ENTRY_MAX);

	if (getpwuid_r(uid, &entry, room, ENTRY_MAX, &found) != 0 || found == NULL)
		snprintf(out, NAME_SHOWN, "%u", (unsigned)uid);
	else
		snprintf(out, NAME_SHOWN, "%s", found->pw_name);
	free(room);
}

static void
name_group(char *out, gid_t gid)
{
	struct group entry, *found = NULL;
	char *room = mem_alloc(ENTRY_MAX);

	if (getgrgid_r(gid, &entry, room, ENTRY_MAX, &found) != 0 || found == NULL)
		snprintf(out, NAME_SHOWN, "%u", (unsigned)gid);
	else
		snprintf(out, NAME_SHOWN, "%s", found->gr_name);
	free(room);
}

/* The first directory on the way to path that we may not enter, or path itself. */
static char *
find_barrier(const char *path)
{
	char *at = file_absolute(path);

	for (char *p = at + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		if (faccessat(AT_FDCWD, at, X_OK, AT_EACCESS) < 0)
			break;
	}
	return at;
}

static int
blame_barrier(const char *path, struct why *why)
{
	char me[NAME_SHOWN], mine[NAME_SHOWN], owner[NAME_SHOWN], group[NAME_SHOWN];
	char remedy[NAME_SHOWN + 32] = "ask who may (sudo), or name another file";
	char *at = find_barrier(path);
	struct stat st;

	name_user(me, geteuid());
	name_group(mine, getegid());
	if (stat(at, &st) < 0) {
		fail(why, "cannot be opened: user %s may not enter its directory",
		    me);
	} else {
		name_user(owner, st.st_uid);
		name_group(group, st.st_gid);
		if (atomic_load(&is_daemon))
			snprintf(remedy, sizeof remedy, "chgrp %s and chmod g+%s it", mine, S_ISDIR(st.st_mode) ? "x" : "r");
		fail(why, "user %s may not %s %s (%s:%s, mode %03o); %s", me,
		    S_ISDIR(st.st_mode) ? "enter" : "read",
		    S_ISDIR(st.st_mode) ? at : "it", owner, group,
		    (unsigned)st.st_mode & 07777, remedy);
	}
	free(at);
	return -1;
}

int
file_refused(const char *path, struct why *why)
{
	int error = errno;

	if (error == EACCES)
		blame_barrier(path, why);
	else
		fail(why, "cannot be opened: %s%s", strerror(error),
		    error == ENOENT || error == ENOTDIR ?
		    "; create it, or correct its name" : "");
	errno = error;
	return -1;
}

/* --- reading ------------------------------------------------------------------------- */

static int
slurp(struct buf *out, int fd, size_t max, struct why *why)
{
	size_t start = out->len;

	for (;;) {
		size_t left = max - (out->len - start);
		/* One octet more than may be there tells what is too long. */
		size_t ask = left < CHUNK ? left + 1 : CHUNK;
		ssize_t n = read(fd, buf_room(out, ask), ask);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(why, "cannot be read: %s", strerror(errno));
		if ((size_t)n > left) {
			errno = EFBIG;
			return fail(why, "longer than %zu octets; is it the "
			    "right file?", max);
		}
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
	}
}

int
file_read(struct buf *out, const char *path, size_t max, unsigned flags,
    struct stat *st, struct why *why)
{
	int fd, result, saved;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
	    (flags & FILE_NOFOLLOW ? O_NOFOLLOW : 0));
	if (fd < 0 && errno == ELOOP && flags & FILE_NOFOLLOW)
		return fail(why, "is a symbolic link; name the file itself");
	if (fd < 0)
		return file_refused(path, why);
	if (fstat(fd, st) < 0) {
		result = fail(why, "cannot be examined: %s", strerror(errno));
	} else if (!S_ISREG(st->st_mode)) {
		errno = EINVAL;
		result = fail(why, "is not a regular file; name one");
	} else
		result = slurp(out, fd, max, why);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

char *
file_absolute(const char *path)
{
	char *cwd, *whole;

	if (path[0] == '/')
		return mem_text(path);
	cwd = get_current_dir_name();
	whole = mem_printf("%s/%s", cwd != NULL ? cwd : "", path);
	free(cwd);
	return whole;
}

char *
file_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_text(".");
	return mem_textn(path, slash > path ? (size_t)(slash - path) : 1);
}

/* --- writing ----------------------------------------------------------------------- */

static int
write_whole(int fd, struct str text)
{
	size_t done = 0;

	while (done < text.n) {
		ssize_t n = write(fd, text.p + done, text.n - done);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

/* Owner and mode of the file before; a new one goes to its directory's group, so that
 * the daemon can read what root has written. */
static int
inherit(int fd, int dir, const struct stat *old)
{
	struct stat st, up;

	if (old->st_nlink > 0) {
		if (fstat(fd, &st) < 0 || fstat(dir, &up) < 0)
			return -1;
		/* Not asked in vain: systemd's filter may refuse it to the daemon.  In our own directory it may become ours, for what
		 * is there is in our hand: root may have made it. */
		if ((st.st_uid != old->st_uid || st.st_gid != old->st_gid) && fchown(fd, old->st_uid, old->st_gid) < 0 &&
		    (up.st_uid != geteuid() || (st.st_gid != old->st_gid && fchown(fd, (uid_t)-1, old->st_gid) < 0)))
			return -1;
		return fchmod(fd, old->st_mode & 07777);
	}
	if (fstat(dir, &st) == 0)
		(void)!fchown(fd, (uid_t)-1, st.st_gid);
	return fchmod(fd, 0640);
}

int
file_replace(const char *file, int dir, const struct stat *old,
    struct str text, struct why *why)
{
	char *temporary = mem_printf("%s.XXXXXX", file);
	int fd = mkostemp(temporary, O_CLOEXEC), result = 0;

	if (fd < 0) {
		result = fail(why, "%s: cannot be made: %s", temporary,
		    strerror(errno));
		free(temporary);
		return result;
	}
	if (inherit(fd, dir, old) < 0 || write_whole(fd, text) < 0 ||
	    fsync(fd) < 0 || rename(temporary, file) < 0 || fsync(dir) < 0) {
		result = fail(why, "%s: cannot be replaced: %s", file,
		    strerror(errno));
		unlink(temporary);
	}
	close(fd);
	free(temporary);
	return result;
}
