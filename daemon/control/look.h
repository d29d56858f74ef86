/* What the status page and the metrics are made from, put into a LOOK.  Private to the room. */
#ifndef CONTROL_LOOK_H
#define CONTROL_LOOK_H

#include <jansson.h>

#include "base/str.h"
#include "queue/queue.h"

enum {
	LOOK_MESSAGES_MAX = 20,
	LOOK_RECIPIENTS_MAX = 3,	/* of a message that are named */
	LOOK_KNOWN_MAX = 600
};

/* Names that are people's, in whatever text they stand: addresses, and their local parts.  Borrowed from envelopes. */
struct look_known {
	struct str name[LOOK_KNOWN_MAX];
	unsigned n;
};

void look_answer(struct look *l, struct queue *q, int64_t uptime_s);

/* Its sender, and those of its recipients who still wait, in so far as there is room. */
void look_know(struct look_known *k, const struct queue_message *m);

/* One of its messages, and the taking of addresses out of a status document.  `known': of all messages that are shown. */
json_t *look_message(const struct queue_message *m, bool addresses, const struct look_known *known);
void look_mask_status(json_t *status, const struct look_known *known);

#endif
