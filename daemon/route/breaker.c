/* The memory of one door: what the last try showed, since when, and when to look again. */
#include "route/breaker.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

static const char *const names[] = {
	[DOOR_UNKNOWN] = "unknown",
	[DOOR_UP] = "up",
	[DOOR_BLOCKED] = "blocked",
	[DOOR_UNSAFE] = "unsafe",
};
static_assert(sizeof names / sizeof names[0] == DOOR_STATES, "a name each");

const char *
door_state_name(enum door_state s)
{
	if (s >= DOOR_STATES)
		bug("door state %d", (int)s);
	return names[s];
}

void
breaker_init(struct breaker *b, const struct candidate *at)
{
	*b = (struct breaker){ .door = { .at = *at } };
}

static bool
move(struct breaker *b, enum door_state to, const char *reason, int64_t wall_s)
{
	struct door *d = &b->door;
	bool changed = d->state != to;

	d->state = to;
	str_fit(d->reason, sizeof d->reason, str_of(reason));
	if (changed)
		d->since_wall_s = wall_s;
	return changed;
}

void
breaker_forget(struct breaker *b)
{
	move(b, DOOR_UNKNOWN, "", 0);
	b->door.recheck_at_ms = 0;
	b->tried_at_ms = 0;
}

bool
breaker_tell(struct breaker *b, enum heard h, const char *reason,
    int64_t now_ms, int64_t wall_s)
{
	b->tried_at_ms = now_ms;
	switch (h) {
	case HEARD_UP:
		return move(b, DOOR_UP, "", wall_s);
	case HEARD_BLOCKED:
		return move(b, DOOR_BLOCKED, reason, wall_s);
	case HEARD_UNSAFE:
		return move(b, DOOR_UNSAFE, reason, wall_s);
	case HEARD_BUSY:
	case HEARD_LOCAL:
	case HEARD_NOTHING:
		return false;
	case HEARDS:
		break;
	}
	bug("door %s:%u heard %d", b->door.at.address, b->door.at.port, (int)h);
}

void
breaker_plan(struct breaker *b, int64_t recheck_ms, int64_t now_ms)
{
	if (b->tried_at_ms == 0)
		b->tried_at_ms = now_ms;
	b->door.recheck_at_ms = b->tried_at_ms + recheck_ms;
}

bool
breaker_is_at(const struct breaker *b, const struct candidate *c)
{
	const struct candidate *at = &b->door.at;

	return at->port == c->port && at->tls == c->tls &&
	    strcmp(at->address, c->address) == 0;
}

bool
breaker_is_bad(const struct breaker *b)
{
	return b->door.state == DOOR_BLOCKED || b->door.state == DOOR_UNSAFE;
}

int
breaker_family(const char *address)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	char literal[sizeof((struct candidate *)0)->address];
	struct str rest = str_of(address), part;

	if (rest.n >= sizeof literal || !str_split(&rest, '%', &part))
		return AF_UNSPEC;
	str_fit(literal, sizeof literal, part);
	if (inet_pton(AF_INET6, literal, bytes) == 1)
		return AF_INET6;
	return inet_pton(AF_INET, address, bytes) == 1 ? AF_INET : AF_UNSPEC;
}

void
breaker_save(const struct breaker *b, struct buf *out)
{
	const struct door *d = &b->door;

	buf_put_text(out, str_of(d->at.address));
	buf_put_u16(out, d->at.port);
	buf_put_u8(out, (uint8_t)d->at.tls);
	buf_put_u8(out, (uint8_t)d->state);
	buf_put_u64(out, (uint64_t)d->since_wall_s);
	buf_put_text(out, str_of(d->reason));
}

bool
breaker_load(struct breaker *b, struct cursor *c)
{
	struct candidate at = { .rank = 0 };
	struct str address = cursor_text(c), reason;
	unsigned tls, state;

	at.port = cursor_u16(c);
	at.tls = tls = cursor_u8(c);
	state = cursor_u8(c);
	str_fit(at.address, sizeof at.address, address);
	breaker_init(b, &at);
	b->door.since_wall_s = (int64_t)cursor_u64(c);
	reason = cursor_text(c);
	str_fit(b->door.reason, sizeof b->door.reason, reason);
	if (c->bad || !str_is(address, at.address) || breaker_family(at.address) == AF_UNSPEC ||
	    at.port == 0 || tls > TLS_IMPLICIT || state >= DOOR_STATES ||
	    b->door.since_wall_s < 0 || !str_is(reason, b->door.reason))
		return false;
	b->door.state = state;
	return true;
}
