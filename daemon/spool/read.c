/*
 * Reading messages back.  What has not been written yet is copied from the batch; all else is read
 * through the segment's shared file, a small message in one piece, a large one as it is asked for.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/walk.h"
#include "spool/state.h"

enum { FIRST = 8192, OPEN_FILES = 256, TRIES = 3 };

struct spool_reader {
	struct segment_file *file;
	int blob;
	struct frame frame;
	struct blob_head large;		/* of the blob; octets 0 without one */
	uint32_t at;			/* the record's place */
	struct buf first;		/* its first octets: at least head and meta */
	uint64_t pos;			/* in the content */
	uint32_t crc;			/* of the part that pos is in, so far */
};

/* A disk may stumble, and give at the second time what it has.  All of it; or -1, EBADMSG where the file is short. */
static int
read_all(int fd, void *p, size_t n, uint64_t at)
{
	int64_t got = -1;

	for (unsigned i = 0; i < TRIES && got < 0; i++)
		got = disk_read(fd, p, n, at);
	if (got >= 0 && (uint64_t)got < n)
		errno = EBADMSG;
	return got == (int64_t)n ? 0 : -1;
}

/* The disk has answered, and it is not what was written. */
static int
damaged(struct why *why, const char *what)
{
	fail(why, "%s", what);
	errno = EBADMSG;
	return -1;
}

int
read_file(struct spool *s, struct segment *g, struct why *why)
{
	if (g->file != NULL)
		return 0;
	if (segment_open(g, s->log, why) < 0)
		return -1;
	s->nopen++;
	list_each(n, &s->segments) {
		struct segment *other = container_of(n, struct segment, node);

		if (s->nopen <= OPEN_FILES)
			break;
		if (other->file == NULL || other->busy > 0 || other == g || other == s->active)
			continue;
		if (atomic_load(&other->file->refs) > 1)
			continue;	/* opened again, it would not know that somebody reads from it (sync.c, retire) */
		segment_shut(other);
		s->nopen--;
	}
	return 0;
}

/* -1 if there are fewer. */
static int
octets(struct spool *s, uint32_t number, uint32_t at, uint32_t n, struct buf *out, struct why *why)
{
	struct segment *g = account_segment(s, number);
	const char *staged;

	if (g == NULL || n > g->size || at > g->size - n) {
		errno = EBADMSG;
		return fail(why, "no segment %08" PRIx32 " with a record at %" PRIu32, number, at);
	}
	if ((staged = stage_find(s, g, at)) != NULL) {
		buf_put(out, staged, n);
		return 0;
	}
	if (read_file(s, g, why) < 0)
		return -1;
	if (read_all(g->file->fd, buf_room(out, n), n, at) < 0)
		return fail(why, "cannot read log/%08" PRIx32 ".seg at %" PRIu32 ": %s", number, at,
		    strerror(errno));
	out->len += n;
	return 0;
}

void
read_raw(struct spool *s, uint32_t number, uint32_t at, uint32_t n, struct buf *out)
{
	struct segment *g = account_segment(s, number);
	struct walk w;

	if (octets(s, number, at, n, out, NULL) == 0 || g == NULL || read_file(s, g, NULL) < 0)
		return;
	walk_init(&w, g->file->fd, g->seed, g->size, at);
	buf_put(out, walk_peek(&w, at, n), n);
	walk_clear(&w);
}

/* The head and the whole meta, checked. */
static int
read_head(struct spool *s, struct spool_reader *r, const struct spool_item *item, struct why *why)
{
	const struct segment *g = account_segment(s, item->segment);
	bool staged = g != NULL && stage_find(s, g, item->offset) != NULL;
	uint32_t n = staged || item->length < FIRST ? item->length : FIRST;
	const unsigned char *head;

	if (octets(s, item->segment, item->offset, n, &r->first, why) < 0)
		return -1;
	head = (const unsigned char *)r->first.data;
	if (g == NULL || !frame_parse(&r->frame, head, g->seed, item->offset) || r->frame.id != item->id ||
	    r->frame.kind != FRAME_MESSAGE || frame_size(r->frame.length) != item->length)
		return damaged(why, "the record of the message is damaged");
	if (FRAME_HEAD + r->frame.meta > n && octets(s, item->segment, item->offset + n,
	    FRAME_HEAD + r->frame.meta - n, &r->first, why) < 0)
		return -1;
	if (crc32c(0, r->first.data + FRAME_HEAD, r->frame.meta) != r->frame.meta_crc)
		return damaged(why, "the envelope of the message is damaged");
	return 0;
}

