/* The socket under a stream: system calls, their errors in words, and TLS or not. */
#include "net/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static const struct {
	int error;
	enum stream_fault fault;
	const char *words;
} faults[] = {
	{ ECONNREFUSED, FAULT_REFUSED, "connection refused" },
	{ ENOENT, FAULT_REFUSED, "no such socket" },
	{ ENETUNREACH, FAULT_UNREACHABLE, "network is unreachable" },
	{ EHOSTUNREACH, FAULT_UNREACHABLE, "host is unreachable" },
	{ ENETDOWN, FAULT_UNREACHABLE, "network is down" },
	{ EHOSTDOWN, FAULT_UNREACHABLE, "host is down" },
	{ EAFNOSUPPORT, FAULT_UNREACHABLE, "this machine lacks that address family" },
	{ ETIMEDOUT, FAULT_TIMEOUT, "connection timed out" },
	{ ECONNRESET, FAULT_RESET, "connection reset by the peer" },
	{ EPIPE, FAULT_RESET, "connection closed by the peer while we sent" },
	{ ECONNABORTED, FAULT_RESET, "connection aborted" },
	{ EMFILE, FAULT_LOCAL, "too many open files in this process" },
	{ ENFILE, FAULT_LOCAL, "too many open files in the system" },
	{ ENOBUFS, FAULT_LOCAL, "no buffer space in the kernel" },
	{ ENOMEM, FAULT_LOCAL, "no memory in the kernel" },
	{ EAGAIN, FAULT_LOCAL, "no free local port, or a full queue of connections" },
	{ EADDRNOTAVAIL, FAULT_LOCAL, "local address not available, or no free local port" },
	{ EADDRINUSE, FAULT_LOCAL, "local address in use" },
	{ EINVAL, FAULT_LOCAL, "invalid address" },
	{ EACCES, FAULT_DENIED, "not permitted (a local firewall or sandbox)" },
	{ EPERM, FAULT_DENIED, "not permitted (a local firewall or sandbox)" },
};

enum stream_fault
wire_explain(int error, const char **why)
{
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		if (faults[i].error == error) {
			*why = faults[i].words;
			return faults[i].fault;
		}
	}
	*why = strerrordesc_np(error);
	return FAULT_RESET;
}

void
wire_fail(struct wire *w, int error)
{
	w->fault = wire_explain(error, &w->why);
}

static int
bind_source(int fd, int family, const char *source)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	/* The port is chosen at connect, by the whole four-tuple. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){ 1 }, sizeof(int));
	if (family == AF_INET && inet_pton(AF_INET, source, &v4.sin_addr) == 1)
		return bind(fd, (struct sockaddr *)&v4, sizeof v4);
	if (family == AF_INET6 && inet_pton(AF_INET6, source, &v6.sin6_addr) == 1)
		return bind(fd, (struct sockaddr *)&v6, sizeof v6);
	errno = EADDRNOTAVAIL;
	return -1;
}

int
wire_connect(struct wire *w, const struct sockaddr *sa, socklen_t len,
    const char *source)
{
	w->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (w->fd < 0 ||
	    (*source != '\0' && bind_source(w->fd, sa->sa_family, source) < 0) ||
	    connect(w->fd, sa, len) < 0)
		return errno;
	return 0;
}

int
wire_error(struct wire *w)
{
	int error = 0;
	socklen_t len = sizeof error;

	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

void
wire_close(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void
wire_clear(struct wire *w)
{
	wire_close(w);
	tls_session_free(&w->tls);
}

/* Takes over the session's words for what went wrong. */
static ssize_t
checked(struct wire *w, ssize_t r)
{
	if (r == WIRE_BROKEN) {
		w->fault = tls_session_fault(w->tls);
		w->why = tls_session_why(w->tls);
	}
	return r;
}

static ssize_t
refused(struct wire *w, ssize_t again)
{
	if (errno == EAGAIN)
		return again;
	wire_fail(w, errno);
	return WIRE_BROKEN;
}

int
wire_shake(struct wire *w)
{
	return (int)checked(w, tls_session_shake(w->tls));
}

ssize_t
wire_read(struct wire *w, void *p, size_t n)
{
	ssize_t got;

	if (w->sealed)
		return checked(w, tls_session_read(w->tls, p, n));
	do
		got = recv(w->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	return got >= 0 ? got : refused(w, WIRE_WANTS_READ);
}

ssize_t
wire_write(struct wire *w, const void *p, size_t n)
{
	ssize_t sent;

	if (w->sealed)
		return checked(w, tls_session_write(w->tls, p, n));
	do
		sent = send(w->fd, p, n, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent >= 0 ? sent : refused(w, WIRE_WANTS_WRITE);
}

bool
wire_has_pending(const struct wire *w)
{
	return w->sealed && tls_session_has_pending(w->tls);
}

void
wire_shut(struct wire *w)
{
	if (w->sealed)
		tls_session_shut(w->tls);
	shutdown(w->fd, SHUT_WR);
}

void
wire_peer(const struct wire *w, char *address, size_t size, uint16_t *port)
{
	struct sockaddr_storage sa = { 0 };
	const struct sockaddr_in *v4 = (const void *)&sa;
	const struct sockaddr_in6 *v6 = (const void *)&sa;
	socklen_t len = sizeof sa;

	*port = 0;
	if (size > 0)
		address[0] = '\0';
	if (getpeername(w->fd, (struct sockaddr *)&sa, &len) < 0)
		return;
	if (sa.ss_family == AF_INET) {
		*port = ntohs(v4->sin_port);
		inet_ntop(AF_INET, &v4->sin_addr, address, (socklen_t)size);
	} else if (sa.ss_family == AF_INET6) {
		*port = ntohs(v6->sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
			inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], address, (socklen_t)size);
		else
			inet_ntop(AF_INET6, &v6->sin6_addr, address, (socklen_t)size);
	}
}
