/*
 * Large contents.  A listener writes one while it comes in, into an unnamed file whose write-back starts
 * at once, so that the sync has little left to do; the batch that stages its record gives it its name.
 */
#include "spool/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/frame.h"

enum { CHUNK = 256 << 10, CHUNK_MAX = 8 << 20, FLUSH = 1 << 20 };

struct spool_blobs {
	int dir;
	bool unnamed;	/* files begin without a name: what is not put leaves nothing behind */
};

struct spool_blobs *
blob_new_place(int dir)
{
	struct spool_blobs *b = mem_zero(sizeof *b);

	b->dir = dir;
	return b;
}

/* Not on every file system, and not without /proc. */
void
blob_probe(struct spool_blobs *b)
{
	static const char name[] = "probe";
	int fd = disk_open(b->dir, ".", O_RDWR | O_TMPFILE);

	disk_unlink(b->dir, name);
	b->unnamed = fd >= 0 && disk_link(fd, b->dir, name) == 0;
	disk_unlink(b->dir, name);
	disk_close(&fd);
}

void
blob_free_place(struct spool_blobs **b)
{
	if (*b == NULL)
		return;
	disk_close(&(*b)->dir);
	free(*b);
	*b = NULL;
}

int
blob_get_dir(const struct spool_blobs *b)
{
	return b->dir;
}

/* Else: a name that recovery removes. */
static int
open_named(struct spool_blob *b)
{
	char text[IDENT_TEXT];
	uint64_t random;

	ident_random(&random, sizeof random);
	ident_print(text, random >> 1);
	snprintf(b->temporary, sizeof b->temporary, "tmp-%s", text);
	return disk_open(b->place->dir, b->temporary, O_RDWR | O_CREAT | O_EXCL);
}

int
spool_blob_new(struct spool_blobs *place, struct spool_blob **out, struct why *why)
{
	struct spool_blob *b = mem_zero(sizeof *b);

	b->place = place;
	b->fd = place->unnamed ? disk_open(place->dir, ".", O_RDWR | O_TMPFILE) : open_named(b);
	if (b->fd < 0) {
		int error = errno;

		free(b);
		errno = error;
		return fail(why, "cannot make a file in blob/: %s", strerror(error));
	}
	*out = b;
	return 0;
}

/* Ahead by an eighth: what it takes is counted as it grows, and is to be near what it is. */
static uint64_t
find_chunk(uint64_t allocated)
{
	uint64_t part = allocated / 8;

	return part < CHUNK ? CHUNK : part > CHUNK_MAX ? CHUNK_MAX : part;
}

uint64_t
spool_blob_growth(const struct spool_blob *b, size_t n)
{
	uint64_t before = b != NULL ? b->allocated : 0, after = before;

	while ((b != NULL ? b->octets : 0) + n > after)
		after += find_chunk(after);
	return after - before;
}

int
spool_blob_write(struct spool_blob *b, const void *p, size_t n, struct why *why)
{
	while (b->octets + n > b->allocated) {
		uint64_t more = find_chunk(b->allocated);

		if (disk_allocate(b->fd, b->allocated, more, true) < 0)
			return fail(why, "no room for a large message: %s", strerror(errno));
		b->allocated += more;
	}
	if (disk_write(b->fd, p, n, b->octets) < 0)
		return fail(why, "cannot write a large message: %s", strerror(errno));
	b->crc = crc32c(b->crc, p, n);
	b->octets += n;
	if (b->octets - b->flushed >= FLUSH) {
		uint64_t whole = b->octets & ~(uint64_t)4095;

		disk_flush(b->fd, b->flushed, whole - b->flushed);
		b->flushed = whole;
	}
	return 0;
}

uint64_t
spool_blob_octets(const struct spool_blob *b)
{
	return b->octets;
}

void
spool_blob_free(struct spool_blob **b)
{
	if (*b == NULL)
		return;
	if ((*b)->temporary[0] != '\0')
		disk_unlink((*b)->place->dir, (*b)->temporary);
	disk_close(&(*b)->fd);
	free(*b);
	*b = NULL;
}

unsigned
blob_put_head(const struct spool_blob *b, char *out)
{
	struct buf head = { 0 };

	buf_put_u64(&head, b->octets);
	buf_put_u32(&head, b->crc);
	buf_put_u32(&head, 0);
	memcpy(out, head.data, FRAME_BLOB_HEAD);
	buf_clear(&head);
	return FRAME_BLOB_HEAD;
}

void
blob_parse_head(struct blob_head *out, const char *in)
{
	struct cursor c = cursor_init(in, FRAME_BLOB_HEAD);

	out->octets = cursor_u64(&c);
	out->crc = cursor_u32(&c);
}

void
blob_promise(struct spool_blob *b, struct node *list, uint64_t id)
{
	b->id = id;
	list_put(list, &b->node);
}

static int
give_name(struct spool_blob *b, const char *name)
{
	if (b->temporary[0] == '\0')
		return disk_link(b->fd, b->place->dir, name);
	if (disk_rename(b->place->dir, b->temporary, b->place->dir, name) < 0)
		return -1;
	b->temporary[0] = '\0';
	return 0;
}

int
blob_keep(struct spool_blob *b, struct why *why)
{
	char name[IDENT_TEXT];

	ident_print(name, b->id);
	if (disk_truncate(b->fd, b->octets) < 0 || disk_datasync(b->fd) < 0)
		return fail(why, "cannot sync blob/%s: %s", name, strerror(errno));
	if (give_name(b, name) == 0)
		return 0;
	if (errno == EEXIST && disk_unlink(b->place->dir, name) == 0 && give_name(b, name) == 0)
		return 0;
	return fail(why, "cannot name blob/%s: %s", name, strerror(errno));
}

int
blob_open(struct spool_blobs *b, uint64_t id)
{
	char name[IDENT_TEXT];

	ident_print(name, id);
	return disk_open(b->dir, name, O_RDONLY);
}

void
blob_unlink(struct spool_blobs *b, uint64_t id)
{
	char name[IDENT_TEXT];

	ident_print(name, id);
	disk_unlink(b->dir, name);
}
