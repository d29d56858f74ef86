/*
 * The annals: blocks of octets for people to look up, in files of their own, history/NNNNNNNN, whose sizes have a
 * bound; the oldest go first.  Nothing depends on them and nothing is synced: what a crash leaves out is missed by
 * nobody but the curious.  No file is continued after a restart or a failed write, so that only ends can be torn.
 *
 *	file  = "gatehist" version:u32 number:u32 created_wall_s:u64 most:u64 0:u32 crc:u32 block*
 *	block = magic:u32 length:u32 least:u64 most:u64 0:u32 crc:u32 payload
 *
 * A block's `least' and `most' are the ids that its payload is about; a file's `most' is the largest id that any
 * file before it can be about.  Checksums cover what stands before them, a block's its payload too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/state.h"

enum {
	FORMAT = 1,
	FILE_HEAD = 40,
	FILE_OCTETS = 8 << 20,		/* or an eighth of all that is allowed, but not less than: */
	FILE_LEAST = 64 << 10,
	CLUSTER = 4096,			/* what a file takes at least */
	NAME_OCTETS = 12,
	WINDOW = 4096,			/* heads are looked at so many octets at a time */
	LOOKS = 256			/* heads that one call looks at */
};

static const uint32_t block_magic = 0x31484247;	/* "GBH1" */
static const char magic[8] = "gatehist";

struct volume {
	uint32_t number, end;
	int64_t created_wall_s;
	uint64_t most;		/* in the volumes before */
	bool readable;
};

struct spool_annals {
	int dir;
	uint64_t min_free;
	uint64_t most;		/* id, in all volumes so far */
	uint64_t octets;	/* that they take */
	struct volume *v;	/* the oldest first */
	size_t n, cap;
	uint32_t last;		/* number given */
	bool listed;
	int fd;			/* of the newest volume; -1: the next block begins another */
	int64_t written_wall_s;	/* nothing is newer than this; 0: not known yet */
	/* reading */
	int seen;
	uint32_t seen_number, window_at, window_n;
	unsigned char window[WINDOW];
};

int
spool_annals_open(struct spool *s, uint64_t newest, struct spool_annals **out, struct why *why)
{
	int dir = disk_open_dir(s->dir, "history", true);
	struct spool_annals *a;

	if (dir < 0)
		return fail(why, "cannot open the spool's folder history: %s", strerror(errno));
	*out = a = mem_zero(sizeof *a);
	a->dir = dir;
	a->fd = a->seen = -1;
	a->min_free = s->min_free;
	a->most = newest;
	return 0;
}

void
spool_annals_close(struct spool_annals **ap)
{
	struct spool_annals *a = *ap;

	if (a == NULL)
		return;
	*ap = NULL;
	disk_close(&a->seen);
	disk_close(&a->fd);
	disk_close(&a->dir);
	free(a->v);
	free(a);
}

static void
name_of(char out[NAME_OCTETS], uint32_t number)
{
	snprintf(out, NAME_OCTETS, "%08" PRIx32, number);
}

static uint64_t
takes(const struct volume *v)
{
	return (v->end + (uint64_t)CLUSTER) / CLUSTER * CLUSTER;
}

static struct volume *
add(struct spool_annals *a, uint32_t number)
{
	if (a->n == a->cap) {
		a->cap = a->cap != 0 ? a->cap * 2 : 64;
		a->v = mem_resize(a->v, a->cap, sizeof *a->v);
	}
	a->v[a->n] = (struct volume){ .number = number };
	if (number > a->last)
		a->last = number;
	return &a->v[a->n++];
}

/* --- what is there at the start ---------------------------------------------- */

static void
on_name(void *arg, const char *name)
{
	if (strlen(name) == 8 && strspn(name, "0123456789abcdef") == 8 && name[0] < '8')
		add(arg, (uint32_t)strtoul(name, NULL, 16));
}

static int
by_number(const void *x, const void *y)
{
	const struct volume *a = x, *b = y;

	return a->number < b->number ? -1 : a->number > b->number;
}

static void
read_head(const struct spool_annals *a, struct volume *v)
{
	unsigned char head[FILE_HEAD] = { 0 };
	struct cursor c = cursor_init(head, sizeof head);
	struct disk_stat st;
	char name[NAME_OCTETS];
	int fd;

	name_of(name, v->number);
	fd = disk_open(a->dir, name, O_RDONLY | O_NONBLOCK);
	if (fd >= 0 && disk_stat(fd, "", &st) == 0 && st.is_file) {
		v->end = st.size < UINT32_MAX ? (uint32_t)st.size : UINT32_MAX;
		v->readable = disk_read(fd, head, sizeof head, 0) == sizeof head &&
		    str_eq(cursor_bytes(&c, sizeof magic), (struct str){ magic, sizeof magic }) &&
		    cursor_u32(&c) == FORMAT && cursor_u32(&c) == v->number;
		v->created_wall_s = (int64_t)cursor_u64(&c);
		v->most = cursor_u64(&c);
		cursor_u32(&c);
		v->readable = v->readable && cursor_u32(&c) == crc32c(0, head, FILE_HEAD - 4);
	}
	disk_close(&fd);
	if (!v->readable) {
		v->created_wall_s = 0;
		v->most = UINT64_MAX;
	}
}

