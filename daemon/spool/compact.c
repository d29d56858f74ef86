/*
 * Compaction.  When less than half of the older segments is alive, the messages that live in the oldest are
 * staged again at the log's end, each with its newest note, a slice at a time; the segment then goes
 * with the batch.  Always the oldest: an end (DONE) may go with its segment, because no copy of its
 * message can be in an older one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "spool/walk.h"
#include "spool/state.h"

/* Sealed segments, of which those are no matter that go with the next batch anyway. */
static struct segment *
pick(struct spool *s)
{
	uint64_t sealed = s->nsegments - 1;

	list_each(n, &s->segments) {
		struct segment *g = container_of(n, struct segment, node);

		if (g == s->active || g->stuck || g->busy > 0)
			return NULL;
		if (g->live > 0)
			return sealed * s->segment_bytes > 2 * (s->live - s->reserved) ? g : NULL;
		sealed--;
	}
	return NULL;
}

enum { PATIENCE = 8 };

/* The message's newest note must come after it in the log. */
void
compact_note(struct spool *s, struct spool_item *item, struct buf *note)
{
	struct frame f;
	struct place at;

	if (note->len == 0)
		return;
	f = (struct frame){ .kind = FRAME_NOTE, .id = item->id };
	f.length = f.meta = (uint32_t)note->len;
	f.meta_crc = crc32c(0, note->data, note->len);
	memcpy(stage_frame(s, &f, &at), note->data, note->len);
	account_note(s, item, &at);
}

/* The newest note that can be read.  -1: the disk would not say. */
static int
load_note(struct spool *s, struct spool_item *item, struct buf *out)
{
	while (spool_read_note(s, item, out, NULL) < 0) {
		if (errno != EBADMSG)
			return -1;
		spool_note_lost(s, item);
	}
	return 0;
}

/* A damaged record moves as it is, with the checksums that tell: who reads it sets it aside.  false: not
 * now, for want of room, or of an answer of the disk. */
static bool
copy(struct spool *s, struct walk *w, struct frame *f, uint32_t from, struct spool_item *item)
{
	const unsigned char *payload = walk_peek(w, from + FRAME_HEAD, f->length);
	struct buf note = { 0 };
	struct place at;

	if (w->failed || stage_ensure(s, (uint64_t)item->length + item->note_length, stage_slack(s), NULL) < 0 ||
	    load_note(s, item, &note) < 0)
		return false;
	memcpy(stage_frame(s, f, &at), payload, f->length);
	account_message(s, item, &at, f);
	compact_note(s, item, &note);
	buf_clear(&note);
	return true;
}

static void
finish(struct spool *s, struct segment *g)
{
	char name[SEGMENT_NAME], file[SEGMENT_NAME + 4];

	s->victim = NULL;
	if (g->live == 0)
		return;
	g->stuck = true;
	segment_name(name, g->number, false);
	snprintf(file, sizeof file, "log/%s", name);
	s->owner.damaged(s->owner.arg, 0, file, "records have become unreadable: restart to set them aside");
}

bool
spool_compact(struct spool *s, uint64_t octets)
{
	struct segment *g = s->victim;
	enum walk_step step = WALK_GAP;
	uint64_t copied = 0;
	struct walk w;
	struct frame f;
	uint32_t at, size;

	if (g == NULL) {
		if ((g = pick(s)) == NULL)
			return false;
		s->victim = g;
		s->victim_at = SEGMENT_HEAD;
		s->victim_failed = 0;
	}
	if (read_file(s, g, NULL) < 0)
		return false;
	walk_init(&w, g->file->fd, g->seed, g->size, s->victim_at);
	while (copied < octets && g->live > 0 && (step = walk_next(&w, &f, &at, &size)) != WALK_END) {
		struct spool_item *item;

		if (step == WALK_GAP || f.kind != FRAME_MESSAGE ||
		    (item = s->owner.find(s->owner.arg, f.id)) == NULL ||
		    item->segment != g->number || item->offset != at)
			continue;
		if (!copy(s, &w, &f, at, item)) {
			if (w.missed && s->victim_failed >= PATIENCE)
				continue;	/* it keeps the segment */
			s->victim_failed += w.missed;
			s->victim_at = w.missed ? s->victim_at : at;
			walk_clear(&w);
			return false;
		}
		copied += size;
	}
	if (w.missed && s->victim_failed < PATIENCE) {	/* what could not be read may be there the next time */
		s->victim_failed++;
		walk_clear(&w);
		return false;
	}
	s->victim_at = w.next;
	walk_clear(&w);
	if (step == WALK_END || g->live == 0)
		finish(s, g);
	return s->victim != NULL || pick(s) != NULL;
}

/*
 * A stream of mail keeps the files of dead segments, to use them again; in quiet hours one spare is enough.  Beside a
 * nearly full segment that takes two: it is ended, so that what lives in it can move and the rest go.
 */
void
spool_rest(struct spool *s)
{
	uint64_t keep = segment_capacity(s->segment_bytes) + 2 * stage_slack(s);

	if (s->rested != s->active->number) {
		s->rested = s->active->number;
		return;
	}
	stage_drop_spares(s, keep);
	if (s->nspares > 1 && stage_room(s) - (int64_t)(s->active->size - s->active->end) > (int64_t)keep)
		stage_rotate(s);
}
