/* Which route's upstreams a recipient's mail goes to (CONTRACT.md 2): the first whose patterns all match. */
#include "config/config.h"

#include "mail/pattern.h"

static bool
matches(const struct names *patterns, const char *text)
{
	if (patterns->n == 0)
		return true;
	for (unsigned i = 0; i < patterns->n; i++)
		if (pattern_match(str_of(patterns->v[i]), str_of(text)))
			return true;
	return false;
}

unsigned
rule_find(const struct config *c, unsigned from, const char *sender,
    const char *user, const char *rcpt)
{
	for (unsigned i = from; i < c->nroute; i++) {
		const struct route_rule *r = &c->route[i];

		if (matches(&r->from, sender) && matches(&r->user, user) &&
		    (rcpt == NULL || matches(&r->to, rcpt)))
			return i;
	}
	return c->nroute;
}
