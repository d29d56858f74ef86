/*
 * Power cuts at every operation of the spool.  Each workload runs once on a disk in memory; before every
 * change it makes, the power is cut in many ways, the spool is opened on what is left, and judged
 * (PROTOCOL.md D-03, D-04, D-22; invariants I1, I2, I4, I6, I8).  For some of these the power is cut again
 * at every step of recovery.  In the end the same is done with a disk, or a spool, that cheats:
 * the judge must notice.
 *
 *	crash [WORKLOAD]	SEEDS=n	runs of the random workloads (default 8)
 *				STATES=n random cuts at each operation (default 8)
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "crash/model.h"
#include "crash/run.h"

struct run run;

uint64_t
run_chance(uint64_t n)
{
	run.random = run.random * 6364136223846793005u + 1442695040888963407u;
	return (run.random >> 33) % n;
}

/* --- cheats, put in place of the spool's own by the linker ------------------------------ */

uint32_t __real_crc32c(uint32_t crc, const void *p, size_t n);
uint32_t __wrap_crc32c(uint32_t crc, const void *p, size_t n);
uint32_t __real_stage_reserve(const struct spool *s, unsigned recipients);
uint32_t __wrap_stage_reserve(const struct spool *s, unsigned recipients);
int __real_renew(struct spool *s, struct segment *old, struct why *why);
int __wrap_renew(struct spool *s, struct segment *old, struct why *why);

uint32_t
__wrap_crc32c(uint32_t crc, const void *p, size_t n)
{
	return run.no_checksum ? 0 : __real_crc32c(crc, p, n);
}

uint32_t
__wrap_stage_reserve(const struct spool *s, unsigned recipients)
{
	return run.no_reservation ? 0 : __real_stage_reserve(s, recipients);
}

int
__wrap_renew(struct spool *s, struct segment *old, struct why *why)
{
	return run.no_renewal ? read_file(s, old, why) : __real_renew(s, old, why);
}

/* --- cutting ------------------------------------------------------------------------------ */

static void
judge_cut(const struct crashdisk *d, uint64_t way, void (*hook)(void *arg, struct crashdisk *d), bool thorough)
{
	struct crashdisk *cut = crashdisk_cut(d, way), *before = crashdisk_use(cut);
	char wrong[MODEL_WRONG];

	run.states++;
	crashdisk_hook(cut, hook, NULL);
	if (!judge_spool(thorough, wrong)) {
		printf("FAIL %s: power cut before change %" PRIu64 ", way %" PRIu64 ": %s\n", run.name, run.changes,
		    way, wrong);
		crashdisk_print(d);
		printf("    what was left, after another start:\n");
		crashdisk_print(cut);
		exit(1);
	}
	crashdisk_use(before);
	crashdisk_free(&cut);
}

/* The power goes again while recovery works on what the first cut left. */
static void
on_recovery(void *arg, struct crashdisk *d)
{
	(void)arg;
	judge_cut(d, run_chance(crashdisk_ways(d)), NULL, false);
	judge_cut(d, crashdisk_ways(d) + 1 + run_chance(1 << 30), NULL, false);
}

void
run_on_change(void *arg, struct crashdisk *d)
{
	uint64_t ways = crashdisk_ways(d), tried = ways;

	(void)arg;
	run.changes++;
	if (run.sampled && run_chance(4) != 0)
		return;
	if (run.sampled && tried > run.cuts)
		tried = run.cuts;
	for (uint64_t way = 0; way < tried; way++)
		judge_cut(d, run.sampled ? run_chance(ways) : way, NULL, run_chance(16) == 0);
	for (unsigned i = 0; i < run.cuts; i++) {
		bool again = run_chance(8) == 0;

		judge_cut(d, ways + 1 + run_chance(1 << 30), again ? on_recovery : NULL, !again && run_chance(16) == 0);
	}
}

/* --- running ---------------------------------------------------------------------------------- */

enum cheat { HONEST, NO_SYNC, NO_ENTRIES, NO_CHECKSUM, NO_RESERVATION, NO_RENEWAL };

static const struct workload {
	const char *name;
	void (*go)(void);
	enum cheat cheat;	/* must be found out */
} workloads[] = {
	{ "submit", workload_submit, HONEST },
	{ "notes_and_ends", workload_notes_and_ends, HONEST },
	{ "overlap", workload_overlap, HONEST },
	{ "segments", workload_segments, HONEST },
	{ "wide", workload_wide, HONEST },
	{ "compaction", workload_compaction, HONEST },
	{ "rest", workload_rest, HONEST },
	{ "blobs", workload_blobs, HONEST },
	{ "kills", workload_kills, HONEST },
	{ "failed_sync", workload_failed_sync, HONEST },
	{ "full_disk", workload_full_disk, HONEST },
	{ "random_work", workload_random_work, HONEST },
	{ "submit, fdatasync does nothing", workload_submit, NO_SYNC },
	{ "blobs, fdatasync does nothing", workload_blobs, NO_SYNC },
	{ "segments, fsync of directories does nothing", workload_segments, NO_ENTRIES },
	{ "blobs, fsync of directories does nothing", workload_blobs, NO_ENTRIES },
	{ "segments, checksums do not matter", workload_segments, NO_CHECKSUM },
	{ "submit, checksums do not matter", workload_submit, NO_CHECKSUM },
	{ "full_disk, no room is reserved", workload_full_disk, NO_RESERVATION },
	{ "failed_sync, the last segment is not renewed", workload_failed_sync, NO_RENEWAL },
};

static unsigned
setting(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text != NULL && *text != '\0' ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static void
child(const struct workload *w)
{
	run.name = w->name;
	run.random = 1;
	run.seeds = setting("SEEDS", 8);
	run.cuts = setting("STATES", 8);
	run.sampled = w->go == workload_full_disk;
	run.no_checksum = w->cheat == NO_CHECKSUM;
	run.no_reservation = w->cheat == NO_RESERVATION;
	run.no_renewal = w->cheat == NO_RENEWAL;
	run.lies.sync_ignored = w->cheat == NO_SYNC;
	run.lies.entries_ignored = w->cheat == NO_ENTRIES;
	mallopt(M_MMAP_THRESHOLD, 32 << 20);	/* the kernel has better things to do */
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	crashdisk_install();
	w->go();
	printf("%8" PRIu64 " states, %5" PRIu64 " changes  %s\n", run.states, run.changes, w->name);
	exit(0);
}

static bool
passes(const struct workload *w)
{
	struct rlimit none = { 0, 0 };
	int status = 0;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		if (w->cheat != HONEST && (freopen("/dev/null", "w", stdout) == NULL ||
		    freopen("/dev/null", "w", stderr) == NULL || setrlimit(RLIMIT_CORE, &none) < 0))
			_exit(3);
		child(w);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (w->cheat == HONEST)
		return WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 1) {
		printf("FAIL %s: not found out\n", w->name);
		return false;
	}
	printf("               found out  %s\n", w->name);
	return true;
}

int
main(int argc, char **argv)
{
	unsigned good = 0, bad = 0;

	for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
		if (argc > 1 && strcmp(argv[1], workloads[i].name) != 0)
			continue;
		if (passes(&workloads[i]))
			good++;
		else
			bad++;
	}
	printf("%u passed, %u failed\n", good, bad);
	return bad == 0 && good > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
