/*
 * Compaction.  When less than half of the older segments is alive, the messages that live in the oldest are
 * staged again at the log's end, each with its newest note, a slice at a time; the segment then goes
 * with the batch.  Always the oldest: an end (DONE) may go with its segment, because no copy of its
 * message can be in an older one.
 */
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

/* A damaged record moves as it is, with the checksums that tell: who reads it sets it aside.  false: no
 * room now. */
static bool
copy(struct spool *s, struct walk *w, struct frame *f, uint32_t from, struct spool_item *item)
{
	struct buf note = { 0 };
	struct place at;

	if (stage_ensure(s, (uint64_t)item->length + item->note_length, stage_slack(s), NULL) < 0)
		return false;
	if (spool_read_note(s, item, &note, NULL) < 0)
		buf_cut(&note, 0);	/* the message goes on as if it had none */
	memcpy(stage_frame(s, f, &at), walk_peek(w, from + FRAME_HEAD, f->length), f->length);
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
			walk_clear(&w);
			s->victim_at = at;
			return false;
		}
		copied += size;
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
