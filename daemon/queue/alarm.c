/* Conditions that begin, last, and end. */
#include "queue/alarm.h"

#include "base/why.h"

static enum alarm_news
move(struct alarm *a, enum alarm_state to, int64_t now_ms, enum alarm_news news)
{
	a->state = to;
	a->since_ms = now_ms;
	return news;
}

bool
alarm_is_raised(const struct alarm *a)
{
	return a->state == ALARM_RAISED || a->state == ALARM_CALMING;
}

enum alarm_news
alarm_level(struct alarm *a, bool is, int64_t after_ms, int64_t calm_ms, int64_t now_ms)
{
	switch (a->state) {
	case ALARM_QUIET:
		if (is && after_ms <= 0)
			return move(a, ALARM_RAISED, now_ms, ALARM_BEGINS);
		return is ? move(a, ALARM_PENDING, now_ms, ALARM_NOTHING) : ALARM_NOTHING;
	case ALARM_PENDING:
		if (!is)
			return move(a, ALARM_QUIET, now_ms, ALARM_NOTHING);
		return now_ms - a->since_ms >= after_ms ? move(a, ALARM_RAISED, now_ms, ALARM_BEGINS) : ALARM_NOTHING;
	case ALARM_RAISED:
		return is ? ALARM_NOTHING : move(a, ALARM_CALMING, now_ms, ALARM_NOTHING);
	case ALARM_CALMING:
		if (is)
			return move(a, ALARM_RAISED, now_ms, ALARM_NOTHING);
		return now_ms - a->since_ms >= calm_ms ? move(a, ALARM_QUIET, now_ms, ALARM_ENDS) : ALARM_NOTHING;
	case ALARM_STATES:
		break;
	}
	bug("alarm state %d", (int)a->state);
}

static enum alarm_news
tell(struct alarm *a, int64_t now_ms, uint64_t *told, enum alarm_news news)
{
	*told = a->gathered;
	a->gathered = 0;
	a->told_ms = now_ms;
	return news;
}

enum alarm_news
alarm_count(struct alarm *a, uint64_t more, bool lasts, int64_t quiet_ms, int64_t now_ms, uint64_t *told)
{
	*told = 0;
	a->gathered += more;
	if (more > 0)
		a->grew_ms = now_ms;
	if (a->state == ALARM_QUIET) {
		if (more == 0)
			return ALARM_NOTHING;
		(void)move(a, ALARM_RAISED, now_ms, ALARM_BEGINS);
		return tell(a, now_ms, told, ALARM_BEGINS);
	}
	if (a->gathered > 0)
		return now_ms - a->told_ms >= ALARM_MINUTE_MS ? tell(a, now_ms, told, ALARM_GROWS) : ALARM_NOTHING;
	if (lasts || now_ms - a->grew_ms < quiet_ms)
		return ALARM_NOTHING;
	return move(a, ALARM_QUIET, now_ms, ALARM_ENDS);
}
