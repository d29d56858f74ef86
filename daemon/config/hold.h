/* Files that are changed by one at a time. */
#ifndef CONFIG_HOLD_H
#define CONFIG_HOLD_H

#include <stdint.h>

#include "base/why.h"

struct hold {
	char *name;		/* of our own file beside it, which nobody else can open */
	int fd;
};

/* Waits until nobody else has `file' (by its real name), at most wait_ms.  -1: *why says what is in the way, and what to do. */
int hold_take(struct hold *h, const char *file, int64_t wait_ms, struct why *why) must_check;
void hold_drop(struct hold *h);

#endif
