/*
 * The end of the log, where no whole record follows.  What a write cut short has left there was never
 * acknowledged and is dropped; but an octet that went bad in the last record looks much the same.  They are told
 * apart by what is missing: a sector still without octets shows that the write did not end.  All else
 * that is recognizably of a record is kept and reported.
 */
#include <string.h>

#include "spool/recover.h"
#include "spool/walk.h"

enum { SECTOR = 512, ZEROS = 64, CHECKSUM_AT = FRAME_HEAD - 4, GLIMPSE = 4096 };

static bool
is_zero(const unsigned char *p, uint32_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* A few zeros at a sector's edge may be the record's own, but not where its checksum is. */
static bool
is_torn(struct walk *w, uint32_t at, uint32_t size)
{
	const unsigned char *p = walk_peek(w, at, size);
	uint32_t n;

	for (uint32_t from = 0; from < size; from += n) {
		n = SECTOR - (at + from) % SECTOR;
		if (n > size - from)
			n = size - from;
		if (n < ZEROS && (from > CHECKSUM_AT || from + n <= CHECKSUM_AT))
			continue;
		if (is_zero(p + from, n))
			return true;
	}
	return false;
}

/* Is this a record's head but for one octet?  The checksum has too many bits for that to be chance. */
static bool
mend(struct frame *f, const unsigned char in[FRAME_HEAD], uint32_t seed, uint32_t at)
{
	bool marked = frame_has_magic(in);
	unsigned char head[FRAME_HEAD];

	memcpy(head, in, sizeof head);
	for (unsigned i = marked ? 4 : 0; i < (marked ? sizeof head : 4); i++) {
		for (unsigned change = 1; change < 256; change++) {
			head[i] = in[i] ^ (unsigned char)change;
			if (frame_parse(f, head, seed, at))
				return !frame_is_newer(f);
		}
		head[i] = in[i];
	}
	return false;
}

static const char *
describe(unsigned kind)
{
	switch (kind) {
	case FRAME_NOTE:
		return "its newest note is damaged";
	case FRAME_DONE:
		return "the record of its end is damaged";
	default:
		return "its record is damaged";
	}
}

/* The place where the next record would be. */
static void
look_behind(struct recovery *r, struct walk *w)
{
	struct place at = { .segment = r->last, .at = r->last->end };
	uint32_t left = r->last->size - at.at;
	unsigned char head[FRAME_HEAD];
	struct frame f = { 0 };
	bool known;

	if (r->last->end >= r->last->size || left < FRAME_HEAD)
		return;
	memcpy(head, walk_peek(w, at.at, FRAME_HEAD), sizeof head);
	if (frame_parse(&f, head, w->seed, at.at))
		return;		/* longer than the file: it was cut off */
	known = mend(&f, head, w->seed, at.at);
	if (!known) {
		memset(&f, 0, sizeof f);
		(void)!frame_parse(&f, head, w->seed, at.at);	/* for what it says all the same */
		if (r->clean || f.kind == 0 || frame_is_newer(&f) || f.seq != r->seq)
			return;
	}
	if (f.kind == FRAME_SEAL || (known && f.kind == FRAME_MESSAGE && r->s->owner.find(r->s->owner.arg, f.id) != NULL))
		return;		/* nothing is lost with it */
	at.size = frame_size(f.length) <= left ? (uint32_t)frame_size(f.length) : left < GLIMPSE ? left : GLIMPSE;
	if (is_torn(w, at.at, at.size))
		return;
	replay_hurt(r, &at, known ? &f : NULL, known ? describe(f.kind) : "what is there of a record is damaged");
	r->clean = false;
}

void
tail_look(struct recovery *r)
{
	size_t kept = r->nsure;
	struct walk w;

	if (r->last == NULL)
		return;
	walk_init(&w, r->last->file->fd, r->last->seed, r->last->size, r->last->end);
	for (size_t i = r->nsure; i < r->nhurt; i++)
		if (!is_torn(&w, r->hurt[i].at, r->hurt[i].size))
			r->hurt[kept++] = r->hurt[i];
	r->nhurt = kept;
	look_behind(r, &w);
	walk_clear(&w);
}
