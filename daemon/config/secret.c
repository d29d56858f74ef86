/*
 * Secrets in files (PROTOCOL.md C.2, C-30): regular files that others can neither read nor replace, of root's or the daemon's
 * user's, no symbolic links, one newline at the end taken off, no NUL, bounded.
 */
#include "config/secret.h"

#include "base/mem.h"
#include "config/file.h"
#include "config/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *
secret_path(const char *name, const char *dir)
{
	char *path;

	if (name[0] == '/')
		return mem_text(name);
	if (guard_credentials() != NULL && strchr(name, '/') == NULL) {
		path = mem_printf("%s/%s", guard_credentials(), name);
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return mem_printf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
}

int
secret_read(char **out, const char *path, size_t max, const char *user, struct why *why)
{
	struct buf text = { 0 };
	struct stat st;
	int result = -1;

	/* Room for "\r\n" behind a password of full length. */
	if (file_read(&text, path, max + 2, FILE_NOFOLLOW, &st,
	    why) < 0)
		goto out;
	if (guard_readers(path, &st, why) < 0 ||
	    guard_writers(path, &st, why) < 0 ||
	    guard_owner(path, &st, user, why) < 0)
		goto out;
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		buf_cut(&text, text.len - (text.len > 1 &&
		    text.data[text.len - 2] == '\r' ? 2 : 1));
	if (text.len == 0)
		fail(why, "is empty; write the password into it");
	else if (text.len > max)
		fail(why, "longer than %zu octets; is it the right file?", max);
	else if (memchr(text.data, '\0', text.len) != NULL)
		fail(why, "has a NUL octet; write the password as plain text");
	else {
		*out = mem_textn(text.data, text.len);
		result = 0;
	}
out:
	mem_wipe(text.data, text.cap);
	return result;
}

int
secret_write(const char *path, const char *secret, struct why *why)
{
	struct buf text = { 0 };
	struct stat old;
	char *dir_name = file_dir(path);
	int dir = open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = -1;

	(void)buf_room(&text, strlen(secret) + 2);
	buf_puts(&text, secret);
	buf_putc(&text, '\n');
	if (dir < 0 || lstat(path, &old) < 0)
		fail(why, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(old.st_mode) || old.st_uid != geteuid())
		fail(why, "%s: it is not a file of our own", path);
	else
		result = file_replace(path, dir, &old, buf_str(&text), why);
	mem_wipe(text.data, text.cap);
	if (dir >= 0)
		close(dir);
	free(dir_name);
	return result;
}
