/*
 * What open transactions may take, of the disk and of memory.  One message may have what is left but for a little; many of one
 * holder only as long as there is plenty: where its others have more than half of what is left, none of them grows.  So a holder
 * with many comes to a third of all, or half with few, nobody needs a quota, and whoever else comes finds room.
 */
#include "listener/share.h"

#include <stdatomic.h>

#include "base/count.h"

enum {
	LITTLE = 16,			/* of a message, left to others: small ones go on */
	RECIPIENTS_MAX = 64 << 20
};

static const enum count_id totals[SHARES] = {
	[SHARE_STAGED] = COUNT_STAGED_OCTETS,
	[SHARE_RECIPIENTS] = COUNT_OPEN_OCTETS,
};

static _Atomic int64_t held[SHARE_HOLDERS][SHARES];

static int64_t
find_left(enum share_of what)
{
	int64_t all = what == SHARE_STAGED ? count_get(COUNT_STAGING_ROOM) : RECIPIENTS_MAX;

	return all - count_get(totals[what]);
}

bool
share_is_fair(int64_t own, int64_t others, int64_t left)
{
	return left >= 0 && others <= left / 2 && own / LITTLE <= left;
}

void
share_init(struct share *s, unsigned holder)
{
	*s = (struct share){ .holder = holder % SHARE_HOLDERS };
}

bool
share_may_take(const struct share *s, enum share_of what, int64_t more)
{
	int64_t own = s->octets[what], all = atomic_load_explicit(&held[s->holder][what], memory_order_relaxed);

	return share_is_fair(own + more, all - own, find_left(what) - more);
}

static void
change(struct share *s, enum share_of what, int64_t by)
{
	if (by == 0)
		return;
	s->octets[what] += by;
	atomic_fetch_add_explicit(&held[s->holder][what], by, memory_order_relaxed);
	count_add(totals[what], by);
}

void
share_take(struct share *s, enum share_of what, int64_t more)
{
	change(s, what, more);
}

void
share_return(struct share *s, enum share_of what)
{
	change(s, what, -s->octets[what]);
}
