/* One upstream's doors: what the queue asks of them and tells them. */
#include "route/route.h"

#include "route/breaker.h"
#include "route/chain.h"

#include "base/crc32c.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { SAVE_VERSION = 2, GOOD_S = 24 * 3600, NOTE_S = 3600 };

struct route {
	struct chain chain;
	int64_t recheck_ms;
	int64_t now_ms;		/* the latest that we were told */
	int64_t found_wall_s;	/* the addresses, by DNS */
	int64_t noted_wall_s;	/* found_wall_s, as we last said that it is worth saving */
	char *host;
	char *way;		/* settings that a network's verdict depends on… */
	char *safety;		/* …and those that the verdict on TLS does */
};

static const char *
or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* True if the text was another. */
static bool
replace(char **old, char *text)
{
	bool changed = *old == NULL || strcmp(*old, text) != 0;

	free(*old);
	*old = text;
	return changed;
}

/* Rechecks are for the doors before the best; the others wait for a race. */
static void
plan(struct route *r)
{
	unsigned before = r->recheck_ms > 0 ? chain_before_best(&r->chain) : 0;

	for (unsigned i = 0; i < r->chain.ndoor; i++) {
		struct breaker *b = &r->chain.door[i];

		if (i < before)
			breaker_plan(b, r->recheck_ms, r->now_ms);
		else
			b->door.recheck_at_ms = 0;
	}
}

struct route *
route_new(const struct upstream *u)
{
	struct route *r = mem_zero(sizeof *r);

	route_configure(r, u);
	return r;
}

void
route_free(struct route **r)
{
	if (*r == NULL)
		return;
	free((*r)->host);
	free((*r)->way);
	free((*r)->safety);
	free(*r);
	*r = NULL;
}

/* Makes the doors anew for these addresses; true if they are not the same as before. */
static bool
rebuild(struct route *r, const char *const *address, unsigned n)
{
	struct chain *old = mem_copy(&r->chain, sizeof r->chain);
	bool changed;

	chain_build(&r->chain, old, address, n);
	changed = r->chain.ndoor != old->ndoor;
	for (unsigned i = 0; i < r->chain.ndoor && !changed; i++)
		changed = chain_find(old, &r->chain.door[i].door.at) == NULL;
	free(old);
	plan(r);
	return changed;
}

static void
forget_if(struct route *r, enum door_state state)
{
	for (unsigned i = 0; i < r->chain.ndoor; i++)
		if (r->chain.door[i].door.state == state)
			breaker_forget(&r->chain.door[i]);
	memset(r->chain.foul, 0, sizeof r->chain.foul);
}

/* The addresses in use; they stay valid while *from is. */
static unsigned
addresses_of(const struct chain *from, const char **out)
{
	unsigned n = 0;

	while (n < from->ndoor && from->door[n].door.at.rank == 0) {
		out[n] = from->door[n].door.at.address;
		n++;
	}
	return n;
}

void
route_configure(struct route *r, const struct upstream *u)
{
	struct chain *old = mem_copy(&r->chain, sizeof r->chain);
	const char *address[ROUTE_CANDIDATES_MAX];
	struct chain *c = &r->chain;
	unsigned n;

	c->nentry = u->nchain < ROUTE_CANDIDATES_MAX ? u->nchain : ROUTE_CANDIDATES_MAX;
	for (unsigned i = 0; i < c->nentry; i++)
		c->entry[i] = u->chain[i];
	r->recheck_ms = u->recheck_ms;
	if (replace(&r->host, mem_text(or_empty(u->host))))
		old->ndoor = 0;
	n = addresses_of(old, address);
	chain_build(c, old, address, n);
	free(old);
	if (replace(&r->way, mem_text(or_empty(u->source))))
		forget_if(r, DOOR_BLOCKED);
	if (replace(&r->safety, mem_printf("%d %d %s %s", u->tls_verify, u->tls_min,
	    or_empty(u->tls_name), or_empty(u->tls_ca))))
		forget_if(r, DOOR_UNSAFE);
	plan(r);
}

bool
route_addresses(struct route *r, const char *const *address, unsigned n, int64_t wall_s)
{
	int64_t noted_s = wall_s - r->noted_wall_s;

	if (n == 0)
		return false;
	r->found_wall_s = wall_s;
	if (!rebuild(r, address, n) && noted_s >= 0 && noted_s < NOTE_S)
		return false;
	r->noted_wall_s = wall_s;
	return true;
}

/* A clock that was set back makes nothing old. */
bool
route_has_addresses(const struct route *r, int64_t wall_s)
{
	return r->chain.ndoor > 0 && wall_s - r->found_wall_s < GOOD_S;
}

