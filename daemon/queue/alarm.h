/*
 * One condition that the operator is told of, as a machine of its own: begun, still so, over; never a storm.  Pure: time
 * and facts are handed in.  A level is so or not; a count grows, and is told by the minute.
 */
#ifndef QUEUE_ALARM_H
#define QUEUE_ALARM_H

#include <stdbool.h>
#include <stdint.h>

enum alarm_state {
	ALARM_QUIET,
	ALARM_PENDING,	/* it is so, but not for long enough */
	ALARM_RAISED,	/* it was told */
	ALARM_CALMING,	/* it is no longer so, but not for long enough */
	ALARM_STATES
};

enum alarm_news { ALARM_NOTHING, ALARM_BEGINS, ALARM_GROWS, ALARM_ENDS };

struct alarm {			/* zeroed: quiet */
	enum alarm_state state;
	int64_t since_ms;	/* of this state */
	int64_t told_ms, grew_ms;	/* counts */
	uint64_t gathered;	/* not told yet */
};

enum { ALARM_MINUTE_MS = 60 * 1000 };

/* Begins when it has been so for after_ms; ends when it has not been so for calm_ms. */
enum alarm_news alarm_level(struct alarm *a, bool is, int64_t after_ms, int64_t calm_ms, int64_t now_ms);

/* So many more have happened.  The first begins it; then they are told once a minute (*told: how many); it ends when nothing
 * has come for quiet_ms and `lasts' is false. */
enum alarm_news alarm_count(struct alarm *a, uint64_t more, bool lasts, int64_t quiet_ms, int64_t now_ms, uint64_t *told);

bool alarm_is_raised(const struct alarm *a);

#endif
