/*
 * What no complaint repeats (PROTOCOL.md C-16, C.2).  A secret with a quote, a blank or a dollar sign too many is read as
 * something else, and what it is read as would be said: so what follows a value on its line is only ever an option of ours.
 */
#include "config/unsaid.h"

#include "config/keys.h"

#include <string.h>

void
unsaid_before(const struct unsaid *u, struct scan *s, bool any)
{
	s->unsaid = any || u->secret != NULL;
	s->unsaid_line = u->secret_line;
}

/* Lower case, digits, `_': libconfuse would take `a|b' for option b of section a. */
static bool
is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] == '_' || (s.p[i] >= '0' && s.p[i] <= '9') ||
		    (s.p[i] >= 'a' && s.p[i] <= 'z')))
			return false;
	return s.n > 0;
}

/* Sections, too, and what is in no table.  *secret: the option of that name that holds one; "" if the name is unknown, for
 * it may be a misspelt one. */
static bool
is_known(struct str name, const char **secret)
{
	const struct key_section *s;
	const struct key *k;
	bool known = str_is(name, "include") || str_is(name, "note") || str_is(name, "oauth2");

	*secret = NULL;
	for (unsigned i = 0; (s = keys_section(i)) != NULL; i++)
		known |= s->name[0] != '\0' && str_is(name, s->name);
	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++)
		if (str_is(name, k->option.name)) {
			known = true;
			if (k->flags & KEY_UNSAID)
				*secret = k->option.name;
		}
	if (!known)
		*secret = "";
	return known;
}

enum unsaid_name
unsaid_name(struct unsaid *u, const struct scan *s)
{
	struct str name = buf_str(&s->value);
	bool goes_on = s->token_line <= u->value_line || s->token_line <= u->secret_line || u->is_bare;
	const char *secret;
	bool known = is_known(name, &secret);

	if (!known && goes_on)
		return UNSAID_REST;
	if (!is_word(name) && !goes_on && !s->quoted && !s->expanded)
		return UNSAID_WORD;
	if (!is_word(name) || (!known && (s->quoted || s->expanded)))
		return UNSAID_NONE;
	if (s->token_line > u->secret_line)
		u->behind = NULL;
	else if (u->secret != NULL)
		u->behind = u->secret;
	else if (u->behind == NULL)
		u->behind = "";
	u->secret = secret;
	u->is_bare = false;
	return UNSAID_NAME;
}

void
unsaid_after(struct unsaid *u, const struct scan *s, bool is_value)
{
	bool spans = s->line > s->token_line;

	/* A string over several lines may have swallowed a secret's beginning. */
	if (spans || u->secret != NULL)
		u->secret_line = s->line;
	if (is_value)
		u->value_line = s->line;
	if (is_value && u->secret != NULL)
		u->is_bare = u->secret[0] != '\0' && !s->quoted;
}

bool
unsaid_is_unknown(const struct unsaid *u)
{
	return u->secret != NULL && u->secret[0] == '\0';
}

void
unsaid_end(struct unsaid *u)
{
	u->secret = NULL;
	u->is_bare = false;
}
