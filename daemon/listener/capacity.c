/*
 * What the upstreams can take, as far as a session must know it: of all routes before MAIL, of those that are possible for the
 * sender at MAIL, of one recipient's at RCPT, and of all recipients' after that.  Only what no upstream of the route
 * can take is refused.
 */
#include "listener/session.h"

#include <string.h>

static struct route_limit
best(struct route_limit a, const struct route_limit *b)
{
	if (b->message_max == 0 || (a.message_max > 0 && b->message_max > a.message_max))
		a.message_max = b->message_max;
	a.utf8 = a.utf8 || b->utf8;
	a.eightbit = a.eightbit || b->eightbit;
	return a;
}

static const char *
user_of(const struct session *s)
{
	return s->user != NULL ? s->user : "";
}

/* Nothing is known of routes, or there are none. */
static bool
is_simple(const struct limits *l)
{
	return l->route == NULL || l->config->nroute == 0;
}

struct route_limit
capacity_of_all(const struct session *s)
{
	const struct limits *l = &s->listener->limits;

	return (struct route_limit){ l->message_max, l->utf8, l->route == NULL || l->route[0].eightbit };
}

struct route_limit
capacity_of_sender(const struct session *s, const char *sender)
{
	const struct limits *l = &s->listener->limits;
	struct route_limit all;
	unsigned i;

	if (is_simple(l))
		return capacity_of_all(s);
	i = rule_find(l->config, 0, sender, user_of(s), NULL);
	all = l->route[i];
	while (i < l->config->nroute && l->config->route[i].to.n > 0) {	/* it depends on the recipient */
		i = rule_find(l->config, i + 1, sender, user_of(s), NULL);
		all = best(all, &l->route[i]);
	}
	return all;
}

struct route_limit
capacity_of_rcpt(const struct session *s, const char *sender, const char *rcpt)
{
	const struct limits *l = &s->listener->limits;

	if (is_simple(l))
		return capacity_of_all(s);
	return l->route[rule_find(l->config, 0, sender, user_of(s), rcpt)];
}

struct route_limit
capacity_of_envelope(const struct session *s, const struct envelope *e)
{
	const struct limits *l = &s->listener->limits;
	struct route_limit all;

	if (is_simple(l) || e->nrcpt == 0)
		return capacity_of_all(s);
	all = capacity_of_rcpt(s, e->sender, e->rcpt[0].address);
	for (unsigned i = 1; i < e->nrcpt; i++) {
		struct route_limit one = capacity_of_rcpt(s, e->sender, e->rcpt[i].address);

		all = best(all, &one);
	}
	return all;
}

uint64_t
capacity_octets(const struct session *s, const struct route_limit *l)
{
	uint64_t ours = s->config->limits.message_size;

	return l->message_max > 0 && l->message_max < ours ? l->message_max : ours;
}
