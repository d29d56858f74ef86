/*
 * A directory of a test's own, in memory where that is to be had: for tests that are not about the disk.  tests/suites.sh says where,
 * and removes all that tests which failed have left: a spool has 64 MB.
 */
#ifndef TESTS_MEMORY_DIR_H
#define TESTS_MEMORY_DIR_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void
memory_dir(char *path, size_t size)
{
	const char *in = getenv("GATEPOST_MEMORY");

	if (in == NULL)
		in = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	snprintf(path, size, "%s/gatepost-unit.XXXXXX", in);
	ck_assert_ptr_nonnull(mkdtemp(path));
}

#endif
