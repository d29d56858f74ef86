/* What a spool must hold (model.h). */
#include "crash/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct model model;

static _Noreturn void
broken(const char *what, const struct why *why)
{
	fprintf(stderr, "workload: %s: %s\n", what, why != NULL ? why->text : "");
	exit(2);
}

void
model_make_content(const struct message *m, char *out)
{
	enum { BLOCK = 256, SEVENTH = 183 };	/* 7 * 183 is 1, of 256 */
	static char sevens[2 * BLOCK];

	if (sevens[1] == 0)
		for (unsigned i = 0; i < sizeof sevens; i++)
			sevens[i] = (char)(7 * i);
	for (uint32_t from = 0, n; from < m->octets; from += n) {
		n = m->octets - from < BLOCK ? m->octets - from : BLOCK;
		memcpy(out + from, sevens + (m->id * 131 + from / BLOCK) * SEVENTH % BLOCK, n);
	}
}

struct str
model_make_meta(uint64_t id, char out[160])
{
	int n = snprintf(out, 160, "message %" PRIu64 " ", id);
	size_t len = 40 + id * 13 % 100;

	memset(out + n, 'e', 160 - (size_t)n);
	return (struct str){ out, len };
}

struct message *
model_find(uint64_t id)
{
	return id >= 1 && id <= model.n ? &model.message[id - 1] : NULL;
}

bool
model_is_live(const struct message *m)
{
	return m->put != 0 && m->done == 0;
}

static struct spool_item *
on_find(void *arg, uint64_t id)
{
	struct message *m = model_find(id);

	(void)arg;
	return m != NULL && (model.opening ? m->found : model_is_live(m)) ? &m->item : NULL;
}

static struct spool_item *
on_found(void *arg, uint64_t id, struct str head, uint64_t octets)
{
	struct message *m = model_find(id);

	(void)arg, (void)head, (void)octets;
	if (m == NULL)
		broken("found a message that never was", NULL);
	m->found = true;
	m->found_note = 0;
	return &m->item;
}

static void
on_noted(void *arg, struct spool_item *item, struct str note)
{
	(void)arg;
	if (sscanf(note.p, "note %u of", &model_find(item->id)->found_note) != 1)
		broken("strange note", NULL);
}

static void
on_ended(void *arg, struct spool_item *item)
{
	(void)arg;
	model_find(item->id)->found = false;
}

static void
on_damaged(void *arg, uint64_t id, const char *file, const char *what)
{
	(void)arg;
	fprintf(stderr, "workload: damaged: %" PRIu64 " %s: %s\n", id, file, what);
	exit(2);
}

/* What was in doubt is decided by what was found; from now on it is durable. */
static void
accept_found(struct message *m)
{
	if (!m->found) {
		m->put = m->put > model.durable ? 0 : m->put;
		m->done = m->put != 0 ? model.batch : 0;
		return;
	}
	m->put = model.batch;
	m->done = 0;
	m->note = m->note_safe = m->found_note;
}

void
model_open(void)
{
	const struct spool_owner owner = { NULL, on_found, on_find, on_noted, on_ended, on_damaged, NULL };
	struct why why;

	model.opening = true;
	for (unsigned i = 0; i < model.n; i++)
		model.message[i].found = false;
	if (spool_open(&model.s, &(struct spool_options){ "spool", MODEL_SEGMENT, 0 }, &owner, &why) < 0)
		broken("open", &why);
	model.opening = false;
	for (unsigned i = 0; i < model.n; i++)
		accept_found(&model.message[i]);
	model.durable = model.batch++;
}

void
model_begin(void)
{
	memset(&model, 0, sizeof model);
	model.batch = 1;
	model_open();
}

void
model_end(bool in_order)
{
	if (in_order) {
		spool_close(&model.s);
		return;
	}
	spool_clear(model.s);
	free(model.s);
	model.s = NULL;
}

static struct spool_blob *
make_blob(const char *content, uint32_t octets)
{
	struct spool_blob *b;
	struct why why;

	if (spool_blob_new(spool_get_blobs(model.s), &b, &why) < 0 ||
	    spool_blob_write(b, content, octets / 2, &why) < 0 ||
	    spool_blob_write(b, content + octets / 2, octets - octets / 2, &why) < 0)
		broken("blob", &why);
	return b;
}

bool
model_put(uint32_t octets, bool blob)
{
	struct message *m = &model.message[model.n];
	struct spool_blob *b = NULL;
	char meta[160], *content = mem_alloc(octets + 1);
	uint32_t inline_octets = blob ? octets / 8 : octets;
	struct str text[2];
	struct why why;
	int r;

	if (model.n == MODEL_MESSAGES)
		broken("too many messages", NULL);
	*m = (struct message){ .id = model.n + 1, .octets = octets, .is_blob = blob };
	model_make_content(m, content);
	if (blob)
		b = make_blob(content + inline_octets, octets - inline_octets);
	text[0] = (struct str){ content, inline_octets / 3 };
	text[1] = (struct str){ content + inline_octets / 3, inline_octets - inline_octets / 3 };
	model.n++;
	r = spool_put(model.s, &m->item, m->id, 1 + m->id % 3, model_make_meta(m->id, meta), text, 2, &b, &why);
	if (r == 0)
		m->put = model.batch;
	else
		model.n--;
	spool_blob_free(&b);
	free(content);
	return r == 0;
}

bool
model_note(struct message *m)
{
	char text[64];
	int n = snprintf(text, sizeof text, "note %u of %" PRIu64, m->note + 1, m->id);

	if (spool_note(model.s, &m->item, (struct str){ text, (size_t)n }) < 0)
		return false;
	m->note++;
	m->note_batch = model.batch;
	return true;
}

void
model_done(struct message *m)
{
	spool_done(model.s, &m->item);
	m->done = model.batch;
}

struct spool_sync *
model_write(void)
{
	struct spool_sync *y;
	struct why why;

	if ((y = spool_write(model.s, &why)) == NULL)
		broken("write", &why);
	model.batch++;
	return y;
}

int
model_sync(struct spool_sync *y)
{
	if (spool_sync_run(y, NULL) < 0)
		return -1;
	model.durable = model.batch - 1;
	for (unsigned i = 0; i < model.n; i++) {
		struct message *m = &model.message[i];

		if (m->note_batch <= model.durable)
			m->note_safe = m->note;
	}
	spool_sync_end(model.s, &y);
	return 0;
}

void
model_commit(void)
{
	if (spool_is_dirty(model.s) && model_sync(model_write()) < 0)
		broken("sync", NULL);
}

void
model_save(void)
{
	char text[40];
	int n = snprintf(text, sizeof text, "version %u", ++model.saved);

	spool_file_put(model.s, "small", (struct str){ text, (size_t)n });
	model_commit();
	model.saved_safe = model.saved;
}

void
model_compact(uint64_t octets)
{
	bool more;

	do {
		more = spool_compact(model.s, octets);
		model_commit();
	} while (more);
}
