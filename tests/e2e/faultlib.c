/*
 * Faults at the boundary to the system, for the end-to-end tests: preloaded into the daemon, told by a file
 * that GATEPOST_FAULTS names (faultlib.h).  Everything that is not to fail goes straight to the kernel, so that it does not matter
 * what else has replaced these functions.
 */
#include "e2e/faultlib.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct fault_control *control;

__attribute__((constructor)) static void
attach(void)
{
	const char *name = getenv("GATEPOST_FAULTS");
	int fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return;
	control = p;
#ifndef FAULTLIB_NO_MALLOC
	control->has_malloc = 1;
#endif
}

/* --- whose call it is, and what is to become of it ------------------------------- */

/* The spool itself, log/, blob/ and damaged/; not tls/. */
static bool
is_ours(int fd)
{
	char link[32], path[256];
	size_t len = control != NULL ? strlen(control->dir) : 0;
	ssize_t n;

	if (len == 0)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path - 1);
	if (n < (ssize_t)len)
		return false;
	path[n] = '\0';
	return strncmp(path, control->dir, len) == 0 && (path[len] == '\0' ||
	    (path[len] == '/' && strncmp(path + len, "/tls", 4) != 0));
}

static void
die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* -1 and errno: the call fails.  1: it is to be cut short. */
static int
decide(enum fault_call call)
{
	struct fault_rule *r = &control->rule[call];
	uint64_t n = ++control->calls[call], from = r->from;

	if (from == 0 || n < from || n > r->upto || (r->every > 1 && (n - from) % r->every != 0))
		return 0;
	if (r->error == 0)
		return 1;
	errno = r->error;
	return -1;
}

/* How the process is to end at this change of the disk; FAULT_BEFORE does not return. */
static enum fault_kill
change(enum fault_call call)
{
	int only = control->kill_only;

	if ((only != 0 && only != (int)call) || ++control->changes != control->kill_at)
		return FAULT_LIVE;
	if (control->kill_how == FAULT_BEFORE)
		die();
	return (enum fault_kill)control->kill_how;
}

static int
done(enum fault_kill how, long result)
{
	if (how != FAULT_LIVE)
		die();
	return (int)result;
}

/* --- a disk that forgets ------------------------------------------------------------ */

