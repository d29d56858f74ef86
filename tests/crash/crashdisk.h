/*
 * A disk in memory, behind the table of spool/disk, whose power can be cut.  It remembers what has
 * been written and what has been synced; a cut keeps, drops, tears or zeroes what lies between.
 */
#ifndef CRASH_CRASHDISK_H
#define CRASH_CRASHDISK_H

#include <stdbool.h>
#include <stdint.h>

struct crashdisk;

/* What the disk does wrong, for all disks. */
struct crashdisk_lies {
	bool sync_ignored;	/* fdatasync and fsync of files say 0 and do nothing */
	bool entries_ignored;	/* fsync of directories does */
};
extern struct crashdisk_lies crashdisk_lies;

void crashdisk_install(void);
struct crashdisk *crashdisk_new(uint64_t octets);	/* its size */
void crashdisk_free(struct crashdisk **d);
struct crashdisk *crashdisk_use(struct crashdisk *d);	/* all calls go there now; the one before */

/* Called before every operation that changes something. */
void crashdisk_hook(struct crashdisk *d, void (*fn)(void *arg, struct crashdisk *d), void *arg);

/* Changes that are not yet synced: ways to cut are 0 .. ways - 1: every subset of them, or, if they are many,
 * each prefix; then the newest write torn at each sector and each block. */
uint64_t crashdisk_ways(const struct crashdisk *d);

/* What would be found after a power cut now; `way' from ways on: at random, by that number. */
struct crashdisk *crashdisk_cut(const struct crashdisk *d, uint64_t way);

/* The process died, the machine did not: open files and locks are gone, the cache stays. */
void crashdisk_kill(struct crashdisk *d);

/* A file's sync, after n more, fails with EIO, and as on a real disk, what it should have written is forgotten
 * by the disk, still shown by the cache, and never reported again.  (Directories are the journal's: where
 * that fails, file systems stop.) */
void crashdisk_fail_sync(struct crashdisk *d, unsigned n);

void crashdisk_fill(struct crashdisk *d);	/* somebody else takes all that is free */
void crashdisk_resize(struct crashdisk *d, uint64_t octets);
uint64_t crashdisk_used(const struct crashdisk *d);

void crashdisk_print(const struct crashdisk *d);	/* its files, and what is not yet safe */

#endif
