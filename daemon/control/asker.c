/*
 * Who is asking.  Groups are those of the peer's process (SO_PEERGROUPS), as a file's permissions would judge
 * them: no name service is asked on the queue's loop but for the login name of a stranger.
 */
#include "control/asker.h"

#include "base/mem.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GROUPS_MAX = 65536, ENTRY_MAX = 64 * 1024 };

gid_t
asker_group(void)
{
	char *room = mem_alloc(ENTRY_MAX);
	struct group entry, *found = NULL;
	gid_t gid = ASKER_NO_GROUP;

	if (getgrnam_r("gatepost", &entry, room, ENTRY_MAX, &found) == 0 && found != NULL)
		gid = found->gr_gid;
	free(room);
	return gid;
}

bool
asker_is_operator(uid_t uid, const gid_t *group, unsigned ngroup, uid_t own, gid_t operators)
{
	if (uid == 0 || uid == own)
		return true;
	if (operators == ASKER_NO_GROUP)
		return false;
	for (unsigned i = 0; i < ngroup; i++)
		if (group[i] == operators)
			return true;
	return false;
}

/* The primary group and the supplementary ones; caller frees. */
static gid_t *
peer_groups(int fd, gid_t primary, unsigned *n)
{
	socklen_t len = 0;
	gid_t *group;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE ||
	    len > GROUPS_MAX * sizeof *group)
		len = 0;
	group = mem_array(len / sizeof *group + 1, sizeof *group);
	group[0] = primary;
	if (len > 0 && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, group + 1, &len) < 0)
		len = 0;
	*n = (unsigned)(len / sizeof *group) + 1;
	return group;
}

static void
login_name(uid_t uid, char *out, size_t size)
{
	char *room = mem_alloc(ENTRY_MAX);
	struct passwd entry, *found = NULL;

	out[0] = '\0';
	if (getpwuid_r(uid, &entry, room, ENTRY_MAX, &found) == 0 && found != NULL &&
	    strlen(found->pw_name) < size)
		memcpy(out, found->pw_name, strlen(found->pw_name) + 1);
	free(room);
}

int
asker_identify(struct asker *a, int fd, gid_t operators, struct why *why)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	unsigned ngroup;
	gid_t *group;

	*a = (struct asker){ .uid = (uid_t)-1 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof peer)
		return fail(why, "cannot tell who is asking: %s", strerror(errno));
	group = peer_groups(fd, peer.gid, &ngroup);
	a->uid = peer.uid;
	a->is_operator = asker_is_operator(peer.uid, group, ngroup, geteuid(), operators);
	free(group);
	if (!a->is_operator)
		login_name(peer.uid, a->user, sizeof a->user);
	return 0;
}

bool
asker_may_see(const struct asker *a, const char *user)
{
	return a->is_operator || (a->user[0] != '\0' && user != NULL && strcmp(a->user, user) == 0);
}
