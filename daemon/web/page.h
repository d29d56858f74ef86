/* The status page.  Private to the room. */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include <jansson.h>

#include "base/buf.h"
#include "web/ring.h"

void page_put(struct buf *out, const json_t *status, const json_t *oldest, const struct ring *ring);

/* The value of Content-Security-Policy: what the page itself has, and nothing else. */
void page_put_policy(struct buf *out);

#endif
