/* How fast an upstream may be used: connections at once, messages in a time, and the day's quota. */
#include "route/pace.h"

#include <limits.h>
#include <string.h>

enum {
	BURST_PART = 20,		/* of the rate's number may go at once */
	GROW_MS = 10 * 1000,		/* a step up of the connections, at first */
	GROW_MOST_MS = 5 * 60 * 1000,	/* where the same wall is hit again and again */
	STEP_MS = 10 * 1000,		/* a step up of the rate… */
	STEPS = 20,			/* …of which so many lead from nothing to the ceiling */
	RECENT_MS = 10 * 1000,		/* over which a rate is measured */
	RECENT_LEAST = 10,		/* fewer messages show none */
	SAVE_PART = 50,			/* of the quota is counted between two saves */
	SAVE_RECIPIENTS = 100		/* and a common transaction more */
};

static const struct {
	int64_t first_ms, most_ms;
} pauses[] = {
	[PACE_TOO_FAST] = { 5 * 1000, 5 * 60 * 1000 },
	[PACE_QUOTA] = { 10 * 60 * 1000, 60 * 60 * 1000 },
};

/* What the bucket may hold above its burst: a dispatcher that wakes late loses nothing by it. */
static const double slack = 0.1;
/* What adding up fractions may lose before a token is whole. */
static const double whole = 1.0 - 1e-6;

void
pace_init(struct pace *p, int64_t now_ms)
{
	*p = (struct pace){ .most = 1, .allowed = 1, .grow_ms = GROW_MS, .tokens = 1 };
	p->grown_at_ms = p->rated_at_ms = p->refilled_at_ms = p->recent_at_ms = p->slot_at_ms = now_ms;
}

/* --- connections ----------------------------------------------------------- */

unsigned
pace_lanes(const struct pace *p, bool is_up, unsigned lanes, unsigned opening, unsigned wanted)
{
	unsigned room = p->allowed > lanes ? p->allowed - lanes : 0;
	unsigned settled = lanes - opening;
	unsigned at_once = is_up && settled > 0 ? settled : 1;

	wanted = wanted > opening ? wanted - opening : 0;
	at_once = at_once > opening ? at_once - opening : 0;
	if (wanted > room)
		wanted = room;
	return wanted < at_once ? wanted : at_once;
}

static void
cut(struct pace *p, unsigned to, int64_t now_ms)
{
	p->allowed = to > 0 ? to : 1;
	if (p->allowed > p->most)
		p->allowed = p->most;
	p->grown_at_ms = now_ms;
	p->grow_ms = p->grow_ms * 2 < GROW_MOST_MS ? p->grow_ms * 2 : GROW_MOST_MS;
}

void
pace_no_more(struct pace *p, unsigned lanes, int64_t now_ms)
{
	cut(p, lanes, now_ms);
}

static void
grow(struct pace *p, int64_t now_ms)
{
	if (p->allowed >= p->most || now_ms - p->grown_at_ms < p->grow_ms)
		return;
	p->grown_at_ms = now_ms;
	if (++p->allowed == p->most)
		p->grow_ms = GROW_MS;
}

/* --- rate ------------------------------------------------------------------ */

static double
burst(const struct pace *p)
{
	bool slowed = p->per_ms < p->ceiling;

	return slowed ? 1 : p->rate.count / BURST_PART + 1;
}

/* In no stretch of per_ms more than `count': what may go at once comes off the rest. */
static double
full_rate(const struct rate *r)
{
	int64_t at_once = r->count / BURST_PART;

	if (r->count == 0)
		return 0;
	return ((double)(r->count - at_once) - slack) / (double)r->per_ms;
}

static void
refill(struct pace *p, int64_t now_ms)
{
	double most = burst(p) + slack;

	if (now_ms > p->refilled_at_ms)
		p->tokens += (double)(now_ms - p->refilled_at_ms) * p->per_ms;
	p->refilled_at_ms = now_ms;
	if (p->tokens > most)
		p->tokens = most;
}

/* How fast it went lately, in messages each ms; 0: too few to tell. */
static void
measure(struct pace *p, int64_t now_ms)
{
	int64_t past = now_ms - p->recent_at_ms;

	if (past < RECENT_MS)
		return;
	p->before = past < 2 * RECENT_MS ? p->recent : 0;
	p->recent = 0;
	p->recent_at_ms = now_ms;
}

static double
measured(struct pace *p, int64_t now_ms)
{
	double span;

	measure(p, now_ms);
	if (p->recent + p->before < RECENT_LEAST)
		return 0;
	span = (double)(now_ms - p->recent_at_ms) + (p->before > 0 ? RECENT_MS : 0);
	return (p->recent + p->before) / (span > 1000 ? span : 1000);
}

static void
slow_down(struct pace *p, int64_t now_ms)
{
	double least;

	refill(p, now_ms);
	if (p->per_ms == 0) {
		p->ceiling = p->per_ms = measured(p, now_ms);
		p->tokens = 0;
	}
	least = p->ceiling / STEPS;
	p->per_ms = p->per_ms / 2 > least ? p->per_ms / 2 : least;
	p->rated_at_ms = now_ms;
	if (p->tokens > 1)
		p->tokens = 1;
}

