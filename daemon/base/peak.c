/* When memory is worth giving back to the system. */
#include "base/peak.h"

#include <malloc.h>
#include <stdatomic.h>

enum {
	SHRUNK_MS = 6 * 1000,	/* the last farewells are over, and no more is to come at once */
	SHARED_MS = 3 * 1000	/* whose time comes so soon after another's had shrunk when that one gave back */
};

static _Atomic int64_t given_at_ms;

void
peak_note(struct peak *p, uint64_t n)
{
	if (n > p->most)
		p->most = n;
}

/* One of all threads. */
static bool
is_first(int64_t now_ms)
{
	int64_t last = atomic_load(&given_at_ms);

	if (last != 0 && now_ms - last < SHARED_MS)
		return false;
	return atomic_compare_exchange_strong(&given_at_ms, &last, now_ms);
}

bool
peak_is_over(struct peak *p, uint64_t n, uint64_t least, int64_t now_ms)
{
	peak_note(p, n);
	if (p->most < least || n > p->most / 2) {
		p->shrunk_at_ms = 0;
		return false;
	}
	if (p->shrunk_at_ms == 0)
		p->shrunk_at_ms = now_ms;
	if (now_ms - p->shrunk_at_ms < SHRUNK_MS)
		return false;
	*p = (struct peak){ .most = n };
	return is_first(now_ms);
}

void
peak_look(struct peak *p, uint64_t n, uint64_t least, int64_t now_ms)
{
	if (peak_is_over(p, n, least, now_ms))
		malloc_trim(0);
}