static int
list(struct spool_annals *a, struct why *why)
{
	if (a->listed)
		return 0;
	a->n = 0;
	if (disk_list(a->dir, on_name, a) < 0)
		return fail(why, "cannot list history: %s", strerror(errno));
	a->listed = true;
	if (a->n > 0)
		qsort(a->v, a->n, sizeof *a->v, by_number);
	for (size_t i = 0; i < a->n; i++) {
		read_head(a, &a->v[i]);
		a->octets += takes(&a->v[i]);
	}
	return 0;
}

/* --- writing ------------------------------------------------------------------ */

/* Nothing in it is newer than this. */
static int64_t
newest_wall_s(const struct spool_annals *a, size_t i)
{
	return i + 1 < a->n ? a->v[i + 1].created_wall_s : a->written_wall_s;
}

static int
drop_oldest(struct spool_annals *a, struct why *why)
{
	char name[NAME_OCTETS];

	name_of(name, a->v[0].number);
	if (disk_unlink(a->dir, name) < 0 && errno != ENOENT)
		return fail(why, "cannot remove history/%s: %s", name, strerror(errno));
	if (a->n == 1)
		disk_close(&a->fd);
	if (a->v[0].number == a->seen_number)
		disk_close(&a->seen);
	a->octets -= takes(&a->v[0]);
	memmove(a->v, a->v + 1, --a->n * sizeof *a->v);
	return 0;
}

static int
make_room(struct spool_annals *a, const struct spool_annals_bounds *b, uint64_t octets, struct why *why)
{
	if (a->written_wall_s == 0)
		a->written_wall_s = b->now_wall_s;
	while (a->n > 0 && (a->octets + octets > b->octets || newest_wall_s(a, 0) < b->from_wall_s))
		if (drop_oldest(a, why) < 0)
			return -1;
	return 0;
}

int
spool_annals_prune(struct spool_annals *a, const struct spool_annals_bounds *b, struct why *why)
{
	return list(a, why) < 0 ? -1 : make_room(a, b, 0, why);
}

static bool
is_full(const struct spool_annals *a, const struct spool_annals_bounds *b, uint64_t octets)
{
	const struct volume *v = &a->v[a->n - 1];
	uint64_t most = b->octets / 8;

	most = most < FILE_LEAST ? FILE_LEAST : most > FILE_OCTETS ? FILE_OCTETS : most;
	return v->end + octets > most || b->now_wall_s < v->created_wall_s ||
	    b->now_wall_s - v->created_wall_s >= b->span_s;
}

static int
begin(struct spool_annals *a, const struct spool_annals_bounds *b, struct why *why)
{
	struct buf head = { 0 };
	struct volume *v;
	char name[NAME_OCTETS];
	int r;

	name_of(name, ++a->last);
	if ((a->fd = disk_open(a->dir, name, O_RDWR | O_CREAT | O_EXCL)) < 0)
		return fail(why, "cannot create history/%s: %s", name, strerror(errno));
	v = add(a, a->last);
	v->readable = true;
	v->created_wall_s = b->now_wall_s;
	v->most = a->most;
	v->end = FILE_HEAD;
	a->octets += takes(v);
	buf_put(&head, magic, sizeof magic);
	buf_put_u32(&head, FORMAT);
	buf_put_u32(&head, v->number);
	buf_put_u64(&head, (uint64_t)v->created_wall_s);
	buf_put_u64(&head, v->most);
	buf_put_u32(&head, 0);
	buf_put_u32(&head, crc32c(0, head.data, head.len));
	r = disk_write(a->fd, head.data, head.len, 0);
	buf_clear(&head);
	if (r == 0)
		return 0;
	fail(why, "cannot write history/%s: %s", name, strerror(errno));
	disk_close(&a->fd);
	return -1;
}

/* Fills in the head, for which there is room in front of the payload. */
static void
put_head(struct buf *block, uint64_t least, uint64_t most)
{
	struct buf head = { 0 };
	uint32_t crc;

	buf_put_u32(&head, block_magic);
	buf_put_u32(&head, (uint32_t)(block->len - SPOOL_ANNALS_HEAD));
	buf_put_u64(&head, least);
	buf_put_u64(&head, most);
	buf_put_u32(&head, 0);
	crc = crc32c(0, head.data, head.len);
	buf_put_u32(&head, crc32c(crc, block->data + SPOOL_ANNALS_HEAD, block->len - SPOOL_ANNALS_HEAD));
	memcpy(block->data, head.data, head.len);
	buf_clear(&head);
}

