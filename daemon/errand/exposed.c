/*
 * Commands that a reload brings, where the configuration lies in a place that the daemon itself may write: one that was taken
 * over could name a command of its own there, and have it run outside of its sandbox.  So there a reload brings none.
 */
#include "errand/errand.h"

#include <unistd.h>

#include "base/landlock.h"
#include "base/mounts.h"
#include "base/trail.h"
#include "errand/ledger.h"

/* Where the daemon may write, as far as its sandbox goes; and what else shows the same directories. */
struct bounds {
	const struct names *writable;
	struct mounts mounts;
	bool has_mounts;	/* false: any name may be another one of theirs */
};

/* By this name, or by another one that it has: of a bind mount, or a second one of the file. */
static bool
is_within(const char *real, const struct stat *st, const struct bounds *b)
{
	const struct names *w = b->writable;
	bool found = w->n > 0 && (!b->has_mounts || (S_ISREG(st->st_mode) && st->st_nlink > 1));
	uint64_t id = found ? 0 : mounts_id(real);

	for (unsigned i = 0; !found && i < w->n; i++)
		found = landlock_is_below(real, w->v[i]) || mounts_reach(&b->mounts, w->v[i], mounts_id(w->v[i]), real, id);
	return found;
}

/* Within the sandbox's bounds and the kernel's old ones.  What is its own it may, even if it had to change the mode before. */
static bool
may_write(const char *real, const struct stat *st, const struct bounds *b)
{
	return (st->st_uid == geteuid() || access(real, W_OK) == 0) && is_within(real, st, b);
}

/* May the daemon let the name that was looked up stand for something else?  In a directory like /tmp only what is its own. */
static bool
may_exchange(const struct trail *t, const struct bounds *b)
{
	uid_t uid = geteuid();
	bool is_kept = (t->up.st_mode & S_ISVTX) && uid != 0 && t->up.st_uid != uid && t->st.st_mode != 0 && t->st.st_uid != uid;

	return !is_kept && may_write(t->dir.data, &t->up, b);
}

/* The file, or a directory that is passed on the way to it, links included.  What cannot be found any more may be anything. */
static bool
is_exposed(const char *file, const struct bounds *b)
{
	struct trail t;
	bool found = false;
	int result = 0;

	trail_init(&t, file);
	while (!found && (result = trail_next(&t)) > 0)
		found = may_exchange(&t, b);
	found = found || result < 0 || may_write(t.real.data, &t.st, b);
	trail_clear(&t);
	return found;
}

const char *
exposed_find(const struct config *c, const struct names *writable)
{
	struct bounds b = { .writable = writable };
	const char *found = NULL;

	b.has_mounts = mounts_read(&b.mounts) == 0;
	for (unsigned i = 0; i < c->nconf && found == NULL; i++)
		if (is_exposed(c->files.v[i], &b))
			found = c->files.v[i];
	mounts_clear(&b.mounts);
	return found;
}

int
exposed_check(const struct ledger *now, const struct config *fresh, const struct names *writable, struct why *why)
{
	struct ledger next;
	const char *name, *file;
	int result = 0;

	ledger_init(&next, fresh);
	name = ledger_find_new(now, &next);
	file = name != NULL ? exposed_find(fresh, writable) : NULL;
	if (file != NULL)
		result = fail(why, "%s: the command of %s is new, and the daemon itself may write to this file, or to a directory on the way to it: restart",
		    file, name);
	ledger_clear(&next);
	return result;
}

int
errand_check(const struct config *now, const struct config *fresh, const struct names *writable, struct why *why)
{
	struct ledger old;
	int result;

	ledger_init(&old, now);
	result = exposed_check(&old, fresh, writable, why);
	ledger_clear(&old);
	return result;
}
