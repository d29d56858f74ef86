/* Files that are read whole and bounded; nothing here waits for a FIFO's writer. */
#include "config/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

static int
slurp(struct buf *out, int fd, size_t max, struct why *why)
{
	size_t start = out->len;

	for (;;) {
		size_t left = max - (out->len - start);
		/* One octet more than may be there tells what is too long. */
		size_t ask = left < CHUNK ? left + 1 : CHUNK;
		ssize_t n = read(fd, buf_room(out, ask), ask);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(why, "cannot be read: %s", strerror(errno));
		if ((size_t)n > left) {
			errno = EFBIG;
			return fail(why, "longer than %zu octets; is it the "
			    "right file?", max);
		}
		if (n == 0)
			return 0;
		out->len += (size_t)n;
		out->data[out->len] = '\0';
	}
}

int
file_read(struct buf *out, const char *path, size_t max, unsigned flags,
    struct stat *st, struct why *why)
{
	int fd, result, saved;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
	    (flags & FILE_NOFOLLOW ? O_NOFOLLOW : 0));
	if (fd < 0 && errno == ELOOP && flags & FILE_NOFOLLOW)
		return fail(why, "is a symbolic link; name the file itself");
	if (fd < 0)
		return fail(why, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, st) < 0) {
		result = fail(why, "cannot be examined: %s", strerror(errno));
	} else if (!S_ISREG(st->st_mode)) {
		errno = EINVAL;
		result = fail(why, "is not a regular file; name one");
	} else
		result = slurp(out, fd, max, why);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}

char *
file_absolute(const char *path)
{
	char *cwd, *whole;

	if (path[0] == '/')
		return mem_text(path);
	cwd = get_current_dir_name();
	whole = mem_printf("%s/%s", cwd != NULL ? cwd : "", path);
	free(cwd);
	return whole;
}

char *
file_dir(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return mem_text(".");
	return mem_textn(path, slash > path ? (size_t)(slash - path) : 1);
}