static int
open_blob(struct spool *s, struct spool_reader *r, const struct spool_item *item, struct why *why)
{
	struct disk_stat st;

	if (r->frame.meta < FRAME_BLOB_HEAD)
		return damaged(why, "the envelope of the message is damaged");
	blob_parse_head(&r->large, r->first.data + FRAME_HEAD);
	if ((r->blob = blob_open(s->blobs, item->id)) < 0)
		return fail(why, "the content of the message cannot be opened: %s", strerror(errno));
	if (disk_stat(r->blob, "", &st) < 0 || !st.is_file || st.size != r->large.octets)
		return damaged(why, "the content of the message has lost octets");
	return 0;
}

int
spool_read_open(struct spool *s, const struct spool_item *item, struct spool_reader **out,
    struct why *why)
{
	struct spool_reader *r = mem_zero(sizeof *r);
	const struct segment *g;

	r->blob = -1;
	r->at = item->offset;
	if (read_head(s, r, item, why) < 0 ||
	    ((r->frame.flags & FRAME_BLOB) != 0 && open_blob(s, r, item, why) < 0)) {
		spool_read_close(&r);
		return -1;
	}
	g = account_segment(s, item->segment);
	if (r->first.len < FRAME_HEAD + r->frame.length)
		r->file = segment_file_share(g->file);
	*out = r;
	return 0;
}

static uint32_t
skip(const struct spool_reader *r)
{
	return (r->frame.flags & FRAME_BLOB) != 0 ? FRAME_BLOB_HEAD : 0;
}

struct str
spool_read_meta(const struct spool_reader *r)
{
	return (struct str){ r->first.data + FRAME_HEAD + skip(r), r->frame.meta - skip(r) };
}

int
spool_read_note(struct spool *s, const struct spool_item *item, struct buf *out, struct why *why)
{
	const struct segment *g = account_segment(s, item->note_segment);
	struct buf b = { 0 };
	struct frame f;
	int r = -1;

	if (item->note_segment == 0)
		return 0;
	if (octets(s, item->note_segment, item->note_offset, item->note_length, &b, why) < 0)
		goto out;
	if (!frame_parse(&f, (const unsigned char *)b.data, g->seed, item->note_offset) ||
	    f.kind != FRAME_NOTE || f.id != item->id || frame_size(f.length) != item->note_length ||
	    crc32c(0, b.data + FRAME_HEAD, f.meta) != f.meta_crc) {
		damaged(why, "the message's newest note is damaged");
		goto out;
	}
	buf_put(out, b.data + FRAME_HEAD, f.meta);
	r = 0;
out:
	buf_clear(&b);
	return r;
}

uint64_t
spool_read_octets(const struct spool_reader *r)
{
	return r->frame.length - r->frame.meta + r->large.octets;
}

static int64_t
read_text(struct spool_reader *r, char *p, uint64_t n, struct why *why)
{
	uint64_t at = FRAME_HEAD + r->frame.meta + r->pos;

	if (at < r->first.len || r->file == NULL) {
		if (n > r->first.len - at)
			n = r->first.len - at;
		memcpy(p, r->first.data + at, n);
	} else if (read_all(r->file->fd, p, n, r->at + at) < 0) {
		return fail(why, "cannot read the message: %s", strerror(errno));
	}
	return (int64_t)n;
}

int64_t
spool_read(struct spool_reader *r, void *p, size_t n, struct why *why)
{
	uint64_t text = r->frame.length - r->frame.meta, end = text + r->large.octets;
	bool in_text = r->pos < text;
	uint64_t left = (in_text ? text : end) - r->pos;
	int64_t got;

	if (n > left)
		n = left;
	if (n == 0)
		return 0;
	if (in_text)
		got = read_text(r, p, n, why);
	else if ((got = read_all(r->blob, p, n, r->pos - text)) < 0)
		fail(why, "cannot read the message's content: %s", strerror(errno));
	else
		got = (int64_t)n;
	if (got < 0)
		return -1;
	r->crc = crc32c(r->pos == text ? 0 : r->crc, p, (size_t)got);
	r->pos += (uint64_t)got;
	if ((r->pos == text && r->crc != r->frame.text_crc) ||
	    (r->pos == end && end != text && r->crc != r->large.crc))
		return damaged(why, "the content of the message is damaged");
	return got;
}

void
spool_read_rewind(struct spool_reader *r)
{
	r->pos = 0;
	r->crc = 0;
}

void
spool_read_close(struct spool_reader **out)
{
	struct spool_reader *r = *out;

	*out = NULL;
	if (r == NULL)
		return;
	segment_file_drop(&r->file);
	disk_close(&r->blob);
	buf_clear(&r->first);
	free(r);
}
