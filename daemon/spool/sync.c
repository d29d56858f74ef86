/*
 * Group commit.  spool_write closes the batch; spool_sync_run carries it out in the one order that is
 * safe, on any thread:
 *
 *	large contents durable and named; then the records, segment after segment, each synced before the
 *	next segment enters the log; then what nothing needs any more goes, the oldest first and each for good
 *	before the next, since a segment's ends must outlive the messages they end.
 *
 * The octets are written here and not by spool_write, because a segment must not be written
 * before the one in front of it is synced.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "spool/disk.h"
#include "spool/state.h"

/* Segments at the old end in which nothing lives go with this batch. */
static void
retire(struct spool *s, struct spool_sync *y)
{
	int64_t enough = (int64_t)(2 * segment_capacity(s->segment_bytes) + stage_slack(s));
	int64_t room = stage_room(s);

	list_each(n, &s->segments) {
		struct segment *g = container_of(n, struct segment, node);

		if (g->live > 0 || g->stuck || g == s->active)
			return;
		stage_leave(s, g);
		/* Who still reads from it keeps the file: it must not be written again. */
		if (room < enough && g->size == s->segment_bytes && g->file != NULL &&
		    atomic_load(&g->file->refs) == 1) {
			g->spare = s->next_spare++;
			room += segment_capacity(g->size);
		}
		list_put(&y->retired, &g->node);
	}
}

struct spool_sync *
spool_write(struct spool *s, struct why *why)
{
	struct spool_sync *y = s->next;

	if (s->flight != NULL) {
		fail(why, "a batch is still on its way");
		return NULL;
	}
	retire(s, y);
	s->flight = y;
	s->next = stage_new(s);
	return y;
}

static int
keep_blobs(struct spool_sync *y, struct why *why)
{
	if (list_is_empty(&y->new_blobs))
		return 0;
	list_each(n, &y->new_blobs) {
		if (blob_keep(container_of(n, struct spool_blob, node), why) < 0)
			return -1;
	}
	if (disk_sync(blob_get_dir(y->blobs)) < 0)
		return fail(why, "cannot sync blob/: %s", strerror(errno));
	return 0;
}

static int
sync_log(const struct spool_sync *y, struct why *why)
{
	return disk_sync(y->log) == 0 ? 0 : fail(why, "cannot sync log/: %s", strerror(errno));
}

/* The head is durable before the name, so that a segment without one is damaged, not young. */
static int
enter(const struct spool_sync *y, const struct chunk *c, struct why *why)
{
	int fd = c->segment->file->fd;
	char from[SEGMENT_NAME], to[SEGMENT_NAME];

	segment_name(from, c->enters, true);
	segment_name(to, c->segment->number, false);
	if (disk_write(fd, c->bytes.data, SEGMENT_HEAD, 0) < 0 || disk_datasync(fd) < 0)
		return fail(why, "cannot write log/%s: %s", from, strerror(errno));
	if (disk_rename(y->log, from, y->log, to) < 0)
		return fail(why, "cannot rename log/%s: %s", from, strerror(errno));
	return sync_log(y, why);
}

static int
write_chunk(struct spool_sync *y, struct chunk *c, struct why *why)
{
	size_t skip = c->enters != 0 ? SEGMENT_HEAD : 0;
	int fd = c->segment->file->fd;
	char name[SEGMENT_NAME];

	segment_name(name, c->segment->number, false);
	if (c->enters != 0 && enter(y, c, why) < 0)
		return -1;
	if (c->bytes.len > skip &&
	    disk_write(fd, c->bytes.data + skip, c->bytes.len - skip, c->at + skip) < 0)
		return fail(why, "cannot write log/%s: %s", name, strerror(errno));
	if (disk_datasync(fd) < 0)
		return fail(why, "cannot sync log/%s: %s", name, strerror(errno));
	return 0;
}

static int
remove_segment(struct spool_sync *y, const struct segment *g, struct why *why)
{
	char name[SEGMENT_NAME], spare[SEGMENT_NAME];

	segment_name(name, g->number, false);
	if (g->spare != 0) {
		segment_name(spare, g->spare, true);
		if (disk_rename(y->log, name, y->log, spare) < 0)
			return fail(why, "cannot rename log/%s: %s", name, strerror(errno));
	} else if (disk_unlink(y->log, name) < 0) {
		return fail(why, "cannot remove log/%s: %s", name, strerror(errno));
	}
	return sync_log(y, why);
}

int
spool_sync_run(struct spool_sync *y, struct why *why)
{
	if (keep_blobs(y, why) < 0)
		return -1;
	if (y->entries && sync_log(y, why) < 0)
		return -1;
	list_each(n, &y->chunks) {
		if (write_chunk(y, container_of(n, struct chunk, node), why) < 0)
			return -1;
	}
	for (size_t at = 0; at < y->dead_blobs.len; at += sizeof(uint64_t)) {
		uint64_t which;

		memcpy(&which, y->dead_blobs.data + at, sizeof which);
		blob_unlink(y->blobs, which);
	}
	list_each(n, &y->retired) {
		if (remove_segment(y, container_of(n, struct segment, node), why) < 0)
			return -1;
	}
	return sidefile_write_all(y, why);
}

const char *
spool_sync_trouble(const struct spool_sync *y)
{
	return y->trouble.text[0] != '\0' ? y->trouble.text : NULL;
}

/* The file of a segment that is gone for good becomes a spare one. */
static void
take_back(struct spool *s, struct segment *old)
{
	struct segment *g = segment_recycle(old->file, old->spare, old->size);

	old->file = NULL;
	list_put(&s->spares, &g->node);
	s->nspares++;
}

void
spool_sync_end(struct spool *s, struct spool_sync **out)
{
	struct spool_sync *y = *out;

	*out = NULL;
	if (y != s->flight)
		bug("spool: the end of a batch that was not on its way");
	list_each(n, &y->retired) {
		struct segment *old = container_of(n, struct segment, node);

		if (old->spare != 0)
			take_back(s, old);
	}
	s->flight = NULL;
	stage_free(s, &y);
}