struct undo {
	struct undo *next;
	int fd;
	size_t n;
	off_t at;
	char old[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct undo *undo;

static void
remember(int fd, size_t n, off_t at)
{
	struct undo *u = calloc(1, sizeof *u + n);

	if (u == NULL)
		abort();
	u->fd = fd;
	u->n = n;
	u->at = at;
	(void)!syscall(SYS_pread64, fd, u->old, n, at);
	pthread_mutex_lock(&lock);
	u->next = undo;
	undo = u;
	pthread_mutex_unlock(&lock);
}

/* The file is synced, or its writes are lost, the newest first. */
static void
forget(int fd, bool lost)
{
	struct undo **at = &undo, *u;

	pthread_mutex_lock(&lock);
	while ((u = *at) != NULL) {
		if (u->fd != fd) {
			at = &u->next;
			continue;
		}
		if (lost)
			(void)!syscall(SYS_pwrite64, fd, u->old, u->n, u->at);
		*at = u->next;
		free(u);
	}
	pthread_mutex_unlock(&lock);
}

/* --- the calls ------------------------------------------------------------------------ */

int
openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (is_ours(dir) && decide(FAULT_OPEN) < 0)
		return -1;
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

ssize_t
pread(int fd, void *p, size_t n, off_t at)
{
	int fault = is_ours(fd) ? decide(FAULT_READ) : 0;

	if (fault < 0)
		return -1;
	return syscall(SYS_pread64, fd, p, fault > 0 && n > 1 ? n / 2 : n, at);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	enum fault_kill how;
	ssize_t r;
	int fault;

	if (!is_ours(fd))
		return syscall(SYS_pwrite64, fd, p, n, at);
	if ((fault = decide(FAULT_WRITE)) < 0)
		return -1;
	if (control->forget)
		remember(fd, n, at);
	how = change(FAULT_WRITE);
	r = syscall(SYS_pwrite64, fd, p, (fault > 0 || how == FAULT_MIDWAY) && n > 1 ? n / 2 : n, at);
	if (how != FAULT_LIVE)
		die();
	return r;
}

int
fallocate(int fd, int mode, off_t at, off_t n)
{
	enum fault_kill how;

	if (!is_ours(fd))
		return (int)syscall(SYS_fallocate, fd, mode, at, n);
	if (decide(FAULT_ALLOCATE) < 0)
		return -1;
	how = change(FAULT_ALLOCATE);
	return done(how, syscall(SYS_fallocate, fd, mode, at, n));
}

int
ftruncate(int fd, off_t size)
{
	enum fault_kill how;

	if (!is_ours(fd))
		return (int)syscall(SYS_ftruncate, fd, size);
	if (decide(FAULT_TRUNCATE) < 0)
		return -1;
	how = change(FAULT_TRUNCATE);
	return done(how, syscall(SYS_ftruncate, fd, size));
}

static int
sync_file(enum fault_call call, long number, int fd)
{
	enum fault_kill how;
	int r;

	if (!is_ours(fd))
		return (int)syscall(number, fd);
	if (decide(call) < 0) {
		int error = errno;

		if (error != EINTR)
			forget(fd, true);
		errno = error;
		return -1;
	}
	how = change(call);
	r = (int)syscall(number, fd);
	forget(fd, false);
	return done(how, r);
}

int
fdatasync(int fd)
{
	return sync_file(FAULT_DATASYNC, SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return sync_file(FAULT_SYNC, SYS_fsync, fd);
}

int
renameat(int dir, const char *from, int to_dir, const char *to)
{
	enum fault_kill how;

	if (!is_ours(dir))
		return (int)syscall(SYS_renameat2, dir, from, to_dir, to, 0);
	if (decide(FAULT_RENAME) < 0)
		return -1;
	how = change(FAULT_RENAME);
	return done(how, syscall(SYS_renameat2, dir, from, to_dir, to, 0));
}

int
linkat(int dir, const char *from, int to_dir, const char *to, int flags)
{
	enum fault_kill how;

	if (!is_ours(to_dir))
		return (int)syscall(SYS_linkat, dir, from, to_dir, to, flags);
	if (decide(FAULT_LINK) < 0)
		return -1;
	how = change(FAULT_LINK);
	return done(how, syscall(SYS_linkat, dir, from, to_dir, to, flags));
}

int
unlinkat(int dir, const char *name, int flags)
{
	enum fault_kill how;

	if (!is_ours(dir))
		return (int)syscall(SYS_unlinkat, dir, name, flags);
	if (decide(FAULT_UNLINK) < 0)
		return -1;
	how = change(FAULT_UNLINK);
	return done(how, syscall(SYS_unlinkat, dir, name, flags));
}

/* --- the clock --------------------------------------------------------------------------- */

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int r = (int)syscall(SYS_clock_gettime, id, t);

	if (r < 0 || control == NULL || id != CLOCK_REALTIME)
		return r;
	t->tv_sec += control->wall_offset_s + (t->tv_sec % 2 != 0 ? 1 : -1) * control->wall_swing_s;
	return 0;
}

/* --- memory --------------------------------------------------------------------------------- */

#ifndef FAULTLIB_NO_MALLOC
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *p, size_t n);

static bool
is_refused(void)
{
	if (control == NULL || ++control->mallocs != control->malloc_fails_at)
		return false;
	errno = ENOMEM;
	return true;
}

void *
malloc(size_t n)
{
	return is_refused() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t count, size_t n)
{
	return is_refused() ? NULL : __libc_calloc(count, n);
}

void *
realloc(void *p, size_t n)
{
	return is_refused() ? NULL : __libc_realloc(p, n);
}

void *
reallocarray(void *p, size_t count, size_t n)
{
	size_t size;

	if (__builtin_mul_overflow(count, n, &size)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, size);
}
#endif
