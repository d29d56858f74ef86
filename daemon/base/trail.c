/*
 * Goes the way from a name to its file, step by step.  By names, not by descriptors: who could change one behind us may write to a
 * directory that was shown before.
 */
#include "base/trail.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static int
give_up(struct trail *t, int error)
{
	errno = t->error = error;
	return -1;
}

/* Where we stand is the root, which has no name here so that a slash and a name can follow. */
static void
to_root(struct trail *t)
{
	buf_cut(&t->real, 0);
	t->st = (struct stat){ 0 };
}

static void
up_one(struct trail *t)
{
	const char *slash = t->real.len > 0 ? strrchr(t->real.data, '/') : NULL;

	buf_cut(&t->real, slash != NULL ? (size_t)(slash - t->real.data) : 0);
}

static const char *
name_of(const struct buf *real)
{
	return real->len > 0 ? real->data : "/";
}

void
trail_init(struct trail *t, const char *path)
{
	char *cwd = NULL;

	*t = (struct trail){ 0 };
	if (path[0] == '\0')
		t->error = ENOENT;
	else if (strlen(path) >= PATH_MAX)
		t->error = ENAMETOOLONG;
	else if (path[0] != '/' && ((cwd = getcwd(NULL, 0)) == NULL || cwd[0] != '/'))
		t->error = ENOENT;	/* it was removed, or is not below our root */
	if (cwd != NULL)
		buf_printf(&t->rest, "%s/", cwd);
	if (t->error == 0)
		buf_puts(&t->rest, path);
	free(cwd);
}

void
trail_clear(struct trail *t)
{
	buf_clear(&t->dir);
	buf_clear(&t->real);
	buf_clear(&t->rest);
}

/* What it says stands before what is left of the name; each is shorter than PATH_MAX, and there are not many. */
static int
follow(struct trail *t)
{
	char target[PATH_MAX];
	ssize_t n;
	struct buf rest = { 0 };

	if (++t->links > TRAIL_LINKS)
		return give_up(t, ELOOP);
	n = readlink(t->real.data, target, sizeof target);
	if (n <= 0 || (size_t)n == sizeof target)
		return give_up(t, n < 0 ? errno : n == 0 ? ENOENT : ENAMETOOLONG);
	buf_put(&rest, target, (size_t)n);
	buf_putstr(&rest, buf_str(&t->rest));
	buf_clear(&t->rest);
	t->rest = rest;
	if (target[0] == '/') {
		to_root(t);
	} else {
		up_one(t);
		t->st = t->up;
	}
	return 0;
}

/* Cuts one name off the rest, and the slashes before it; empty: there is none. */
static struct str
next_name(struct trail *t, size_t *length)
{
	struct str rest = buf_str(&t->rest);
	size_t slashes = 0, n = 0;

	if (rest.n == 0)
		return STR("");
	while (slashes < rest.n && rest.p[slashes] == '/')
		slashes++;
	while (slashes + n < rest.n && rest.p[slashes + n] != '/')
		n++;
	*length = slashes + n;
	return (struct str){ rest.p + slashes, n };
}

static int
look_up(struct trail *t, struct str name)
{
	if (lstat(name_of(&t->real), &t->up) < 0)
		return give_up(t, errno);
	buf_cut(&t->dir, 0);
	buf_puts(&t->dir, name_of(&t->real));
	buf_putc(&t->real, '/');
	buf_putstr(&t->real, name);
	t->st = (struct stat){ 0 };
	if (lstat(t->real.data, &t->st) < 0)
		t->error = errno;
	return 1;
}

int
trail_next(struct trail *t)
{
	struct str name;
	size_t length;

	if (t->error != 0)
		return give_up(t, t->error);
	if (S_ISLNK(t->st.st_mode) && follow(t) < 0)
		return -1;
	for (;;) {
		int result = 0;

		if (t->rest.len > 0 && t->real.len > 0 && t->st.st_mode != 0 && !S_ISDIR(t->st.st_mode))
			return give_up(t, ENOTDIR);
		name = next_name(t, &length);
		if (name.n == 0) {
			buf_cut(&t->rest, 0);
			if (t->real.len == 0)
				buf_putc(&t->real, '/');
			return 0;
		}
		if (str_is(name, ".."))
			up_one(t);
		else if (!str_is(name, "."))
			result = look_up(t, name);
		buf_drop(&t->rest, length);
		if (result != 0)
			return result;
	}
}
