/*
 * /metrics, /healthz and the status page, on a thread of its own.  It knows only what the control room answers when it is
 * asked to look.  The room's one door.
 */
#ifndef WEB_WEB_H
#define WEB_WEB_H

#include "memo/memo.h"

struct web;

/* fd: bound and listening, closed by the caller afterwards; a reference to the configuration is taken; `control' takes LOOK. */
struct web *web_new(struct loop *l, int fd, struct config *c, struct channel *control);
struct channel *web_get_channel(struct web *w);		/* takes CONFIG, DRAIN, STOP */
void web_free(struct web **w);	/* when `control' has answered its last */

#endif
