/*
 * The spool: bytes that survive.  An append-only log of segments with group commit;
 * docs/spool-format.md has the format.  It knows ids and records, not mail.  The room's
 * one door.
 *
 * Threads: everything is for the queue's thread, but for spool_sync_run, the readers, the
 * blobs and the annals, which any thread may use once it holds one.
 */
#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

struct spool;

/* Content above this goes into a file of its own (a blob). */
enum { SPOOL_INLINE_MAX = 128 * 1024 };

/*
 * A message in the spool: embedded in the queue's entry, filled in and kept up to date
 * by the spool (compaction changes it silently).
 */
struct spool_item {
	uint64_t id;
	uint32_t segment, offset, length;	/* its message record */
	uint32_t note_segment, note_offset, note_length; /* its newest note; segment 0: none */
	uint32_t reserved;	/* octets set aside for its notes and its end */
	bool has_blob;
	uint64_t blob_octets;	/* as counted: taken off by the same number */
};

/* What the spool asks of the queue, while it opens and while it compacts. */
struct spool_owner {
	void *arg;
	/* Recovery found a message: `head' is the first part (up to 64 octets) of its meta, `octets'
	 * the length of its content.  Returns the item to fill in; NULL: drop the record. */
	struct spool_item *(*found)(void *arg, uint64_t id, struct str head, uint64_t octets);
	struct spool_item *(*find)(void *arg, uint64_t id);	/* NULL: no such message (any more) */
	void (*noted)(void *arg, struct spool_item *item, struct str note); /* recovery: its newest note so far */
	void (*ended)(void *arg, struct spool_item *item);	/* recovery: it was done; forget and free */
	/* A record could not be read and was set aside, in `file' (a name in the spool); id 0 if not even
	 * that was readable.  Also while running, from spool_set_aside, and with id 0 from compaction. */
	void (*damaged)(void *arg, uint64_t id, const char *file, const char *what);
	/* The same of what was being written when the last run was cut short, and probably never
	 * acknowledged.  NULL: that is no different. */
	void (*unfinished)(void *arg, uint64_t id, const char *file, const char *what);
};

struct spool_options {
	const char *dir;		/* made (0700) if missing */
	uint64_t segment_bytes;		/* 0: the default; tests use small ones */
	uint64_t min_free;		/* octets of the disk left to others */
};

/*
 * Locks the directory (-1, "…is in use by process N" if another holds it), reads what is there,
 * sets damaged records aside in damaged/, and is ready to append.  A newer format is refused
 * untouched.
 */
int spool_open(struct spool **out, const struct spool_options *o,
    const struct spool_owner *owner, struct why *why) must_check;

/* Orderly end: what is staged must have been written and synced.  Marks the log clean. */
void spool_close(struct spool **s);

uint64_t spool_last_id(const struct spool *s);	/* the largest id ever seen */

/* --- putting ------------------------------------------------------------- */

struct spool_blob;

/*
 * Stages one message: meta (the envelope) and text, and takes *blob where the content is
 * longer than SPOOL_INLINE_MAX (text then comes first, the blob after it; NULL else).  `recipients'
 * sizes the reservation for its later notes and its end.  -1 with errno ENOSPC/EDQUOT… : nothing
 * was staged, *blob is still the caller's.  Durable only when the sync that covers it has returned.
 */
int spool_put(struct spool *s, struct spool_item *item, uint64_t id, unsigned recipients,
    struct str meta, const struct str *text, unsigned ntext, struct spool_blob **blob,
    struct why *why) must_check;

/* Stages a note, which replaces the message's earlier one.  Uses the item's reservation; a note
 * that does not fit (disk full) is not written: -1, and the caller goes on without. */
int spool_note(struct spool *s, struct spool_item *item, struct str note) must_check;

/* Stages the end of a message.  Always has room (reserved).  Its blob is unlinked after the sync. */
void spool_done(struct spool *s, struct spool_item *item);

/* Moves a message that cannot be read into damaged/, and ends it. */
void spool_set_aside(struct spool *s, struct spool_item *item, const char *what);

/* What a message takes of the spool: its record, its blob, and what is set aside for its notes and its end. */
uint64_t spool_weigh(const struct spool *s, unsigned recipients, struct str meta, const struct str *text, unsigned ntext,
    const struct spool_blob *blob);
/* What all do that are in it: the weights, and each one's newest note.  Dead records do not count: compaction keeps them few. */
uint64_t spool_live_bytes(const struct spool *s);

uint64_t spool_measure(struct spool *s);	/* octets that the disk has beyond min_free now */
bool spool_has_room(struct spool *s, uint64_t octets);	/* disk has min_free + octets; cheap, cached 100 ms */
uint64_t spool_disk_bytes(const struct spool *s);	/* for tests: what its files take */

/* --- group commit -------------------------------------------------------- */

struct spool_sync;

bool spool_is_dirty(const struct spool *s);	/* something is staged */

/* Closes the batch: all that is staged, and what has become dead with it.  NULL: the one before has not ended. */
struct spool_sync *spool_write(struct spool *s, struct why *why) must_check;

/* Any thread: writes the batch and makes it durable, directory entries included; then removes what is
 * dead.  -1 is final: nothing of the batch may be acknowledged, the process must end (D-07, D-08). */
int spool_sync_run(struct spool_sync *y, struct why *why) must_check;

