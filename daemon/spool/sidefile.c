/* Small files beside the log, replaced whole, by whoever runs the sync: no loop waits for the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/state.h"

enum { NAME_MAX_OCTETS = 64, FILE_MAX = 1 << 20 };

struct sidefile {
	struct node node;
	char name[NAME_MAX_OCTETS];
	struct buf bytes;
};

static struct sidefile *
find(struct spool_sync *y, const char *name)
{
	list_each(n, &y->files) {
		struct sidefile *f = container_of(n, struct sidefile, node);

		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

void
spool_file_put(struct spool *s, const char *name, struct str bytes)
{
	struct sidefile *f = find(s->next, name);

	if (f == NULL) {
		f = mem_zero(sizeof *f);
		snprintf(f->name, sizeof f->name, "%s", name);
		list_put(&s->next->files, &f->node);
	}
	buf_cut(&f->bytes, 0);
	buf_putstr(&f->bytes, bytes);
	buf_put_u32(&f->bytes, crc32c(0, bytes.p, bytes.n));
}

static int
write_one(int dir, const struct sidefile *f, struct why *why)
{
	char temporary[NAME_MAX_OCTETS + 8];
	int fd;

	snprintf(temporary, sizeof temporary, "%s.new", f->name);
	if ((fd = disk_open(dir, temporary, O_RDWR | O_CREAT)) < 0)
		return fail(why, "cannot create %s: %s", temporary, strerror(errno));
	if (disk_truncate(fd, 0) < 0 || disk_write(fd, f->bytes.data, f->bytes.len, 0) < 0 || disk_sync(fd) < 0 ||
	    disk_rename(dir, temporary, dir, f->name) < 0 || disk_sync(dir) < 0) {
		int error = errno;

		fail(why, "cannot write %s: %s", f->name, strerror(error));
		disk_close(&fd);
		errno = error;
		return -1;
	}
	disk_close(&fd);
	return 0;
}

int
sidefile_write_all(struct spool_sync *y, struct why *why)
{
	list_each(n, &y->files) {
		if (write_one(y->dir, container_of(n, struct sidefile, node), &y->trouble) == 0)
			continue;
		if (errno == EIO)	/* a disk that says so is not to be trusted with messages either */
			return fail(why, "%s", y->trouble.text);
		return 0;
	}
	return 0;
}

void
sidefile_clear(struct spool_sync *y)
{
	struct node *n;

	while ((n = list_take(&y->files)) != NULL) {
		struct sidefile *f = container_of(n, struct sidefile, node);

		buf_clear(&f->bytes);
		free(f);
	}
}

/* The checksum at the end is checked, and cut off. */
static int
verify(struct buf *b, size_t from)
{
	size_t n = b->len - from;
	struct cursor end;

	if (n < sizeof(uint32_t)) {
		errno = EBADMSG;
		return -1;
	}
	n -= sizeof(uint32_t);
	end = cursor_init(b->data + from + n, sizeof(uint32_t));
	if (cursor_u32(&end) != crc32c(0, b->data + from, n)) {
		errno = EBADMSG;
		return -1;
	}
	buf_cut(b, from + n);
	return 0;
}

int
spool_file_load(struct spool *s, const char *name, struct buf *out)
{
	int fd = disk_open(s->dir, name, O_RDONLY | O_NONBLOCK);
	size_t from = out->len;
	struct disk_stat st;
	int64_t n = -1;

	if (fd >= 0 && disk_stat(fd, "", &st) == 0 && st.is_file && st.size <= FILE_MAX)
		n = disk_read(fd, buf_room(out, st.size), st.size, 0);
	disk_close(&fd);
	if (n < 0) {
		errno = ENOENT;
		return -1;
	}
	out->len += (size_t)n;
	return verify(out, from);
}
