/*
 * Commands that a reload brings, where the configuration lies in a place that the daemon itself may write: one that was taken
 * over could name a command of its own there, and have it run outside of its sandbox.  So there a reload brings none.
 */
#include "errand/errand.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/mem.h"
#include "errand/ledger.h"

/* Within the sandbox's bounds and the kernel's old ones; a directory too, for names in it can be given anew. */
static bool
may_write(const char *path, const struct names *writable)
{
	char *real = realpath(path, NULL);
	bool found = false;

	for (unsigned i = 0; real != NULL && !found && i < writable->n; i++)
		found = landlock_is_below(real, writable->v[i]);
	found = found && access(real, W_OK) == 0;
	free(real);
	return found;
}

/* The file, the directory that it is really in, or one on the way to it. */
static bool
is_exposed(const char *file, const struct names *writable)
{
	char *at = mem_text(file), *real = realpath(file, NULL), *slash = real != NULL ? strrchr(real, '/') : NULL;
	bool found = may_write(file, writable);

	for (char *p = at + 1; !found && (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		found = may_write(at, writable);
	}
	if (!found && slash != NULL && slash > real) {
		*slash = '\0';
		found = may_write(real, writable);
	}
	free(real);
	free(at);
	return found;
}

const char *
exposed_find(const struct config *c, const struct names *writable)
{
	for (unsigned i = 0; i < c->nconf; i++)
		if (is_exposed(c->files.v[i], writable))
			return c->files.v[i];
	return NULL;
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
		result = fail(why, "%s: the command of %s is new, and the daemon itself may write to this file or its directory: restart",
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
