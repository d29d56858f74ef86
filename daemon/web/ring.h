/* What was counted during the last hour, in samples.  Pure.  Private to the room. */
#ifndef WEB_RING_H
#define WEB_RING_H

#include <stdint.h>

enum {
	RING_SAMPLE_MS = 10 * 1000,
	RING_SAMPLES = 60 * 6 + 1,	/* an hour, both ends counted */
	RING_MINUTES = 60
};

enum ring_kind {
	RING_WAITING,			/* a gauge: messages in the queue */
	RING_ACCEPTED, RING_RELAYED, RING_DEFERRED, RING_BOUNCED,	/* counters */
	RING_KINDS
};

struct ring {
	struct {
		int64_t at_ms;
		int64_t value[RING_KINDS];
	} sample[RING_SAMPLES];
	unsigned first, n;
};

/* The oldest goes when it is full.  A time before the last sample's is ignored. */
void ring_put(struct ring *r, int64_t at_ms, const int64_t value[RING_KINDS]);

/* A value for each minute of the hour that ends with the newest sample, oldest first; -1 where nothing is known.
 * The gauge: the most that was seen; a counter: what it grew. */
void ring_series(const struct ring *r, enum ring_kind k, int64_t out[RING_MINUTES]);

/* What a counter that is `now' grew in the hour, or since the first sample. */
int64_t ring_growth(const struct ring *r, enum ring_kind k, int64_t now);

#endif
