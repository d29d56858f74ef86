/*
 * Reading the log at the start; nothing is changed.  Octets that are no record are damage if any record
 * follows them (PROTOCOL.md D.3); what they are at the end of the log, tail.c finds out.
 */
#include "spool/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spool/disk.h"
#include "spool/walk.h"

static void
push(struct numbers *a, uint32_t number)
{
	a->v = mem_resize(a->v, a->n + 1, sizeof *a->v);
	a->v[a->n++] = number;
}

static void
on_name(void *arg, const char *name)
{
	struct recovery *r = arg;
	uint32_t number;
	bool spare;

	if (!segment_parse_name(name, &number, &spare))
		return;
	push(spare ? &r->spare : &r->log, number);
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void
sort(struct numbers *a)
{
	if (a->n > 0)
		qsort(a->v, a->n, sizeof *a->v, by_number);
}

static int
open_segment(struct recovery *r, uint32_t number, struct why *why)
{
	struct spool *s = r->s;
	struct segment_head head;
	char name[SEGMENT_NAME];
	struct segment *g;
	struct disk_stat st;
	int fd;

	segment_name(name, number, false);
	if ((fd = disk_open(s->log, name, O_RDWR | O_NONBLOCK)) < 0)
		return errno == EINVAL ? fail(why, "log/%s is not a regular file", name) :
		    fail(why, "cannot open log/%s: %s", name, strerror(errno));
	if (disk_stat(fd, "", &st) < 0 || !st.is_file) {
		disk_close(&fd);
		return fail(why, "log/%s is not a regular file", name);
	}
	switch (segment_read_head(fd, &head)) {
	case SEGMENT_NEWER:
		disk_close(&fd);
		return fail(why, "log/%s has format %" PRIu32 ", this program knows %d: it was written by a "
		    "newer version", name, head.version, SEGMENT_VERSION);
	case SEGMENT_GOOD:
		if (head.number == number && number < SEGMENT_LAST)
			break;
		if (head.number == number) {
			disk_close(&fd);
			return fail(why, "log/%s: no segment can follow one of this number", name);
		}
		/* FALLTHROUGH */
	case SEGMENT_SPOILT:
		disk_close(&fd);
		push(&r->spoilt, number);
		return 0;
	}
	if (head.last_id > s->last_id)
		s->last_id = head.last_id;
	if (head.replaces != 0)
		push(&r->replaced, head.replaces);
	g = segment_found(&head, segment_file_new(fd), st.size < SEGMENT_MAX ? (uint32_t)st.size : SEGMENT_MAX);
	stage_enter(s, g);
	if (s->nopen > 1) {	/* not all at once */
		segment_shut(g);
		s->nopen--;
	}
	return 0;
}

/* Takes those off the list that a later one repeats. */
static void
drop_replaced(struct recovery *r)
{
	for (size_t i = 0; i < r->replaced.n; i++) {
		struct segment *g = account_segment(r->s, r->replaced.v[i]);

		if (g != NULL) {
			stage_leave(r->s, g);
			segment_free(&g);
		}
	}
	if (list_is_empty(&r->s->segments))
		r->s->active = NULL;
	else
		r->s->active = container_of(r->s->segments.prev, struct segment, node);
	r->last = r->s->active;
}

static int
open_log(struct recovery *r, struct why *why)
{
	if (disk_list(r->s->log, on_name, r) < 0)
		return fail(why, "cannot list log/: %s", strerror(errno));
	sort(&r->log);
	sort(&r->spare);
	for (size_t i = 0; i < r->log.n; i++)
		if (open_segment(r, r->log.v[i], why) < 0)
			return -1;
	drop_replaced(r);
	return 0;
}

/* --- reading ----------------------------------------------------------------- */

void
replay_hurt(struct recovery *r, const struct place *at, const struct frame *f, const char *what)
{
	struct hurt h = {
		.segment = at->segment->number, .at = at->at, .size = at->size, .seq = r->after, .what = what,
	};

	if (f != NULL) {
		h.id = f->id;
		h.seq = f->seq;
		h.message = f->kind == FRAME_MESSAGE;
	}
	if (h.message)
		h.before = (uintptr_t)map_find(&r->hurt_at, h.id);
	r->hurt = mem_resize(r->hurt, r->nhurt + 1, sizeof h);
	r->hurt[r->nhurt++] = h;
	if (h.message)
		map_put(&r->hurt_at, h.id, (void *)(uintptr_t)r->nhurt);
}

/* The message has ended, or here is a better copy. */
static void
forget_hurt(struct recovery *r, uint64_t id)
{
	size_t at = (uintptr_t)map_take(&r->hurt_at, id);

	for (; at != 0; at = r->hurt[at - 1].before)
		r->hurt[at - 1].over = true;
}

static void
on_message(struct recovery *r, struct walk *w, const struct frame *f, const struct place *at)
{
	const struct spool_owner *o = &r->s->owner;
	struct spool_item *item = o->find(o->arg, f->id);
	uint32_t skip = (f->flags & FRAME_BLOB) != 0 ? FRAME_BLOB_HEAD : 0, head = f->meta - skip;
	struct blob_head large = { 0 };
	const char *meta;

	forget_hurt(r, f->id);
	if (item == NULL) {
		meta = (const char *)walk_peek(w, at->at + FRAME_HEAD, f->meta);
		if (skip > 0)
			blob_parse_head(&large, meta);
		item = o->found(o->arg, f->id, (struct str){ meta + skip, head < 64 ? head : 64 },
		    f->length - f->meta + large.octets);
		if (item == NULL)
			return;
		*item = (struct spool_item){ 0 };
	}
	if (item->note_segment != 0) {
		r->moved = mem_resize(r->moved, r->nmoved + 1, sizeof *r->moved);
		r->moved[r->nmoved++] = f->id;
	}
	account_message(r->s, item, at, f);
	if (skip > 0)
		map_put(&r->blobs, f->id, item);
}

static void
on_note(struct recovery *r, struct walk *w, const struct frame *f, const struct place *at)
{
	const struct spool_owner *o = &r->s->owner;
	struct spool_item *item = o->find(o->arg, f->id);

	if (item == NULL)
		return;
	account_note(r->s, item, at);
	o->noted(o->arg, item, (struct str){ (const char *)walk_peek(w, at->at + FRAME_HEAD, f->meta), f->meta });
}

static void
on_done(struct recovery *r, uint64_t id)
{
	const struct spool_owner *o = &r->s->owner;
	struct spool_item *item = o->find(o->arg, id);

	forget_hurt(r, id);
	if (item == NULL)
		return;
	map_take(&r->blobs, id);
	account_end(r->s, item);
	o->ended(o->arg, item);
}

/* NULL: the record is whole. */
static const char *
find_fault(struct recovery *r, struct walk *w, const struct frame *f, const struct place *at)
{
	if ((f->flags & FRAME_BLOB) != 0 && f->meta < FRAME_BLOB_HEAD)
		return "its envelope is damaged";
	if (!walk_check_meta(w, f, at->at))
		return f->kind == FRAME_NOTE ? "its newest note is damaged" : "its envelope is damaged";
	if ((r->everything || at->segment == r->last) && !walk_check_text(w, f, at->at))
		return "its content is damaged";
	return NULL;
}

static int
on_record(struct recovery *r, struct walk *w, const struct frame *f, const struct place *at, struct why *why)
{
	const char *fault;

	if (frame_is_newer(f))
		return fail(why, "log/%08" PRIx32 ".seg has a record of a newer version at %" PRIu32
		    " (kind %u, flags %02x)", at->segment->number, at->at, f->kind, f->flags);
	if (f->id > r->s->last_id)
		r->s->last_id = f->id;
	r->clean = false;
	if ((fault = find_fault(r, w, f, at)) != NULL) {
		if (f->kind != FRAME_MESSAGE || r->s->owner.find(r->s->owner.arg, f->id) == NULL)
			replay_hurt(r, at, f, fault);
		return 0;
	}
	r->nsure = r->nhurt;
	r->after = f->seq + 1;
	r->batch = f->seq - f->back;
	if (r->see != NULL)
		r->see(r->arg, f, at);
	r->clean = f->kind == FRAME_SEAL && (f->flags & FRAME_CLEAN) != 0;
	if (f->kind == FRAME_MESSAGE)
		on_message(r, w, f, at);
	else if (f->kind == FRAME_NOTE)
		on_note(r, w, f, at);
	else if (f->kind == FRAME_DONE)
		on_done(r, f->id);
	return 0;
}

static int
read_segment(struct recovery *r, struct segment *g, struct why *why)
{
	struct place at = { .segment = g };
	enum walk_step step;
	bool sealed = false;
	struct walk w;
	struct frame f;
	int got = 0;

	if (read_file(r->s, g, why) < 0)
		return -1;
	if (r->seq != 0 && r->seq != g->first_seq) {
		replay_hurt(r, &(struct place){ g, 0, 0 }, NULL, "records before this segment are missing");
		r->nsure = r->nhurt;
	}
	r->seq = r->after = g->first_seq;
	walk_init(&w, g->file->fd, g->seed, g->size, SEGMENT_HEAD);
	while (got == 0 && (step = walk_next(&w, &f, &at.at, &at.size)) != WALK_END) {
		if (step == WALK_GAP) {
			replay_hurt(r, &at, NULL, "octets that are no record");
			continue;
		}
		got = on_record(r, &w, &f, &at, why);
		r->seq = f.seq + 1;
		sealed = f.kind == FRAME_SEAL;
	}
	g->end = got == 0 ? at.at : g->end;
	walk_clear(&w);
	if (got < 0 || g == r->last)
		return got;
	if (!sealed) {
		at.size = g->size - at.at;
		replay_hurt(r, &at, NULL, "the end of the segment is missing");
		r->seq = 0;
	}
	r->nsure = r->nhurt;	/* the next segment began when this one was durable */
	return 0;
}

static int
read_log(struct recovery *r, struct why *why)
{
	list_each(n, &r->s->segments) {
		struct segment *g = container_of(n, struct segment, node);

		if (read_segment(r, g, why) < 0)
			return -1;
	}
	tail_look(r);
	r->s->seq = r->after;
	return 0;
}

/* --- large contents ----------------------------------------------------------- */

static void
on_blob(void *arg, const char *name)
{
	struct recovery *r = arg;
	struct disk_stat st;
	uint64_t id;

	if (!ident_parse(str_of(name), &id) || map_find(&r->blobs, id) == NULL) {
		buf_put(&r->orphans, name, strlen(name) + 1);
	} else if (disk_stat(blob_get_dir(r->s->blobs), name, &st) == 0 && st.is_file) {
		account_blob(r->s, map_take(&r->blobs, id), st.size);
	}
}

static int
find_blobs(struct recovery *r, struct why *why)
{
	const struct spool_owner *o = &r->s->owner;
	struct spool_item *item;
	size_t at = 0;
	uint64_t id;

	if (disk_list(blob_get_dir(r->s->blobs), on_blob, r) < 0)
		return fail(why, "cannot list blob/: %s", strerror(errno));
	while ((item = map_next(&r->blobs, &at, &id)) != NULL) {
		struct place place = { account_segment(r->s, item->segment), item->offset, item->length };
		struct frame f = { .kind = FRAME_MESSAGE, .id = id };

		replay_hurt(r, &place, &f, "its content is missing");
		account_end(r->s, item);
		o->ended(o->arg, item);
	}
	r->nsure = r->nhurt;
	return 0;
}

int
replay(struct recovery *r, struct why *why)
{
	r->after = 1;
	if (open_log(r, why) < 0 || read_log(r, why) < 0)
		return -1;
	return find_blobs(r, why);
}

void
replay_clear(struct recovery *r)
{
	free(r->moved);
	free(r->log.v);
	free(r->spare.v);
	free(r->spoilt.v);
	free(r->replaced.v);
	free(r->hurt);
	map_clear(&r->hurt_at);
	map_clear(&r->blobs);
	buf_clear(&r->orphans);
}
