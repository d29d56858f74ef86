/*
 * Staging: records go one after the other into the batch's buffer, with their place in the log already
 * given, and room is made for them before.  No record of the batch is on disk yet.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/state.h"

enum { IDLE_MAX = 8 << 20, NOTE_OCTETS = 160, NOTE_OCTETS_RECIPIENT = 96 };

struct spool_sync *
stage_new(struct spool *s)
{
	struct spool_sync *y = mem_zero(sizeof *y);

	y->log = s->log;
	y->blobs = s->blobs;
	y->first_seq = s->seq;
	list_init(&y->chunks);
	list_init(&y->new_blobs);
	list_init(&y->files);
	y->dir = s->dir;
	list_init(&y->retired);
	return y;
}

void
stage_free(struct spool *s, struct spool_sync **y)
{
	struct node *n;

	if (*y == NULL)
		return;
	while ((n = list_take(&(*y)->chunks)) != NULL) {
		struct chunk *c = container_of(n, struct chunk, node);

		c->segment->busy--;
		if (s->idle.cap < c->bytes.cap && c->bytes.cap <= IDLE_MAX) {
			struct buf swap = s->idle;

			s->idle = c->bytes;
			c->bytes = swap;
			buf_cut(&s->idle, 0);
		}
		buf_clear(&c->bytes);
		free(c);
	}
	while ((n = list_take(&(*y)->new_blobs)) != NULL) {
		struct spool_blob *b = container_of(n, struct spool_blob, node);

		spool_blob_free(&b);
	}
	while ((n = list_take(&(*y)->retired)) != NULL) {
		struct segment *g = container_of(n, struct segment, node);

		segment_free(&g);
	}
	sidefile_clear(*y);
	buf_clear(&(*y)->dead_blobs);
	free(*y);
	*y = NULL;
}

static uint32_t
left(const struct segment *g)
{
	return g->size - FRAME_HEAD - g->end;
}

int64_t
stage_room(const struct spool *s)
{
	return (int64_t)left(s->active) + (int64_t)s->nspares * segment_capacity(s->segment_bytes) -
	    (int64_t)s->reserved;
}

uint64_t
stage_slack(const struct spool *s)
{
	return segment_capacity(s->segment_bytes) / 8;
}

uint32_t
stage_reserve(const struct spool *s, unsigned recipients)
{
	uint64_t most = stage_slack(s) / 2, note;

	note = frame_size(NOTE_OCTETS + (uint64_t)NOTE_OCTETS_RECIPIENT * recipients);
	return (uint32_t)(FRAME_HEAD + (note < most ? note : most));
}

static struct chunk *
new_chunk(struct segment *g)
{
	struct chunk *c = mem_zero(sizeof *c);

	c->segment = g;
	c->at = g->end;
	g->busy++;
	return c;
}

int
stage_spare(struct spool *s, bool forced, struct why *why)
{
	uint64_t octets;
	struct segment *g;

	if (!forced && (disk_room(s->log, &octets) < 0 || octets < s->min_free + s->segment_bytes)) {
		fail(why, "the disk of the spool is full but for min_free");
		errno = ENOSPC;
		return -1;
	}
	if (segment_create(&g, s->log, s->next_spare, s->segment_bytes, why) < 0)
		return -1;
	s->next_spare++;
	s->next->entries = true;
	list_push(&s->next->chunks, &new_chunk(g)->node);	/* no octets: to have it synced */
	list_put(&s->spares, &g->node);
	s->nspares++;
	s->room_known = false;
	return 0;
}

void
stage_drop_spares(struct spool *s, uint64_t keep)
{
	while (s->nspares > 0 && stage_room(s) - (int64_t)segment_capacity(s->segment_bytes) > (int64_t)keep) {
		struct segment *g = container_of(s->spares.prev, struct segment, node);
		char name[SEGMENT_NAME];

		if (g->busy > 0)
			return;
		segment_name(name, g->spare, true);
		disk_unlink(s->log, name);
		list_remove(&g->node);
		s->nspares--;
		segment_free(&g);
	}
}

