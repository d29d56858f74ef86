/*
 * Privileges: root only long enough to bind and to make our directories, then config.user for good, with no
 * way to gain any again, nor for others to look into what we have.
 */
#include "main/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/accept.h"
#include "spool/spool.h"

static int
find_user(const struct config *c, struct passwd *pw, char *buf, size_t size, struct why *why)
{
	struct passwd *found;

	if (getpwnam_r(c->user, pw, buf, size, &found) != 0 || found == NULL)
		return fail(why, "user %s does not exist; create it (systemd-sysusers, or `useradd --system %s'), "
		    "or set user = \"\" to stay root", c->user, c->user);
	return 0;
}

/* Does root have to become someone else? */
static bool
will_drop(const struct config *c)
{
	return geteuid() == 0 && c->user[0] != '\0';
}

int
sandbox_check(const struct config *c, struct why *why)
{
	char buf[4096];
	struct passwd pw;
	struct why reason;

	if (!will_drop(c) || find_user(c, &pw, buf, sizeof buf, &reason) == 0)
		return 0;
	return fail(why, "%s: user: %s", c->file, reason.text);
}

/* --- the spool's directory ---------------------------------------------------------- */

/* pw NULL: we stay who we are. */
static int
prepare_spool(const char *dir, const struct passwd *pw, struct why *why)
{
	struct stat st;
	int fd, result = 0;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return fail(why, "cannot make spool_dir %s: %s; make it, or correct spool_dir", dir, strerror(errno));
	if (spool_open_place(&fd, dir, pw != NULL ? pw->pw_uid : geteuid(), &st, why) < 0)
		return -1;
	if (pw != NULL && st.st_uid != pw->pw_uid && fchown(fd, pw->pw_uid, pw->pw_gid) < 0)
		result = fail(why, "cannot give %s to %s: %s", dir, pw->pw_name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

/* As its owner, which root of few capabilities is not. */
static int
close_spool(const char *dir, struct why *why)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), result = 0;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) != 0)
		result = fchmod(fd, 0700) == 0 ? 0 :
		    fail(why, "spool_dir %s: cannot be closed to others: %s; chmod 0700 it", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

/* --- the sockets -------------------------------------------------------------------------- */

/* As systemd's RuntimeDirectory= would: the user's, so that it can remove its socket, and open to those who connect.
 * One that is there stays as it is: it may be /run. */
static int
make_socket_directory(const char *socket, const struct passwd *pw, struct why *why)
{
	const char *slash = strrchr(socket, '/');
	char dir[PATH_MAX];
	int fd, result = 0;

	if (slash == NULL || slash == socket || (size_t)(slash - socket) >= sizeof dir)
		return 0;
	memcpy(dir, socket, (size_t)(slash - socket));
	dir[slash - socket] = '\0';
	if (mkdir(dir, 0700) < 0)
		return errno == EEXIST ? 0 : fail(why, "cannot make %s: %s; make it, or name another place for %s", dir,
		    strerror(errno), socket);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0755) < 0 || fchown(fd, pw->pw_uid, pw->pw_gid) < 0)
		result = fail(why, "cannot give %s to %s: %s", dir, pw->pw_name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

int
sandbox_prepare(const struct config *c, struct why *why)
{
	char buf[4096];
	struct passwd pw;

	if (!will_drop(c))
		return prepare_spool(c->spool_dir, NULL, why);
	if (find_user(c, &pw, buf, sizeof buf, why) < 0 || prepare_spool(c->spool_dir, &pw, why) < 0 ||
	    make_socket_directory(c->control_socket, &pw, why) < 0)
		return -1;
	return make_socket_directory(c->submit_socket, &pw, why);
}

/*
 * In a directory of config.user's, a socket is made as that user: root in a container may lack the capability to write to
 * what is another's, and no name there can lead root astray.
 */
int
sandbox_bind_unix(const struct config *c, const char *path, unsigned mode, struct why *why)
{
	const char *slash = strrchr(path, '/');
	char buf[4096], dir[PATH_MAX];
	struct passwd pw;
	struct stat st;
	gid_t group = getegid();
	int fd;

	snprintf(dir, sizeof dir, "%.*s", slash == NULL ? 0 : (int)(slash - path), path);
	if (!will_drop(c) || stat(dir, &st) < 0 || st.st_uid == 0 || find_user(c, &pw, buf, sizeof buf, why) < 0 ||
	    st.st_uid != pw.pw_uid)
		return accept_bind_unix(path, mode, why);
	if (setegid(pw.pw_gid) < 0 || seteuid(pw.pw_uid) < 0)
		return fail(why, "cannot become user %s: %s", c->user, strerror(errno));
	fd = accept_bind_unix(path, mode, why);
	if (seteuid(0) < 0 || setegid(group) < 0)
		bug("cannot be root again: %s", strerror(errno));
	return fd;
}

/* The operator's door: root and the group gatepost (CONTRACT.md 1).  Its directory is the user's, who must not get
 * root to give him anything but a socket. */
int
sandbox_give(const struct config *c, struct why *why)
{
	const char *path = c->control_socket;
	char buf[4096];
	struct passwd pw;
	struct stat st;
	int fd, result = 0;

	if (!will_drop(c))
		return 0;
	if (find_user(c, &pw, buf, sizeof buf, why) < 0)
		return -1;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		result = fail(why, "%s is not the socket that was made there; start again", path);
	else if (fchownat(fd, "", 0, pw.pw_gid, AT_EMPTY_PATH) < 0)
		result = fail(why, "cannot give %s to the group of %s: %s", path, c->user, strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

static int
drop(const struct config *c, struct why *why)
{
	char buf[4096];
	struct passwd pw;

	if (!will_drop(c))
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

/*
 * What systemd gave for the ports below 1024: they are open now.  Threads come later and have what we have; a filter of system calls
 * may refuse capset, then what is left is the right to bind such ports.
 */
static void
drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	if (geteuid() == 0)
		return;			/* user = "": asked to stay what we are */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	(void)syscall(SYS_capset, &header, none);
}

int
sandbox_enter(const struct config *c, struct why *why)
{
	if (drop(c, why) < 0 || close_spool(c->spool_dir, why) < 0)
		return -1;
	drop_capabilities();
	/* A change of the user may have made it dumpable again. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(why, "cannot give up privileges: %s", strerror(errno));
	return 0;
}