static void
speed_up(struct pace *p, int64_t now_ms)
{
	if (p->per_ms >= p->ceiling || now_ms - p->rated_at_ms < STEP_MS)
		return;
	refill(p, now_ms);
	p->rated_at_ms = now_ms;
	p->per_ms += p->ceiling / STEPS;
	if (p->per_ms >= p->ceiling)
		p->per_ms = p->ceiling = full_rate(&p->rate);
}

/* --- quota ------------------------------------------------------------------- */

static void
advance(struct pace *p, int64_t now_ms)
{
	if (now_ms - p->slot_at_ms >= (int64_t)PACE_SLOTS * PACE_SLOT_MS) {
		memset(p->slot, 0, sizeof p->slot);
		p->used = 0;
		p->slot_at_ms = now_ms;
	}
	while (now_ms - p->slot_at_ms >= PACE_SLOT_MS) {
		p->now_slot = (p->now_slot + 1) % PACE_SLOTS;
		p->used -= p->slot[p->now_slot];
		p->slot[p->now_slot] = 0;
		p->slot_at_ms += PACE_SLOT_MS;
	}
}

static void
spend(struct pace *p, uint32_t n)
{
	uint32_t *slot = &p->slot[p->now_slot];

	if (n > UINT32_MAX - *slot)
		n = UINT32_MAX - *slot;
	*slot += n;
	p->used += n;
}

static uint64_t
out(const struct pace *p)
{
	return p->recipients ? p->out_recipients : p->out_messages;
}

int64_t
pace_quota_left(struct pace *p, int64_t now_ms)
{
	uint64_t gone;

	if (p->quota == 0)
		return -1;
	advance(p, now_ms);
	gone = p->used + out(p);
	return gone < p->quota ? (int64_t)(p->quota - gone) : 0;
}

bool
pace_is_used_up(struct pace *p, int64_t now_ms)
{
	advance(p, now_ms);
	return p->quota > 0 && p->used >= p->quota;
}

/* When enough of the oldest slots have gone. */
static int64_t
quota_until_ms(struct pace *p, int64_t now_ms)
{
	uint64_t used;
	unsigned i = 0;

	if (!pace_is_used_up(p, now_ms))
		return 0;
	for (used = p->used; i < PACE_SLOTS && used >= p->quota; i++)
		used -= p->slot[(p->now_slot + 1 + i) % PACE_SLOTS];
	return p->slot_at_ms + (int64_t)i * PACE_SLOT_MS;
}

unsigned
pace_most_recipients(struct pace *p, int64_t now_ms)
{
	int64_t left = p->recipients ? pace_quota_left(p, now_ms) : -1;

	if (left > (int64_t)p->left && p->left > 0)
		left = p->left;
	return left < 0 || left > UINT_MAX ? UINT_MAX : (unsigned)left;
}

/* --- all of it ------------------------------------------------------------------ */

void
pace_configure(struct pace *p, const struct upstream *u, int64_t now_ms)
{
	if (p->most != u->connections) {
		p->most = p->allowed = u->connections;
		p->grow_ms = GROW_MS;
	}
	if (p->rate.count != u->rate.count || p->rate.per_ms != u->rate.per_ms) {
		p->rate = u->rate;
		p->per_ms = p->ceiling = full_rate(&p->rate);
		p->refilled_at_ms = now_ms;
		p->tokens = 1;		/* no burst for a restart */
	}
	p->quota = u->daily_quota;
	p->recipients = u->quota_recipients;
}

int64_t
pace_wait_ms(struct pace *p, int64_t now_ms)
{
	int64_t until = pace_paused_until_ms(p, now_ms);
	double ms;

	if (until > now_ms)
		return until - now_ms;
	if (pace_quota_left(p, now_ms) == 0)
		return PACE_REPORTS;
	if (p->per_ms == 0)
		return 0;
	refill(p, now_ms);
	if (p->tokens >= whole)
		return 0;
	ms = (1 - p->tokens) / p->per_ms;
	return ms < 1 ? 1 : ms < (double)INT32_MAX ? (int64_t)ms + 1 : INT32_MAX;
}

unsigned
pace_room(struct pace *p, unsigned wanted, int64_t now_ms)
{
	int64_t left = p->recipients ? -1 : pace_quota_left(p, now_ms);

	if (left >= 0 && wanted > left)
		wanted = (unsigned)left;
	if (p->per_ms > 0) {
		refill(p, now_ms);
		if (wanted > p->tokens + (1 - whole))
			wanted = p->tokens > 0 ? (unsigned)(p->tokens + (1 - whole)) : 0;
	}
	return wanted;
}

static void
spare(uint32_t *left, uint32_t n)
{
	*left -= n < *left ? n : *left;
}

void
pace_take(struct pace *p, unsigned nrcpt, int64_t now_ms)
{
	refill(p, now_ms);
	p->tokens -= p->per_ms > 0 ? 1 : 0;
	measure(p, now_ms);
	p->recent++;
	p->out_messages++;
	p->out_recipients += nrcpt;
	spare(&p->left, p->recipients ? nrcpt : 1);
	spare(&p->next, p->recipients ? nrcpt : 1);
}

