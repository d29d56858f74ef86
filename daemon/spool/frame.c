/* Packs and parses the head of a record (frame.h).  Pure. */
#include "spool/frame.h"

#include <string.h>

#include "base/crc32c.h"

#define MAGIC 0x52435047u	/* "GPCR" */

static void
put(unsigned char **p, uint64_t v, unsigned n)
{
	for (; n > 0; n--, v >>= 8)
		*(*p)++ = (unsigned char)v;
}

static uint64_t
take(const unsigned char **p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)*(*p)++ << (8 * i);
	return v;
}

static uint32_t
checksum(const unsigned char *head, uint32_t seed, uint32_t at)
{
	unsigned char place[4], *p = place;

	put(&p, at, 4);
	return crc32c(crc32c(seed, place, sizeof place), head, FRAME_HEAD - 4);
}

void
frame_pack(unsigned char out[FRAME_HEAD], const struct frame *f, uint32_t seed, uint32_t at)
{
	unsigned char *p = out;

	put(&p, MAGIC, 4);
	put(&p, f->kind, 1);
	put(&p, f->flags, 1);
	put(&p, f->recipients, 2);
	put(&p, f->length, 4);
	put(&p, f->meta, 4);
	put(&p, f->id, 8);
	put(&p, f->seq, 8);
	put(&p, f->back, 4);
	put(&p, f->meta_crc, 4);
	put(&p, f->text_crc, 4);
	put(&p, checksum(out, seed, at), 4);
}

/* No message has the id 0, and nothing else is about none. */
static bool
has_id(const struct frame *f)
{
	return f->id != 0 || f->kind < FRAME_MESSAGE || f->kind > FRAME_DONE;
}

bool
frame_parse(struct frame *f, const unsigned char in[FRAME_HEAD], uint32_t seed, uint32_t at)
{
	const unsigned char *p = in;

	if (take(&p, 4) != MAGIC)
		return false;
	f->kind = (uint8_t)take(&p, 1);
	f->flags = (uint8_t)take(&p, 1);
	f->recipients = (uint16_t)take(&p, 2);
	f->length = (uint32_t)take(&p, 4);
	f->meta = (uint32_t)take(&p, 4);
	f->id = take(&p, 8);
	f->seq = take(&p, 8);
	f->back = (uint32_t)take(&p, 4);
	f->meta_crc = (uint32_t)take(&p, 4);
	f->text_crc = (uint32_t)take(&p, 4);
	return (uint32_t)take(&p, 4) == checksum(in, seed, at) && f->meta <= f->length && has_id(f);
}

uint32_t
frame_seek(const unsigned char *p, uint32_t n)
{
	const unsigned char *first = p;

	while ((first = memchr(first, MAGIC & 0xff, n - (size_t)(first - p))) != NULL) {
		uint32_t at = (uint32_t)(first - p);

		if (at % FRAME_ALIGN == 0)
			return at;
		first++;
	}
	return (n + FRAME_ALIGN - 1) & ~(uint32_t)(FRAME_ALIGN - 1);
}

bool
frame_has_magic(const unsigned char in[FRAME_HEAD])
{
	const unsigned char *p = in;

	return take(&p, 4) == MAGIC;
}

bool
frame_is_newer(const struct frame *f)
{
	return f->kind < FRAME_MESSAGE || f->kind > FRAME_SEAL || (f->flags & FRAME_CRITICAL) != 0;
}
