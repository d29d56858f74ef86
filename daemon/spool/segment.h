/*
 * The files of the log: log/NNNNNNNN.seg belong to it, in the order of their numbers; log/NNNNNNNN.new
 * are room set aside, allocated but empty, and mean nothing to recovery.  A segment becomes one of the
 * log by being renamed, and only when all of the one before it is durable.
 */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/why.h"

enum {
	SEGMENT_HEAD = 8192,	/* the head, twice, each in a block of its own */
	SEGMENT_VERSION = 1,
	SEGMENT_NAME = 16,
	SEGMENT_MIN = 64 * 1024,
	SEGMENT_MAX = 1 << 30,
	SEGMENT_LAST = 0x7fffffff	/* number that a file may be found with: there are many after it */
};

/* An open file, shared by the segment and those who read from it. */
struct segment_file {
	_Atomic unsigned refs;
	int fd;
};

struct segment {
	struct node node;
	struct segment_file *file;	/* NULL: closed for now */
	uint32_t number, seed;		/* in the log; seed: of its records' checksums */
	uint32_t spare;			/* its file's number while it is, or will be, a spare; 0: it won't */
	uint32_t size, end;		/* end: where the next record goes */
	uint64_t first_seq;
	uint32_t live;			/* messages whose record lies here */
	uint32_t busy;			/* batches not yet durable that touch it */
	bool stuck;			/* damaged since the start: cannot be compacted */
};

struct segment_head {
	uint32_t version, number, replaces, seed;
	uint64_t first_seq;	/* of its first record */
	uint64_t last_id;	/* no id up to this one may be given again */
};

enum segment_verdict { SEGMENT_GOOD, SEGMENT_NEWER, SEGMENT_SPOILT };

/* "00000007.seg", or ".new" for a spare one. */
void segment_name(char out[SEGMENT_NAME], uint32_t number, bool spare);
bool segment_parse_name(const char *name, uint32_t *number, bool *spare);

/* A spare one: a new file with all its blocks. */
int segment_create(struct segment **out, int log, uint32_t spare, uint32_t size, struct why *why) must_check;

/* A spare one of a file whose contents are of no use any more; takes the file. */
struct segment *segment_recycle(struct segment_file *f, uint32_t spare, uint32_t size);

/* Gives a spare one its number in the log and a new random part, so that nothing that lay in the file before can
 * be a record, and puts its head into `out'.  `replaces': the segment whose records it repeats, 0: none.
 * Version and seed are set here. */
void segment_begin(struct segment *g, const struct segment_head *head, struct buf *out);

/* A segment found in the log. */
struct segment *segment_found(const struct segment_head *head, struct segment_file *f, uint32_t size);
enum segment_verdict segment_read_head(int fd, struct segment_head *out);

/* Opens the file of a segment of the log, if it is closed. */
int segment_open(struct segment *g, int log, struct why *why) must_check;
void segment_shut(struct segment *g);	/* lets go of its file */
void segment_free(struct segment **g);

struct segment_file *segment_file_new(int fd);
struct segment_file *segment_file_share(struct segment_file *f);
void segment_file_drop(struct segment_file **f);	/* any thread */

/* Octets for records in an empty segment: its last record has room of its own. */
uint32_t segment_capacity(uint32_t size);

#endif
