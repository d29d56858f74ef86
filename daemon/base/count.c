/* The counters; a cache line each, since several threads write. */
#include "base/count.h"

#include "base/why.h"

#include <stdatomic.h>

static struct {
	_Alignas(64) _Atomic int64_t n;
} counters[COUNTS] = { [COUNT_STAGING_ROOM] = { INT64_MAX } };

void
count_add(enum count_id id, int64_t n)
{
	if (id >= COUNTS)
		bug("counter %d", (int)id);
	atomic_fetch_add_explicit(&counters[id].n, n, memory_order_relaxed);
}

void
count_set(enum count_id id, int64_t n)
{
	if (id >= COUNTS)
		bug("counter %d", (int)id);
	atomic_store_explicit(&counters[id].n, n, memory_order_relaxed);
}

int64_t
count_get(enum count_id id)
{
	if (id >= COUNTS)
		bug("counter %d", (int)id);
	return atomic_load_explicit(&counters[id].n, memory_order_relaxed);
}
