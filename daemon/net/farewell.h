/* The orderly end of a connection that nobody owns any more. */
#ifndef NET_FAREWELL_H
#define NET_FAREWELL_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/wire.h"

/*
 * Takes over the wire (*w is empty then) and the output, of which `sent' octets have
 * gone: sends the rest, then close_notify and FIN, and reads and drops what comes until
 * the peer ends too.  All that for at most limit_ms.  `ended': it has already.
 */
void farewell_start(struct loop *l, struct wire *w, struct buf *out, size_t sent,
    bool ended, int64_t limit_ms);

#endif
