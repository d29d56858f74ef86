/* Patterns: matched in linear time but for one star that is tried again. */
#include "mail/pattern.h"

#include "mail/address.h"

static char
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* How many octets of t the pattern's next character takes, 0 if it takes none. */
static size_t
takes(char c, struct str t, bool without_case)
{
	size_t n;

	if (c == '?') {
		n = str_character(t);
		return t.p[0] == '@' ? 0 : n > 0 ? n : 1;
	}
	return c == t.p[0] || (without_case && fold(c) == fold(t.p[0]));
}

static bool
matches(struct str p, struct str t, bool without_case)
{
	struct str star = { NULL, 0 };
	struct str mark = t;	/* where to try again */

	while (t.n > 0) {
		size_t n = 0;

		if (p.n > 0 && p.p[0] == '*') {
			p = star = str_from(p, 1);
			mark = t;
			continue;
		}
		if (p.n > 0)
			n = takes(p.p[0], t, without_case);
		if (n > 0) {
			p = str_from(p, 1);
			t = str_from(t, n);
		} else if (star.p != NULL && mark.p[0] != '@') {
			p = star;
			mark = str_from(mark, 1);
			t = mark;
		} else
			return false;
	}
	while (p.n > 0 && p.p[0] == '*')
		p = str_from(p, 1);
	return p.n == 0;
}

bool
pattern_match(struct str pattern, struct str text)
{
	struct str local = address_local(pattern), text_local = address_local(text);

	if (local.n == pattern.n)
		return matches(pattern, text, false);
	return text_local.n < text.n && matches(local, text_local, false) &&
	    matches(address_domain(pattern), address_domain(text), true);
}

bool
pattern_match_list(struct str list, struct str text)
{
	struct str entry;

	while (str_split(&list, ',', &entry)) {
		entry = str_trim(entry);
		if (entry.n > 0 && pattern_match(entry, text))
			return true;
	}
	return false;
}
