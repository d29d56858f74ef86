/* Between the runner and its workloads. */
#ifndef CRASH_RUN_H
#define CRASH_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "crash/crashdisk.h"

struct run {
	const char *name;
	uint64_t states, changes, random;
	unsigned seeds, cuts;		/* runs of random work; random cuts at each change */
	bool sampled;			/* not each change, not every subset */
	struct crashdisk_lies lies;
	bool no_checksum, no_reservation, no_renewal;
};
extern struct run run;

uint64_t run_chance(uint64_t n);	/* less than n */
void run_on_change(void *arg, struct crashdisk *d);	/* the hook: cuts and judges */

void workload_submit(void);
void workload_notes_and_ends(void);
void workload_overlap(void);
void workload_segments(void);
void workload_wide(void);
void workload_compaction(void);
void workload_rest(void);
void workload_blobs(void);
void workload_kills(void);
void workload_failed_sync(void);
void workload_clean_then_failed(void);
void workload_full_disk(void);
void workload_random_work(void);

#endif
