/* What the status page and the metrics are made from, put into a LOOK.  Private to the room. */
#ifndef CONTROL_LOOK_H
#define CONTROL_LOOK_H

#include <jansson.h>

#include "queue/queue.h"

enum {
	LOOK_MESSAGES_MAX = 20,
	LOOK_RECIPIENTS_MAX = 3		/* of a message that are named */
};

void look_answer(struct look *l, struct queue *q, int64_t uptime_s);

/* One of its messages, and the taking of addresses out of a status document. */
json_t *look_message(const struct queue_message *m, bool addresses);
void look_mask_status(json_t *status);

#endif
