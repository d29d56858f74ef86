/* Whether what a spool holds is what the model says it may (model.h). */
#include "crash/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct seen {
	struct spool_item item;
	uint64_t octets;
	char noted[64];
};

struct judge {
	struct map seen;
	struct spool *s;
	char wrong[MODEL_WRONG];
};

static struct judge *judging;

static int like_printf(1, 2)
blame(const char *format, ...)
{
	va_list ap;

	if (judging->wrong[0] != '\0')
		return -1;
	va_start(ap, format);
	vsnprintf(judging->wrong, sizeof judging->wrong, format, ap);
	va_end(ap);
	return -1;
}

static struct spool_item *
judge_found(void *arg, uint64_t id, struct str head, uint64_t octets)
{
	struct judge *j = arg;
	struct seen *seen = mem_zero(sizeof *seen);
	char meta[160];
	struct str want = model_make_meta(id, meta);

	if (want.n > 64)
		want.n = 64;
	if (!str_eq(head, want))
		blame("message %" PRIu64 ": another head", id);
	seen->octets = octets;
	map_put(&j->seen, id, seen);
	return &seen->item;
}

static struct spool_item *
judge_find(void *arg, uint64_t id)
{
	struct judge *j = arg;

	return id == 0 ? NULL : map_find(&j->seen, id);
}

static void
judge_noted(void *arg, struct spool_item *item, struct str note)
{
	struct seen *seen = (struct seen *)item;

	(void)arg;
	snprintf(seen->noted, sizeof seen->noted, "%.*s", (int)note.n, note.p);
}

static void
judge_ended(void *arg, struct spool_item *item)
{
	struct judge *j = arg;

	free(map_take(&j->seen, item->id));
}

/* A power cut damages nothing that was acknowledged. */
static void
judge_damaged(void *arg, uint64_t id, const char *file, const char *what)
{
	const struct message *m = model_find(id);

	(void)arg;
	if (strstr(what, "never acknowledged") != NULL)
		return;		/* if that is not so, the message or its note is missed */
	if (id == 0)
		blame("octets reported as damaged: %s: %s", file, what);
	if (m != NULL && m->put <= model.durable && m->put != 0)
		blame("message %" PRIu64 " reported as damaged: %s: %s", id, file, what);
}

static int
judge_open(struct judge *j)
{
	const struct spool_owner owner = {
		j, judge_found, judge_find, judge_noted, judge_ended, judge_damaged, NULL
	};
	struct why why;

	if (spool_open(&j->s, &(struct spool_options){ "spool", MODEL_SEGMENT, 0 }, &owner, &why) < 0)
		return blame("cannot open: %s", why.text);
	return 0;
}

static void
judge_close(struct judge *j, bool in_order)
{
	struct seen *seen;
	size_t at = 0;
	uint64_t id;

	while ((seen = map_next(&j->seen, &at, &id)) != NULL)
		free(seen);
	map_clear(&j->seen);
	if (j->s != NULL && in_order) {
		spool_close(&j->s);
	} else if (j->s != NULL) {
		spool_clear(j->s);
		free(j->s);
		j->s = NULL;
	}
}

static int
judge_content(struct judge *j, const struct message *m, const struct seen *seen)
{
	char *got = mem_alloc(m->octets + 1), *want = mem_alloc(m->octets + 1), meta[160];
	struct spool_reader *r = NULL;
	struct why why;
	uint64_t n = 0;
	int64_t part = 0;

	model_make_content(m, want);
	if (spool_read_open(j->s, &seen->item, &r, &why) < 0) {
		blame("message %" PRIu64 ": %s", m->id, why.text);
		goto out;
	}
	if (seen->octets != m->octets || spool_read_octets(r) != m->octets)
		blame("message %" PRIu64 ": another length", m->id);
	else if (!str_eq(spool_read_meta(r), model_make_meta(m->id, meta)))
		blame("message %" PRIu64 ": another envelope", m->id);
	else
		while ((part = spool_read(r, got + n, m->octets - n < 1000 ? m->octets - n : 1000, &why)) > 0)
			n += (uint64_t)part;
	if (part < 0)
		blame("message %" PRIu64 ": %s", m->id, why.text);
	else if (judging->wrong[0] == '\0' && (n != m->octets || memcmp(got, want, n) != 0))
		blame("message %" PRIu64 ": another content", m->id);
out:
	spool_read_close(&r);
	free(got);
	free(want);
	return judging->wrong[0] == '\0' ? 0 : -1;
}

