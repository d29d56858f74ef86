/*
 * The operator's door: a unix socket on the queue's loop.  One request a line, JSON; answers are JSON lines (see
 * docs/control-protocol.md).  Peers are known by their uid.  The room's one door.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/why.h"
#include "queue/queue.h"

struct control;

struct control *control_start(struct loop *l, struct queue *q, int fd);	/* fd: bound and listening */
void control_tell(struct control *c, struct channel *main);	/* HEADLINE goes there, now and when it changes; and RELOAD */
void control_stop(struct control **c);
struct channel *control_get_channel(struct control *c);	/* takes LOOK, RELOADED */

/* Must the local certificate be made anew (CONTRACT.md 2)?  Then *what says why.  Reads the file. */
bool renewal_is_due(const struct config *c, struct why *what);

/* --- the asking side, for command/ ---------------------------------------- */

/* Sends one request (a JSON object as text) and hands each answer line to line(); false from it stops.  -1: the daemon
 * cannot be reached, or it answered an error: then *code is the exit status (75, 1, 64…) and why the reason. */
int control_ask(const char *socket, const char *request, bool (*line)(void *arg, const char *json),
    void *arg, int *code, struct why *why) must_check;

#endif
