/*
 * What the operator is told without mail, since mail may be what is stuck: looked at once a second, told when it begins and
 * when it is over.  The JSON is described in gatepost.conf(5).
 */
#ifndef QUEUE_ALERT_H
#define QUEUE_ALERT_H

struct queue;
struct alerts;

void alert_start(struct queue *q);
void alert_stop(struct queue *q);
void alert_configure(struct queue *q);	/* q->config has changed */
void alert_second(struct queue *q);

#endif
