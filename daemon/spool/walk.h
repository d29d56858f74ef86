/*
 * Walks the records of a segment through a sliding window, and finds its way again where octets are
 * damaged.  Reads heads only, unless asked for more.
 */
#ifndef SPOOL_WALK_H
#define SPOOL_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "spool/frame.h"

struct walk {
	int fd;
	uint32_t seed, size;
	uint32_t next;		/* where the next record is looked for */
	uint64_t from;		/* the window: its place in the file, and its octets */
	uint32_t have, cap;
	bool sparse;		/* records are large: the window need not be */
	bool failed;		/* some of the window could not be read */
	bool missed;		/* the same, of this window or of one before */
	unsigned char *window;
};

enum walk_step {
	WALK_RECORD,
	WALK_GAP,		/* octets that are no record, with a record after them */
	WALK_END		/* no more records from here on */
};

void walk_init(struct walk *w, int fd, uint32_t seed, uint32_t size, uint32_t at);
void walk_clear(struct walk *w);

/* The place is [*at, *at + *size); of WALK_END, only *at counts. */
enum walk_step walk_next(struct walk *w, struct frame *f, uint32_t *at, uint32_t *size);

/* Octets of the segment, borrowed until the next call; what cannot be read is zeros. */
const unsigned char *walk_peek(struct walk *w, uint32_t at, uint32_t n);

/* Does the record's meta, or all of its payload, agree with its checksums? */
bool walk_check_meta(struct walk *w, const struct frame *f, uint32_t at);
bool walk_check_text(struct walk *w, const struct frame *f, uint32_t at);

#endif
