/* A socket, bare or under TLS, that reads and writes without blocking. */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <sys/types.h>

#include "net/stream.h"
#include "net/tls_session.h"

struct wire {
	int fd;
	bool sealed;			/* all goes through tls from now on */
	struct tls_session *tls;	/* NULL: none, and none begun */
	enum stream_fault fault;	/* after WIRE_BROKEN, or wire_fail */
	const char *why;		/* lives as long as tls */
};

/* What the calls below answer instead of a length; the same as TLS_… */
enum {
	WIRE_WANTS_READ = TLS_WANTS_READ,
	WIRE_WANTS_WRITE = TLS_WANTS_WRITE,
	WIRE_BROKEN = TLS_BROKEN
};

/* 0, or errno (EINPROGRESS too); the descriptor may be -1 then. */
int wire_connect(struct wire *w, const struct sockaddr *sa, socklen_t len,
    const char *source);
int wire_error(struct wire *w);		/* of a connect that was under way; 0 = it is up */
void wire_close(struct wire *w);	/* the descriptor; the session stays */
void wire_clear(struct wire *w);

int wire_shake(struct wire *w);		/* 0: done */
ssize_t wire_read(struct wire *w, void *p, size_t n);	/* 0: the end */
ssize_t wire_write(struct wire *w, const void *p, size_t n);
bool wire_has_pending(const struct wire *w);	/* octets that poll cannot see */
void wire_shut(struct wire *w);			/* close_notify and FIN */

/* What kind of fault an errno is, and in words that live for ever. */
enum stream_fault wire_explain(int error, const char **why);
void wire_fail(struct wire *w, int error);	/* the same, into *w */
void wire_peer(const struct wire *w, char *address, size_t size, uint16_t *port);

#endif
