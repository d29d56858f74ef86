/*
 * Credentials of a systemd unit (LoadCredential= and its kin), found from outside: in the running unit, which root may look
 * into, else in the unit's files.  systemd is not asked: where a package is being installed it may not run, or not know yet.
 */
#include "config/unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "config/file.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNIT_BYTES_MAX = 256 << 10 };

/* What counts more comes later, as each drop-in counts more than the unit. */
static const char *const places[] = {
	"/lib/systemd/system", "/usr/lib/systemd/system", "/usr/local/lib/systemd/system", "/run/systemd/system",
	"/etc/systemd/system"
};

struct seeking {
	const char *name, *there;	/* the credential, and its place in the running unit */
	char *path;			/* of the newest line that names it */
};

char *
unit_name(const char *file, const char *default_file)
{
	const char *base = strrchr(file, '/'), *slash = strrchr(default_file, '/');
	size_t dir = (size_t)(slash + 1 - default_file), n;

	if (strcmp(file, default_file) == 0)
		return mem_text("gatepost.service");
	if (base == NULL || (size_t)(base + 1 - file) != dir || strncmp(file, default_file, dir) != 0)
		return NULL;
	n = strlen(++base);
	if (n <= 5 || strcmp(base + n - 5, ".conf") != 0)
		return NULL;
	return mem_printf("gatepost@%.*s.service", (int)(n - 5), base);
}

/* ID, ID:PATH; what is encrypted, written in the unit or found by systemd has no path for us, nor has one with a %specifier. */
static void
take_value(struct seeking *s, struct str key, struct str value)
{
	size_t n = strlen(s->name);
	bool is_plain = str_eq(key, STR("LoadCredential")), has_path;

	if (!is_plain && !str_eq(key, STR("LoadCredentialEncrypted")) && !str_eq(key, STR("SetCredential")) &&
	    !str_eq(key, STR("SetCredentialEncrypted")))
		return;
	if (value.n == 0 && is_plain) {		/* takes back what was said before */
		free(s->path);
		s->path = NULL;
	}
	if (value.n < n || memcmp(value.p, s->name, n) != 0 || (value.n > n && value.p[n] != ':'))
		return;
	has_path = is_plain && value.n > n + 1 && value.p[n + 1] == '/' && memchr(value.p, '%', value.n) == NULL;
	free(s->path);
	s->path = has_path ? mem_textn(value.p + n + 1, value.n - n - 1) : mem_text(s->there);
}

static void
read_unit(struct seeking *s, const char *file)
{
	struct buf text = { 0 };
	struct stat st;
	struct why why;
	const char *at, *end;

	if (file_read(&text, file, UNIT_BYTES_MAX, 0, &st, &why) < 0)
		text.len = 0;
	at = text.data;
	end = at + text.len;
	while (text.len > 0 && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at)), *equals;

		if (stop == NULL)
			stop = end;
		equals = memchr(at, '=', (size_t)(stop - at));
		if (equals != NULL)
			take_value(s, str_trim((struct str){ at, (size_t)(equals - at) }),
			    str_trim((struct str){ equals + 1, (size_t)(stop - equals - 1) }));
		at = stop + 1;
	}
	buf_clear(&text);
}

static int
is_drop_in(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static void
read_drop_ins(struct seeking *s, const char *dir)
{
	struct dirent **found = NULL;
	int n = scandir(dir, &found, is_drop_in, alphasort);

	for (int i = 0; i < n; i++) {
		char *file = mem_printf("%s/%s", dir, found[i]->d_name);

		read_unit(s, file);
		free(file);
		free(found[i]);
	}
	free(found);
}

/* A unit's own files, or those of the template that it is an instance of. */
static void
read_files(struct seeking *s, const char *root, const char *unit)
{
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		char *file = mem_printf("%s%s/%s", root, places[i], unit);

		read_unit(s, file);
		free(file);
	}
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		char *dir = mem_printf("%s%s/%s.d", root, places[i], unit);

		read_drop_ins(s, dir);
		free(dir);
	}
}

char *
unit_find(const char *root, const char *unit, const char *name)
{
	char *there = mem_printf("%s/run/credentials/%s/%s", root, unit, name);
	struct seeking s = { .name = name, .there = there };
	const char *at = strchr(unit, '@');

	if (access(there, F_OK) == 0)
		return there;
	if (at != NULL) {
		char *template = mem_printf("%.*s@.service", (int)(at - unit), unit);

		read_files(&s, root, template);
		free(template);
	}
	read_files(&s, root, unit);
	free(there);
	return s.path;
}
