/* The upstream as a whole: open or closed, and when to try a closed one again. */
#include "route/route.h"

#include <assert.h>
#include <string.h>

static const char *const names[] = {
	[GATE_UNKNOWN] = "unknown",
	[GATE_UP] = "up",
	[GATE_DOWN] = "down",
	[GATE_AUTH_FAILED] = "auth_failed",
	[GATE_PAUSED] = "paused",
};
static_assert(sizeof names / sizeof names[0] == GATE_STATES, "a name each");

/* The first delay after a failure doubles with each further one, up to a limit. */
struct delay {
	int64_t first_ms, most_ms;
};
static const struct delay soon = { 30 * 1000, 5 * 60 * 1000 };
static const struct delay login = { 60 * 1000, 60 * 60 * 1000 };
static const struct delay none = { 0, 0 };

const char *
gate_state_name(enum gate_state s)
{
	if (s >= GATE_STATES)
		bug("gate state %d", (int)s);
	return names[s];
}

void
gate_init(struct gate *g)
{
	*g = (struct gate){ .state = GATE_UNKNOWN };
}

static bool
move(struct gate *g, enum gate_state to, const char *reason, int64_t wall_s)
{
	bool changed = g->state != to;

	if (to != GATE_PAUSED)
		g->worked = to == GATE_UP;
	g->state = to;
	str_fit(g->reason, sizeof g->reason, str_of(reason));
	if (changed)
		g->since_wall_s = wall_s;
	return changed;
}

static int64_t
delay_ms(const struct delay *d, unsigned failures)
{
	int64_t ms = d->first_ms;

	while (failures-- > 1 && ms < d->most_ms)
		ms *= 2;
	return ms < d->most_ms ? ms : d->most_ms;
}

static int64_t
early_ms(const struct gate *g, enum gate_state to, int64_t delay)
{
	return to == GATE_DOWN ? delay * g->early / 1000 : 0;
}

/* One more failure of this kind.  A wait that has begun is not shortened, unless the
 * one who set the pause knows better. */
static bool
close_gate(struct gate *g, enum gate_state to, const char *reason,
    const struct delay *d, int64_t until_ms, int64_t now_ms, int64_t wall_s)
{
	int64_t waits_until_ms = to != GATE_PAUSED ? g->retry_at_ms : 0;

	g->failures = g->state == to ? g->failures + 1 : 1;
	g->retry_at_ms = now_ms + delay_ms(d, g->failures);
	g->retry_at_ms -= early_ms(g, to, g->retry_at_ms - now_ms);
	g->not_before_ms = until_ms;
	if (g->retry_at_ms < until_ms)
		g->retry_at_ms = until_ms;
	if (g->retry_at_ms < waits_until_ms)
		g->retry_at_ms = waits_until_ms;
	return move(g, to, reason, wall_s);
}

/*
 * Connections that were under way when the gate closed may still report.  What they
 * say of the same trouble is no further failure; a lesser trouble must not shorten
 * the wait, and a success does not lift a pause.
 */
static bool
comes_late(const struct gate *g, enum gate_event ev)
{
	switch (ev) {
	case GATE_EV_OPENED:
		return g->state == GATE_PAUSED;
	case GATE_EV_ALL_FAILED:
	case GATE_EV_BUSY:
		return true;
	case GATE_EV_LOGIN_REFUSED:
		return g->state == GATE_AUTH_FAILED;
	default:
		return false;
	}
}

/* The count begins anew. */
static void
network_changed(struct gate *g, int64_t now_ms)
{
	if (g->state != GATE_DOWN)
		return;
	g->failures = 0;
	g->retry_at_ms = g->not_before_ms > now_ms ? g->not_before_ms : now_ms;
}

/* A pause is not ours to end; the rest is tried at once.  A password is not better for being asked to try it. */
static void
try_now(struct gate *g, int64_t now_ms)
{
	if (g->state != GATE_DOWN && g->state != GATE_AUTH_FAILED)
		return;
	if (g->state == GATE_DOWN)
		g->failures = 0;
	g->retry_at_ms = now_ms;
}

/* What was closed for another reason stays closed. */
static bool
resume(struct gate *g, int64_t wall_s)
{
	if (g->state != GATE_PAUSED)
		return false;
	g->failures = 0;
	g->retry_at_ms = 0;
	return move(g, g->worked ? GATE_UP : GATE_UNKNOWN, "", wall_s);
}

bool
gate_tell(struct gate *g, enum gate_event ev, const char *reason,
    int64_t until_ms, int64_t now_ms, int64_t wall_s)
{
	if (!gate_may_try(g, now_ms) && comes_late(g, ev)) {
		if (g->retry_at_ms < until_ms)
			g->retry_at_ms = g->not_before_ms = until_ms;
		return false;
	}
	switch (ev) {
	case GATE_EV_OPENED:
		g->failures = 0;
		g->retry_at_ms = g->not_before_ms = 0;
		return move(g, GATE_UP, "", wall_s);
	case GATE_EV_ALL_FAILED:
	case GATE_EV_BUSY:
		return close_gate(g, GATE_DOWN, reason, &soon, until_ms, now_ms,
		    wall_s);
	case GATE_EV_LOGIN_REFUSED:
		return close_gate(g, GATE_AUTH_FAILED, reason, &login, until_ms,
		    now_ms, wall_s);
	case GATE_EV_QUOTA:
		return close_gate(g, GATE_PAUSED, reason, &none, until_ms, now_ms,
		    wall_s);
	case GATE_EV_RESUME:
		return resume(g, wall_s);
	case GATE_EV_NETWORK:
		network_changed(g, now_ms);
		return false;
	case GATE_EV_RETRY:
		try_now(g, now_ms);
		return false;
	case GATE_EVENTS:
		break;
	}
	bug("gate event %d", (int)ev);
}

bool
gate_may_try(const struct gate *g, int64_t now_ms)
{
	return !gate_is_closed(g) || now_ms >= g->retry_at_ms;
}

bool
gate_is_closed(const struct gate *g)
{
	return g->state != GATE_UNKNOWN && g->state != GATE_UP;
}
