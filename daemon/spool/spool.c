/*
 * Opening and closing the spool, and putting messages, notes and ends into it.  All of it only stages:
 * sync.c makes it durable.
 */
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/state.h"

enum { SEGMENT_BYTES = 32 << 20, ROOM_MS = 100 };

static int
check_dir(int fd, const char *dir, const char *sub, struct why *why)
{
	struct disk_stat st;

	if (disk_stat(fd, "", &st) < 0)
		return fail(why, "cannot look at %s/%s: %s", dir, sub, strerror(errno));
	if (st.uid != geteuid() && geteuid() != 0)
		return fail(why, "%s/%s belongs to user %" PRIu32 ", not to us: chown it", dir, sub, st.uid);
	if ((st.mode & 022) != 0)
		return fail(why, "%s/%s can be written by others (mode %03" PRIo32 "): chmod 0700 it", dir,
		    sub, st.mode);
	return 0;
}

static int
open_dir(int *out, const struct spool *s, const char *dir, const char *sub, struct why *why)
{
	if ((*out = disk_open_dir(s->dir, sub, true)) < 0)
		return fail(why, "cannot open %s/%s: %s", dir, sub, strerror(errno));
	return check_dir(*out, dir, sub, why);
}


/* The names of the spool and of what is in it.  Where the directory above is closed to us, somebody else
 * made ours. */
static int
sync_names(const struct spool *s)
{
	int up = disk_open(s->dir, "..", O_RDONLY | O_DIRECTORY), r = 0;

	if (up >= 0)
		r = disk_sync(up);
	disk_close(&up);
	return r < 0 ? -1 : disk_sync(s->dir);
}

static int
open_dirs(struct spool *s, const char *dir, struct why *why)
{
	int blob;

	if ((s->dir = disk_open_dir(-1, dir, true)) < 0)
		return fail(why, "cannot open the spool %s: %s", dir, strerror(errno));
	if (check_dir(s->dir, dir, "", why) < 0 || lock_take(s, dir, false, why) < 0 ||
	    open_dir(&s->log, s, dir, "log", why) < 0 || open_dir(&blob, s, dir, "blob", why) < 0)
		return -1;
	s->blobs = blob_new_place(blob);
	blob_probe(s->blobs);
	if (sync_names(s) < 0)
		return fail(why, "cannot sync %s: %s", dir, strerror(errno));
	return 0;
}

void
spool_init(struct spool *s, const struct spool_owner *owner)
{
	*s = (struct spool){
		.owner = *owner,
		.dir = -1, .log = -1, .damaged = -1, .lock = -1,
		.segment_bytes = SEGMENT_BYTES,
		.seq = 1, .next_spare = 1,
	};
	list_init(&s->segments);
	list_init(&s->spares);
}

void
spool_clear(struct spool *s)
{
	struct node *n;

	stage_free(s, &s->flight);
	stage_free(s, &s->next);
	while ((n = list_take(&s->segments)) != NULL || (n = list_take(&s->spares)) != NULL) {
		struct segment *g = container_of(n, struct segment, node);

		segment_free(&g);
	}
	map_clear(&s->by_number);
	buf_clear(&s->idle);
	blob_free_place(&s->blobs);
	disk_close(&s->damaged);
	disk_close(&s->log);
	disk_close(&s->lock);
	disk_close(&s->dir);
}

int
spool_open(struct spool **out, const struct spool_options *o, const struct spool_owner *owner,
    struct why *why)
{
	uint64_t size = o->segment_bytes != 0 ? o->segment_bytes : SEGMENT_BYTES;
	struct spool *s = mem_alloc(sizeof *s);

	spool_init(s, owner);
	s->min_free = o->min_free;
	size = size < SEGMENT_MIN ? SEGMENT_MIN : size > SEGMENT_MAX ? SEGMENT_MAX : size;
	s->segment_bytes = (uint32_t)(size & ~(uint64_t)4095);
	if (open_dirs(s, o->dir, why) < 0)
		goto fail;
	s->next = stage_new(s);
	if (recover(s, why) < 0)
		goto fail;
	*out = s;
	return 0;
fail:
	spool_clear(s);
	free(s);
	return -1;
}

/* Only after all else is durable: recovery trusts a log that ends so. */
static void
mark_clean(struct spool *s)
{
	struct frame f = { .kind = FRAME_SEAL, .flags = FRAME_CLEAN };
	struct spool_sync *y;
	struct place at;

	if (s->flight != NULL || spool_is_dirty(s))
		return;
	stage_frame(s, &f, &at);
	y = spool_write(s, NULL);
	if (y != NULL && spool_sync_run(y, NULL) == 0)
		spool_sync_end(s, &y);
}

void
spool_close(struct spool **s)
{
	if (*s == NULL)
		return;
	mark_clean(*s);
	spool_clear(*s);
	free(*s);
	*s = NULL;
}

uint64_t
spool_last_id(const struct spool *s)
{
	return s->last_id;
}

/* A message's record, into the place that was made for it. */
static void
fill(char *p, const struct spool_blob *blob, struct str meta, const struct str *text, unsigned ntext)
{
	if (blob != NULL)
		p += blob_put_head(blob, p);
	memcpy(p, meta.p, meta.n);
	p += meta.n;
	for (unsigned i = 0; i < ntext; i++) {
		if (text[i].n > 0)
			memcpy(p, text[i].p, text[i].n);
		p += text[i].n;
	}
}

