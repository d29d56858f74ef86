/*
 * Setting things right at the start, once all of the log has been read: damage goes to damaged/, spare
 * files are taken over, an unclean end is renewed.  Whatever is cut short here is done again the next time.
 */
#include "spool/recover.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "spool/disk.h"

static bool
has(const struct numbers *a, uint32_t number)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i] == number)
			return true;
	return false;
}

static int
remove_replaced(struct recovery *r, struct why *why)
{
	char name[SEGMENT_NAME];

	for (size_t i = 0; i < r->replaced.n; i++) {
		segment_name(name, r->replaced.v[i], false);
		if (disk_unlink(r->s->log, name) < 0 && errno != ENOENT)
			return fail(why, "cannot remove log/%s: %s", name, strerror(errno));
	}
	if (r->replaced.n > 0 && disk_sync(r->s->log) < 0)
		return fail(why, "cannot sync log/: %s", strerror(errno));
	return 0;
}

static int
move_spoilt(struct recovery *r, struct why *why)
{
	const struct spool_owner *o = &r->s->owner;
	char file[ASIDE_NAME];

	for (size_t i = 0; i < r->spoilt.n; i++) {
		if (has(&r->replaced, r->spoilt.v[i]))
			continue;
		if (aside_segment(r->s, r->spoilt.v[i], file, why) < 0)
			return -1;
		o->damaged(o->arg, 0, file, "the head of the segment is damaged, and with it all of it");
	}
	return 0;
}

/* The power, or a kill, may have interrupted the writing of it, so that it was never acknowledged. */
static bool
is_late(const struct recovery *r, const struct hurt *h)
{
	return !r->clean && r->last != NULL && h->segment == r->last->number && h->seq >= r->batch;
}

/* A power cut leaves holes in the batch that was being written.  One in the last batch is damage by the rule
 * of the tail, since records follow it, but people should know. */
void
recover_explain(const struct recovery *r, const struct hurt *h, char *out, size_t size)
{
	snprintf(out, size, "%s%s", h->what, is_late(r, h) ?
	    " (unfinished when the machine stopped, and probably never acknowledged)" : "");
}

/* Keeps the octets and tells the owner, once. */
static void
report(struct recovery *r, struct hurt *h)
{
	struct segment *g = account_segment(r->s, h->segment);
	const struct spool_owner *o = &r->s->owner;
	char name[SEGMENT_NAME], file[ASIDE_NAME], what[160];
	struct buf raw = { 0 };
	int kept;

	read_raw(r->s, h->segment, h->at, h->size, &raw);
	kept = aside_bytes(r->s, h->segment, h->at, buf_str(&raw), file, NULL);
	buf_clear(&raw);
	if (kept < 0) {
		g->stuck = true;
		h->message = false;	/* no end for it: the next start finds it again */
		segment_name(name, h->segment, false);
		snprintf(file, sizeof file, "log/%s", name);
	}
	if (h->message && h->id != 0)
		aside_blob(r->s, h->id);
	recover_explain(r, h, what, sizeof what);
	if (kept != 0)
		(is_late(r, h) && o->unfinished != NULL ? o->unfinished : o->damaged)(o->arg, h->id, file, what);
}

static void
report_all(struct recovery *r)
{
	const struct spool_owner *o = &r->s->owner;

	for (size_t i = 0; i < r->nhurt; i++) {
		struct hurt *h = &r->hurt[i];

		if (!h->message && h->id != 0 && o->find(o->arg, h->id) == NULL)
			h->over = true;		/* a note of what is over */
		if (!h->over)
			report(r, h);
	}
}

/* The segment to go on with. */
static int
settle_active(struct recovery *r, struct why *why)
{
	struct spool *s = r->s;
	uint32_t number = r->log.n > 0 ? r->log.v[r->log.n - 1] : 0;

	if (number > SEGMENT_LAST / 2)	/* a stray file's: our own do not come so far */
		number = 0;
	if (r->last != NULL && r->clean && r->last->end + FRAME_HEAD <= r->last->size)
		return read_file(s, r->last, why);
	if (r->last != NULL)
		return renew(s, r->last, why);
	if (s->nspares == 0 && stage_spare(s, true, why) < 0)
		return -1;
	stage_begin(s, container_of(s->spares.next, struct segment, node), number + 1, 0);
	return 0;
}

