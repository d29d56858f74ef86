/*
 * What the running daemon may still do to files (Landlock): read what its user may, since a reload may name any file; write its
 * spool, the Maildirs of `capture' and where refresh tokens are kept; remove its sockets.  Execute nothing.
 */
#include "main/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/landlock.h"
#include "base/mem.h"

/* The n-th place that the daemon writes to; false: there are no more.  *what is its option; "" none is wanted. */
static bool
get_place(const struct config *c, unsigned n, const char **path, const char **what)
{
	const struct upstream *u;

	*what = "spool_dir";
	*path = c->spool_dir;
	if (n-- == 0)
		return true;
	if (n / 2 >= c->nupstream)
		return false;
	u = &c->upstream[n / 2];
	*what = n % 2 == 0 ? "capture" : "refresh_token_file";
	*path = n % 2 == 0 ? u->capture : u->oauth2.refresh_token_file;
	return true;
}

static char *
parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? mem_text(".") : mem_textn(path, slash > path ? (size_t)(slash - path) : 1);
}

/* What must be writable for it, by its real name: the nearest directory that is there.  A token's file is replaced, so that
 * is its directory. */
static char *
find_ground(const char *path, const char *what)
{
	char *at = strcmp(what, "refresh_token_file") == 0 ? parent(path) : mem_text(path), *up;

	while (strcmp(at, "/") != 0 && access(at, F_OK) < 0) {
		up = parent(at);
		free(at);
		at = up;
	}
	up = realpath(at, NULL);
	if (up == NULL)
		return at;		/* out of our reach anyway */
	free(at);
	return up;
}

static int
allow_writes(struct daemon *d, struct landlock *l, char *ground, struct why *why)
{
	d->writable.v = mem_resize(d->writable.v, d->writable.n + 1, sizeof *d->writable.v);
	d->writable.v[d->writable.n++] = ground;
	return landlock_allow(l, ground, LANDLOCK_WRITE, why);
}

static int
allow_all(struct daemon *d, struct landlock *l, struct why *why)
{
	const struct config *c = d->config;
	const char *sockets[] = { c->control_socket, c->submit_socket }, *path, *what;
	int result = landlock_allow(l, "/", LANDLOCK_READ, why);

	for (unsigned i = 0; result == 0 && i < 2; i++) {
		char *dir = parent(sockets[i]);

		result = landlock_allow(l, dir, LANDLOCK_REMOVE, why);
		free(dir);
	}
	if (result == 0 && d->options.state != NULL)	/* where everything is, what a reload brings too */
		result = allow_writes(d, l, find_ground(d->options.state, "state"), why);
	for (unsigned i = 0; result == 0 && get_place(c, i, &path, &what); i++)
		if (path[0] != '\0')
			result = allow_writes(d, l, find_ground(path, what), why);
	return result;
}

int
confine_enter(struct daemon *d, struct why *why)
{
	struct landlock l;
	int result = landlock_init(&l, why);

	if (result == 0)
		result = allow_all(d, &l, why);
	if (result == 0)
		result = landlock_enter(&l, why);
	landlock_clear(&l);
	d->landlock = result == 0 ? l.abi : 0;
	if (result == 0 && l.abi == 0)
		log_event(LOG_WARNING, "no_landlock", log_text("reason", "this kernel has no Landlock, or too old a one"),
		    log_text("advice", "a daemon that was taken over could write whatever its user may; Linux 5.19 or newer prevents that"));
	return result;
}

static bool
is_below(const char *path, const char *ground)
{
	size_t n = strlen(ground);

	return strcmp(ground, "/") == 0 || (strncmp(path, ground, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

int
confine_check(const struct daemon *d, const struct config *fresh, struct why *why)
{
	const char *path, *what;

	for (unsigned i = 0; d->landlock > 0 && get_place(fresh, i, &path, &what); i++) {
		char *ground = path[0] != '\0' ? find_ground(path, what) : NULL;
		bool allowed = ground == NULL;

		for (unsigned k = 0; k < d->writable.n && !allowed; k++)
			allowed = is_below(ground, d->writable.v[k]);
		free(ground);
		if (!allowed)
			return fail(why, "%s: %s %s is not among the places that the running daemon may write to: restart",
			    fresh->file, what, path);
	}
	return 0;
}

void
confine_clear(struct daemon *d)
{
	for (unsigned i = 0; i < d->writable.n; i++)
		free(d->writable.v[i]);
	free(d->writable.v);
	d->writable = (struct names){ 0 };
}
