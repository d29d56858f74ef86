/*
 * Time.  The only place that reads a clock, so that tests can put their own
 * behind it.  Monotonic milliseconds (…_at_ms) for everything that waits; wall
 * time (…_wall_s) for what is written to disk or shown to people.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

int64_t clock_now_ms(void);		/* monotonic; counts suspend (BOOTTIME) */
int64_t clock_wall_s(void);
int64_t clock_wall_us(void);

/* "500ms", "30s", "5m", "4h", "5d", and "0"; false if it is none of these or
 * above 10 years. */
bool clock_parse_span(struct str s, int64_t *ms);

/* "500 ms", "10 s", "3 min", "2 h", "4 d": for people, one unit, rounded. */
void clock_print_span(char *out, size_t size, int64_t ms);

/* "Fri, 21 Nov 2026 21:51:51 +0000" with the local offset (RFC 5322 3.3). */
void clock_print_date(char *out, size_t size, int64_t wall_s);

/* For tests: from now on time stands still and moves by clock_fake_add. */
void clock_fake(int64_t now_ms, int64_t wall_s);
void clock_fake_add(int64_t ms);

#endif
