/*
 * A spool in a directory of its own and an owner that keeps what it is told.  The directory lies in memory
 * where there is such a place: these tests sync a great deal, and cut no power (tests/crash does).
 */
#ifndef UNIT_SPOOL_RIG_H
#define UNIT_SPOOL_RIG_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#undef fail	/* base/why has one too */

#include "base/mem.h"
#include "memory_dir.h"
#include "spool/disk.h"
#include "spool/state.h"

enum { RIG_SEGMENT = 64 * 1024 };

struct kept {
	struct spool_item item;
	uint64_t octets;
	char note[200];
};

struct rig {
	char dir[64];
	struct spool *s;
	struct map kept;	/* id -> struct kept */
	uint64_t min_free, segment;	/* segment: 0 is RIG_SEGMENT */
	unsigned damaged;
	uint64_t damaged_id;	/* of the last */
	char damaged_file[80], damaged_what[80];
	struct why why;
};

static struct rig rig;

static inline struct spool_item *
rig_found(void *arg, uint64_t id, struct str head, uint64_t octets)
{
	struct rig *r = arg;
	struct kept *k = mem_zero(sizeof *k);

	ck_assert_uint_ge(head.n, 4);
	ck_assert_int_eq(memcmp(head.p, "meta", 4), 0);
	k->octets = octets;
	map_put(&r->kept, id, k);
	return &k->item;
}

static inline struct spool_item *
rig_find(void *arg, uint64_t id)
{
	return map_find(&((struct rig *)arg)->kept, id);
}

static inline void
rig_noted(void *arg, struct spool_item *item, struct str note)
{
	struct kept *k = (struct kept *)item;

	(void)arg;
	snprintf(k->note, sizeof k->note, "%.*s", (int)note.n, note.p);
}

static inline void
rig_ended(void *arg, struct spool_item *item)
{
	free(map_take(&((struct rig *)arg)->kept, item->id));
}

static inline void
rig_damaged(void *arg, uint64_t id, const char *file, const char *what)
{
	struct rig *r = arg;

	r->damaged++;
	r->damaged_id = id;
	snprintf(r->damaged_file, sizeof r->damaged_file, "%s", file);
	snprintf(r->damaged_what, sizeof r->damaged_what, "%s", what);
}

static inline int
rig_try_open(void)
{
	const struct spool_owner owner = { &rig, rig_found, rig_find, rig_noted, rig_ended, rig_damaged, NULL };
	uint64_t segment = rig.segment > 0 ? rig.segment : RIG_SEGMENT;

	rig.damaged = 0;
	rig.damaged_id = 0;
	return spool_open(&rig.s, &(struct spool_options){ rig.dir, segment, rig.min_free }, &owner, &rig.why);
}

static inline void
rig_open(void)
{
	ck_assert_msg(rig_try_open() == 0, "%s", rig.why.text);
}

static inline void
rig_forget(void)
{
	struct kept *k;
	size_t at = 0;
	uint64_t id;

	while ((k = map_next(&rig.kept, &at, &id)) != NULL)
		free(k);
	map_clear(&rig.kept);
}

static inline void
rig_close(void)
{
	rig_forget();
	spool_close(&rig.s);
}

static inline void
rig_kill(void)	/* as a kill would: without a last word */
{
	rig_forget();
	spool_clear(rig.s);
	free(rig.s);
	rig.s = NULL;
}

static inline void
rig_make(void)
{
	memset(&rig, 0, sizeof rig);
	memory_dir(rig.dir, sizeof rig.dir);
}

static inline int
rig_remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

