/* Between reading the log (replay.c) and setting things right (recover.c). */
#ifndef SPOOL_RECOVER_H
#define SPOOL_RECOVER_H

#include "spool/state.h"

/* Something that could not be read. */
struct hurt {
	uint32_t segment, at, size;
	uint64_t id;		/* 0: not even that */
	uint64_t seq;		/* its own, or that of the record before it plus one */
	bool message;		/* which is over with this; else a note, or nobody knows */
	bool over;		/* it has ended, or there is another copy */
	const char *what;
	size_t before;		/* index + 1 of another copy of this message that is hurt; 0: none */
};

struct numbers {
	uint32_t *v;
	size_t n;
};

struct recovery {
	struct spool *s;
	bool everything;	/* contents are checked in all segments, not only where they may be unfinished */
	void (*see)(void *arg, const struct frame *f, const struct place *at); /* NULL, or told each whole record */
	void *arg;
	struct numbers log, spare, spoilt, replaced;	/* files */
	uint64_t *moved;		/* messages that compaction had copied, when they had a note already */
	size_t nmoved;
	struct hurt *hurt;
	size_t nhurt, nsure;	/* the first nsure are damage; the others may be an unfinished write */
	struct map hurt_at;	/* id -> index + 1 of the last one, of messages */
	struct map blobs;	/* id -> item, of live messages with one */
	struct buf orphans;	/* names in blob/, each with its NUL */
	struct segment *last;
	uint64_t seq;		/* expected next; 0: any will do */
	uint64_t after;		/* one more than that of the last whole record */
	uint64_t batch;		/* the first record of the last batch */
	bool clean;		/* the log's last record says that the end was orderly */
};

/* Opens what belongs to the log and reads it all, telling the owner; changes nothing. */
int replay(struct recovery *r, struct why *why) must_check;
void replay_clear(struct recovery *r);
void replay_hurt(struct recovery *r, const struct place *at, const struct frame *f, const char *what); /* f: NULL, or known */

/* tail.c: the end of the log, once all of it has been read. */
void tail_look(struct recovery *r);

void recover_explain(const struct recovery *r, const struct hurt *h, char *out, size_t size);

#endif
