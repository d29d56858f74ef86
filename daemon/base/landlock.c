/*
 * Landlock by system calls: no library has it, and the constants are ours, because headers are older than kernels.  ABI 1 is
 * passed over: it refuses every rename from one directory to another.
 */
#include "base/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE = 444, ADD_RULE = 445, RESTRICT_SELF = 446 };	/* the same on all architectures */
enum { CREATE_VERSION = 1, RULE_PATH = 1, RULE_PORT = 2, ABI_LEAST = 2, ABI_KNOWN = 6 };

enum {
	EXECUTE = 1 << 0, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2, READ_DIR = 1 << 3, REMOVE_DIR = 1 << 4, REMOVE_FILE = 1 << 5,
	MAKE_CHAR = 1 << 6, MAKE_DIR = 1 << 7, MAKE_REG = 1 << 8, MAKE_SOCK = 1 << 9, MAKE_FIFO = 1 << 10, MAKE_BLOCK = 1 << 11,
	MAKE_SYM = 1 << 12,
	REFER = 1 << 13,	/* ABI 2 */
	TRUNCATE = 1 << 14,	/* 3 */
	IOCTL_DEV = 1 << 15	/* 5 */
};
enum {
	READ = READ_FILE | READ_DIR,
	WRITE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE,
	OF_FILES = READ_FILE | WRITE_FILE | TRUNCATE,
	BIND_TCP = 1 << 0,	/* ABI 4 */
	SCOPE_SIGNAL = 1 << 1	/* ABI 6; abstract sockets stay: systemd's may be one */
};

struct ruleset {
	uint64_t files, net, scoped;
};

struct rule {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

struct port {
	uint64_t access, port;
};

static const uint64_t rights[] = { [LANDLOCK_READ] = READ, [LANDLOCK_WRITE] = WRITE, [LANDLOCK_REMOVE] = REMOVE_FILE };

static uint64_t
known_rights(int abi)
{
	uint64_t all = (MAKE_SYM << 1) - 1;

	all |= abi >= 2 ? REFER : 0;
	all |= abi >= 3 ? TRUNCATE : 0;
	return all | (abi >= 5 ? IOCTL_DEV : 0);
}

int
landlock_init(struct landlock *l, struct why *why)
{
	const struct port any_port = { .access = BIND_TCP, .port = 0 };	/* `source': the kernel chooses */
	struct ruleset all = { 0 };
	size_t size = sizeof all.files;
	long abi = syscall(CREATE, NULL, (size_t)0, CREATE_VERSION);

	*l = (struct landlock){ .fd = -1 };
	if (abi < ABI_LEAST)
		return 0;
	l->abi = abi > ABI_KNOWN ? ABI_KNOWN : (int)abi;
	all.files = known_rights(l->abi);
	if (l->abi >= 4) {
		all.net = BIND_TCP;
		size = sizeof all.files + sizeof all.net;
	}
	if (l->abi >= 6) {
		all.scoped = SCOPE_SIGNAL;
		size = sizeof all;
	}
	l->fd = (int)syscall(CREATE, &all, size, 0);
	if (l->fd < 0)
		return fail(why, "Landlock: %s", strerror(errno));
	if (l->abi >= 4 && syscall(ADD_RULE, l->fd, RULE_PORT, &any_port, 0) < 0)
		return fail(why, "Landlock: %s", strerror(errno));
	return 0;
}

static int
add(struct landlock *l, int fd, const char *path, enum landlock_right right, struct why *why)
{
	struct rule rule = { .access = rights[right] & known_rights(l->abi), .fd = fd };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(why, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		rule.access &= OF_FILES;
	if (syscall(ADD_RULE, l->fd, RULE_PATH, &rule, 0) < 0)
		return fail(why, "Landlock: %s: %s", path, strerror(errno));
	return 0;
}

int
landlock_allow(struct landlock *l, const char *path, enum landlock_right right, struct why *why)
{
	int fd, result;

	if (l->fd < 0)
		return 0;
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR ? 0 : fail(why, "%s: %s", path, strerror(errno));
	result = add(l, fd, path, right, why);
	close(fd);
	return result;
}

int
landlock_enter(struct landlock *l, struct why *why)
{
	if (l->fd < 0)
		return 0;
	if (syscall(RESTRICT_SELF, l->fd, 0) < 0)
		return fail(why, "Landlock: %s", strerror(errno));
	landlock_clear(l);
	return 0;
}

bool
landlock_is_below(const char *path, const char *ground)
{
	size_t n = strlen(ground);

	return strcmp(ground, "/") == 0 || (strncmp(path, ground, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

void
landlock_clear(struct landlock *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
