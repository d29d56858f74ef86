/* The users table of a thread. */
#include "listener/logins.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "listener/helper.h"

void
logins_init(struct logins *a, struct users *users)
{
	*a = (struct logins){ 0 };
	a->users = users != NULL ? users_ref(users) : NULL;
	helper_learn(users);
}

void
logins_clear(struct logins *a)
{
	users_unref(&a->users);
}

void
logins_replace(struct logins *a, struct users *users)
{
	users_unref(&a->users);
	a->users = users;
	a->is_known = false;
	helper_learn(users);
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int
lost(struct logins *a, const char *file, const char *reason)
{
	if (!a->failing)
		log_event(LOG_ERROR, "users_unreadable", log_text("file", file),
		    log_text("reason", reason),
		    log_text("advice", "logins are answered 454 until it can be read"));
	a->failing = true;
	a->is_known = false;
	return -1;
}

int
logins_refresh(struct logins *a, const char *file)
{
	struct users *users = NULL;
	struct stat now;
	struct why why;

	if (stat(file, &now) < 0) {
		/* Never there: no users.  Gone: we cannot know who may log in. */
		if (errno == ENOENT && a->users == NULL)
			return 0;
		return lost(a, file, strerror(errno));
	}
	if (a->is_known && is_same_file(&now, &a->seen))
		return 0;
	if (users_load(&users, file, &why) < 0)
		return lost(a, file, why.text);
	logins_replace(a, users);
	a->seen = now;
	a->is_known = true;
	a->failing = false;
	return 0;
}
