/*
 * Listening sockets.  A client that cannot be accepted for want of descriptors stays
 * in the kernel's queue and would keep the loop spinning: so nothing is accepted for a
 * while.  Where nobody makes room for it meanwhile the reserve descriptor is given up for a
 * moment to answer it.
 */
#include "net/accept.h"

#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	PAUSE_MS = 100,
	CROWDED_MS = 20,	/* who says that there is no room yet is asked again */
	AGAIN_MS = 1000,	/* within that no room was made */
	ACCEPTS_A_TURN = 16,	/* other threads and streams want their turn too */
	WARN_EVERY_MS = 60 * 1000
};

struct accept {
	struct loop *loop;
	void (*fn)(void *arg, int fd);
	bool (*may)(void *arg);	/* may be NULL */
	void *arg;
	char *full;
	int fd, reserve;
	struct watch *watch;	/* NULL: in a pause */
	struct timer timer;
	int64_t warned_at_ms, starved_at_ms;
};

/* --- addresses ----------------------------------------------------------------- */

int
accept_parse(const char *address, struct sockaddr_storage *sa, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)sa;
	struct str all = str_of(address);
	const char *colon = strrchr(address, ':');
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;
	size_t n;

	if (colon == NULL ||
	    !str_number(str_from(all, (size_t)(colon + 1 - address)), 65535, &port) ||
	    port > 65535)
		return -1;
	n = (size_t)(colon - address);
	if (n < 2 || n >= sizeof host)
		return -1;
	memcpy(host, address, n);
	host[n] = '\0';
	memset(sa, 0, sizeof *sa);
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof *v6;
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? 0 : -1;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*len = sizeof *v4;
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -1;
}

static int
bind_failed(const char *address, int error, struct why *why)
{
	switch (error) {
	case EADDRINUSE:
		return fail(why, "%s is in use by another program "
		    "(ss -ltnp names it)", address);
	case EACCES:
		return fail(why, "no permission to listen on %s: start as root, by "
		    "systemd, or with CAP_NET_BIND_SERVICE", address);
	case EADDRNOTAVAIL:
		return fail(why, "%s is not an address of this machine", address);
	case EAFNOSUPPORT:
		return fail(why, "%s: this machine lacks that address family", address);
	default:
		return fail(why, "cannot listen on %s: %s", address, strerror(error));
	}
}

int
accept_bind(const char *address, struct why *why)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, error;

	if (accept_parse(address, &sa, &len) < 0)
		return fail(why, "%s is not an address and a port "
		    "(127.0.0.1:587, [::1]:587)", address);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return bind_failed(address, errno, why);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int));
	if (bind(fd, (struct sockaddr *)&sa, len) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	error = errno;
	close(fd);
	return bind_failed(address, error, why);
}

/* 0 if path is free now: nothing was there, or a socket that nobody listens on. */
static int
remove_stale(const char *path, const struct sockaddr_un *sun, struct why *why)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail(why, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return fail(why, "%s exists and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(why, "%s: %s", path, strerror(errno));
	r = connect(fd, (const struct sockaddr *)sun, sizeof *sun);
	if (r < 0 && errno != ECONNREFUSED && errno != ENOENT)
		r = errno == EAGAIN ? 0 : -1;	/* EAGAIN: its queue is full */
	else
		r = r < 0 ? 1 : 0;
	close(fd);
	if (r == 0)
		return fail(why, "%s is in use by another program", path);
	if (r < 0)
		return fail(why, "%s: another program's socket", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(why, "%s: %s", path, strerror(errno));
	return 0;
}

static int
bind_unix_failed(const char *path, int error, struct why *why)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return fail(why, "cannot listen on %s: its directory does not exist; "
		    "make it, or start as root", path);
	case EACCES:
	case EPERM:
		return fail(why, "no permission to make %s; give its directory to the "
		    "user that starts this, or start as root", path);
	default:
		return fail(why, "cannot listen on %s: %s", path, strerror(error));
	}
}

