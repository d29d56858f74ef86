/*
 * A buffered byte stream over a socket, plain or TLS: one callback, seven events.
 * Reads go through a scratch buffer of the thread, so an idle stream holds no
 * buffers; writes are gathered and sent at the end of the turn in one system call.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"
#include "net/loop.h"
#include "net/tls.h"

struct stream;

enum stream_event {
	STREAM_UP,	/* connected (stream_connect only) */
	STREAM_SECURE,	/* the TLS handshake is done, and verified where asked for */
	STREAM_DATA,	/* stream_input has something new */
	STREAM_DRAINED,	/* all that was written has been handed to the kernel */
	STREAM_CLOSED,	/* the peer ended its side; no more input will come.  Input
			 * that came before it was offered by STREAM_DATA first. */
	STREAM_TIMEOUT,	/* the deadline of stream_deadline passed */
	STREAM_FAILED	/* reset, TLS error, connect error: stream_why says which; it may
			 * follow STREAM_CLOSED, and nothing follows it */
};

/* May call anything here, stream_close included. */
typedef void (*stream_fn)(void *arg, struct stream *s, enum stream_event ev);

/* What kind of failure, for the relay's verdict on a port. */
enum stream_fault {
	FAULT_NONE, FAULT_REFUSED, FAULT_UNREACHABLE, FAULT_TIMEOUT, FAULT_RESET,
	FAULT_CLOSED, FAULT_LOCAL,	/* EMFILE, EADDRNOTAVAIL, ENOBUFS: ours */
	FAULT_DENIED,			/* EACCES, EPERM: a local firewall */
	FAULT_TLS,			/* handshake or record layer */
	FAULT_CERTIFICATE		/* did not verify */
};

/* Takes over a connected, non-blocking socket. */
struct stream *stream_accept(struct loop *l, int fd, stream_fn fn, void *arg);

/* Starts to connect; `source' ("" or a local address).  Errors come as STREAM_FAILED,
 * never from inside this call. */
struct stream *stream_connect(struct loop *l, const struct sockaddr *sa, socklen_t len,
    const char *source, stream_fn fn, void *arg);

/* Sends what is waiting as far as the socket takes it now, close_notify if TLS, and
 * closes.  No event comes after it.  *s becomes NULL. */
void stream_close(struct stream **s);

/* As stream_close, but what is waiting is sent to its end in the background (bounded
 * by linger_ms), then FIN; unread input is read and dropped so that the peer sees no
 * reset. */
void stream_finish(struct stream **s, int64_t linger_ms);

/* At most this much (and what one read brings) is kept unconsumed; then reading
 * waits, as in a pause, until some is consumed. */
enum { STREAM_INPUT_MAX = 256 * 1024 };

/* Input that is not consumed yet; valid until the callback returns or the next call on
 * this stream.  What is left unconsumed is kept and offered again with more. */
struct str stream_input(struct stream *s);
void stream_consume(struct stream *s, size_t n);

/* Stop or go on reading.  While paused no STREAM_DATA comes; what the peer sends stays
 * in the kernel.  After stream_resume buffered input is offered again (from the loop,
 * not from inside the call). */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);

/* Output.  Copied; sent at the end of the turn. */
void stream_write(struct stream *s, const void *p, size_t n);
struct buf *stream_output(struct stream *s);	/* append here, then: */
void stream_flush(struct stream *s);		/* at the end of the turn */
size_t stream_pending(const struct stream *s);	/* octets not yet with the kernel */

/* STREAM_TIMEOUT at that moment unless moved; 0 = none. */
void stream_deadline(struct stream *s, int64_t at_ms);

/*
 * Begins TLS.  Client: `name' is verified as DNS name or IP literal, and sent as SNI if it is
 * a name.  Server: the listener's name, so that no ticket of it serves at another; NULL: the
 * context's own.  -1 if plain input is buffered (C-02, C-03): the caller
 * must end the session.  Output written before is sent in plain first.
 */
int stream_start_tls(struct stream *s, struct tls *t, const char *name) must_check;

bool stream_is_secure(const struct stream *s);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384", NULL if plain; until the next call in this thread. */
const char *stream_cipher(const struct stream *s);
/* -1: none.  Also there when it did not verify (FAULT_CERTIFICATE).  A name that shows what is in v (NULL: nothing) is hidden. */
int stream_peer_certificate(const struct stream *s, const struct veil *v, struct tls_certificate *out);

enum stream_fault stream_fault(const struct stream *s);
const char *stream_why(const struct stream *s);	/* in words, for people: "no answer to TCP in 10 s" is the
						 * caller's to say; this is "connection refused", "certificate has expired"… */
int stream_fd(const struct stream *s);		/* for peer credentials only */
bool stream_is_silent(const struct stream *s, int64_t since_ms);	/* not an octet has come since that moment; 0: so far */
void stream_peer(const struct stream *s, char *address, size_t size, uint16_t *port); /* "127.0.0.1"; "" on unix sockets;
						 * IPv4-mapped addresses are given as IPv4 */
#endif