static struct frame
describe(uint64_t id, unsigned recipients, const struct spool_blob *blob, struct str meta,
    const struct str *text, unsigned ntext)
{
	struct frame f = {
		.kind = FRAME_MESSAGE,
		.recipients = (uint16_t)(recipients < UINT16_MAX ? recipients : UINT16_MAX),
		.id = id,
	};
	char head[FRAME_BLOB_HEAD];

	if (blob != NULL) {
		f.flags = FRAME_BLOB;
		f.meta = blob_put_head(blob, head);
		f.meta_crc = crc32c(0, head, sizeof head);
	}
	f.meta += (uint32_t)meta.n;
	f.meta_crc = crc32c(f.meta_crc, meta.p, meta.n);
	f.length = f.meta;
	for (unsigned i = 0; i < ntext; i++) {
		f.length += (uint32_t)text[i].n;
		f.text_crc = crc32c(f.text_crc, text[i].p, text[i].n);
	}
	return f;
}

static uint64_t
record_length(const struct spool_blob *blob, struct str meta, const struct str *text, unsigned ntext)
{
	uint64_t length = (blob != NULL ? FRAME_BLOB_HEAD : 0) + (uint64_t)meta.n;

	for (unsigned i = 0; i < ntext; i++)
		length += text[i].n;
	return length;
}

uint64_t
spool_weigh(const struct spool *s, unsigned recipients, struct str meta, const struct str *text, unsigned ntext,
    const struct spool_blob *blob)
{
	return frame_size(record_length(blob, meta, text, ntext)) + stage_reserve(s, recipients) +
	    (blob != NULL ? spool_blob_octets(blob) : 0);
}

int
spool_put(struct spool *s, struct spool_item *item, uint64_t id, unsigned recipients, struct str meta,
    const struct str *text, unsigned ntext, struct spool_blob **blob, struct why *why)
{
	struct spool_blob *large = blob != NULL ? *blob : NULL;
	uint64_t length = record_length(large, meta, text, ntext);
	struct place at;
	struct frame f;

	if (frame_size(length) > segment_capacity(s->segment_bytes) / 2) {
		errno = EMSGSIZE;
		return fail(why, "a record of %" PRIu64 " octets is too large for the spool", length);
	}
	if (stage_ensure(s, frame_size(length), stage_reserve(s, recipients) +
	    segment_capacity(s->segment_bytes) + stage_slack(s), why) < 0)
		return -1;
	f = describe(id, recipients, large, meta, text, ntext);
	fill(stage_frame(s, &f, &at), large, meta, text, ntext);
	*item = (struct spool_item){ 0 };
	account_message(s, item, &at, &f);
	if (large != NULL) {
		account_blob(s, item, spool_blob_octets(large));
		blob_promise(large, &s->next->new_blobs, id);
		*blob = NULL;
	}
	if (id > s->last_id)
		s->last_id = id;
	return 0;
}

/* Notes may use room that nobody has reserved; else the message's own, but never that of an end. */
static bool
has_note_room(struct spool *s, struct spool_item *item, uint64_t size)
{
	if (size > stage_slack(s) / 2)
		return false;
	if (stage_ensure(s, size, segment_capacity(s->segment_bytes) + stage_slack(s), NULL) == 0)
		return true;
	if (item->reserved < size + FRAME_HEAD || !stage_fits(s, size, s->messages * FRAME_HEAD))
		return false;
	item->reserved -= (uint32_t)size;
	s->reserved -= size;
	s->live -= size;
	return true;
}

int
spool_note(struct spool *s, struct spool_item *item, struct str note)
{
	struct frame f = { .kind = FRAME_NOTE, .id = item->id };
	struct place at;
	char *p;

	if (note.n > SEGMENT_MAX || !has_note_room(s, item, frame_size(note.n)))
		return -1;
	f.length = f.meta = (uint32_t)note.n;
	f.meta_crc = crc32c(0, note.p, note.n);
	p = stage_frame(s, &f, &at);
	memcpy(p, note.p, note.n);
	account_note(s, item, &at);
	return 0;
}

void
spool_done(struct spool *s, struct spool_item *item)
{
	struct frame f = { .kind = FRAME_DONE, .id = item->id };
	struct place at;

	account_end(s, item);
	if (item->has_blob)
		buf_put(&s->next->dead_blobs, &item->id, sizeof item->id);
	stage_frame(s, &f, &at);
}

bool
spool_has_room(struct spool *s, uint64_t octets)
{
	int64_t now = clock_now_ms();

	if (!s->room_known || now - s->room_at_ms >= ROOM_MS) {
		s->room_known = disk_room(s->log, &s->room_octets) == 0;
		s->room_at_ms = now;
	}
	return s->room_known && s->room_octets >= s->min_free && s->room_octets - s->min_free >= octets;
}

uint64_t
spool_measure(struct spool *s)
{
	s->room_known = false;
	return spool_has_room(s, 0) ? s->room_octets - s->min_free : 0;
}

uint64_t
spool_disk_bytes(const struct spool *s)
{
	return (uint64_t)(s->nsegments + s->nspares) * s->segment_bytes + s->blob_octets;
}

uint64_t
spool_live_bytes(const struct spool *s)
{
	return s->live + s->blob_octets;
}

bool
spool_is_dirty(const struct spool *s)
{
	return !list_is_empty(&s->next->chunks) || !list_is_empty(&s->next->files);
}

struct spool_blobs *
spool_get_blobs(struct spool *s)
{
	return s->blobs;
}