static inline void
rig_remove(void)
{
	if (rig.s != NULL)
		rig_kill();
	disk_replace(NULL);
	nftw(rig.dir, rig_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- putting ------------------------------------------------------------------- */

static inline char *
rig_content(uint64_t id, size_t n)
{
	char *p = mem_alloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)(id * 89 + i * 3 + (i >> 8));
	return p;
}

static inline struct str
rig_meta(uint64_t id)
{
	static char text[64];
	int n = snprintf(text, sizeof text, "meta of %" PRIu64, id);

	return (struct str){ text, (size_t)n };
}

/* The last `large' octets of the content go into a blob. */
static inline int
rig_try_put(uint64_t id, size_t n, size_t large)
{
	struct kept *k = mem_zero(sizeof *k);
	char *content = rig_content(id, n);
	struct str text = { content, n - large };
	struct spool_blob *b = NULL;
	uint64_t live = spool_live_bytes(rig.s), weight;
	int r;

	if (large > 0) {
		ck_assert_int_eq(spool_blob_new(spool_get_blobs(rig.s), &b, &rig.why), 0);
		ck_assert_int_eq(spool_blob_write(b, content + n - large, large, &rig.why), 0);
		ck_assert_uint_eq(spool_blob_octets(b), large);
	}
	weight = spool_weigh(rig.s, 1, rig_meta(id), &text, 1, b);
	r = spool_put(rig.s, &k->item, id, 1, rig_meta(id), &text, 1, &b, &rig.why);
	ck_assert_uint_eq(spool_live_bytes(rig.s), live + (r == 0 ? weight : 0));
	if (r == 0)
		map_put(&rig.kept, id, k);
	else
		free(k);
	spool_blob_free(&b);
	free(content);
	return r;
}

static inline void
rig_put(uint64_t id, size_t n)
{
	ck_assert_msg(rig_try_put(id, n, 0) == 0, "%s", rig.why.text);
}

static inline void
rig_commit(void)
{
	struct spool_sync *y = spool_write(rig.s, &rig.why);

	ck_assert_ptr_nonnull(y);
	ck_assert_msg(spool_sync_run(y, &rig.why) == 0, "%s", rig.why.text);
	spool_sync_end(rig.s, &y);
	ck_assert(!spool_is_dirty(rig.s));
}

static inline struct spool_item *
rig_item(uint64_t id)
{
	struct kept *k = map_find(&rig.kept, id);

	ck_assert_msg(k != NULL, "message %" PRIu64 " is missing", id);
	return &k->item;
}

static inline void
rig_done(uint64_t id)
{
	spool_done(rig.s, rig_item(id));
	free(map_take(&rig.kept, id));
}

static inline void
rig_note(uint64_t id, const char *text)
{
	ck_assert_int_eq(spool_note(rig.s, rig_item(id), str_of(text)), 0);
}

/* --- looking --------------------------------------------------------------------- */

/* Reads it whole in such steps; -1 if it is damaged (rig.why). */
static inline int
rig_try_read(uint64_t id, size_t n, size_t step)
{
	char *want = rig_content(id, n), *got = mem_alloc(n + step);
	struct spool_reader *r;
	int64_t part = -1;
	size_t have = 0;

	if (spool_read_open(rig.s, rig_item(id), &r, &rig.why) == 0) {
		struct str meta = spool_read_meta(r);

		ck_assert(str_eq(meta, rig_meta(id)));
		ck_assert_uint_eq(spool_read_octets(r), n);
		while ((part = spool_read(r, got + have, step, &rig.why)) > 0)
			have += (size_t)part;
		if (part == 0) {
			ck_assert_uint_eq(have, n);
			ck_assert_int_eq(memcmp(got, want, n), 0);
		}
		spool_read_close(&r);
		ck_assert_ptr_null(r);
	}
	free(want);
	free(got);
	return (int)part;
}

static inline void
rig_read(uint64_t id, size_t n)
{
	ck_assert_msg(rig_try_read(id, n, 4096) == 0, "%s", rig.why.text);
}

static inline const char *
rig_path(const char *name)
{
	static char path[4][160];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof path[0], "%s/%s", rig.dir, name);
	return p;
}

static inline bool
rig_has(const char *name)
{
	return access(rig_path(name), F_OK) == 0;
}

static inline void
rig_load(const char *name, struct buf *out)
{
	int fd = open(rig_path(name), O_RDONLY);
	ssize_t n;

	ck_assert_int_ge(fd, 0);
	while ((n = read(fd, buf_room(out, 65536), 65536)) > 0)
		out->len += (size_t)n;
	close(fd);
}

static inline void
rig_save(const char *name, const void *p, size_t n)
{
	int fd = open(rig_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	close(fd);
}

static inline void
rig_flip(const char *name, off_t at)
{
	int fd = open(rig_path(name), O_RDWR);
	char c;

	ck_assert_int_eq(pread(fd, &c, 1, at), 1);
	c ^= 0x20;
	ck_assert_int_eq(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

#endif
