/*
 * When: the schedule of attempts, the queue's clock, and expiry.  The clock counts the seconds that gatepost
 * was running, plus at most a day for each restart, so that a wall clock that jumps expires nothing.
 */
#include "queue/private.h"

#include "base/clock.h"

int64_t
retry_delay_ms(const struct config *c, unsigned attempts)
{
	unsigned n = c->queue.nretry;

	if (n == 0)
		return 60 * 60 * 1000;
	if (attempts == 0)
		attempts = 1;
	return c->queue.retry_ms[attempts <= n ? attempts - 1 : n - 1];
}

int64_t
retry_clock_s(const struct queue *q)
{
	if (q->clock_frozen)
		return q->clock_base_s;
	return q->clock_base_s + (clock_now_ms() - q->clock_base_at_ms) / 1000;
}

void
retry_freeze(struct queue *q, bool frozen)
{
	if (q->clock_frozen == frozen)
		return;
	q->clock_base_s = retry_clock_s(q);
	q->clock_base_at_ms = clock_now_ms();
	q->clock_frozen = frozen;
}

static int64_t
age_ms(const struct queue *q, const struct entry *e)
{
	return (retry_clock_s(q) - (int64_t)e->arrived_queue_s) * 1000;
}

bool
retry_is_expired(const struct queue *q, const struct entry *e)
{
	return age_ms(q, e) >= q->config->queue.expire_ms;
}

bool
retry_wants_warning(const struct queue *q, const struct entry *e)
{
	int64_t after = q->config->queue.delay_warning_ms;

	return after > 0 && !e->warned && !e->is_bounce && e->state != ENTRY_HELD && age_ms(q, e) >= after;
}

bool
retry_is_young(const struct queue *q, const struct entry *e)
{
	int64_t age = age_ms(q, e), warn = q->config->queue.delay_warning_ms;

	return age < q->config->queue.expire_ms && (warn == 0 || age < warn);
}