bool
stage_fits(const struct spool *s, uint64_t octets, uint64_t keep)
{
	uint64_t waste = octets > left(s->active) ? left(s->active) : 0;

	return stage_room(s) + (int64_t)s->reserved >=
	    (int64_t)(octets + waste + keep + (s->nspares + 1) * (uint64_t)FRAME_HEAD);
}

int
stage_ensure(struct spool *s, uint64_t octets, uint64_t keep, struct why *why)
{
	uint64_t waste = octets > left(s->active) ? left(s->active) : 0;

	while (stage_room(s) < (int64_t)(octets + waste + keep))
		if (stage_spare(s, false, why) < 0)
			return -1;
	return 0;
}

void
stage_enter(struct spool *s, struct segment *g)
{
	list_put(&s->segments, &g->node);
	map_put(&s->by_number, g->number, g);
	s->active = g;
	s->nsegments++;
	if (g->file != NULL)
		s->nopen++;
}

void
stage_leave(struct spool *s, struct segment *g)
{
	list_remove(&g->node);
	map_take(&s->by_number, g->number);
	s->nsegments--;
	if (g->file != NULL)
		s->nopen--;
	if (s->victim == g)
		s->victim = NULL;
}

static struct chunk *
last_chunk(struct spool *s)
{
	struct node *chunks = &s->next->chunks;
	struct chunk *c = container_of(chunks->prev, struct chunk, node);

	if (list_is_empty(chunks) || c->segment != s->active) {
		c = new_chunk(s->active);
		c->bytes = s->idle;
		s->idle = (struct buf){ 0 };
		list_put(chunks, &c->node);
	}
	return c;
}

static char *
append(struct spool *s, struct frame *f, struct place *out)
{
	struct chunk *c = last_chunk(s);
	uint32_t size = (uint32_t)frame_size(f->length);
	char *p = buf_room(&c->bytes, size);

	f->seq = s->seq++;
	f->back = (uint32_t)(f->seq - s->next->first_seq);
	frame_pack((unsigned char *)p, f, s->active->seed, s->active->end);
	memset(p + size - FRAME_ALIGN, 0, size > FRAME_HEAD ? FRAME_ALIGN : 0);
	*out = (struct place){ s->active, s->active->end, size };
	c->bytes.len += size;
	s->active->end += size;
	return p + FRAME_HEAD;
}

struct chunk *
stage_begin(struct spool *s, struct segment *g, uint32_t number, uint32_t replaces)
{
	struct segment_head head = {
		.number = number, .replaces = replaces, .first_seq = s->seq, .last_id = s->last_id,
	};
	struct chunk *c = new_chunk(g);

	if (number == 0 || g->spare == 0)
		bug("spool: segment %" PRIu32 " of spare %" PRIu32, number, g->spare);
	list_remove(&g->node);
	s->nspares--;
	c->enters = g->spare;
	c->at = 0;
	g->spare = 0;
	segment_begin(g, &head, &c->bytes);
	stage_enter(s, g);
	list_put(&s->next->chunks, &c->node);
	return c;
}

/* The active segment is full: its last record, and on with the first spare. */
void
stage_rotate(struct spool *s)
{
	struct frame seal = { .kind = FRAME_SEAL };
	struct place at;

	if (list_is_empty(&s->spares))
		bug("spool: no spare segment, %" PRIu64 " octets reserved", s->reserved);
	append(s, &seal, &at);
	stage_begin(s, container_of(s->spares.next, struct segment, node), s->active->number + 1, 0);
}

char *
stage_frame(struct spool *s, struct frame *f, struct place *out)
{
	if (frame_size(f->length) > left(s->active))
		stage_rotate(s);
	return append(s, f, out);
}

static const char *
find_in(const struct spool_sync *y, const struct segment *g, uint32_t at)
{
	if (y == NULL)
		return NULL;
	list_each(n, &y->chunks) {
		const struct chunk *c = container_of(n, struct chunk, node);

		if (c->segment == g && at >= c->at && at - c->at < c->bytes.len)
			return c->bytes.data + (at - c->at);
	}
	return NULL;
}

const char *
stage_find(const struct spool *s, const struct segment *g, uint32_t at)
{
	const char *p = g->busy > 0 ? find_in(s->flight, g, at) : NULL;

	return p == NULL && g->busy > 0 ? find_in(s->next, g, at) : p;
}