/* After it: which small file could not be written, and why; NULL: none. */
const char *spool_sync_trouble(const struct spool_sync *y);

/* Queue's thread, after spool_sync_run returned 0: takes emptied files back for use, frees *y. */
void spool_sync_end(struct spool *s, struct spool_sync **y);

/* A slice of compaction, about `octets' of copying; true if there is more to do.  Stages records. */
bool spool_compact(struct spool *s, uint64_t octets);

/* Now and then: what a quiet spool does not need goes back to the disk.  Stages records. */
void spool_rest(struct spool *s);

/* --- reading ------------------------------------------------------------- */

/* What fails leaves an errno: EBADMSG where the disk has answered, but not with what was written; else what
 * opening or reading said, a few times over: it may be there at another time. */
struct spool_reader;	/* holds its own reference to the file: segments may go meanwhile */

int spool_read_open(struct spool *s, const struct spool_item *item, struct spool_reader **out,
    struct why *why) must_check;
struct str spool_read_meta(const struct spool_reader *r);	/* borrowed, checked */
int spool_read_note(struct spool *s, const struct spool_item *item, struct buf *out,
    struct why *why) must_check;	/* empty if none */
/* After that failed with EBADMSG: the note goes to damaged/, the owner is told, and the one before it counts, or none. */
void spool_note_lost(struct spool *s, struct spool_item *item);
uint64_t spool_read_octets(const struct spool_reader *r);	/* of the content */

/* Next octets of the content into p; 0 at the end; -1: unreadable or its checksum is wrong, which may
 * come as late as the last octet (so: no end of data before 0). */
int64_t spool_read(struct spool_reader *r, void *p, size_t n, struct why *why) must_check;
void spool_read_rewind(struct spool_reader *r);
void spool_read_close(struct spool_reader **r);

/* --- blobs: large content while it comes in ------------------------------- */

/* From a listener's thread: an unnamed file in the spool; no name until spool_put's sync. -1 + errno. */
struct spool_blobs;	/* where blobs are made; lives as long as the spool */
struct spool_blobs *spool_get_blobs(struct spool *s);
int spool_blob_new(struct spool_blobs *b, struct spool_blob **out, struct why *why) must_check;
int spool_blob_write(struct spool_blob *b, const void *p, size_t n, struct why *why) must_check;
uint64_t spool_blob_octets(const struct spool_blob *b);
uint64_t spool_blob_growth(const struct spool_blob *b, size_t n);	/* what the next n octets will take of the disk; NULL: of a new one */
void spool_blob_free(struct spool_blob **b);	/* not put: it is gone */

/* --- small files beside the log (port memory, quota) ---------------------- */

/* Stages it; replaced whole: after a crash the old or the new.  What cannot be written is spool_sync_trouble's. */
void spool_file_put(struct spool *s, const char *name, struct str bytes);
int spool_file_load(struct spool *s, const char *name, struct buf *out); /* -1: there is none (at most 1 MB), or EBADMSG: damaged */

/* --- annals: what happened, kept for a while for people to look up ------------- */

/*
 * Blocks of octets in files of their own, history/; never synced, and nothing depends on them.  For one thread at a
 * time, which need not be the queue's.
 */
struct spool_annals;

enum {
	SPOOL_ANNALS_HEAD = 32,		/* octets that a block leaves free at its start */
	SPOOL_ANNALS_MAX = 256 * 1024	/* of a block, these included */
};

struct spool_annals_bounds {
	uint64_t octets;	/* that all files may take; 0: all go */
	int64_t now_wall_s;
	int64_t from_wall_s;	/* files that end before go */
	int64_t span_s;		/* a file covers no more than so long */
};

struct spool_annals_place {	/* zeros: the beginning */
	uint32_t file, at;
};

/* `newest': no id above it has been given so far. */
int spool_annals_open(struct spool *s, uint64_t newest, struct spool_annals **out, struct why *why) must_check;
void spool_annals_close(struct spool_annals **a);

/* `least' and `most': the ids that the block is about. */
int spool_annals_append(struct spool_annals *a, const struct spool_annals_bounds *b, struct buf *block,
    uint64_t least, uint64_t most, struct why *why) must_check;
int spool_annals_prune(struct spool_annals *a, const struct spool_annals_bounds *b, struct why *why) must_check;

/* The next block that may be about the id, without its head, appended to `out'; or nothing yet, after a bounded
 * search.  What is torn or damaged is passed over.  false: there are no more. */
bool spool_annals_read(struct spool_annals *a, uint64_t id, struct spool_annals_place *p, struct buf *out) must_check;

/* --- the place ------------------------------------------------------------- */

/*
 * Before a spool is there, and before anything is done to the directory that it is to be in: -1 where others may write to it, or
 * where it is another's, or open to others, and has something else in it than a spool.  *fd: it, open, or -1 where only `uid'
 * may open it, who has it.
 */
int spool_open_place(int *fd, const char *dir, uid_t uid, struct stat *st, struct why *why) must_check;
const char *spool_find_stray(int fd);	/* a directory of the spool in there that is none, or a link to one; NULL: all are well, or missing */

/* --- offline --------------------------------------------------------------- */

/* Describes every record (dump) or only what is wrong (check) by say(); returns the number of damaged
 * things, -1 if the spool cannot be read at all.  Takes the lock only shared. */
int spool_inspect(const char *dir, bool everything, void (*say)(void *arg, const char *line), void *arg,
    struct why *why);

#endif