/* The mode is the socket's from its birth: its directory may be another's, who could put a link in its place. */
static int
bind_with_mode(int fd, const struct sockaddr_un *sun, unsigned mode)
{
	mode_t before;
	int r;

	if (fchmod(fd, mode) < 0)
		return -1;
	before = umask(0);
	r = bind(fd, (const struct sockaddr *)sun, sizeof *sun);
	umask(before);
	return r;
}

int
accept_bind_unix(const char *path, unsigned mode, struct why *why)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof sun.sun_path)
		return fail(why, "%s: the path of a socket may have %zu octets",
		    path, sizeof sun.sun_path - 1);
	memcpy(sun.sun_path, path, strlen(path));
	if (remove_stale(path, &sun, why) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind_with_mode(fd, &sun, mode) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	error = errno;
	if (fd >= 0)
		close(fd);
	return bind_unix_failed(path, error, why);
}

/* --- accepting -------------------------------------------------------------------- */

static int
open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
rest(struct accept *a, int64_t ms)
{
	watch_free(&a->watch);
	loop_timer(a->loop, &a->timer, loop_now_ms(a->loop) + ms);
}

/* Answers one client with the descriptor that was kept for it. */
static void
turn_away(struct accept *a)
{
	int fd;

	if (a->reserve >= 0) {
		close(a->reserve);
		fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			if (a->full != NULL)
				(void)!send(fd, a->full, strlen(a->full), MSG_NOSIGNAL);
			close(fd);
		}
	}
	a->reserve = open_reserve();
}

static void
starve(struct accept *a, int error)
{
	int64_t now_ms = loop_now_ms(a->loop);
	bool again = a->starved_at_ms != 0 && now_ms - a->starved_at_ms < AGAIN_MS;

	count_add(COUNT_ACCEPT_ERRORS, 1);
	if (a->warned_at_ms == 0 || now_ms - a->warned_at_ms >= WARN_EVERY_MS) {
		a->warned_at_ms = now_ms;
		log_event(LOG_WARNING, "starved", log_text("why", strerrordesc_np(error)));
	}
	a->starved_at_ms = now_ms;
	if (a->may != NULL && !again) {
		rest(a, CROWDED_MS);
		return;
	}
	turn_away(a);
	rest(a, PAUSE_MS);
}

static void
on_client(void *arg, int listening)
{
	struct accept *a = arg;

	for (int i = 0; i < ACCEPTS_A_TURN && a->watch != NULL; i++) {
		int fd;

		if (a->may != NULL && !a->may(a->arg)) {
			rest(a, CROWDED_MS);
			return;
		}
		fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			a->fn(a->arg, fd);
			continue;
		}
		switch (errno) {
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			starve(a, errno);
			return;
		case EAGAIN:
			return;
		case EINVAL:	/* shut down: nobody comes any more */
			watch_free(&a->watch);
			return;
		default:	/* this one client's trouble (accept(2)) */
			break;
		}
	}
}

static void
on_rested(void *arg)
{
	struct accept *a = arg;

	if (a->reserve < 0)
		a->reserve = open_reserve();
	a->watch = loop_watch(a->loop, a->fd, on_client, a);
}

struct accept *
accept_start(struct loop *l, int fd, void (*fn)(void *arg, int fd), void *arg)
{
	struct accept *a = mem_zero(sizeof *a);

	a->loop = l;
	a->fd = fd;
	a->fn = fn;
	a->arg = arg;
	a->reserve = open_reserve();
	timer_init(&a->timer, on_rested, a);
	a->watch = loop_watch(l, fd, on_client, a);
	return a;
}

void
accept_ask(struct accept *a, bool (*may)(void *arg))
{
	a->may = may;
}

void
accept_say_full(struct accept *a, const char *text)
{
	free(a->full);
	a->full = mem_text(text);
}

static void
release(void *obj)
{
	struct accept *a = obj;

	free(a->full);
	free(a);
}

void
accept_stop(struct accept **ap)
{
	struct accept *a = *ap;

	if (a == NULL)
		return;
	*ap = NULL;
	watch_free(&a->watch);
	loop_cancel(a->loop, &a->timer);
	if (a->reserve >= 0)
		close(a->reserve);
	loop_bury(a->loop, a, release);
}
