/* The real disk, and the patience that all callers need: whole reads and writes, EINTR. */
#include "spool/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/*
 * Root looks at spools too (`gatepost spool'), and what is in them is the daemon's user's doing: nothing that waits, nothing
 * but files, and none of somebody else's under a second name.
 */
static bool
is_what_it_should_be(int dir, int fd)
{
	struct stat st, up;

	if (fstat(fd, &st) < 0)
		return false;
	errno = EINVAL;
	if (!S_ISREG(st.st_mode))
		return false;
	errno = EPERM;
	return st.st_nlink <= 1 || geteuid() != 0 || (fstat(dir, &up) == 0 && st.st_uid == up.st_uid);
}

static int
real_open(int dir, const char *name, int flags)
{
	bool is_dir = (flags & O_TMPFILE) == O_DIRECTORY;	/* which is a part of the other */
	int fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | (is_dir ? 0 : O_NONBLOCK), 0600), error;

	if (fd < 0 || is_dir || is_what_it_should_be(dir, fd))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int
real_mkdir(int dir, const char *name)
{
	return mkdirat(dir, name, 0700);
}

static int64_t
real_read(int fd, void *p, size_t n, uint64_t at)
{
	return pread(fd, p, n, (off_t)at);
}

static int64_t
real_write(int fd, const void *p, size_t n, uint64_t at)
{
	return pwrite(fd, p, n, (off_t)at);
}

static int
real_allocate(int fd, uint64_t at, uint64_t n, bool keep_size)
{
	return fallocate(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, (off_t)at, (off_t)n);
}

static int
real_truncate(int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size);
}

static int
real_flush(int fd, uint64_t at, uint64_t n)
{
	return sync_file_range(fd, (off64_t)at, (off64_t)n, SYNC_FILE_RANGE_WRITE);
}

static int
real_link(int fd, int dir, const char *name)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dir, name, AT_SYMLINK_FOLLOW);
}

static int
real_unlink(int dir, const char *name)
{
	return unlinkat(dir, name, 0);
}

static int
real_stat(int dir, const char *name, struct disk_stat *out)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -1;
	*out = (struct disk_stat){
		.size = (uint64_t)st.st_size,
		.allocated = (uint64_t)st.st_blocks * 512,
		.mode = st.st_mode & 07777,
		.uid = st.st_uid,
		.is_file = S_ISREG(st.st_mode),
		.is_dir = S_ISDIR(st.st_mode),
	};
	return 0;
}

static int
real_room(int fd, uint64_t *octets)
{
	struct statvfs v;

	if (fstatvfs(fd, &v) < 0)
		return -1;
	*octets = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}

static int
real_lock(int fd, bool shared)
{
	return flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
}

static int
real_list(int dir, disk_each_fn each, void *arg)
{
	struct dirent *e;
	DIR *d;
	int fd;

	do
		fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -1;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return -1;
	}
	while (errno = 0, (e = readdir(d)) != NULL)	/* NOLINT(concurrency-mt-unsafe): a DIR of its own */
		if (e->d_name[0] != '.')
			each(arg, e->d_name);
	fd = errno;
	closedir(d);
	errno = fd;
	return fd == 0 ? 0 : -1;
}

static const struct disk real = {
	.open = real_open,
	.mkdir = real_mkdir,
	.close = close,
	.read = real_read,
	.write = real_write,
	.allocate = real_allocate,
	.truncate = real_truncate,
	.datasync = fdatasync,
	.sync = fsync,
	.flush = real_flush,
	.rename = renameat,
	.link = real_link,
	.unlink = real_unlink,
	.stat = real_stat,
	.room = real_room,
	.lock = real_lock,
	.list = real_list,
};

static const struct disk *disk = &real;

const struct disk *
disk_replace(const struct disk *with)
{
	const struct disk *before = disk;

	disk = with != NULL ? with : &real;
	return before;
}

static bool
again(void)
{
	return errno == EINTR || errno == EAGAIN;
}

int
disk_open(int dir, const char *name, int flags)
{
	int fd;

	do
		fd = disk->open(dir, name, flags);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int
disk_open_dir(int dir, const char *name, bool make)
{
	int at = dir < 0 ? AT_FDCWD : dir;

	if (make && disk->mkdir(at, name) < 0 && errno != EEXIST)
		return -1;
	return disk_open(at, name, O_RDONLY | O_DIRECTORY);
}

void
disk_close(int *fd)
{
	if (*fd >= 0)
		disk->close(*fd);
	*fd = -1;
}

int64_t
disk_read(int fd, void *p, size_t n, uint64_t at)
{
	size_t got = 0;

	while (got < n) {
		int64_t r = disk->read(fd, (char *)p + got, n - got, at + got);

		if (r < 0 && again())
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (int64_t)got;
}

int
disk_write(int fd, const void *p, size_t n, uint64_t at)
{
	size_t put = 0;

	while (put < n) {
		int64_t r = disk->write(fd, (const char *)p + put, n - put, at + put);

		if (r < 0 && again())
			continue;
		if (r == 0)
			errno = EIO;
		if (r <= 0)
			return -1;
		put += (size_t)r;
	}
	return 0;
}

/* For file systems that cannot allocate ahead. */
static int
fill(int fd, uint64_t at, uint64_t n)
{
	static const char zeros[64 * 1024];

	for (uint64_t part; n > 0; at += part, n -= part) {
		part = n < sizeof zeros ? n : sizeof zeros;
		if (disk_write(fd, zeros, part, at) < 0)
			return -1;
	}
	return 0;
}

int
disk_allocate(int fd, uint64_t at, uint64_t n, bool keep_size)
{
	int r;

	do
		r = disk->allocate(fd, at, n, keep_size);
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EOPNOTSUPP)
		return keep_size ? 0 : fill(fd, at, n);
	return r;
}

int
disk_truncate(int fd, uint64_t size)
{
	int r;

	do
		r = disk->truncate(fd, size);
	while (r < 0 && errno == EINTR);
	return r;
}

/* Only an interrupted sync may be asked again: after any other error the kernel
 * forgets what it could not write, and the next call would lie. */
int
disk_datasync(int fd)
{
	int r;

	do
		r = disk->datasync(fd);
	while (r < 0 && again());
	return r;
}

int
disk_sync(int fd)
{
	int r;

	do
		r = disk->sync(fd);
	while (r < 0 && again());
	return r;
}

void
disk_flush(int fd, uint64_t at, uint64_t n)
{
	(void)disk->flush(fd, at, n);
}

int
disk_rename(int dir, const char *from, int to_dir, const char *to)
{
	return disk->rename(dir, from, to_dir, to);
}

int
disk_link(int fd, int dir, const char *name)
{
	return disk->link(fd, dir, name);
}

int
disk_unlink(int dir, const char *name)
{
	return disk->unlink(dir, name);
}

int
disk_stat(int dir, const char *name, struct disk_stat *out)
{
	return disk->stat(dir, name, out);
}

int
disk_room(int fd, uint64_t *octets)
{
	return disk->room(fd, octets);
}

int
disk_lock(int fd, bool shared)
{
	int r;

	do
		r = disk->lock(fd, shared);
	while (r < 0 && errno == EINTR);
	return r;
}

int
disk_list(int dir, disk_each_fn each, void *arg)
{
	return disk->list(dir, each, arg);
}
