/*
 * When memory is worth giving back to the system: many of something were there, and most of them have been gone for a while.  The C
 * library keeps what is freed, to use it again; what a flood took would stay ours for ever.
 */
#ifndef BASE_PEAK_H
#define BASE_PEAK_H

#include <stdbool.h>
#include <stdint.h>

struct peak {			/* zeros: none yet */
	uint64_t most;		/* there were so many */
	int64_t shrunk_at_ms;	/* since then half as many at most; 0: no */
};

void peak_note(struct peak *p, uint64_t n);	/* between two looks */

/* A look, now and then and never while somebody waits: of `least' or more half have been gone for seconds, so give back.  Of threads that
 * would at about the same time one does, for all: it walks the whole heap. */
bool peak_is_over(struct peak *p, uint64_t n, uint64_t least, int64_t now_ms);
void peak_look(struct peak *p, uint64_t n, uint64_t least, int64_t now_ms);	/* and gives back */

#endif
