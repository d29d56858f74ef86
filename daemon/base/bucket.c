/* Token buckets: `count' tokens at most, and as many again each `per_ms'. */
#include "base/bucket.h"

/* What adding up fractions may lose before a token is whole. */
#define WHOLE (1.0 - 1e-6)

bool
bucket_parse(struct str s, struct rate *out)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "s", 1000 },
		{ "m", 60 * 1000 },
		{ "h", 3600 * 1000 },
		{ "d", 86400 * 1000 },
	};
	struct str count;
	uint64_t n;

	if (s.n == 0) {
		*out = (struct rate){ 0 };
		return true;
	}
	if (!str_split(&s, '/', &count) ||
	    !str_number(count, UINT32_MAX, &n) || n == 0 || n > UINT32_MAX)
		return false;
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (str_is(s, units[i].name)) {
			*out = (struct rate){ (uint32_t)n, units[i].ms };
			return true;
		}
	return false;
}

void
bucket_init(struct bucket *b, struct rate r, int64_t now_ms)
{
	*b = (struct bucket){ r, r.count, now_ms };
}

static void
refill(struct bucket *b, int64_t now_ms)
{
	if (now_ms <= b->at_ms)
		return;
	b->tokens += (double)(now_ms - b->at_ms) * b->rate.count / (double)b->rate.per_ms;
	if (b->tokens > b->rate.count)
		b->tokens = b->rate.count;
	b->at_ms = now_ms;
}

bool
bucket_take(struct bucket *b, int64_t now_ms)
{
	if (b->rate.count == 0)
		return true;
	refill(b, now_ms);
	if (b->tokens < WHOLE)
		return false;
	b->tokens -= 1;
	return true;
}
