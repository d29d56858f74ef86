/*
 * Between the fault tests and faultlib.so, which is loaded before libc in a daemon under test: one small file,
 * mapped by both.  The library counts the calls that the daemon makes on its spool's log and large contents, and the
 * test says what shall become of which.
 */
#ifndef E2E_FAULTLIB_H
#define E2E_FAULTLIB_H

#include <stdatomic.h>
#include <stdint.h>

enum fault_call {
	FAULT_OPEN, FAULT_READ, FAULT_WRITE, FAULT_ALLOCATE, FAULT_TRUNCATE, FAULT_DATASYNC, FAULT_SYNC,
	FAULT_RENAME, FAULT_LINK, FAULT_UNLINK, FAULT_CALLS
};

enum fault_kill { FAULT_LIVE, FAULT_BEFORE, FAULT_MIDWAY, FAULT_AFTER };

enum { FAULT_DIR = 96 };

struct fault_rule {
	_Atomic uint64_t from, upto;	/* the calls it is for, counted from 1; from 0: none */
	_Atomic uint32_t every;		/* of these each such one; 0: each */
	_Atomic int error;		/* errno; 0: reads and writes are cut short instead */
};

struct fault_control {
	char dir[FAULT_DIR];		/* the spool */
	struct fault_rule rule[FAULT_CALLS];
	_Atomic uint64_t calls[FAULT_CALLS];

	/* What was written since the last sync of a file vanishes when its next one fails, as it does on a disk. */
	_Atomic int forget;

	/* SIGKILL at the so manieth call that can change the disk. */
	_Atomic uint64_t changes, kill_at;
	_Atomic int kill_how;		/* enum fault_kill */
	_Atomic int kill_only;		/* enum fault_call: of these alone are counted; 0: of all */

	_Atomic int64_t wall_offset_s;	/* added to the wall clock */
	_Atomic int64_t wall_swing_s;	/* the clock is so much ahead in one second and behind in the next */

	_Atomic uint64_t mallocs, malloc_fails_at;	/* 0: none */
	_Atomic int has_malloc;		/* the library has replaced malloc */
};

#endif
