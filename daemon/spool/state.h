/* What the files of this room share: the spool's insides. */
#ifndef SPOOL_STATE_H
#define SPOOL_STATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "spool/blob.h"
#include "spool/frame.h"
#include "spool/segment.h"
#include "spool/spool.h"

/* Octets on their way into a segment; where it enters the log, `enters' is the spare file it was. */
struct chunk {
	struct node node;
	struct segment *segment;
	uint32_t at;
	uint32_t enters;
	struct buf bytes;
};

/* One batch: gathered by the queue, then carried out by whoever runs the sync. */
struct spool_sync {
	int log;
	struct spool_blobs *blobs;
	struct node chunks;
	struct node new_blobs;		/* struct spool_blob: to be named */
	struct buf dead_blobs;		/* ids, u64 each */
	struct node files;		/* struct sidefile: small files, written last */
	int dir;			/* where they are */
	struct why trouble;		/* with one of them */
	struct node retired;		/* struct segment, oldest first: nothing in them is needed */
	bool entries;			/* files were made in log/ */
	uint64_t first_seq;		/* of its first record */
};

struct spool {
	struct spool_owner owner;
	int dir, log, damaged, lock;	/* damaged: opened when first needed */
	struct spool_blobs *blobs;
	uint64_t min_free;
	uint32_t segment_bytes;

	struct node segments;		/* of the log, oldest first */
	struct segment *active;		/* the last of them */
	struct map by_number;
	unsigned nsegments, nopen;
	struct node spares;
	unsigned nspares;
	uint32_t next_spare;		/* number of the next spare file */
	uint64_t seq;			/* of the next record */
	uint64_t last_id;

	uint64_t messages;		/* live ones */
	uint64_t live;			/* octets: their records, newest notes and reservations */
	uint64_t reserved;		/* octets promised to notes and ends */
	uint64_t blob_octets;		/* of live messages' blobs */

	struct spool_sync *next;	/* being staged */
	struct spool_sync *flight;	/* handed out by spool_write */
	struct buf idle;		/* a buffer to use again */

	struct segment *victim;		/* being compacted */
	uint32_t victim_at;
	unsigned victim_failed;		/* times that the disk would not let us read it */
	uint32_t rested;		/* the active segment's number at the last rest */

	bool room_known;
	int64_t room_at_ms;
	uint64_t room_octets;
};

/* --- spool.c ----------------------------------------------------------------- */

void spool_init(struct spool *s, const struct spool_owner *owner);	/* nothing open */
void spool_clear(struct spool *s);

/* --- stage.c: records into the batch ------------------------------------- */

struct spool_sync *stage_new(struct spool *s);
void stage_free(struct spool *s, struct spool_sync **y);

/* Room beyond what is reserved; less than 0 if the disk filled up under us. */
int64_t stage_room(const struct spool *s);

/* What must stay free for compaction to finish a segment, and for the odd octets at segments' ends. */
uint64_t stage_slack(const struct spool *s);

/* What a message sets aside when it is put: its end, and a note about each recipient. */
uint32_t stage_reserve(const struct spool *s, unsigned recipients);

/* Prepares a spare segment.  `forced': also below min_free. */
int stage_spare(struct spool *s, bool forced, struct why *why) must_check;

/* Makes sure that `octets' can be staged and `keep' octets stay free beside what is reserved. */
int stage_ensure(struct spool *s, uint64_t octets, uint64_t keep, struct why *why) must_check;

/* Spare files go, as long as more than `keep' octets stay free beside what is reserved. */
void stage_drop_spares(struct spool *s, uint64_t keep);

/* Would `octets' fit if nothing but `keep' were reserved? */
bool stage_fits(const struct spool *s, uint64_t octets, uint64_t keep);

/* Ends the active segment and goes on with a spare one.  There must be one. */
void stage_rotate(struct spool *s);

/* Makes the log's next segment of a spare one. */
struct chunk *stage_begin(struct spool *s, struct segment *spare, uint32_t number, uint32_t replaces);

/* Stages a record's head (seq and back are set here) and returns the place for its payload, zeroed at
 * its end; fills in where it lies.  There must be room. */
struct place {
	struct segment *segment;
	uint32_t at, size;
};
char *stage_frame(struct spool *s, struct frame *f, struct place *out);

/* The staged octets at this place, NULL if they have been written. */
const char *stage_find(const struct spool *s, const struct segment *g, uint32_t at);

void stage_enter(struct spool *s, struct segment *g);	/* g is the log's newest segment now */
void stage_leave(struct spool *s, struct segment *g);	/* g is no part of the log any more */

/* --- account.c: what lives where ------------------------------------------ */

void account_message(struct spool *s, struct spool_item *item, const struct place *at, const struct frame *f);
void account_blob(struct spool *s, struct spool_item *item, uint64_t octets);	/* after account_message */
void account_note(struct spool *s, struct spool_item *item, const struct place *at);
void account_no_note(struct spool *s, struct spool_item *item);
void account_end(struct spool *s, struct spool_item *item);	/* item's places are cleared */
struct segment *account_segment(const struct spool *s, uint32_t number);	/* NULL: none */

/* --- read.c ----------------------------------------------------------------- */

/* The octets at a place, wherever they are now, with zeros for what cannot be read: for damaged/. */
void read_raw(struct spool *s, uint32_t number, uint32_t at, uint32_t n, struct buf *out);
int read_file(struct spool *s, struct segment *g, struct why *why) must_check;	/* opens it, closing another */

/* --- sidefile.c: small files beside the log --------------------------------- */

/* -1: the disk is sick.  What else went wrong, as for want of room, is in y->trouble. */
int sidefile_write_all(struct spool_sync *y, struct why *why) must_check;
void sidefile_clear(struct spool_sync *y);

/* --- aside.c ---------------------------------------------------------------- */

enum { ASIDE_NAME = 32 };

/* Keeps octets in damaged/: 1 kept, 0 they had been kept before, -1. `out': the file's name in the spool. */
int aside_bytes(struct spool *s, uint32_t number, uint32_t at, struct str bytes, char out[ASIDE_NAME],
    struct why *why) must_check;
int aside_segment(struct spool *s, uint32_t number, char out[ASIDE_NAME], struct why *why) must_check;
void aside_blob(struct spool *s, uint64_t id);	/* if it has one */

/* --- lock.c ------------------------------------------------------------------ */

int lock_take(struct spool *s, const char *dir, bool shared, struct why *why) must_check;

/* --- recover.c ---------------------------------------------------------------- */

int recover(struct spool *s, struct why *why) must_check;

/* --- renew.c: after an unclean end --------------------------------------------- */

/* Copies what counts of the last segment into a new one, makes that durable, and drops the old one. */
int renew(struct spool *s, struct segment *old, struct why *why) must_check;
void renew_adopt(struct spool *s, uint32_t spare);	/* a spare file found at the start */

/* compact.c: stages the note again, at the log's end. */
void compact_note(struct spool *s, struct spool_item *item, struct buf *note);

#endif
