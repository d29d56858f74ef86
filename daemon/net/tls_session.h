/* One TLS connection over a socket: what stream needs of OpenSSL, and no more. */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include <sys/types.h>

#include "net/stream.h"

struct tls_session;

/* What the calls below answer instead of a length. */
enum {
	TLS_WANTS_READ = -1,	/* come back when the socket is readable */
	TLS_WANTS_WRITE = -2,	/* … writable */
	TLS_BROKEN = -3		/* tls_session_why says why */
};

/* `name': as in stream_start_tls. */
struct tls_session *tls_session_new(struct tls *t, int fd, const char *name);
void tls_session_free(struct tls_session **s);

/* 0: the handshake is done, and verified where the context asks for it. */
int tls_session_shake(struct tls_session *s);

ssize_t tls_session_read(struct tls_session *s, void *p, size_t n);	/* 0: the peer ended */
ssize_t tls_session_write(struct tls_session *s, const void *p, size_t n);
bool tls_session_has_pending(const struct tls_session *s);	/* octets that poll cannot see */
void tls_session_shut(struct tls_session *s);			/* sends close_notify */

enum stream_fault tls_session_fault(const struct tls_session *s);
const char *tls_session_why(const struct tls_session *s);
const char *tls_session_cipher(const struct tls_session *s);
int tls_session_peer(const struct tls_session *s, const struct veil *v, struct tls_certificate *out);

#endif
