/*
 * Privileges: root only long enough to bind and to make our directories, then config.user for good, with no
 * way to gain any again, and no core that could hold secrets.
 */
#include "main/daemon.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int
find_user(const struct config *c, struct passwd *pw, char *buf, size_t size, struct why *why)
{
	struct passwd *found;

	if (getpwnam_r(c->user, pw, buf, size, &found) != 0 || found == NULL)
		return fail(why, "user %s does not exist; create it (systemd-sysusers, or `useradd --system %s'), "
		    "or set user = \"\" to stay root", c->user, c->user);
	return 0;
}

static int
make_directory(const char *dir, struct why *why)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return fail(why, "cannot make the directory %s: %s", dir, strerror(errno));
	return 0;
}

static int
give_directory(const char *dir, const struct passwd *pw, struct why *why)
{
	struct stat st;

	if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail(why, "%s is not a directory", dir);
	if (st.st_uid != pw->pw_uid && lchown(dir, pw->pw_uid, pw->pw_gid) < 0)
		return fail(why, "cannot give %s to %s: %s", dir, pw->pw_name, strerror(errno));
	return 0;
}

int
sandbox_prepare(const struct config *c, struct why *why)
{
	char buf[4096];
	struct passwd pw;

	if (make_directory(c->spool_dir, why) < 0)
		return -1;
	if (geteuid() != 0 || c->user[0] == '\0')
		return 0;
	if (find_user(c, &pw, buf, sizeof buf, why) < 0)
		return -1;
	/* The operator's door: root and the group gatepost (CONTRACT.md 1). */
	if (lchown(c->control_socket, 0, pw.pw_gid) < 0)
		return fail(why, "cannot give %s to the group of %s: %s", c->control_socket, c->user, strerror(errno));
	return give_directory(c->spool_dir, &pw, why);
}

static int
drop(const struct config *c, struct why *why)
{
	char buf[4096];
	struct passwd pw;

	if (geteuid() != 0 || c->user[0] == '\0')
		return 0;
	if (find_user(c, &pw, buf, sizeof buf, why) < 0)
		return -1;
	if (initgroups(pw.pw_name, pw.pw_gid) < 0 || setresgid(pw.pw_gid, pw.pw_gid, pw.pw_gid) < 0 ||
	    setresuid(pw.pw_uid, pw.pw_uid, pw.pw_uid) < 0)
		return fail(why, "cannot become user %s: %s", c->user, strerror(errno));
	if (pw.pw_uid != 0 && setuid(0) == 0)
		return fail(why, "root could be regained after becoming %s; refusing to run", c->user);
	return 0;
}

int
sandbox_enter(const struct config *c, struct why *why)
{
	const struct rlimit no_core = { 0, 0 };

	if (drop(c, why) < 0)
		return -1;
	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(why, "cannot give up privileges: %s", strerror(errno));
	return 0;
}
