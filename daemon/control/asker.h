/* Who is asking: a peer's uid and groups as the kernel knows them, and what they allow (CONTRACT.md 1). */
#ifndef CONTROL_ASKER_H
#define CONTROL_ASKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/why.h"

#define ASKER_NO_GROUP ((gid_t)-1)

struct asker {
	uid_t uid;
	bool is_operator;	/* may do everything */
	char user[256];		/* login name of those who may not; "": has none, owns nothing */
};

gid_t asker_group(void);	/* of the operators; ASKER_NO_GROUP if this machine has none */

/* From a connected unix socket. */
int asker_identify(struct asker *a, int fd, gid_t operators, struct why *why) must_check;

/* The decision alone: root, the daemon's own uid, and the group of operators. */
bool asker_is_operator(uid_t uid, const gid_t *group, unsigned ngroup, uid_t own, gid_t operators);

/* May this asker see a message that `user' submitted? */
bool asker_may_see(const struct asker *a, const char *user);

#endif