/* Room for what comes, within min_free; at least for the ends of what is there. */
static int
settle_room(struct spool *s, struct why *why)
{
	uint64_t enough = segment_capacity(s->segment_bytes) + 2 * stage_slack(s);

	if (stage_ensure(s, 0, enough, NULL) == 0)
		return 0;
	while (!stage_fits(s, 0, s->messages * FRAME_HEAD + stage_slack(s)))
		if (stage_spare(s, true, why) < 0)
			return -1;
	return 0;
}

/* No later start would find the note to be this message's: it counts only behind it. */
static bool
is_note_before(const struct spool_item *item)
{
	return item->note_segment != 0 && (item->note_segment < item->segment ||
	    (item->note_segment == item->segment && item->note_offset < item->offset));
}

/* Compaction had copied the message, but power went before the copy of its note was there: the note would be lost with the
 * old copy of the message.  It is copied now; where that is not possible nothing of the log goes. */
static void
follow_moved(struct recovery *r)
{
	struct spool *s = r->s;

	for (size_t i = 0; i < r->nmoved; i++) {
		struct spool_item *item = s->owner.find(s->owner.arg, r->moved[i]);
		struct buf note = { 0 };

		if (item == NULL || !is_note_before(item))
			continue;
		if (spool_read_note(s, item, &note, NULL) < 0 ||
		    !stage_fits(s, item->note_length, s->messages * FRAME_HEAD))
			container_of(s->segments.next, struct segment, node)->stuck = true;
		else
			compact_note(s, item, &note);
		buf_clear(&note);
	}
}

/* So that the next start does not find the same again. */
static int
end_damaged(struct recovery *r, struct why *why)
{
	struct spool *s = r->s;
	struct spool_sync *y;
	struct place at;

	for (size_t i = 0; i < r->nhurt; i++) {
		struct frame f = { .kind = FRAME_DONE, .id = r->hurt[i].id };

		if (r->hurt[i].message && !r->hurt[i].over &&
		    stage_fits(s, FRAME_HEAD, s->messages * FRAME_HEAD))
			stage_frame(s, &f, &at);
	}
	if (!spool_is_dirty(s))
		return 0;
	if ((y = spool_write(s, why)) == NULL || spool_sync_run(y, why) < 0)
		return -1;
	spool_sync_end(s, &y);
	return 0;
}

static void
remove_orphans(struct recovery *r)
{
	int dir = blob_get_dir(r->s->blobs);

	for (size_t at = 0; at < r->orphans.len; at += strlen(r->orphans.data + at) + 1)
		disk_unlink(dir, r->orphans.data + at);
}

static int
change(struct recovery *r, struct why *why)
{
	r->s->next->first_seq = r->s->seq;
	if (remove_replaced(r, why) < 0 || move_spoilt(r, why) < 0)
		return -1;
	report_all(r);
	for (size_t i = 0; i < r->spare.n; i++)
		renew_adopt(r->s, r->spare.v[i]);
	if (settle_active(r, why) < 0 || settle_room(r->s, why) < 0)
		return -1;
	follow_moved(r);
	if (end_damaged(r, why) < 0)
		return -1;
	/* More spare files than anybody needs, as after a bad day. */
	stage_drop_spares(r->s, 2 * segment_capacity(r->s->segment_bytes) + 2 * stage_slack(r->s));
	remove_orphans(r);
	return 0;
}

int
recover(struct spool *s, struct why *why)
{
	struct recovery r = { .s = s };
	int got = replay(&r, why) < 0 || change(&r, why) < 0 ? -1 : 0;

	replay_clear(&r);
	return got;
}
