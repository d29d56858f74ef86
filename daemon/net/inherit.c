/* Sockets from systemd: three variables (sd_listen_fds(3)) and descriptors from 3 on; no library for that. */
#include "net/inherit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "net/accept.h"

enum { FIRST = 3 };

static void
write_address(struct inherited *s, const struct sockaddr_storage *sa, socklen_t len)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_un *sun = (const struct sockaddr_un *)sa;
	char host[INET6_ADDRSTRLEN] = "";

	switch (sa->ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		snprintf(s->address, sizeof s->address, "%s:%u", host, ntohs(v4->sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		snprintf(s->address, sizeof s->address, "[%s]:%u", host, ntohs(v6->sin6_port));
		break;
	default:	/* its name need not end with a NUL (unix(7)); an abstract one has no path */
		s->is_unix = true;
		if (len > offsetof(struct sockaddr_un, sun_path))
			str_fit(s->address, sizeof s->address, (struct str){ sun->sun_path,
			    strnlen(sun->sun_path, len - offsetof(struct sockaddr_un, sun_path)) });
	}
}

static int
option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static int
take_in(struct inherited *s, int fd, struct why *why)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof sa;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return fail(why, "LISTEN_FDS counts descriptor %d, which is not open", fd);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0 || option(fd, SO_TYPE) != SOCK_STREAM ||
	    option(fd, SO_ACCEPTCONN) != 1 ||
	    (sa.ss_family != AF_INET && sa.ss_family != AF_INET6 && sa.ss_family != AF_UNIX))
		return fail(why, "descriptor %d, passed by who started us, is no listening stream socket; the socket unit "
		    "may have ListenStream= alone, and not Accept=yes", fd);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return fail(why, "descriptor %d: %s", fd, strerror(errno));
	*s = (struct inherited){ .fd = fd };
	write_address(s, &sa, len);
	return 0;
}

/* How many; 0 if they are meant for another process. */
static int
count(struct why *why)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): before there are threads */
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n;

	if (pid == NULL || fds == NULL || !str_number(str_of(pid), INT32_MAX, &n) || n != (uint64_t)getpid())
		return 0;
	if (!str_number(str_of(fds), INHERIT_MAX, &n))
		return fail(why, "LISTEN_FDS is not a number");
	if (n > INHERIT_MAX)
		return fail(why, "more than %d sockets were passed (LISTEN_FDS)", INHERIT_MAX);
	return (int)n;
}

void
inherit_close_others(void)
{
	int n = count(NULL);

	close_range((unsigned)(FIRST + (n > 0 ? n : 0)), ~0U, 0);
}

int
inherit_init(struct inherit *in, struct why *why)
{
	int n;

	in->n = 0;
	n = count(why);
	/* NOLINTBEGIN(concurrency-mt-unsafe): before there are threads */
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	/* NOLINTEND(concurrency-mt-unsafe) */
	for (int i = 0; i < n; i++) {
		if (take_in(&in->socket[i], FIRST + i, why) < 0)
			return -1;
		in->n++;
	}
	return n < 0 ? -1 : 0;
}

bool
inherit_has(const struct inherit *in, bool is_unix)
{
	for (unsigned i = 0; i < in->n; i++)
		if (in->socket[i].is_unix == is_unix)
			return true;
	return false;
}

/* "[0::1]:587" is "[::1]:587". */
static bool
is_same(const struct inherited *s, const char *address)
{
	struct sockaddr_storage a, b;
	socklen_t na, nb;

	if (s->is_unix || address[0] == '/')
		return strcmp(s->address, address) == 0;
	return accept_parse(s->address, &a, &na) == 0 && accept_parse(address, &b, &nb) == 0 &&
	    na == nb && memcmp(&a, &b, na) == 0;
}

int
inherit_take(struct inherit *in, const char *address)
{
	for (unsigned i = 0; i < in->n; i++) {
		int fd = in->socket[i].fd;

		if (fd < 0 || !is_same(&in->socket[i], address))
			continue;
		in->socket[i].fd = -1;
		return fd;
	}
	return -1;
}

const struct inherited *
inherit_find_left(const struct inherit *in)
{
	for (unsigned i = 0; i < in->n; i++)
		if (in->socket[i].fd >= 0)
			return &in->socket[i];
	return NULL;
}

void
inherit_clear(struct inherit *in)
{
	for (unsigned i = 0; i < in->n; i++)
		if (in->socket[i].fd >= 0)
			close(in->socket[i].fd);
	in->n = 0;
}
