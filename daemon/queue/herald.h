/*
 * Carries alerts out: each to alert.command by the helper, and to alert.webhook.  Both have a short queue of their own, one
 * under way at a time, and a few further tries with growing delay; then that alert is lost.
 */
#ifndef QUEUE_HERALD_H
#define QUEUE_HERALD_H

#include "errand/errand.h"
#include "net/dns.h"
#include "net/loop.h"

struct herald;

enum { HERALD_NOTES_MAX = 32, HERALD_TRIES = 4 };

struct herald *herald_start(struct loop *l, struct dns *d, struct errands *e);
void herald_stop(struct herald **h);
void herald_configure(struct herald *h, const struct config *c);
bool herald_has_hearers(const struct herald *h);
void herald_tell(struct herald *h, const char *json);	/* copied */

#endif
