/* The metrics in Prometheus's text format.  Private to the room. */
#ifndef WEB_PROM_H
#define WEB_PROM_H

#include <jansson.h>

#include "base/buf.h"

#define PROM_TYPE "text/plain; version=0.0.4; charset=utf-8"

void prom_put(struct buf *out, const json_t *status, int64_t started_wall_s);

#endif
