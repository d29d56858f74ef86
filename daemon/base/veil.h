/*
 * Takes a secret out of text that strangers wrote: a server may repeat what it was told (C-16).  Found as it is, and as base
 * 64 has it wherever in a longer text it stood.  A zeroed struct hides nothing.
 */
#ifndef BASE_VEIL_H
#define BASE_VEIL_H

#include "base/buf.h"

enum { VEIL_WORDS = 4, VEIL_LEAST = 4 };	/* shorter words are everywhere */

struct veil {
	struct buf word[VEIL_WORDS];	/* wiped when cleared */
	unsigned n;
};

void veil_init(struct veil *v, const char *secret);
void veil_clear(struct veil *v);
void veil_hide(const struct veil *v, struct buf *text);	/* with asterisks, three whatever the length */

#endif
