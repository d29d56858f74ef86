/* Becomes the one to whom the place belongs that a file lies in. */
#include "command/owner.h"

#include "base/trail.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct owner {
	uid_t uid;
	gid_t gid;
};

/* The first who made a link of the way, root does not count; else whose the last directory is. */
static struct owner
find_owner(const char *path)
{
	struct owner o = { 0, 0 };
	struct trail t;

	trail_init(&t, path);
	while (trail_next(&t) > 0) {
		o = (struct owner){ t.up.st_uid, t.up.st_gid };
		if (S_ISLNK(t.st.st_mode) && t.st.st_uid != 0) {
			o = (struct owner){ t.st.st_uid, t.st.st_gid };
			break;
		}
	}
	trail_clear(&t);
	return o;
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

int
owner_become(const struct config *c, const char *file, struct why *why)
{
	struct owner o = { 0, 0 };

	if (geteuid() != 0)
		return 0;
	if (c->is_state_dir)
		o = find_owner(c->file);
	if (o.uid == 0)
		o = find_owner(file);
	if (o.uid == 0 || become(o) == 0)
		return 0;
	return fail(why, "%s: its place belongs to user %u, and we cannot become that user: %s; run this as that user, or chown the "
	    "directory", file, (unsigned)o.uid, strerror(errno));
}
