/* The status document in words.  Private to the room. */
#ifndef COMMAND_STATUS_H
#define COMMAND_STATUS_H

#include <jansson.h>

#include "base/buf.h"

/* `before' (or NULL) is the document of so many seconds ago: rates are of that time then, else since the start. */
void status_format(struct buf *out, const json_t *doc, const json_t *before, double seconds, bool colour);

#endif
