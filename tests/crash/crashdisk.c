/* The disk in memory (crashdisk.h): files, names, and what of them is not yet safe. */
#include "crash/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "spool/disk.h"

struct crashdisk_lies crashdisk_lies;
static struct crashdisk *disk;

static void
change(struct op o, const void *octets)
{
	if (octets != NULL)
		o.octets = mem_copy(octets, o.size);
	inside_apply(&o, false);
	disk->op = mem_resize(disk->op, disk->ops + 1, sizeof o);
	disk->op[disk->ops++] = o;
}

/* What is pending for this file or directory becomes safe, or is forgotten. */
static void
settle(struct crashdisk *d, struct inode *i, bool keep)
{
	unsigned left = 0;

	for (unsigned n = 0; n < d->ops; n++) {
		struct op *o = &d->op[n];

		if (o->inode != i && o->to_dir != i) {
			d->op[left++] = *o;
			continue;
		}
		if (keep)
			inside_apply(o, true);
		free(o->octets);
	}
	d->ops = left;
}

static void
tick(void)
{
	if (disk->hook != NULL)
		disk->hook(disk->arg, disk);
}

void
inside_mark_view(const struct view *v)
{
	for (unsigned i = 0; i < v->entries; i++)
		v->entry[i].inode->needed = true;
}

static void
mark_needed(const struct crashdisk *d)
{
	for (unsigned i = 0; i < d->inodes; i++)
		d->inode[i]->needed = false;
	for (unsigned i = 0; i < d->inodes; i++)
		inside_mark_view(&d->inode[i]->now);
	for (unsigned fd = 0; fd < FDS; fd++)
		if (d->fd[fd] != NULL)
			d->fd[fd]->needed = true;
}

uint64_t
crashdisk_used(const struct crashdisk *d)
{
	uint64_t sum = 0;

	mark_needed(d);
	for (unsigned i = 0; i < d->inodes; i++)
		if (!d->inode[i]->is_dir && d->inode[i]->needed)
			sum += d->inode[i]->now.size;
	return sum;
}

/* --- the calls -------------------------------------------------------------------- */

static struct inode *
inode_of(int fd)
{
	if (fd == AT_FDCWD)
		return disk->inode[0];
	if (fd < FIRST_FD || fd >= FIRST_FD + FDS || disk->fd[fd - FIRST_FD] == NULL) {
		fprintf(stderr, "crashdisk: descriptor %d is not open\n", fd);
		abort();
	}
	return disk->fd[fd - FIRST_FD];
}

static int
refuse(int error)
{
	errno = error;
	return -1;
}

static int
give_fd(struct inode *i)
{
	for (int fd = 0; fd < FDS; fd++)
		if (disk->fd[fd] == NULL) {
			disk->fd[fd] = i;
			return fd + FIRST_FD;
		}
	return refuse(EMFILE);
}

static void
name_change(struct op o, const char *name, const char *to)
{
	snprintf(o.name, sizeof o.name, "%s", name);
	snprintf(o.to, sizeof o.to, "%s", to);
	change(o, NULL);
}

static int
crash_open(int dir, const char *name, int flags)
{
	struct inode *d = inode_of(dir), *i;
	struct entry *e = inside_find_entry(&d->now, name);

	if ((flags & O_TMPFILE) == O_TMPFILE) {
		tick();
		return give_fd(inside_new_inode(disk, false));
	}
	if (strcmp(name, "..") == 0)
		return give_fd(disk->inode[0]);
	if (e != NULL)
		return (flags & O_EXCL) != 0 ? refuse(EEXIST) : give_fd(e->inode);
	if ((flags & O_CREAT) == 0)
		return refuse(ENOENT);
	tick();
	i = inside_new_inode(disk, false);
	name_change((struct op){ .kind = OP_ADD, .inode = d, .target = i }, name, "");
	return give_fd(i);
}

static int
crash_mkdir(int dir, const char *name)
{
	struct inode *d = inode_of(dir);

	if (inside_find_entry(&d->now, name) != NULL)
		return refuse(EEXIST);
	tick();
	name_change((struct op){ .kind = OP_ADD, .inode = d, .target = inside_new_inode(disk, true) }, name, "");
	return 0;
}

static int
crash_close(int fd)
{
	inode_of(fd)->locked = false;
	disk->fd[fd - FIRST_FD] = NULL;
	return 0;
}

static int64_t
crash_read(int fd, void *p, size_t n, uint64_t at)
{
	const struct view *v = &inode_of(fd)->now;

	if (at >= v->size)
		return 0;
	if (n > v->size - at)
		n = v->size - at;
	memcpy(p, v->octets + at, n);
	return (int64_t)n;
}

static bool
is_full(const struct inode *i, uint64_t size)
{
	return size > i->now.size && crashdisk_used(disk) + size - i->now.size > disk->capacity;
}

static int64_t
crash_write(int fd, const void *p, size_t n, uint64_t at)
{
	struct inode *i = inode_of(fd);

	if (is_full(i, at + n))
		return refuse(ENOSPC);
	tick();
	change((struct op){ .kind = OP_WRITE, .inode = i, .at = at, .size = n }, p);
	return (int64_t)n;
}

static int
crash_allocate(int fd, uint64_t at, uint64_t n, bool keep_size)
{
	struct inode *i = inode_of(fd);

	if (is_full(i, at + n))
		return refuse(ENOSPC);
	if (keep_size || at + n <= i->now.size)
		return 0;
	tick();
	change((struct op){ .kind = OP_SIZE, .inode = i, .size = at + n }, NULL);
	return 0;
}

