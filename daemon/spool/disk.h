/*
 * Every system call that the spool makes on its files, behind a table that a test can replace by a
 * disk of its own.  Directories are opened once; all else is relative to them and never follows a link.
 */
#ifndef SPOOL_DISK_H
#define SPOOL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct disk_stat {
	uint64_t size, allocated;
	uint32_t mode, uid;
	bool is_file, is_dir;
};

typedef void (*disk_each_fn)(void *arg, const char *name);

/* The calls as the kernel makes them: -1 and errno, short counts, EINTR. */
struct disk {
	int (*open)(int dir, const char *name, int flags);
	int (*mkdir)(int dir, const char *name);
	int (*close)(int fd);
	int64_t (*read)(int fd, void *p, size_t n, uint64_t at);
	int64_t (*write)(int fd, const void *p, size_t n, uint64_t at);
	int (*allocate)(int fd, uint64_t at, uint64_t n, bool keep_size);
	int (*truncate)(int fd, uint64_t size);
	int (*datasync)(int fd);
	int (*sync)(int fd);
	int (*flush)(int fd, uint64_t at, uint64_t n);
	int (*rename)(int dir, const char *from, int to_dir, const char *to);
	int (*link)(int fd, int dir, const char *name);	/* names an unnamed file */
	int (*unlink)(int dir, const char *name);
	int (*stat)(int dir, const char *name, struct disk_stat *out);	/* name "": dir itself */
	int (*room)(int fd, uint64_t *octets);
	int (*lock)(int fd, bool shared);
	int (*list)(int dir, disk_each_fn each, void *arg);
};

/* For tests, while no spool is open; returns the one before.  NULL: the real one again. */
const struct disk *disk_replace(const struct disk *with);

int disk_open(int dir, const char *name, int flags) must_check;	/* 0600; never a link; EINVAL: not a regular file */
int disk_open_dir(int dir, const char *name, bool make) must_check; /* 0700; dir -1: a path of the operator's */
void disk_close(int *fd);

/* As much as there is, short only at the end of the file. */
int64_t disk_read(int fd, void *p, size_t n, uint64_t at) must_check;
int disk_write(int fd, const void *p, size_t n, uint64_t at) must_check;	/* all of it */
int disk_allocate(int fd, uint64_t at, uint64_t n, bool keep_size) must_check;
int disk_truncate(int fd, uint64_t size) must_check;
int disk_datasync(int fd) must_check;
int disk_sync(int fd) must_check;
void disk_flush(int fd, uint64_t at, uint64_t n);	/* starts write-back; promises nothing */
int disk_rename(int dir, const char *from, int to_dir, const char *to) must_check;
int disk_link(int fd, int dir, const char *name) must_check;
int disk_unlink(int dir, const char *name);
int disk_stat(int dir, const char *name, struct disk_stat *out) must_check;
int disk_room(int fd, uint64_t *octets) must_check;
int disk_lock(int fd, bool shared) must_check;
int disk_list(int dir, disk_each_fn each, void *arg) must_check;

#endif
