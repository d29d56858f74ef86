/* Goes to a file's directory, and becomes the one to whom the place belongs. */
#include "command/owner.h"

#include "base/mem.h"
#include "base/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct owner {
	uid_t uid;
	gid_t gid;
};

/* Where a name leads.  dir and name are the caller's: NULL where there is no such directory, and errno says why. */
struct way {
	char *dir, *name;
	struct owner owner;	/* who made the first link of it that is not root's; else whose the directory is */
};

static struct way
find_way(const char *path)
{
	struct way w = { 0 };
	bool by_link = false, is_last = false;
	struct trail t;
	int error;

	trail_init(&t, path);
	while (trail_next(&t) > 0) {
		bool is_link = S_ISLNK(t.st.st_mode);

		if (!by_link)
			w.owner = is_link && t.st.st_uid != 0 ? (struct owner){ t.st.st_uid, t.st.st_gid } :
			    (struct owner){ t.up.st_uid, t.up.st_gid };
		by_link = by_link || (is_link && t.st.st_uid != 0);
		is_last = strspn(t.rest.len > 0 ? t.rest.data : "", "/") == t.rest.len;
	}
	error = t.error;
	if (error == 0 || (error == ENOENT && is_last)) {	/* the file itself may be missing */
		w.dir = mem_text(t.dir.data);
		w.name = mem_text(strrchr(t.real.data, '/') + 1);
	}
	trail_clear(&t);
	errno = error;
	return w;
}

/* No link is followed: the name has none, unless somebody puts one there now. */
static int
open_dir(const char *path)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && *(path += strspn(path, "/")) != '\0') {
		size_t n = strcspn(path, "/");
		char *name = mem_textn(path, n);
		int next = openat(fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		free(name);
		close(fd);
		fd = next;
		path += n;
	}
	return fd;
}

static int
become(struct owner o)
{
	const struct passwd *p = getpwuid(o.uid);
	gid_t gid = p != NULL ? p->pw_gid : o.gid;

	if ((p != NULL ? initgroups(p->pw_name, gid) : setgroups(0, NULL)) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(o.uid, o.uid, o.uid) < 0)
		return -1;
	/* We may have a password, and that one could look into us. */
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* Who it is that root must be instead; uid 0: nobody. */
static struct owner
find_owner(const struct config *c, const struct way *w, int dir)
{
	struct way of_config;
	struct stat st;

	if (c->is_state_dir) {
		of_config = find_way(c->file);
		free(of_config.dir);
		free(of_config.name);
		if (of_config.owner.uid != 0)
			return of_config.owner;
		if (c->owner != 0)
			return (struct owner){ c->owner, c->owner };
	}
	if (w->owner.uid != 0)
		return w->owner;
	/* It may be another one by now. */
	return fstat(dir, &st) == 0 ? (struct owner){ st.st_uid, st.st_gid } : w->owner;
}

static int
enter(const struct config *c, const char *file, const struct way *w, struct why *why)
{
	int dir = open_dir(w->dir), result = 0;
	struct owner o;

	if (dir < 0)
		return fail(why, "%s: %s: %s; was it moved just now? try again", file, w->dir, strerror(errno));
	o = geteuid() == 0 ? find_owner(c, w, dir) : (struct owner){ 0, 0 };
	if (o.uid != 0 && become(o) < 0)
		result = fail(why, "%s: its place belongs to user %u, and we cannot become that user: %s; run this as that user, or chown "
		    "the directory", file, (unsigned)o.uid, strerror(errno));
	else if (fchdir(dir) < 0)
		result = fail(why, "%s: %s: %s; only who may enter that directory can change it", file, w->dir, strerror(errno));
	close(dir);
	return result;
}

int
owner_enter(const struct config *c, const char *file, char **name, struct why *why)
{
	struct way w = find_way(file);
	int result;

	if (w.dir == NULL)
		return fail(why, "%s: %s; create its directory, or correct users_file", file, strerror(errno));
	result = enter(c, file, &w, why);
	free(w.dir);
	if (result == 0)
		*name = w.name;
	else
		free(w.name);
	return result;
}
