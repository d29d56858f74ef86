/*
 * Messages between threads: one lock, one eventfd, handed over in batches, in
 * order.  A channel knows nothing of what it carries: anything with a struct link.
 */
#ifndef NET_CHANNEL_H
#define NET_CHANNEL_H

#include "base/list.h"
#include "net/loop.h"

struct channel;

/* `on' gets each link, in order, on the receiver's thread; it owns it then. */
struct channel *channel_new(struct loop *receiver, void (*on)(void *arg, struct link *l), void *arg);
void channel_free(struct channel **c);	/* must be empty, or what is left leaks */

/* Any thread.  Takes it; wakes the receiver only when the channel was empty. */
void channel_post(struct channel *c, struct link *l);

/* Receiver's thread: handles what waits now without going through the loop
 * (orderly end: after senders have stopped). */
void channel_drain(struct channel *c);

#endif
