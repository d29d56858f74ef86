/* Which record of a message lies where, what lives in each segment, and how much is promised. */
#include "spool/state.h"

struct segment *
account_segment(const struct spool *s, uint32_t number)
{
	return number == 0 ? NULL : map_find(&s->by_number, number);
}

static void
leave(struct spool *s, struct spool_item *item)
{
	struct segment *g = account_segment(s, item->segment);

	if (g == NULL)
		return;
	g->live--;
	s->live -= item->length;
	item->segment = 0;
}

void
account_no_note(struct spool *s, struct spool_item *item)
{
	if (item->note_segment != 0)
		s->live -= item->note_length;
	item->note_segment = item->note_offset = item->note_length = 0;
}

void
account_message(struct spool *s, struct spool_item *item, const struct place *at, const struct frame *f)
{
	if (item->segment != 0) {
		leave(s, item);
	} else {
		item->note_segment = item->note_offset = item->note_length = 0;
		item->reserved = stage_reserve(s, f->recipients);
		s->reserved += item->reserved;
		s->live += item->reserved;
		item->blob_octets = 0;
		s->messages++;
	}
	item->id = f->id;
	item->segment = at->segment->number;
	item->offset = at->at;
	item->length = at->size;
	item->has_blob = (f->flags & FRAME_BLOB) != 0;
	at->segment->live++;
	s->live += at->size;
}

void
account_blob(struct spool *s, struct spool_item *item, uint64_t octets)
{
	item->blob_octets = octets;
	s->blob_octets += octets;
}

void
account_note(struct spool *s, struct spool_item *item, const struct place *at)
{
	account_no_note(s, item);
	item->note_segment = at->segment->number;
	item->note_offset = at->at;
	item->note_length = at->size;
	s->live += at->size;
}

void
account_end(struct spool *s, struct spool_item *item)
{
	if (item->segment == 0)
		bug("spool: the end of a message that is not there");
	leave(s, item);
	account_no_note(s, item);
	s->reserved -= item->reserved;
	s->live -= item->reserved;
	item->reserved = 0;
	s->blob_octets -= item->blob_octets;
	item->blob_octets = 0;
	s->messages--;
}
