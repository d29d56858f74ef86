/*
 * Listening sockets.  When descriptors run out, accepting pauses for 100 ms and a
 * reserve descriptor answers one client at a time (C-20): no spin.
 */
#ifndef NET_ACCEPT_H
#define NET_ACCEPT_H

#include <sys/socket.h>

#include "base/str.h"
#include "base/why.h"
#include "net/loop.h"

struct accept;

/* "127.0.0.1:587", "[::1]:465", "0.0.0.0:25", "localhost:587" is not allowed: an address literal
 * and a port.  Close-on-exec, non-blocking, listening.  -1 and why ("127.0.0.1:587 is in use by another
 * program…"). */
int accept_bind(const char *address, struct why *why) must_check;

/* A unix socket at path with mode (0660…); a stale file is replaced, a live one is an error. */
int accept_bind_unix(const char *path, unsigned mode, struct why *why) must_check;

int accept_parse(const char *address, struct sockaddr_storage *sa, socklen_t *len) must_check;

/* Several threads may start on the same descriptor.  fn owns the accepted, non-blocking fd.  After shutdown(2) of the
 * listening one nobody comes any more; the rest may be stopped later. */
struct accept *accept_start(struct loop *l, int fd, void (*fn)(void *arg, int fd), void *arg);

/* What to tell a client when there are no descriptors left ("421 …\r\n"), or NULL. */
void accept_say_full(struct accept *a, const char *text);
/* Asked before each client; false: who comes waits in the kernel's queue, and it is asked again in 100 ms. */
void accept_ask(struct accept *a, bool (*may)(void *arg));
void accept_stop(struct accept **a);	/* does not close the listening fd */

#endif
