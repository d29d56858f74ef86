/*
 * Who else could change, or read, a file that we believe in (C-30, C-32).  "Others" is everybody on the machine: a group was
 * chosen by who gave the file to it.
 */
#include "config/guard.h"

#include "base/mem.h"
#include "base/trail.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENTRY_MAX = 16 << 10, PATH_SHOWN = 120 };

const char *
guard_credentials(void)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	return dir != NULL && dir[0] == '/' ? dir : NULL;
}

static bool
is_credential(const char *path)
{
	const char *dir = guard_credentials();
	size_t n = dir != NULL ? strlen(dir) : 0;

	return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/' && strchr(path + n + 1, '/') == NULL;
}

bool
guard_is_private(const char *path, mode_t mode)
{
	return (mode & S_IRWXO) == 0 || is_credential(path);
}

/* Where names can be taken away and given anew: not in a directory like /tmp. */
static bool
is_open_to_all(const struct stat *dir)
{
	return (dir->st_mode & (S_IWOTH | S_ISVTX)) == S_IWOTH;
}

/*
 * A link in a directory like /tmp that is neither ours nor the directory owner's: whoever it belongs to put it there for us to follow.
 * The kernel does not, where it is told so (proc(5), protected_symlinks).
 */
static bool
is_strangers_link(const struct trail *t)
{
	return S_ISLNK(t->st.st_mode) && (t->up.st_mode & (S_IWOTH | S_ISVTX)) == (S_IWOTH | S_ISVTX) &&
	    t->st.st_uid != geteuid() && t->st.st_uid != t->up.st_uid;
}

/* Of a very long name the end says more, and the reason must fit. */
static const char *
shown(const struct buf *name)
{
	return name->len > PATH_SHOWN ? name->data + name->len - PATH_SHOWN : name->data;
}

/* The way to it, links included; by modes alone: whose the directories are is the administrator's affair. */
static int
check_way(const char *path, struct why *why)
{
	struct trail t;
	int result = 0;

	trail_init(&t, path);
	while (result == 0 && trail_next(&t) > 0) {
		if (is_open_to_all(&t.up))
			result = fail(why, "anybody can put another in its place; chmod o-w %s (mode %03o)", shown(&t.dir),
			    (unsigned)t.up.st_mode & 07777);
		else if (is_strangers_link(&t))
			result = fail(why, "the way to it is a symbolic link that user %u put where anybody may: %s; remove that, or "
			    "name the file itself", (unsigned)t.st.st_uid, shown(&t.real));
	}
	trail_clear(&t);
	return result;
}

int
guard_writers(const char *path, const struct stat *st, struct why *why)
{
	int result = 0;

	if (is_credential(path))
		return 0;
	if (st->st_mode & S_IWOTH)
		result = fail(why, "anybody can write it (mode %03o); chmod o-w it, after a look at what is in it",
		    (unsigned)st->st_mode & 0777);
	else
		result = check_way(path, why);
	if (result < 0)
		errno = EPERM;
	return result;
}

int
guard_readers(const char *path, const struct stat *st, struct why *why)
{
	if (guard_is_private(path, st->st_mode))
		return 0;
	errno = EPERM;
	return fail(why, "others can read it (mode %03o); chmod 640 or 600 it", (unsigned)st->st_mode & 0777);
}

static bool
is_named(uid_t uid, const char *user)
{
	struct passwd entry, *found = NULL;
	char *room = mem_alloc(ENTRY_MAX);
	bool same = getpwnam_r(user, &entry, room, ENTRY_MAX, &found) == 0 && found != NULL && found->pw_uid == uid;

	free(room);
	return same;
}

int
guard_owner(const char *path, const struct stat *st, const char *user, struct why *why)
{
	if (st->st_uid == 0 || st->st_uid == geteuid() || is_credential(path) ||
	    (user != NULL && user[0] != '\0' && is_named(st->st_uid, user)))
		return 0;
	errno = EPERM;
	return fail(why, "belongs to user %u, who is neither root nor the daemon's user; chown root it", (unsigned)st->st_uid);
}
