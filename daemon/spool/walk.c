/* Walks the records of a segment (walk.h). */
#include "spool/walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/mem.h"
#include "spool/disk.h"
#include "spool/segment.h"

enum { WINDOW = 256 * 1024, GLANCE = 4096, LARGE = 32 * 1024, BLOCK = 4096 };

void
walk_init(struct walk *w, int fd, uint32_t seed, uint32_t size, uint32_t at)
{
	*w = (struct walk){ .fd = fd, .seed = seed, .size = size, .next = at };
}

void
walk_clear(struct walk *w)
{
	free(w->window);
	w->window = NULL;
	w->have = w->cap = 0;
}

/* A part of the disk that cannot be read must not hide the rest: zeros stand for it. */
static bool
read_around(int fd, unsigned char *p, uint32_t n, uint64_t at)
{
	bool failed = false;

	for (uint32_t done = 0; done < n;) {
		uint32_t part = BLOCK - (uint32_t)((at + done) % BLOCK);
		int64_t r;

		if (part > n - done)
			part = n - done;
		r = disk_read(fd, p + done, part, at + done);
		failed = failed || r < 0;
		if (r < (int64_t)part)
			memset(p + done + (r > 0 ? r : 0), 0, part - (r > 0 ? (uint32_t)r : 0));
		done += part;
	}
	return failed;
}

const unsigned char *
walk_peek(struct walk *w, uint32_t at, uint32_t n)
{
	uint32_t want = w->sparse ? GLANCE : WINDOW;

	if (at >= w->from && at - w->from + n <= w->have)
		return w->window + (at - w->from);
	if (want < n)
		want = n;
	if (want > w->size - at)
		want = w->size - at > n ? w->size - at : n;
	if (w->cap < want) {
		w->window = mem_resize(w->window, want, 1);
		w->cap = want;
	}
	w->from = at;
	w->have = want;
	w->failed = disk_read(w->fd, w->window, want, at) != (int64_t)want && read_around(w->fd, w->window, want, at);
	w->missed |= w->failed;
	return w->window;
}

static bool
is_record(struct walk *w, uint32_t at, struct frame *f)
{
	return at + FRAME_HEAD <= w->size &&
	    frame_parse(f, walk_peek(w, at, FRAME_HEAD), w->seed, at) &&
	    frame_size(f->length) <= w->size - at;
}

/* The next place that may be a record's.  What is none is passed over without a look at each place: most of it is zeros,
 * laid out for records to come. */
static uint32_t
seek(struct walk *w, uint32_t to)
{
	while (to + FRAME_HEAD <= w->size) {
		const unsigned char *p = walk_peek(w, to, FRAME_HEAD);
		uint32_t n = w->have - (uint32_t)(to - w->from), found = frame_seek(p, n);

		to += found;
		if (found < n)
			break;
	}
	return to;
}

enum walk_step
walk_next(struct walk *w, struct frame *f, uint32_t *at, uint32_t *size)
{
	uint32_t to = w->next;

	*at = w->next;
	while (!is_record(w, to, f)) {
		w->sparse = false;
		to = seek(w, to + FRAME_ALIGN);
		if (to + FRAME_HEAD > w->size)
			return WALK_END;
	}
	if (to != *at) {
		*size = to - *at;
		w->next = to;
		return WALK_GAP;
	}
	*size = (uint32_t)frame_size(f->length);
	w->next = *at + *size;
	w->sparse = *size > LARGE;
	return WALK_RECORD;
}

bool
walk_check_meta(struct walk *w, const struct frame *f, uint32_t at)
{
	return crc32c(0, walk_peek(w, at + FRAME_HEAD, f->meta), f->meta) == f->meta_crc;
}

bool
walk_check_text(struct walk *w, const struct frame *f, uint32_t at)
{
	uint32_t n = f->length - f->meta;

	return crc32c(0, walk_peek(w, at + FRAME_HEAD + f->meta, n), n) == f->text_crc;
}
