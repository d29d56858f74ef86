/* A directory of a test's own, and files in it.  What is made there is removed by
 * scratch_remove(), the directory too. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch_dir[64];

static inline void
scratch_make(void)
{
	snprintf(scratch_dir, sizeof scratch_dir, "/tmp/gatepost-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scratch_dir));
}

/* A name in the directory; good until the thread's eighth call after. */
static inline const char *
scratch_path(const char *name)
{
	static _Thread_local char path[8][256];
	static _Thread_local unsigned turn;
	char *p = path[turn++ % 8];

	snprintf(p, sizeof path[0], "%s/%s", scratch_dir, name);
	return p;
}

static inline const char *
scratch_write_n(const char *name, const char *text, size_t n, mode_t mode)
{
	const char *path = scratch_path(name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	return path;
}

static inline const char *
scratch_write(const char *name, const char *text)
{
	return scratch_write_n(name, text, strlen(text), 0600);
}

static inline int
scratch_unlink(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

static inline void
scratch_remove(void)
{
	nftw(scratch_dir, scratch_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
