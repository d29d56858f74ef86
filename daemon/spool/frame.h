/*
 * One record's head, 48 octets, little-endian:
 *
 *	magic u32 | kind u8 | flags u8 | recipients u16 | length u32 | meta u32 | id u64 | seq u64
 *	| back u32 | crc of meta u32 | crc of text u32 | crc of the head u32
 *
 * `length' octets follow: meta, then text; zeros fill up to a multiple of 8.  The head's checksum
 * covers the segment's number and random part and the record's own offset, so that no octets written
 * for another place, or in another life of the file, can pass for a record.
 */
#ifndef SPOOL_FRAME_H
#define SPOOL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum frame_kind { FRAME_MESSAGE = 1, FRAME_NOTE, FRAME_DONE, FRAME_SEAL };

enum {
	FRAME_HEAD = 48,
	FRAME_ALIGN = 8,
	FRAME_BLOB = 0x01,	/* meta starts with the blob's 16 octets: length u64, crc u32, 0 u32 */
	FRAME_CLEAN = 0x02,	/* SEAL: the daemon ended in order */
	FRAME_CRITICAL = 0xf0,	/* who does not know one of these must not read on */
	FRAME_BLOB_HEAD = 16
};

struct frame {
	uint8_t kind, flags;
	uint16_t recipients;
	uint32_t length, meta;	/* octets of payload; of these, meta */
	uint64_t id, seq;	/* seq: one more than that of the record before */
	uint32_t back;		/* seq less that of its batch's first record: all before it was durable */
	uint32_t meta_crc, text_crc;
};

void frame_pack(unsigned char out[FRAME_HEAD], const struct frame *f, uint32_t seed, uint32_t at);

/* false: these are not a record's first octets at this place. */
bool frame_parse(struct frame *f, const unsigned char in[FRAME_HEAD], uint32_t seed, uint32_t at);

/* The first of the places 0, FRAME_ALIGN, ... in p[0..n) where a head may begin; if none, the first behind it. */
uint32_t frame_seek(const unsigned char *p, uint32_t n);

bool frame_has_magic(const unsigned char in[FRAME_HEAD]);	/* its first four octets */

/* A whole record of ours whose kind or flags a newer version invented. */
bool frame_is_newer(const struct frame *f);

/* The octets it takes in the segment. */
static inline uint64_t
frame_size(uint64_t length)
{
	return (FRAME_HEAD + length + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
}

#endif
