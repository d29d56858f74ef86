/*
 * What the tests of room route share: one route, and a short way to write its doors.  A
 * door is PORT/ADDRESS, and an address one character: digits are IPv4, letters IPv6.
 */
#ifndef UNIT_DOORS_H
#define UNIT_DOORS_H

#include "route/route.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { RECHECK_MS = 300000, NOW_MS = 1000, WALL_S = 1000000000 };

static struct chain_entry chain[] = {
	{ 587, TLS_STARTTLS }, { 465, TLS_IMPLICIT }, { 2525, TLS_STARTTLS },
};
static char host[] = "mail.example";

static struct upstream upstream;
static struct route *route;

static inline void
set_up(void)
{
	upstream = (struct upstream){
		.host = host, .chain = chain, .nchain = 3, .tls_verify = true,
		.tls_name = host, .recheck_ms = RECHECK_MS
	};
	route = route_new(&upstream);
}

static inline void
tear_down(void)
{
	route_free(&route);
	route_free(&route);
}

static inline void
put_address(char out[48], char name)
{
	snprintf(out, 48, name >= 'a' ? "2001:db8::%c" : "192.0.2.%c", name);
}

static inline void
look_up(struct route *r, const char *names)
{
	char text[100][48];
	const char *address[100];
	unsigned n = 0;

	for (; names[n] != '\0'; n++) {
		put_address(text[n], names[n]);
		address[n] = text[n];
	}
	route_addresses(r, address, n, WALL_S);
}

static inline struct candidate
candidate_of(unsigned port, char name)
{
	struct candidate c = {
		.port = port, .tls = port == 465 ? TLS_IMPLICIT : TLS_STARTTLS
	};

	put_address(c.address, name);
	return c;
}

static inline const struct door *
door(unsigned port, char name)
{
	struct candidate c = candidate_of(port, name);

	return route_find_candidate(route, &c);
}

static inline bool
tell(unsigned port, char name, enum heard h, int64_t now_ms)
{
	struct candidate c = candidate_of(port, name);

	return route_tell(route, &c, h, "the reason", now_ms,
	    WALL_S + now_ms / 1000);
}

/* "587/a-up 465/1-blocked…" */
static inline void
tell_all(const char *told)
{
	static const char *const names[HEARDS] = {
		[HEARD_UP] = "up", [HEARD_BLOCKED] = "blocked",
		[HEARD_UNSAFE] = "unsafe", [HEARD_BUSY] = "busy",
		[HEARD_LOCAL] = "local", [HEARD_NOTHING] = "nothing",
	};
	unsigned port;
	char name, what[16];
	int used, h;

	while (sscanf(told, " %u/%c-%15s%n", &port, &name, what, &used) == 3) {
		for (h = 0; h < HEARDS && strcmp(names[h], what) != 0; h++)
			;
		ck_assert_int_lt(h, HEARDS);
		tell(port, name, (enum heard)h, NOW_MS);
		told += used;
	}
	ck_assert_str_eq(told, "");
}

static inline void
put_door(char *out, size_t size, const struct candidate *c)
{
	size_t at = strlen(out);

	snprintf(out + at, size - at, "%s%u/%c", at > 0 ? " " : "", c->port,
	    c->address[strlen(c->address) - 1]);
}

static inline const char *
ordered(const struct route *r)
{
	static char text[1024];
	struct candidate c[ROUTE_CANDIDATES_MAX];
	unsigned n = route_order(r, c, ROUTE_CANDIDATES_MAX);

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		ck_assert(c[i].port == chain[c[i].rank].port &&
		    c[i].tls == chain[c[i].rank].tls);
		put_door(text, sizeof text, &c[i]);
	}
	return text;
}

static inline const char *
rechecked(void)
{
	static char text[1024];
	const struct door *d;

	text[0] = '\0';
	for (unsigned i = 0; (d = route_find(route, i)) != NULL; i++)
		if (d->recheck_at_ms != 0)
			put_door(text, sizeof text, &d->at);
	return text;
}

#define LOOP(tc, fn, table)                                                    \
	tcase_add_loop_test(tc, fn, 0, (int)(sizeof table / sizeof table[0]))

#endif
