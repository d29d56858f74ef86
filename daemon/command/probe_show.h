/* What a probe found, as JSON and in words.  Private to the room. */
#ifndef COMMAND_PROBE_SHOW_H
#define COMMAND_PROBE_SHOW_H

#include <jansson.h>

#include "relay/relay.h"

json_t *probe_show_json(const struct upstream *u, const struct probe_result *r, unsigned n, int64_t wall_s);
void probe_show_words(struct buf *out, const json_t *doc, bool colour);	/* of what probe_show_json made */

#endif