static int
judge_note(struct judge *j, const struct message *m, const struct seen *seen)
{
	struct buf note = { 0 };
	unsigned number = 0;
	struct why why;

	if (spool_read_note(j->s, &seen->item, &note, &why) < 0)
		return blame("message %" PRIu64 ": %s", m->id, why.text);
	if (note.len > 0 && sscanf(note.data, "note %u", &number) != 1)
		blame("message %" PRIu64 ": another note", m->id);
	if (strncmp(seen->noted, note.len > 0 ? note.data : "", note.len) != 0)
		blame("message %" PRIu64 ": told of note \"%s\", not of the newest", m->id, seen->noted);
	buf_clear(&note);
	if (number < m->note_safe || number > m->note)
		blame("message %" PRIu64 ": note %u, not one of %u to %u", m->id, number, m->note_safe, m->note);
	return judging->wrong[0] == '\0' ? 0 : -1;
}

static int
judge_message(struct judge *j, const struct message *m)
{
	const struct seen *seen = map_find(&j->seen, m->id);
	bool must = m->put != 0 && m->put <= model.durable && m->done == 0;
	bool may = m->put != 0 && (m->done == 0 || m->done > model.durable);

	if (seen == NULL)
		return must ? blame("message %" PRIu64 " is lost", m->id) : 0;
	if (!may)
		return blame("message %" PRIu64 " has risen from the dead", m->id);
	if (judge_content(j, m, seen) < 0)
		return -1;
	return judge_note(j, m, seen);
}

static int
judge_file(struct judge *j)
{
	struct buf text = { 0 };
	unsigned version = 0;

	if (spool_file_load(j->s, "small", &text) == 0 && sscanf(text.data, "version %u", &version) != 1)
		blame("the small file holds \"%s\"", text.data);
	buf_clear(&text);
	if (version < model.saved_safe || version > model.saved)
		return blame("the small file has version %u, not %u", version, model.saved_safe);
	return judging->wrong[0] == '\0' ? 0 : -1;
}

static int
judge_all(struct judge *j)
{
	struct seen *seen;
	size_t at = 0;
	uint64_t id;

	while ((seen = map_next(&j->seen, &at, &id)) != NULL)
		if (model_find(id) == NULL)
			return blame("message %" PRIu64 " was never put", id);
	for (unsigned i = 0; i < model.n; i++)
		if (judge_message(j, &model.message[i]) < 0)
			return -1;
	return judge_file(j);
}

static int
commit(struct judge *j)
{
	struct spool_sync *y;
	struct why why;

	if (!spool_is_dirty(j->s))
		return 0;
	if ((y = spool_write(j->s, &why)) == NULL || spool_sync_run(y, &why) < 0)
		return blame("cannot go on: %s", why.text);
	spool_sync_end(j->s, &y);
	return 0;
}

/* Everything is ended: nothing may come back, and the disk must be given back (I8). */
static int
judge_end(struct judge *j)
{
	struct seen *seen;
	size_t at = 0;
	uint64_t id;

	while ((seen = map_next(&j->seen, &at, &id)) != NULL)
		spool_done(j->s, &seen->item);
	at = 0;
	while ((seen = map_next(&j->seen, &at, &id)) != NULL)
		free(seen);
	map_clear(&j->seen);
	if (commit(j) < 0)
		return -1;
	if (spool_live_bytes(j->s) != 0)
		return blame("%" PRIu64 " octets live, but no message", spool_live_bytes(j->s));
	judge_close(j, true);
	if (judge_open(j) < 0)
		return -1;
	if (j->seen.n != 0)
		return blame("%zu messages came back", j->seen.n);
	if (commit(j) < 0)
		return -1;
	if (spool_disk_bytes(j->s) > 4 * MODEL_SEGMENT)
		return blame("%" PRIu64 " octets of disk for nothing", spool_disk_bytes(j->s));
	return 0;
}

static void
judge(struct judge *j, bool thorough)
{
	if (judge_open(j) < 0 || judge_all(j) < 0 || !thorough)
		return;
	judge_close(j, false);		/* I6: once more, as after a kill */
	if (judge_open(j) < 0 || judge_all(j) < 0)
		return;
	while (spool_compact(j->s, 8192))
		if (commit(j) < 0)
			return;
	if (commit(j) == 0 && judge_all(j) == 0)
		judge_end(j);
}

bool
judge_spool(bool thorough, char wrong[MODEL_WRONG])
{
	struct judge j = { 0 }, *before = judging;

	judging = &j;
	judge(&j, thorough);
	judge_close(&j, false);
	judging = before;
	memcpy(wrong, j.wrong, sizeof j.wrong);
	return wrong[0] == '\0';
}
