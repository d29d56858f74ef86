/*
 * What the tests know a spool must hold: every message that was put, noted and ended, with the batch
 * that did it, so that after a power cut each answer can be judged.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "spool/state.h"

enum { MODEL_MESSAGES = 4096, MODEL_SEGMENT = 64 * 1024, MODEL_WRONG = 300 };

/* One message's story.  Batch 0: not yet. */
struct message {
	uint64_t id;
	uint32_t octets;
	bool is_blob;
	unsigned put, done;		/* staged in this batch */
	unsigned note, note_batch;	/* the last note staged: its number and batch */
	unsigned note_safe;		/* the last note that is durable */
	bool found;			/* while the spool is opened again */
	unsigned found_note;
	struct spool_item item;
};

struct model {
	struct message message[MODEL_MESSAGES];
	unsigned n;
	unsigned batch, durable;	/* being staged; the last that is durable */
	unsigned saved, saved_safe;	/* the small file: what was tried, what was done */
	bool opening;
	struct spool *s;
};

extern struct model model;

void model_begin(void);			/* a fresh model and an open spool on the disk in use */
void model_open(void);			/* the spool again, with what is in it */
void model_end(bool in_order);		/* closes it; false: as a kill would */

bool model_put(uint32_t octets, bool blob);	/* false: no room */
bool model_note(struct message *m);
void model_done(struct message *m);
bool model_is_live(const struct message *m);	/* put and not ended, durable or not */

/* Group commit, whole, or by its steps so that more can be staged meanwhile. */
struct spool_sync *model_write(void);
int model_sync(struct spool_sync *y);
void model_commit(void);
void model_save(void);			/* the small file, once more */
void model_compact(uint64_t octets);	/* to the end, in such slices, each with its commit */

struct message *model_find(uint64_t id);	/* NULL: there never was one */
void model_make_content(const struct message *m, char *out);
struct str model_make_meta(uint64_t id, char out[160]);

/* --- judge.c ---------------------------------------------------------------- */

/* Opens the spool on the disk in use and judges what it holds.  false: `wrong' says what.
 * `thorough': goes on to use it, to open it again, and to look at its size.  May be entered again
 * from a hook of the disk. */
bool judge_spool(bool thorough, char wrong[MODEL_WRONG]);

#endif
