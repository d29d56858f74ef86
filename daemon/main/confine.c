/*
 * What the running daemon may still do to files (Landlock): read what its user may, since a reload may name any file; write its
 * spool, the Maildirs of `capture' and where refresh tokens are kept; remove what is beside its sockets.  Execute nothing.
 */
#include "main/daemon.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* A Maildir that is there lies in nobody's ground but its own. */
static void
make_maildir(const char *path)
{
	char *up = parent(path);
	int dir;

	if (mkdir(path, 0700) == 0 && (dir = open(up, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0) {
		(void)!fsync(dir);
		close(dir);
	}
	free(up);
}

static void
add_ground(struct daemon *d, char *ground)
{
	d->writable.v = mem_resize(d->writable.v, d->writable.n + 1, sizeof *d->writable.v);
	d->writable.v[d->writable.n++] = ground;
}

/* What fails here fails again in confine_enter, and is told there. */
static bool
has_landlock(void)
{
	struct landlock l;
	bool has = landlock_init(&l, NULL) == 0 && l.abi > 0;

	landlock_clear(&l);
	return has;
}

void
confine_plan(struct daemon *d)
{
	const char *path, *what;

	if (!has_landlock())		/* modes are all there is */
		add_ground(d, mem_text("/"));
	for (unsigned i = 0; get_place(d->config, i, &path, &what); i++) {
		if (path[0] == '\0')
			continue;
		if (strcmp(what, "capture") == 0)
			make_maildir(path);
		add_ground(d, find_ground(path, what));
	}
}

static int
allow_all(struct daemon *d, struct landlock *l, struct why *why)
{
	const char *sockets[] = { d->config->control_socket, d->config->submit_socket };
	int result = landlock_allow(l, "/", LANDLOCK_READ, why);

	for (unsigned i = 0; result == 0 && i < 2; i++) {
		char *dir = parent(sockets[i]);

		result = landlock_allow(l, dir, LANDLOCK_REMOVE, why);
		free(dir);
	}
	for (unsigned i = 0; result == 0 && i < d->writable.n; i++)
		result = landlock_allow(l, d->writable.v[i], LANDLOCK_WRITE, why);
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

int
confine_check(const struct daemon *d, const struct config *fresh, struct why *why)
{
	const char *path, *what;

	for (unsigned i = 0; d->landlock > 0 && get_place(fresh, i, &path, &what); i++) {
		char *ground = path[0] != '\0' ? find_ground(path, what) : NULL;
		bool allowed = ground == NULL;

		for (unsigned k = 0; k < d->writable.n && !allowed; k++)
			allowed = landlock_is_below(ground, d->writable.v[k]);
		free(ground);
		if (!allowed)
			return fail(why, "%s: %s %s is not among the places that the running daemon may write to: restart",
			    fresh->file, what, path);
	}
	return errand_check(d->config, fresh, &d->writable, why);
}

void
confine_clear(struct daemon *d)
{
	for (unsigned i = 0; i < d->writable.n; i++)
		free(d->writable.v[i]);
	free(d->writable.v);
	d->writable = (struct names){ 0 };
}