int
spool_annals_append(struct spool_annals *a, const struct spool_annals_bounds *b, struct buf *block,
    uint64_t least, uint64_t most, struct why *why)
{
	struct volume *v;
	uint64_t room, before;

	if (block->len <= SPOOL_ANNALS_HEAD || block->len > SPOOL_ANNALS_MAX)
		bug("annals: a block of %zu octets", block->len);
	if (list(a, why) < 0)
		return -1;
	if (a->fd >= 0 && is_full(a, b, block->len))
		disk_close(&a->fd);
	if (make_room(a, b, block->len + 2 * CLUSTER, why) < 0)
		return -1;
	if (b->octets < block->len + 2 * CLUSTER)
		return 0;	/* no history is wanted */
	if (disk_room(a->dir, &room) < 0 || room < a->min_free + block->len)
		return fail(why, "the disk has less than min_free left");
	if (a->fd < 0 && begin(a, b, why) < 0)
		return -1;
	v = &a->v[a->n - 1];
	put_head(block, least, most);
	if (disk_write(a->fd, block->data, block->len, v->end) < 0) {
		fail(why, "cannot write history: %s", strerror(errno));
		disk_close(&a->fd);
		return -1;
	}
	before = takes(v);
	v->end += (uint32_t)block->len;
	a->octets += takes(v) - before;
	a->written_wall_s = b->now_wall_s;
	if (most > a->most)
		a->most = most;
	return 0;
}

/* --- reading ------------------------------------------------------------------ */

/* The first volume from this number on that may say something about the id. */
static const struct volume *
find_volume(const struct spool_annals *a, uint32_t number, uint64_t id)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].number >= number && a->v[i].readable && (i + 1 == a->n || id <= a->v[i + 1].most))
			return &a->v[i];
	return NULL;
}

static bool
open_volume(struct spool_annals *a, const struct volume *v)
{
	char name[NAME_OCTETS];

	if (a->seen >= 0 && a->seen_number == v->number)
		return true;
	disk_close(&a->seen);
	name_of(name, v->number);
	a->seen = disk_open(a->dir, name, O_RDONLY);
	a->seen_number = v->number;
	a->window_n = 0;
	return a->seen >= 0;
}

/* The octets of a head, through the window; NULL: fewer. */
static const unsigned char *
look(struct spool_annals *a, uint32_t at)
{
	if (at < a->window_at || at - a->window_at + SPOOL_ANNALS_HEAD > a->window_n) {
		int64_t n = disk_read(a->seen, a->window, WINDOW, at);

		a->window_at = at;
		a->window_n = n > 0 ? (uint32_t)n : 0;
		if (n < SPOOL_ANNALS_HEAD)
			return NULL;
	}
	return a->window + (at - a->window_at);
}

struct block {
	uint32_t length, crc, head_crc;
	uint64_t least, most;
};

static bool
parse(struct block *b, const unsigned char *head)
{
	struct cursor c = cursor_init(head, SPOOL_ANNALS_HEAD);
	bool good = cursor_u32(&c) == block_magic;

	b->length = cursor_u32(&c);
	b->least = cursor_u64(&c);
	b->most = cursor_u64(&c);
	cursor_u32(&c);
	b->crc = cursor_u32(&c);
	b->head_crc = crc32c(0, head, SPOOL_ANNALS_HEAD - 4);
	return good && b->length > 0 && b->length <= SPOOL_ANNALS_MAX - SPOOL_ANNALS_HEAD;
}

static bool
read_payload(const struct spool_annals *a, const struct block *b, uint32_t at, struct buf *out)
{
	char *p = buf_room(out, b->length);

	if (disk_read(a->seen, p, b->length, at) != b->length || crc32c(b->head_crc, p, b->length) != b->crc)
		return false;
	out->len += b->length;
	out->data[out->len] = '\0';
	return true;
}

bool
spool_annals_read(struct spool_annals *a, uint64_t id, struct spool_annals_place *p, struct buf *out)
{
	const struct volume *v;

	if (list(a, NULL) < 0)
		return false;
	for (unsigned i = 0; i < LOOKS; i++) {
		const unsigned char *head;
		struct block b;
		uint32_t at;

		if ((v = find_volume(a, p->file, id)) == NULL)
			return false;
		if (v->number != p->file)
			*p = (struct spool_annals_place){ v->number, FILE_HEAD };
		if (p->at > v->end - SPOOL_ANNALS_HEAD || !open_volume(a, v) || (head = look(a, p->at)) == NULL ||
		    !parse(&b, head) || b.length > v->end - SPOOL_ANNALS_HEAD - p->at) {
			*p = (struct spool_annals_place){ v->number + 1, FILE_HEAD };	/* its end, or a torn one */
			continue;
		}
		at = p->at + SPOOL_ANNALS_HEAD;
		p->at = at + b.length;
		if (id >= b.least && id <= b.most && read_payload(a, &b, at, out))
			return true;
	}
	return true;
}
