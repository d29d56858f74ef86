/*
 * Power cuts at every operation of the spool.  Each workload runs once on a disk in memory; before every
 * change it makes, the power is cut in many ways, the spool is opened on what is left, and judged
 * (PROTOCOL.md D-03, D-04, D-22; invariants I1, I2, I4, I6, I8).  For some of these the power is cut again
 * at every step of recovery.  In the end the same is done with a disk, or a spool, that cheats:
 * the judge must notice.
 *
 *	crash [WORKLOAD]	SEEDS=n	runs of the random workloads (default 12)
 *				STATES=n random cuts at each operation (default 8)
 */
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "crash/model.h"
#include "crash/run.h"

enum { BLAMED = 1 };	/* exit status: the judge has found something */

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
		exit(BLAMED);
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
	if (run.sampled && run_chance(2) != 0)
		return;
	if (run.sampled && tried > run.cuts)
		tried = run.cuts;
	for (uint64_t way = 0; way < tried; way++)
		judge_cut(d, run.sampled ? run_chance(ways) : way, NULL, run_chance(16) == 0);
	for (unsigned i = 0; i < run.cuts; i++) {
		bool again = run_chance(6) == 0;

		judge_cut(d, ways + 1 + run_chance(1 << 30), again ? on_recovery : NULL, !again && run_chance(16) == 0);
	}
}

/* --- running ---------------------------------------------------------------------------------- */



enum cheat { HONEST, NO_SYNC, NO_ENTRIES, NO_CHECKSUM, NO_RESERVATION, NO_RENEWAL };

static const struct workload {
	const char *name;
	void (*go)(void);
	enum cheat cheat;	/* must be found out */
	const char *bug;	/* how the spool may find it out itself; NULL: it is the judge who must */
} workloads[] = {
	{ "submit", workload_submit, HONEST, NULL },
	{ "notes_and_ends", workload_notes_and_ends, HONEST, NULL },
	{ "overlap", workload_overlap, HONEST, NULL },
	{ "segments", workload_segments, HONEST, NULL },
	{ "wide", workload_wide, HONEST, NULL },
	{ "compaction", workload_compaction, HONEST, NULL },
	{ "rest", workload_rest, HONEST, NULL },
	{ "blobs", workload_blobs, HONEST, NULL },
	{ "kills", workload_kills, HONEST, NULL },
	{ "failed_sync", workload_failed_sync, HONEST, NULL },
	{ "clean_then_failed", workload_clean_then_failed, HONEST, NULL },
	{ "full_disk", workload_full_disk, HONEST, NULL },
	{ "random_work", workload_random_work, HONEST, NULL },
	{ "submit, fdatasync does nothing", workload_submit, NO_SYNC, NULL },
	{ "blobs, fdatasync does nothing", workload_blobs, NO_SYNC, NULL },
	{ "segments, fsync of directories does nothing", workload_segments, NO_ENTRIES, NULL },
	{ "blobs, fsync of directories does nothing", workload_blobs, NO_ENTRIES, NULL },
	{ "segments, checksums do not matter", workload_segments, NO_CHECKSUM, NULL },
	{ "submit, checksums do not matter", workload_submit, NO_CHECKSUM, NULL },
	{ "full_disk, no room is reserved", workload_full_disk, NO_RESERVATION, "no spare segment" },
	{ "clean_then_failed, the last segment is not renewed", workload_clean_then_failed, NO_RENEWAL, NULL },
	{ "failed_sync, the last segment is not renewed", workload_failed_sync, NO_RENEWAL, NULL },
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
	run.seeds = setting("SEEDS", 12);
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

/* Any other death is not a finding. */
static bool
is_found_out(const struct workload *w, int status, FILE *said)
{
	char text[4096];
	size_t n;

	rewind(said);
	n = fread(text, 1, sizeof text - 1, said);
	text[n] = '\0';
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == BLAMED && strstr(text, "FAIL ") != NULL;
	return w->bug != NULL && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, w->bug) != NULL;
}

static bool
passes(const struct workload *w)
{
	FILE *said = w->cheat != HONEST ? tmpfile() : NULL;
	struct rlimit none = { 0, 0 };
	int status = 0;
	bool found;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		if (w->cheat != HONEST && (said == NULL || dup2(fileno(said), STDOUT_FILENO) < 0 ||
		    dup2(fileno(said), STDERR_FILENO) < 0 || setrlimit(RLIMIT_CORE, &none) < 0))
			_exit(3);
		child(w);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (w->cheat == HONEST)
		return WIFEXITED(status) && WEXITSTATUS(status) == 0;
	found = is_found_out(w, status, said);
	fclose(said);
	printf("%s  %s\n", found ? "               found out" : "FAIL: not found out", w->name);
	return found;
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
