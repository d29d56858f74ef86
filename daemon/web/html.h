/* Text into HTML: what strangers wrote, made harmless.  Private to the room. */
#ifndef WEB_HTML_H
#define WEB_HTML_H

#include "base/buf.h"

/* For text and for attributes in quotes; control characters become U+FFFD. */
void html_put(struct buf *out, const char *text);

/* The same inside <bdi>, so that no text can turn the direction of what follows it. */
void html_put_foreign(struct buf *out, const char *text);

#endif
