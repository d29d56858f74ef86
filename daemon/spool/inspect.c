/* Describing a spool that nobody is using: the same reading as at a start, and no change. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "spool/disk.h"
#include "spool/recover.h"

struct inspection {
	struct spool s;
	struct map items;	/* struct spool_item *, of live messages */
	bool everything;
	void (*say)(void *arg, const char *line);
	void *arg;
	int damaged;
};

static void like_printf(2, 3)
say(struct inspection *i, const char *format, ...)
{
	char line[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	i->say(i->arg, line);
}

static struct spool_item *
on_found(void *arg, uint64_t id, struct str head, uint64_t octets)
{
	struct inspection *i = arg;
	struct spool_item *item = mem_zero(sizeof *item);

	(void)head, (void)octets;
	map_put(&i->items, id, item);
	return item;
}

static struct spool_item *
on_find(void *arg, uint64_t id)
{
	struct inspection *i = arg;

	return id == 0 ? NULL : map_find(&i->items, id);
}

static void
on_noted(void *arg, struct spool_item *item, struct str note)
{
	(void)arg, (void)item, (void)note;
}

static void
on_ended(void *arg, struct spool_item *item)
{
	struct inspection *i = arg;

	free(map_take(&i->items, item->id));
}

static void
on_see(void *arg, const struct frame *f, const struct place *at)
{
	static const char *const names[] = { "", "message", "note", "done", "seal" };
	struct inspection *i = arg;
	char id[IDENT_TEXT];

	ident_print(id, f->id);
	say(i, "log/%08" PRIx32 ".seg %10" PRIu32 " %8" PRIu32 "  seq %" PRIu64 "  %-7s %s meta %" PRIu32
	    " text %" PRIu32 "%s%s", at->segment->number, at->at, at->size, f->seq, names[f->kind],
	    f->id != 0 ? id : "-", f->meta, f->length - f->meta, f->flags & FRAME_BLOB ? " blob" : "",
	    f->flags & FRAME_CLEAN ? " clean" : "");
}

static void
say_hurt(struct inspection *i, const struct recovery *r, const struct hurt *h)
{
	char id[IDENT_TEXT] = "", what[160];

	if (h->id != 0)
		ident_print(id, h->id);
	recover_explain(r, h, what, sizeof what);
	say(i, "log/%08" PRIx32 ".seg: damaged at %" PRIu32 " (%" PRIu32 " octets): %s%s%s", h->segment, h->at,
	    h->size, id, h->id != 0 ? ": " : "", what);
	i->damaged++;
}

static void
check_content(struct inspection *i, const struct spool_item *item)
{
	static char octets[64 * 1024];
	struct spool_reader *r;
	char id[IDENT_TEXT];
	struct why why;
	int64_t n = -1;

	if (spool_read_open(&i->s, item, &r, &why) == 0) {
		while ((n = spool_read(r, octets, sizeof octets, &why)) > 0)
			;
		spool_read_close(&r);
	}
	if (n == 0)
		return;
	ident_print(id, item->id);
	say(i, "blob/%s: %s", id, why.text);
	i->damaged++;
}

static void
tell(struct inspection *i, const struct recovery *r)
{
	struct spool_item *item;
	size_t at = 0;
	uint64_t id;

	for (size_t n = 0; n < r->spoilt.n; n++, i->damaged++)
		say(i, "log/%08" PRIx32 ".seg: the head of the segment is damaged", r->spoilt.v[n]);
	for (size_t n = 0; n < r->nhurt; n++)
		if (!r->hurt[n].over)
			say_hurt(i, r, &r->hurt[n]);
	while ((item = map_next(&i->items, &at, &id)) != NULL)
		if (item->has_blob)
			check_content(i, item);
	if (i->everything)
		say(i, "%" PRIu64 " messages, %" PRIu64 " octets of %u segments in use, ended %s",
		    i->s.messages, i->s.live, i->s.nsegments, r->clean ? "in order" : "without a last word");
}

static int
open_spool(struct spool *s, const char *dir, struct why *why)
{
	int blob;

	if ((s->dir = disk_open_dir(-1, dir, false)) < 0 ||
	    (s->log = disk_open_dir(s->dir, "log", false)) < 0)
		return fail(why, "cannot open the spool %s: %s", dir, strerror(errno));
	if (lock_take(s, dir, true, why) < 0)
		return -1;
	if ((blob = disk_open_dir(s->dir, "blob", false)) < 0)
		return fail(why, "cannot open %s/blob: %s", dir, strerror(errno));
	s->blobs = blob_new_place(blob);
	return 0;
}

int
spool_inspect(const char *dir, bool everything, void (*line)(void *arg, const char *line), void *arg,
    struct why *why)
{
	struct inspection i = { .everything = everything, .say = line, .arg = arg };
	struct recovery r = { .s = &i.s, .everything = true, .see = everything ? on_see : NULL, .arg = &i };
	struct spool_item *item;
	size_t at = 0;
	uint64_t id;
	int got = -1;

	spool_init(&i.s, &(struct spool_owner){ &i, on_found, on_find, on_noted, on_ended, NULL, NULL });
	if (open_spool(&i.s, dir, why) == 0 && replay(&r, why) == 0) {
		tell(&i, &r);
		got = i.damaged;
	}
	replay_clear(&r);
	while ((item = map_next(&i.items, &at, &id)) != NULL)
		free(item);
	map_clear(&i.items);
	spool_clear(&i.s);
	return got;
}