static int
crash_truncate(int fd, uint64_t size)
{
	struct inode *i = inode_of(fd);

	if (size == i->now.size)
		return 0;
	tick();
	change((struct op){ .kind = OP_SIZE, .inode = i, .size = size }, NULL);
	return 0;
}

static int
crash_sync(int fd)
{
	struct inode *i = inode_of(fd);

	tick();
	if (!i->is_dir && disk->fail_sync > 0 && --disk->fail_sync == 0) {
		settle(disk, i, false);
		return refuse(EIO);
	}
	if (!(i->is_dir ? crashdisk_lies.entries_ignored : crashdisk_lies.sync_ignored))
		settle(disk, i, true);
	return 0;
}

static int
crash_flush(int fd, uint64_t at, uint64_t n)
{
	(void)inode_of(fd), (void)at, (void)n;
	return 0;
}

static int
crash_rename(int dir, const char *from, int to_dir, const char *to)
{
	struct op o = { .kind = OP_MOVE, .inode = inode_of(dir), .to_dir = inode_of(to_dir) };
	struct entry *e = inside_find_entry(&o.inode->now, from);

	if (e == NULL)
		return refuse(ENOENT);
	tick();
	o.target = e->inode;
	name_change(o, from, to);
	return 0;
}

static int
crash_link(int fd, int dir, const char *name)
{
	struct op o = { .kind = OP_ADD, .inode = inode_of(dir), .target = inode_of(fd) };

	if (inside_find_entry(&o.inode->now, name) != NULL)
		return refuse(EEXIST);
	tick();
	name_change(o, name, "");
	return 0;
}

static int
crash_unlink(int dir, const char *name)
{
	struct op o = { .kind = OP_REMOVE, .inode = inode_of(dir) };

	if (inside_find_entry(&o.inode->now, name) == NULL)
		return refuse(ENOENT);
	tick();
	name_change(o, name, "");
	return 0;
}

static int
crash_stat(int dir, const char *name, struct disk_stat *out)
{
	struct inode *i = inode_of(dir);
	struct entry *e;

	if (name[0] != '\0') {
		if ((e = inside_find_entry(&i->now, name)) == NULL)
			return refuse(ENOENT);
		i = e->inode;
	}
	*out = (struct disk_stat){ i->now.size, i->now.size, 0700, geteuid(), !i->is_dir, i->is_dir };
	return 0;
}

static int
crash_room(int fd, uint64_t *octets)
{
	uint64_t used = crashdisk_used(disk);

	(void)inode_of(fd);
	*octets = used < disk->capacity ? disk->capacity - used : 0;
	return 0;
}

static int
crash_lock(int fd, bool shared)
{
	struct inode *i = inode_of(fd);

	if (i->locked)
		return refuse(EWOULDBLOCK);
	i->locked = !shared;
	return 0;
}

static int
crash_list(int dir, disk_each_fn each, void *arg)
{
	struct view *v = &inode_of(dir)->now;

	for (unsigned i = 0; i < v->entries; i++)
		each(arg, v->entry[i].name);
	return 0;
}

static const struct disk table = {
	.open = crash_open,
	.mkdir = crash_mkdir,
	.close = crash_close,
	.read = crash_read,
	.write = crash_write,
	.allocate = crash_allocate,
	.truncate = crash_truncate,
	.datasync = crash_sync,
	.sync = crash_sync,
	.flush = crash_flush,
	.rename = crash_rename,
	.link = crash_link,
	.unlink = crash_unlink,
	.stat = crash_stat,
	.room = crash_room,
	.lock = crash_lock,
	.list = crash_list,
};

/* --- handling ---------------------------------------------------------------------- */

void
crashdisk_install(void)
{
	disk_replace(&table);
}

struct crashdisk *
crashdisk_new(uint64_t octets)
{
	struct crashdisk *d = mem_zero(sizeof *d);

	d->capacity = octets;
	inside_new_inode(d, true);
	return d;
}

void
crashdisk_free(struct crashdisk **out)
{
	struct crashdisk *d = *out;

	*out = NULL;
	if (d == NULL)
		return;
	for (unsigned i = 0; i < d->inodes; i++) {
		inside_clear_view(&d->inode[i]->now);
		inside_clear_view(&d->inode[i]->safe);
		free(d->inode[i]);
	}
	for (unsigned i = 0; i < d->ops; i++)
		free(d->op[i].octets);
	free(d->inode);
	free(d->op);
	free(d);
}

struct crashdisk *
crashdisk_use(struct crashdisk *d)
{
	struct crashdisk *before = disk;

	disk = d;
	return before;
}

void
crashdisk_hook(struct crashdisk *d, void (*fn)(void *arg, struct crashdisk *d), void *arg)
{
	d->hook = fn;
	d->arg = arg;
}

void
crashdisk_kill(struct crashdisk *d)
{
	memset(d->fd, 0, sizeof d->fd);
	for (unsigned i = 0; i < d->inodes; i++)
		d->inode[i]->locked = false;
}

void
crashdisk_fail_sync(struct crashdisk *d, unsigned n)
{
	d->fail_sync = n + 1;
}

void
crashdisk_fill(struct crashdisk *d)
{
	d->capacity = crashdisk_used(d);
}

void
crashdisk_resize(struct crashdisk *d, uint64_t octets)
{
	d->capacity = octets;
}
