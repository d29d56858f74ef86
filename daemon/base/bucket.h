/* Token buckets: "100/h" and its like.  Pure: time is handed in. */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct rate {
	uint32_t count;		/* 0: no limit */
	int64_t per_ms;
};

struct bucket {
	struct rate rate;
	double tokens;
	int64_t at_ms;
};

bool bucket_parse(struct str s, struct rate *out);	/* "14/s" "100/m" "500/h" "9/d"; "" = none */
void bucket_init(struct bucket *b, struct rate r, int64_t now_ms); /* full: the burst is count */
bool bucket_take(struct bucket *b, int64_t now_ms);	/* one token, false if there is none */

#endif
