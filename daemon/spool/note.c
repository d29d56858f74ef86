/* A message's newest note has gone bad while the daemon runs: as at a start, the one before it counts. */
#include <inttypes.h>
#include <stdio.h>

#include "spool/walk.h"
#include "spool/state.h"

/* The last good note of the message in the segment that stands before `upto'. */
static bool
find_in(struct spool *s, struct segment *g, uint64_t id, uint32_t upto, struct place *out)
{
	struct place at = { .segment = g };
	enum walk_step step;
	bool found = false;
	struct walk w;
	struct frame f;

	if (read_file(s, g, NULL) < 0)
		return false;
	walk_init(&w, g->file->fd, g->seed, g->end, SEGMENT_HEAD);
	while ((step = walk_next(&w, &f, &at.at, &at.size)) != WALK_END && at.at < upto) {
		if (step != WALK_RECORD || f.kind != FRAME_NOTE || f.id != id || !walk_check_meta(&w, &f, at.at))
			continue;
		*out = at;
		found = true;
	}
	walk_clear(&w);
	return found;
}

/* None stands before the message: compaction puts its newest behind it. */
static bool
find(struct spool *s, const struct spool_item *item, struct place *out)
{
	struct segment *g = account_segment(s, item->note_segment);
	uint32_t upto = item->note_offset;

	if (g == NULL)
		return false;
	for (struct node *n = &g->node; n != &s->segments; n = n->prev, upto = UINT32_MAX) {
		g = container_of(n, struct segment, node);
		if (find_in(s, g, item->id, upto, out))
			return true;
		if (g->number == item->segment)
			return false;
	}
	return false;
}

void
spool_note_lost(struct spool *s, struct spool_item *item)
{
	char name[ASIDE_NAME];
	struct buf raw = { 0 };
	struct place before;

	read_raw(s, item->note_segment, item->note_offset, item->note_length, &raw);
	if (aside_bytes(s, item->note_segment, item->note_offset, buf_str(&raw), name, NULL) < 0)
		snprintf(name, sizeof name, "log/%08" PRIx32 ".seg", item->note_segment);
	buf_clear(&raw);
	if (find(s, item, &before))
		account_note(s, item, &before);
	else
		account_no_note(s, item);
	s->owner.damaged(s->owner.arg, item->id, name, "its newest note is damaged");
}
