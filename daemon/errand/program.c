/* Which program a command of the configuration would start: looked for as launch.c looks, and not started. */
#include "errand/errand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "errand/launch.h"

static int
count_words(struct str s, struct str *first)
{
	int n = 0;

	for (size_t i = 0; i < s.n; ) {
		size_t from = i;

		while (i < s.n && s.p[i] != ' ' && s.p[i] != '\t')
			i++;
		if (i > from && n++ == 0)
			*first = (struct str){ s.p + from, i - from };
		while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
			i++;
	}
	return n;
}

/* 0: *out is it.  Else errno; EACCES: there is something. */
static int
look_at(char *path, bool (*may_run)(void *arg, const struct stat *st), void *arg, char **out)
{
	struct stat st;
	int error = 0;

	if (stat(path, &st) < 0)
		error = errno;
	else if (!S_ISREG(st.st_mode) || !may_run(arg, &st))
		error = EACCES;
	if (error == 0)
		*out = path;
	else
		free(path);
	return error;
}

static int
find_by_name(struct str name, bool (*may_run)(void *arg, const struct stat *st), void *arg, char **out, struct why *why)
{
	const char *at = launch_path;
	bool is_there = false;

	for (;;) {
		size_t n = strcspn(at, ":");
		int error = look_at(mem_printf("%.*s/%.*s", (int)n, at, (int)name.n, name.p), may_run, arg, out);

		if (error == 0)
			return 0;
		is_there |= error == EACCES;
		if (at[n] == '\0')
			break;
		at += n + 1;
	}
	return fail(why, "%.*s is %s %s; install it, or give its whole path", (int)name.n, name.p,
	    is_there ? "no program that the daemon's user may run in" : "not in any of", launch_path);
}

int
program_find(const char *command, bool (*may_run)(void *arg, const struct stat *st), void *arg, char **out, struct why *why)
{
	struct str name = { NULL, 0 };
	int n = count_words(str_of(command), &name), error;

	*out = NULL;
	if (n == 0)
		return fail(why, "it is empty; name a program");
	if (n > LAUNCH_WORDS_MAX)
		return fail(why, "it has %d words, at most %d are possible; call a script", n, LAUNCH_WORDS_MAX);
	if (memchr(name.p, '/', name.n) == NULL)
		return find_by_name(name, may_run, arg, out, why);
	error = look_at(mem_printf("%s%.*s", name.p[0] == '/' ? "" : "/", (int)name.n, name.p), may_run, arg, out);
	if (error == EACCES)
		return fail(why, "%.*s is no program that the daemon's user may run; chmod +x it", (int)name.n, name.p);
	if (error != 0)
		return fail(why, "%.*s: %s; install it, or correct the path", (int)name.n, name.p, strerror(error));
	return 0;
}
