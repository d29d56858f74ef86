/*
 * The configuration: a file, and behind an octet 0xff another one, b.conf, which it may include.  Promises: it is taken or
 * refused with a place and one line; nothing is left open; without a slash in it, it leads to no file but those beside it
 * and the program's own (PROTOCOL.md C-32).  And the first line as a password, with a canary for each `~': no complaint has
 * a piece of the canary (C-16).
 */
#include "fuzz/support/fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

static char base[64], dir[80], file[96];

static void
remove_files(void)
{
	static const char *const names[] = { "a.conf", "b.conf", "key", "users", "aliases" };
	char path[96];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	snprintf(path, sizeof path, "%s/b.conf", base);
	unlink(path);
	rmdir(base);
}

static void
save(const char *name, struct str text)
{
	char path[96];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	hold(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
	close(fd);
}

static void
begin(void)
{
	if (dir[0] != '\0')
		return;
	snprintf(base, sizeof base, "%s/gatepost-fuzz.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	hold(mkdtemp(base) != NULL);
	/* b.conf is here and there, so that it is seen which one is taken */
	snprintf(dir, sizeof dir, "%s/in", base);
	hold(mkdir(dir, 0700) == 0);
	save("../b.conf", STR(""));
	snprintf(file, sizeof file, "%s/a.conf", dir);
	atexit(remove_files);
	save("key", STR("hunter-two\n"));
	save("users", STR("u:$6$saltsalt$x:\n"));
	save("aliases", STR("root: me@example.com\n"));
	setenv("GATEPOST_PROVIDERS", "conf/providers.conf", 1);
	setenv("KNOWN", "known", 1);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
on_warn(void *arg, const char *text)
{
	(void)arg;
	hold(text[0] != '\0' && !str_has_control(str_of(text)));
}

static bool
is_own(const char *path)
{
	if (strstr(path, "/../") != NULL)
		return false;
	return strncmp(path, dir, strlen(dir)) == 0 || strncmp(path, SYSCONFDIR, strlen(SYSCONFDIR)) == 0 ||
	    strncmp(path, PREFIX, strlen(PREFIX)) == 0 || strstr(path, "conf/providers.conf") != NULL;
}

static void
check_config(const struct config *c, bool is_plain)
{
	hold(c->hostname[0] != '\0' && !str_has_control(str_of(c->hostname)));
	for (unsigned i = 0; i < c->files.n && is_plain; i++)
		hold(is_own(c->files.v[i]));
	for (unsigned i = 0; i < c->nupstream; i++) {
		const struct upstream *u = &c->upstream[i];

		hold(u->name[0] != '\0' && !str_has_control(str_of(u->host)) && !str_has_control(str_of(u->username)));
	}
}

/* Whatever it is taken for, it stands where a password does; a file's name it may be, as an included file. */
static void
try_secret(struct str first)
{
	static const char *const before[] = {
		"hostname = a.example\nupstream u {\nhost = h.example\nusername = u\npassword = ",
		"hostname = a.example\nalert {\nwebhook = ",
		"hostname = a.example\nupstream u {\nusername = \"u\npassword = ",
		"hostname = a.example\nupstream u {\nchain = { 587/starttls\npassword = ",
		"hostname = a.example\nupstream u {\npasword = "
	};
	struct config_options o = { .file = file, .secrets = true };
	struct str line;

	(void)str_split(&first, '\n', &line);
	for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
		struct buf text = { 0 };
		struct config *c = NULL;
		struct why why = { "" };

		buf_puts(&text, before[i]);
		for (size_t j = 0; j < line.n; j++)
			if (line.p[j] == '~')
				buf_puts(&text, "kqxz7");
			else
				buf_putc(&text, line.p[j]);
		buf_puts(&text, "\n}\n");
		save("a.conf", buf_str(&text));
		buf_clear(&text);
		if (config_load(&c, &o, NULL, NULL, &why) < 0)
			hold(strstr(why.text, "kqxz") == NULL && strstr(why.text, "qxz7") == NULL);
		else
			config_unref(&c);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str rest = fuzz_str(p, n), first;
	struct buf text = { 0 };
	struct config *c = NULL;
	struct why why = { "" };
	int fd, same;

	begin();
	bool is_plain = memchr(rest.p, '/', n) == NULL && memchr(rest.p, '\\', n) == NULL && memchr(rest.p, '$', n) == NULL;
	(void)str_split(&rest, '\xff', &first);
	/* a name of ours, or the resolver would be asked for one */
	if (memmem(p, n, "hostname", 8) == NULL)
		buf_puts(&text, "hostname = a.example\n");
	buf_putstr(&text, first);
	save("a.conf", buf_str(&text));
	save("b.conf", rest);
	buf_clear(&text);
	fd = dup(0);
	close(fd);
	struct config_options o = { .file = file, .secrets = true };

	if (config_load(&c, &o, on_warn, NULL, &why) < 0) {
		hold(c == NULL && why.text[0] != '\0' && !str_has_control(str_of(why.text)));
	} else {
		check_config(c, is_plain);
		config_unref(&c);
	}
	try_secret(first);
	same = dup(0);
	close(same);
	hold(same == fd);
	return 0;
}