void
pace_settle(struct pace *p, unsigned nrcpt, unsigned spent, bool asked, int64_t now_ms)
{
	p->out_messages -= p->out_messages > 0 ? 1 : 0;
	p->out_recipients -= p->out_recipients > nrcpt ? nrcpt : p->out_recipients;
	if (!asked && p->per_ms > 0) {
		refill(p, now_ms);
		p->tokens += 1;
	}
	if (spent == 0)
		return;
	advance(p, now_ms);
	spend(p, p->recipients ? spent : 1);
	p->strikes = 0;
	p->quota_refused = false;
	grow(p, now_ms);
	speed_up(p, now_ms);
}

int64_t
pace_refuse(struct pace *p, enum pace_refusal r, unsigned lanes, int64_t now_ms)
{
	int64_t ms = pauses[r].first_ms;

	if (now_ms < p->paused_until_ms)
		return p->paused_until_ms;
	for (unsigned i = 0; i < p->strikes && ms < pauses[r].most_ms; i++)
		ms *= 2;
	if (ms > pauses[r].most_ms)
		ms = pauses[r].most_ms;
	p->strikes++;
	p->quota_refused = r == PACE_QUOTA;
	if (r == PACE_TOO_FAST) {
		cut(p, (lanes < p->allowed ? lanes : p->allowed) / 2, now_ms);
		slow_down(p, now_ms);
	}
	p->paused_until_ms = now_ms + ms;
	return p->paused_until_ms;
}

void
pace_resume(struct pace *p, int64_t now_ms)
{
	if (!pace_is_over_quota(p, now_ms) && p->paused_until_ms > now_ms)
		p->paused_until_ms = now_ms;
}

int64_t
pace_paused_until_ms(struct pace *p, int64_t now_ms)
{
	int64_t until = quota_until_ms(p, now_ms);

	if (p->paused_until_ms > until)
		until = p->paused_until_ms;
	return until > now_ms ? until : 0;
}

bool
pace_is_over_quota(struct pace *p, int64_t now_ms)
{
	return pace_is_used_up(p, now_ms) || (p->quota_refused && now_ms < p->paused_until_ms);
}

/* --- across a restart -------------------------------------------------------------- */

static uint32_t
save_step(const struct pace *p)
{
	return p->quota / SAVE_PART + 1;
}

bool
pace_is_unsaved(const struct pace *p, bool late)
{
	return p->quota > 0 && (late ? p->left == 0 : p->going && p->next <= save_step(p));
}

void
pace_saved(struct pace *p)
{
	p->left = p->next;
}

/* u32 ms since the slot began, u32 on its way, u32 how far to run ahead, u8 how many slots, and for each u8 how
 * many before the newest, u32 how much. */
void
pace_save(struct pace *p, struct buf *b, bool final, int64_t now_ms)
{
	uint8_t n = 0;

	/* Processes that die before they have sent anything use nothing up, however many. */
	p->next = final || !p->going ? 0 : 2 * save_step(p) + (p->recipients ? SAVE_RECIPIENTS : 0);
	if (p->next > p->quota)
		p->next = p->quota;
	advance(p, now_ms);
	for (unsigned i = 0; i < PACE_SLOTS; i++)
		n = (uint8_t)(n + (p->slot[i] > 0));
	buf_put_u32(b, (uint32_t)(now_ms - p->slot_at_ms));
	buf_put_u32(b, (uint32_t)out(p));
	buf_put_u32(b, p->next);
	buf_put_u8(b, n);
	for (unsigned i = 0; i < PACE_SLOTS; i++) {
		uint32_t count = p->slot[(p->now_slot + PACE_SLOTS - i) % PACE_SLOTS];

		if (count == 0)
			continue;
		buf_put_u8(b, (uint8_t)i);
		buf_put_u32(b, count);
	}
}

bool
pace_load(struct pace *p, struct str bytes, int64_t away_ms, int64_t now_ms)
{
	struct cursor c = cursor_init(bytes.p, bytes.n);
	uint32_t since_ms = cursor_u32(&c), on_way = cursor_u32(&c), ahead = cursor_u32(&c);
	uint32_t slot[PACE_SLOTS] = { 0 };
	unsigned n = cursor_u8(&c);

	for (; n > 0 && !c.bad; n--) {
		unsigned i = cursor_u8(&c);
		uint32_t count = cursor_u32(&c);

		if (c.bad || i >= PACE_SLOTS)
			return false;
		slot[i] = count;
	}
	if (c.bad || c.left > 0 || since_ms >= PACE_SLOT_MS)
		return false;
	p->used = 0;
	for (unsigned i = 0; i < PACE_SLOTS; i++) {
		p->slot[(PACE_SLOTS - i) % PACE_SLOTS] = slot[i];
		p->used += slot[i];
	}
	p->now_slot = 0;
	p->slot_at_ms = now_ms - since_ms;
	spend(p, on_way);
	spend(p, ahead);
	p->slot_at_ms -= away_ms > 0 ? away_ms : 0;
	advance(p, now_ms);
	return true;
}
