/* Small plots as inline SVG.  Private to the room. */
#ifndef WEB_PLOT_H
#define WEB_PLOT_H

#include <stdint.h>

#include "base/buf.h"
#include "web/ring.h"

struct plot_line {
	const char *label;	/* what it shows, for people; constant text */
	const char *css;	/* its class: the colour */
	int64_t value[RING_MINUTES];	/* -1: not known, a gap */
};

/* A figure with its title, its highest value, its axis of time, and a legend if there is more than one line. */
void plot_put(struct buf *out, const char *title, const char *unit, const struct plot_line *line, unsigned n);

#endif
