/*
 * After an unclean end.  The page cache may still show records that a failed sync never brought to the
 * disk (PROTOCOL.md D.2), so those of the last segment are written once more, to another file, and
 * synced there before anybody relies on them.  The new segment says in its head which one it
 * replaces, and gets its name only when it is whole: a crash in between changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "spool/disk.h"
#include "spool/walk.h"
#include "spool/state.h"

void
renew_adopt(struct spool *s, uint32_t spare)
{
	char name[SEGMENT_NAME];
	struct disk_stat st;
	struct segment *g;
	int fd;

	if (spare >= s->next_spare && spare <= SEGMENT_LAST)
		s->next_spare = spare + 1;
	segment_name(name, spare, true);
	fd = disk_open(s->log, name, O_RDWR | O_NONBLOCK);
	if (fd < 0 || disk_stat(fd, "", &st) < 0 || !st.is_file || st.size != s->segment_bytes ||
	    spare > SEGMENT_LAST || disk_allocate(fd, 0, s->segment_bytes, false) < 0) {
		disk_close(&fd);
		disk_unlink(s->log, name);
		return;
	}
	g = segment_recycle(segment_file_new(fd), spare, s->segment_bytes);
	list_put(&s->spares, &g->node);
	s->nspares++;
}

static bool
counts(struct spool *s, const struct frame *f, const struct place *at, struct spool_item **item)
{
	uint32_t number = at->segment->number;

	*item = s->owner.find(s->owner.arg, f->id);
	switch (f->kind) {
	case FRAME_MESSAGE:
		return *item != NULL && (*item)->segment == number && (*item)->offset == at->at;
	case FRAME_NOTE:
		return *item != NULL && (*item)->note_segment == number && (*item)->note_offset == at->at;
	default:
		return f->kind == FRAME_DONE;
	}
}

static void
copy_records(struct spool *s, struct segment *old)
{
	struct place from = { .segment = old }, to;
	struct spool_item *item;
	enum walk_step step;
	struct walk w;
	struct frame f;

	walk_init(&w, old->file->fd, old->seed, old->end, SEGMENT_HEAD);
	while ((step = walk_next(&w, &f, &from.at, &from.size)) != WALK_END) {
		const unsigned char *payload;

		if (step != WALK_RECORD || !counts(s, &f, &from, &item))
			continue;
		payload = walk_peek(&w, from.at + FRAME_HEAD, f.length);
		memcpy(stage_frame(s, &f, &to), payload, f.length);
		if (f.kind == FRAME_MESSAGE)
			account_message(s, item, &to, &f);
		else if (f.kind == FRAME_NOTE)
			account_note(s, item, &to);
	}
	walk_clear(&w);
}

/* One with at least the old one's room. */
static struct segment *
pick_spare(struct spool *s, const struct segment *old, struct why *why)
{
	uint32_t size = old->size > s->segment_bytes ? old->size : s->segment_bytes;
	struct segment *g;

	if (size == s->segment_bytes && !list_is_empty(&s->spares))
		return container_of(s->spares.next, struct segment, node);
	if (segment_create(&g, s->log, s->next_spare, size, why) < 0)
		return NULL;
	s->next_spare++;
	list_push(&s->spares, &g->node);
	s->nspares++;
	return g;
}

static int
drop(struct spool *s, const struct segment *old, struct why *why)
{
	char name[SEGMENT_NAME], spare[SEGMENT_NAME], aside[ASIDE_NAME];
	int r;

	if (old->stuck)
		return aside_segment(s, old->number, aside, why);
	segment_name(name, old->number, false);
	segment_name(spare, s->next_spare, true);
	if (old->size == s->segment_bytes)
		r = disk_rename(s->log, name, s->log, spare);
	else
		r = disk_unlink(s->log, name);
	if (r < 0 || disk_sync(s->log) < 0)
		return fail(why, "cannot remove log/%s: %s", name, strerror(errno));
	if (old->size == s->segment_bytes)
		renew_adopt(s, s->next_spare);
	return 0;
}

int
renew(struct spool *s, struct segment *old, struct why *why)
{
	char from[SEGMENT_NAME], to[SEGMENT_NAME];
	struct segment *g = pick_spare(s, old, why);
	struct chunk *c;
	int fd;

	if (g == NULL || read_file(s, old, why) < 0)
		return -1;
	s->seq = s->next->first_seq = old->first_seq;
	segment_name(from, g->spare, true);
	c = stage_begin(s, g, old->number + 1, old->number);
	segment_name(to, g->number, false);
	copy_records(s, old);
	fd = g->file->fd;
	if (disk_write(fd, c->bytes.data, c->bytes.len, 0) < 0 || disk_datasync(fd) < 0 ||
	    disk_rename(s->log, from, s->log, to) < 0 || disk_sync(s->log) < 0)
		return fail(why, "cannot write log/%s: %s", to, strerror(errno));
	stage_free(s, &s->next);
	s->next = stage_new(s);
	if (drop(s, old, why) < 0)
		return -1;
	stage_leave(s, old);
	segment_free(&old);
	return 0;
}
