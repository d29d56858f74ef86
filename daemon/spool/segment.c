/* The files of the log: names, heads, making and recycling. */
#include "spool/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/ident.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/frame.h"

/* magic, version u32, number u32, random part, replaces u32, first seq u64, last id u64, checksum u32 */
enum { RANDOM = 16, HEAD = 8 + 4 + 4 + RANDOM + 4 + 8 + 8 + 4, COPY = SEGMENT_HEAD / 2 };

static const char magic[8] = "gatepost";

void
segment_name(char out[SEGMENT_NAME], uint32_t number, bool spare)
{
	snprintf(out, SEGMENT_NAME, "%08" PRIx32 ".%s", number, spare ? "new" : "seg");
}

bool
segment_parse_name(const char *name, uint32_t *number, bool *spare)
{
	char same[SEGMENT_NAME];

	if (strlen(name) != 12 || strspn(name, "0123456789abcdef") != 8)
		return false;
	*number = (uint32_t)strtoul(name, NULL, 16);
	*spare = name[9] == 'n';
	segment_name(same, *number, *spare);
	return *number != 0 && strcmp(name, same) == 0;
}

static uint32_t
seed_of(uint32_t number, const void *random)
{
	struct buf b = { 0 };
	uint32_t seed;

	buf_put_u32(&b, number);
	buf_put(&b, random, RANDOM);
	seed = crc32c(0, b.data, b.len);
	buf_clear(&b);
	return seed;
}

struct segment *
segment_recycle(struct segment_file *f, uint32_t spare, uint32_t size)
{
	struct segment *g = mem_zero(sizeof *g);

	g->file = f;
	g->spare = spare;
	g->size = size;
	g->end = SEGMENT_HEAD;
	return g;
}

struct segment *
segment_found(const struct segment_head *head, struct segment_file *f, uint32_t size)
{
	struct segment *g = segment_recycle(f, 0, size);

	g->number = head->number;
	g->seed = head->seed;
	g->first_seq = head->first_seq;
	return g;
}

int
segment_create(struct segment **out, int log, uint32_t spare, uint32_t size, struct why *why)
{
	char name[SEGMENT_NAME];
	int fd, error;

	segment_name(name, spare, true);
	if ((fd = disk_open(log, name, O_RDWR | O_CREAT | O_EXCL)) < 0)
		return fail(why, "cannot create log/%s: %s", name, strerror(errno));
	if (disk_allocate(fd, 0, size, false) < 0) {
		error = errno;
		disk_close(&fd);
		disk_unlink(log, name);
		errno = error;
		return fail(why, "no room for log/%s (%" PRIu32 " octets): %s", name, size, strerror(error));
	}
	*out = segment_recycle(segment_file_new(fd), spare, size);
	return 0;
}

void
segment_begin(struct segment *g, const struct segment_head *head, struct buf *out)
{
	unsigned char random[RANDOM];
	size_t start = out->len;

	g->number = head->number;
	g->first_seq = head->first_seq;
	ident_random(random, sizeof random);
	g->seed = seed_of(g->number, random);
	for (int copy = 0; copy < 2; copy++) {
		size_t from = out->len;

		buf_put(out, magic, sizeof magic);
		buf_put_u32(out, SEGMENT_VERSION);
		buf_put_u32(out, g->number);
		buf_put(out, random, sizeof random);
		buf_put_u32(out, head->replaces);
		buf_put_u64(out, head->first_seq);
		buf_put_u64(out, head->last_id);
		buf_put_u32(out, crc32c(0, out->data + from, out->len - from));
		memset(buf_room(out, COPY - HEAD), 0, COPY - HEAD);
		out->len = start + (size_t)(copy + 1) * COPY;
	}
}

static enum segment_verdict
read_copy(int fd, uint64_t at, struct segment_head *out)
{
	unsigned char head[HEAD];
	const unsigned char *random = head + sizeof magic + 8;
	struct cursor c;

	if (disk_read(fd, head, sizeof head, at) != HEAD || memcmp(head, magic, sizeof magic) != 0)
		return SEGMENT_SPOILT;
	c = cursor_init(head + sizeof magic, sizeof head - sizeof magic);
	out->version = cursor_u32(&c);
	out->number = cursor_u32(&c);
	cursor_bytes(&c, RANDOM);
	out->replaces = cursor_u32(&c);
	out->first_seq = cursor_u64(&c);
	out->last_id = cursor_u64(&c);
	if (out->version > SEGMENT_VERSION)
		return SEGMENT_NEWER;
	if (cursor_u32(&c) != crc32c(0, head, HEAD - 4) || out->version == 0)
		return SEGMENT_SPOILT;
	out->seed = seed_of(out->number, random);
	return SEGMENT_GOOD;
}

enum segment_verdict
segment_read_head(int fd, struct segment_head *out)
{
	enum segment_verdict first = read_copy(fd, 0, out), second;

	if (first == SEGMENT_GOOD)
		return first;
	second = read_copy(fd, COPY, out);
	return second == SEGMENT_SPOILT ? first : second;
}

int
segment_open(struct segment *g, int log, struct why *why)
{
	char name[SEGMENT_NAME];
	int fd;

	if (g->file != NULL)
		return 0;
	segment_name(name, g->number, false);
	if ((fd = disk_open(log, name, O_RDWR)) < 0)
		return fail(why, "cannot open log/%s: %s", name, strerror(errno));
	g->file = segment_file_new(fd);
	return 0;
}

void
segment_shut(struct segment *g)
{
	segment_file_drop(&g->file);
}

void
segment_free(struct segment **g)
{
	if (*g == NULL)
		return;
	segment_shut(*g);
	free(*g);
	*g = NULL;
}

struct segment_file *
segment_file_new(int fd)
{
	struct segment_file *f = mem_alloc(sizeof *f);

	atomic_init(&f->refs, 1);
	f->fd = fd;
	return f;
}

struct segment_file *
segment_file_share(struct segment_file *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

void
segment_file_drop(struct segment_file **f)
{
	struct segment_file *mine = *f;

	*f = NULL;
	if (mine == NULL || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	disk_close(&mine->fd);
	free(mine);
}

uint32_t
segment_capacity(uint32_t size)
{
	return size - SEGMENT_HEAD - FRAME_HEAD;
}