unsigned
route_order(const struct route *r, struct candidate *out, unsigned max)
{
	return chain_order(&r->chain, out, max);
}

bool
route_tell(struct route *r, const struct candidate *c, enum heard h,
    const char *reason, int64_t now_ms, int64_t wall_s)
{
	struct breaker *b = chain_find(&r->chain, c);
	bool changed;

	if (b == NULL)
		return false;
	r->now_ms = now_ms;
	changed = breaker_tell(b, h, reason, now_ms, wall_s);
	if (b->door.state != DOOR_UNKNOWN)
		r->chain.foul[b->door.at.rank] = false;
	plan(r);
	return changed;
}

void
route_forget(struct route *r)
{
	for (unsigned i = 0; i < r->chain.ndoor; i++)
		breaker_forget(&r->chain.door[i]);
	memset(r->chain.foul, 0, sizeof r->chain.foul);
}

/* The door whose recheck comes first. */
static const struct door *
next_recheck(const struct route *r)
{
	const struct door *next = NULL;

	for (unsigned i = 0; i < r->chain.ndoor; i++) {
		const struct door *d = &r->chain.door[i].door;

		if (d->recheck_at_ms != 0 &&
		    (next == NULL || d->recheck_at_ms < next->recheck_at_ms))
			next = d;
	}
	return next;
}

const struct door *
route_recheck_due(const struct route *r, int64_t now_ms)
{
	const struct door *d = next_recheck(r);

	return d != NULL && d->recheck_at_ms <= now_ms ? d : NULL;
}

int64_t
route_recheck_at_ms(const struct route *r)
{
	const struct door *d = next_recheck(r);

	return d != NULL ? d->recheck_at_ms : 0;
}

const struct door *
route_find(const struct route *r, unsigned n)
{
	return n < r->chain.ndoor ? &r->chain.door[n].door : NULL;
}

const struct door *
route_find_candidate(const struct route *r, const struct candidate *c)
{
	for (unsigned i = 0; i < r->chain.ndoor; i++)
		if (breaker_is_at(&r->chain.door[i], c))
			return &r->chain.door[i].door;
	return NULL;
}

void
route_save(const struct route *r, struct buf *out)
{
	size_t start = out->len;

	buf_put_u8(out, SAVE_VERSION);
	buf_put_text(out, str_of(r->host));
	buf_put_u64(out, (uint64_t)r->found_wall_s);
	buf_put_u16(out, (uint16_t)r->chain.ndoor);
	for (unsigned i = 0; i < r->chain.ndoor; i++)
		breaker_save(&r->chain.door[i], out);
	buf_put_u32(out, crc32c(0, out->data + start, out->len - start));
}

/* Reads what route_save wrote of the same host; -1 if it is anything else. */
static int
read_saved(const struct route *r, struct str bytes, struct breaker *saved, int64_t *found_wall_s)
{
	struct cursor c = cursor_init(bytes.p, bytes.n);
	struct str host;
	int n;

	if (cursor_u8(&c) != SAVE_VERSION)
		return -1;
	host = cursor_text(&c);
	*found_wall_s = (int64_t)cursor_u64(&c);
	n = cursor_u16(&c);
	if (!str_is(host, r->host) || n > ROUTE_CANDIDATES_MAX || *found_wall_s < 0)
		return -1;
	for (int i = 0; i < n; i++)
		if (!breaker_load(&saved[i], &c))
			return -1;
	if (cursor_u32(&c) != crc32c(0, bytes.p, bytes.n - c.left - 4) ||
	    c.bad || c.left > 0)
		return -1;
	return n;
}

/* Takes over what is not known better already; before the first look-up the saved
 * addresses serve. */
void
route_load(struct route *r, struct str bytes, int64_t now_ms)
{
	struct breaker *saved = mem_array(ROUTE_CANDIDATES_MAX, sizeof *saved);
	const char *address[ROUTE_CANDIDATES_MAX];
	int64_t found_wall_s;
	int n = read_saved(r, bytes, saved, &found_wall_s);

	for (int i = 0; i < n; i++)
		address[i] = saved[i].door.at.address;
	if (r->chain.ndoor == 0 && n > 0) {
		(void)rebuild(r, address, (unsigned)n);
		r->found_wall_s = r->noted_wall_s = found_wall_s;
	}
	for (int i = 0; i < n; i++) {
		struct breaker *b = chain_find(&r->chain, &saved[i].door.at);
		unsigned rank;

		if (b == NULL || b->door.state != DOOR_UNKNOWN)
			continue;
		rank = b->door.at.rank;
		*b = saved[i];
		b->door.at.rank = rank;
		b->tried_at_ms = now_ms;
	}
	r->now_ms = now_ms;
	plan(r);
	free(saved);
}
