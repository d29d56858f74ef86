/* Takes addresses of people out of texts that strangers wrote.  Private to the room. */
#ifndef CONTROL_MASK_H
#define CONTROL_MASK_H

#include "base/buf.h"

/* Appends `text' with "[address]" for every word that has an @ in it, with what is quoted before that, and for each of the `known' names (addresses or
 * their local parts) that stands in it as a word of its own; without regard to case. */
void mask_put(struct buf *out, struct str text, const struct str *known, unsigned nknown);

#endif
