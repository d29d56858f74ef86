/* Samples of an hour, and the series that the plots draw. */
#include "web/ring.h"

enum { MINUTE_MS = 60 * 1000 };

static unsigned
place(const struct ring *r, unsigned i)
{
	return (r->first + i) % RING_SAMPLES;
}

void
ring_put(struct ring *r, int64_t at_ms, const int64_t value[RING_KINDS])
{
	unsigned at;

	if (r->n > 0 && at_ms <= r->sample[place(r, r->n - 1)].at_ms)
		return;
	if (r->n == RING_SAMPLES)
		r->first = place(r, 1);
	else
		r->n++;
	at = place(r, r->n - 1);
	r->sample[at].at_ms = at_ms;
	for (unsigned k = 0; k < RING_KINDS; k++)
		r->sample[at].value[k] = value[k];
}

static int64_t
growth(int64_t from, int64_t to)
{
	return to > from ? to - from : 0;
}

void
ring_series(const struct ring *r, enum ring_kind k, int64_t out[RING_MINUTES])
{
	int64_t now;

	for (unsigned m = 0; m < RING_MINUTES; m++)
		out[m] = -1;
	if (r->n == 0)
		return;
	now = r->sample[place(r, r->n - 1)].at_ms;
	for (unsigned i = 0; i < r->n; i++) {
		int64_t age = now - r->sample[place(r, i)].at_ms, v = r->sample[place(r, i)].value[k];
		unsigned m;

		if (age >= (int64_t)RING_MINUTES * MINUTE_MS)
			continue;
		m = RING_MINUTES - 1 - (unsigned)(age / MINUTE_MS);
		if (k == RING_WAITING) {
			out[m] = v > out[m] ? v : out[m];
		} else if (i > 0 && r->sample[place(r, i)].at_ms - r->sample[place(r, i - 1)].at_ms <= MINUTE_MS) {
			/* what came in a longer gap would stand as a peak in one minute */
			out[m] = (out[m] < 0 ? 0 : out[m]) + growth(r->sample[place(r, i - 1)].value[k], v);
		}
	}
}

int64_t
ring_growth(const struct ring *r, enum ring_kind k, int64_t now)
{
	return r->n > 0 ? growth(r->sample[r->first].value[k], now) : 0;
}
