/* What cannot be read is kept in damaged/, for people: SEGMENT-OFFSET, SEGMENT.seg, ID.blob. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "spool/disk.h"
#include "spool/state.h"

static int
open_damaged(struct spool *s, struct why *why)
{
	if (s->damaged >= 0)
		return 0;
	if ((s->damaged = disk_open_dir(s->dir, "damaged", true)) < 0 || disk_sync(s->dir) < 0)
		return fail(why, "cannot make damaged/: %s", strerror(errno));
	return 0;
}

int
aside_bytes(struct spool *s, uint32_t number, uint32_t at, struct str bytes, char out[ASIDE_NAME],
    struct why *why)
{
	static const char temporary[] = "unfinished";
	const char *name = out + strlen("damaged/");
	struct disk_stat st;
	int fd;

	snprintf(out, ASIDE_NAME, "damaged/%08" PRIx32 "-%08" PRIx32, number, at);
	if (open_damaged(s, why) < 0)
		return -1;
	if (disk_stat(s->damaged, name, &st) == 0)
		return 0;
	if ((fd = disk_open(s->damaged, temporary, O_RDWR | O_CREAT)) < 0)
		return fail(why, "cannot create %s: %s", out, strerror(errno));
	if (disk_truncate(fd, 0) < 0 || disk_write(fd, bytes.p, bytes.n, 0) < 0 || disk_sync(fd) < 0 ||
	    disk_rename(s->damaged, temporary, s->damaged, name) < 0 || disk_sync(s->damaged) < 0) {
		fail(why, "cannot write %s: %s", out, strerror(errno));
		disk_close(&fd);
		return -1;
	}
	disk_close(&fd);
	return 1;
}

int
aside_segment(struct spool *s, uint32_t number, char out[ASIDE_NAME], struct why *why)
{
	char name[SEGMENT_NAME];

	segment_name(name, number, false);
	snprintf(out, ASIDE_NAME, "damaged/%s", name);
	if (open_damaged(s, why) < 0)
		return -1;
	if (disk_rename(s->log, name, s->damaged, name) < 0 || disk_sync(s->damaged) < 0 ||
	    disk_sync(s->log) < 0)
		return fail(why, "cannot move log/%s to %s: %s", name, out, strerror(errno));
	return 0;
}

void
aside_blob(struct spool *s, uint64_t id)
{
	char name[IDENT_TEXT], to[IDENT_TEXT + 8];
	int dir = blob_get_dir(s->blobs);
	struct disk_stat st;

	ident_print(name, id);
	if (disk_stat(dir, name, &st) < 0 || !st.is_file)
		return;
	snprintf(to, sizeof to, "%s.blob", name);
	if (open_damaged(s, NULL) == 0 && disk_rename(dir, name, s->damaged, to) == 0)
		(void)!(disk_sync(s->damaged) + disk_sync(dir));
}

void
spool_set_aside(struct spool *s, struct spool_item *item, const char *what)
{
	char name[ASIDE_NAME];
	uint64_t id = item->id;
	struct buf raw = { 0 };

	read_raw(s, item->segment, item->offset, item->length, &raw);
	if (aside_bytes(s, item->segment, item->offset, buf_str(&raw), name, NULL) >= 0) {
		if (item->has_blob)	/* first: should the end not become durable, recovery misses it and does all this again */
			aside_blob(s, id);
		spool_done(s, item);
	} else {	/* no room even for that: let the next start find it again */
		account_segment(s, item->segment)->stuck = true;
		account_end(s, item);
	}
	buf_clear(&raw);
	s->owner.damaged(s->owner.arg, id, name, what);
}
