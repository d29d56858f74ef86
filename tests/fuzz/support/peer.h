/*
 * The other end of every stream: net/stream.h without sockets, in memory and without a clock of its own.  Linked before
 * lib.a, support/peer.c stands in for net/stream.c; all above it is the daemon's own.
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include "fuzz/support/fuzz.h"

#include "net/stream.h"

enum { PEERS_MAX = 16, PEER_QUIET = 3, PEER_TURNS_MAX = 300 };

/* What has been made since peer_reset. */
struct peer_stream {
	struct stream *stream;	/* NULL: our side closed it */
	struct buf said;	/* all that it said; the hook may cut it */
	size_t said_plain;	/* of it, before TLS */
	bool secure, broken;	/* broken: nothing may be said any more */
	void *mind;		/* the target's */
};

extern struct peers {
	struct peer_stream peer[PEERS_MAX];
	unsigned n;
	unsigned doings;	/* grows with all that happens */
	enum stream_fault tls;	/* how the next handshakes end; FAULT_NONE: well */
	bool stuck;		/* peers read nothing */
	/* told whenever a stream has said something */
	void (*on_said)(struct peer_stream *p, const char *bytes, size_t n);
} peers;

void peer_reset(void);
struct peer_stream *peer_live(void);	/* the newest that is not closed; NULL: none */
void peer_say(struct peer_stream *p, struct str bytes);	/* in one piece, as soon as it is read */
void peer_end(struct peer_stream *p);
void peer_break(struct peer_stream *p, enum stream_fault fault);
void peer_settle(struct loop *l);	/* turns until nothing more happens at this moment */

#endif
