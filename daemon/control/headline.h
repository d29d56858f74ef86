/* What an administrator wants to read first, in one line: systemd shows it (STATUS=). */
#ifndef CONTROL_HEADLINE_H
#define CONTROL_HEADLINE_H

#include "base/buf.h"
#include "queue/queue.h"

void headline_put_totals(struct buf *out, const struct queue_totals *t);
void headline_put_upstream(struct buf *out, const struct queue_upstream *u);

struct headline;
struct headline *headline_start(struct loop *l, struct queue *q, struct channel *main);	/* HEADLINE, when it is news */
void headline_stop(struct headline **h);

#endif
