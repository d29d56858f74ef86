/* What the queue looks like now, as the JSON that users see (CONTRACT.md 5).  References are the caller's. */
#ifndef CONTROL_SNAPSHOT_H
#define CONTROL_SNAPSHOT_H

#include <jansson.h>

#include "queue/queue.h"

json_t *snapshot_status(struct queue *q, int64_t uptime_s);

/* `settings' gives the chain while no name has been resolved; may be NULL. */
json_t *snapshot_upstream(const struct queue_upstream *u, const struct upstream *settings,
    int64_t now_ms, int64_t wall_s);

/* As in `gatepost queue --json': recipients that have not come to their end. */
json_t *snapshot_message(const struct queue_message *m);

/* For `gatepost show': all recipients, and how far each has come. */
json_t *snapshot_details(const struct queue_message *m);

/* For `gatepost trace': an event, and the present state of a message that is still queued. */
json_t *snapshot_event(const struct queue_event *e);
json_t *snapshot_queued(const struct queue_message *m);

/* A string from anywhere: what is not UTF-8 is escaped.  NULL gives "". */
json_t *snapshot_text(const char *text);

#endif
