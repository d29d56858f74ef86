/* Small files beside the log, replaced whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "spool/disk.h"
#include "spool/state.h"

enum { NAME_MAX_OCTETS = 64, FILE_MAX = 1 << 20 };

int
spool_file_save(struct spool *s, const char *name, struct str bytes, struct why *why)
{
	char temporary[NAME_MAX_OCTETS + 8];
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new", name);
	if ((fd = disk_open(s->dir, temporary, O_RDWR | O_CREAT)) < 0)
		return fail(why, "cannot create %s: %s", temporary, strerror(errno));
	if (disk_truncate(fd, 0) < 0 || disk_write(fd, bytes.p, bytes.n, 0) < 0 || disk_sync(fd) < 0 ||
	    disk_rename(s->dir, temporary, s->dir, name) < 0 || disk_sync(s->dir) < 0) {
		fail(why, "cannot write %s: %s", name, strerror(errno));
		disk_close(&fd);
		return -1;
	}
	disk_close(&fd);
	return 0;
}

int
spool_file_load(struct spool *s, const char *name, struct buf *out)
{
	int fd = disk_open(s->dir, name, O_RDONLY | O_NONBLOCK);
	struct disk_stat st;
	int64_t n = -1;

	if (fd >= 0 && disk_stat(fd, "", &st) == 0 && st.is_file && st.size <= FILE_MAX)
		n = disk_read(fd, buf_room(out, st.size), st.size, 0);
	if (n > 0)
		out->len += (size_t)n;
	disk_close(&fd);
	return n < 0 ? -1 : 0;
}
