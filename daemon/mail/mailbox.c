/* Cuts a list of addresses at its commas, then squeezes the address out of each part.  Iterative: comments are counted.
 * Nobody is passed over: a part of which something would be left out that may be an address cannot be read. */
#include "mail/mailbox.h"

#include <string.h>

#include "mail/address.h"

/* What stands between two commas, at most up to the first >. */
struct part {
	size_t from;		/* behind a group's name */
	size_t angle, close;	/* behind the <, and where the > is; 0: none */
	bool has_at;		/* a group's name has none */
	bool bad;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* May the rest of the value be a comment whose end was forgotten? */
static bool
names_nobody(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || strchr("@,;", s.p[i]) != NULL)
			return false;
	return true;
}

/* Length of the comment, quoted string or literal that s begins with; 0: it is none; more than s.n: it has no end. */
static size_t
enclosed(struct str s)
{
	char open = s.p[0], close = open == '(' ? ')' : open == '"' ? '"' : open == '[' ? ']' : '\0';
	size_t depth = 1;

	if (close == '\0')
		return 0;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == close && --depth == 0)
			return i + 1;
		else if (open == '(' && s.p[i] == '(')
			depth++;
	}
	return open == '(' && names_nobody(s) ? s.n : s.n + 1;
}

/* False: the part ends with this character. */
static bool
take_special(struct part *p, char c, size_t at)
{
	bool in_angle = p->angle > 0 && p->close == 0;

	switch (c) {
	case '<':
		p->bad = p->bad || p->angle > 0;
		p->angle = at + 1;
		return true;
	case '>':
		p->bad = p->bad || !in_angle;
		p->close = at;
		return !in_angle;
	case ':':	/* of a group; between < and > of a source route */
		if (p->angle == 0) {
			p->bad = p->bad || p->from > 0 || p->has_at;
			p->from = at + 1;
		}
		return true;
	case '@':
		p->has_at = true;
		return true;
	case ',': case ';':
		return in_angle;
	default:
		return true;
	}
}

/* Length of the part that s begins with, without a comma behind it. */
static size_t
cut(struct str s, struct part *p)
{
	size_t i = 0, n;

	*p = (struct part){ 0 };
	while (i < s.n) {
		n = enclosed(str_from(s, i));
		if (n == 0 && !take_special(p, s.p[i], i))
			return s.p[i] == '>' ? i + 1 : i;
		i += n == 0 ? 1 : n;
	}
	p->bad = p->bad || i > s.n || (p->angle > 0 && p->close == 0);
	return s.n;
}

/* Words side by side are not one address. */
static bool
may_meet(char before, char after)
{
	return strchr(".@:,", before) != NULL || strchr(".@:,", after) != NULL;
}

/* The first word without comments and blanks; returns what follows it. */
static struct str
squeeze(struct mailbox *m, struct str s)
{
	bool gap = false;
	size_t n;

	buf_cut(&m->address, 0);
	m->end = s.p;
	for (; s.n > 0; s = str_from(s, n)) {
		n = enclosed(s);
		if (s.p[0] == '(' || is_blank(s.p[0])) {
			n += n == 0;
			gap = true;
			continue;
		}
		n += n == 0;
		if (gap && m->address.len > 0 && !may_meet(m->address.data[m->address.len - 1], s.p[0]))
			return s;
		buf_put(&m->address, s.p, n);
		m->end = s.p + n;
		gap = false;
	}
	return s;
}

static enum mailbox_result
judge(struct mailbox *m)
{
	struct address parsed;
	const char *colon;

	if (m->address.data[0] == '@' && (colon = strchr(m->address.data, ':')) != NULL)
		buf_drop(&m->address, (size_t)(colon + 1 - m->address.data));
	if (address_parse(buf_str(&m->address), &parsed) < 0 || parsed.is_null)
		return MAILBOX_BAD;
	m->has_domain = parsed.domain.n > 0;
	return MAILBOX_ONE;
}

/* The address between < and >. */
static enum mailbox_result
read_angle(struct mailbox *m, struct str inner)
{
	m->beside = true;	/* until a comma comes */
	return squeeze(m, inner).n == 0 && m->address.len > 0 ? judge(m) : MAILBOX_BAD;
}

/* The first of the part's words; the others are left in *rest.  MAILBOX_END: it has none.  A word without a domain that has
 * others beside it is somebody's name rather than an address. */
static enum mailbox_result
read_word(struct mailbox *m, struct str part, struct str *rest)
{
	struct str more = squeeze(m, part);
	enum mailbox_result result;

	if (m->address.len == 0)
		return MAILBOX_END;
	m->beside = m->beside || more.n > 0;
	result = judge(m);
	if (result == MAILBOX_ONE && m->beside && !m->has_domain)
		result = MAILBOX_BAD;
	if (result == MAILBOX_ONE && more.n > 0) {
		m->words_end = part.p + part.n;
		*rest = (struct str){ more.p, (size_t)(rest->p + rest->n - more.p) };
	}
	return result;
}

enum mailbox_result
mailbox_next(struct str *rest, struct mailbox *m)
{
	enum mailbox_result result = MAILBOX_END;

	while (rest->n > 0 && result == MAILBOX_END) {
		struct str s = *rest;
		struct part p = { 0 };
		size_t n = m->words_end != NULL ? (size_t)(m->words_end - s.p) : cut(s, &p);

		m->words_end = NULL;
		*rest = str_from(s, n);
		if (p.bad)
			result = MAILBOX_BAD;
		else if (p.close > 0)
			result = read_angle(m, (struct str){ s.p + p.angle, p.close - p.angle });
		else
			result = read_word(m, (struct str){ s.p + p.from, n - p.from }, rest);
		if (m->words_end == NULL && rest->n > 0 && (rest->p[0] == ',' || rest->p[0] == ';')) {
			*rest = str_from(*rest, 1);
			m->beside = false;
		}
	}
	return result;
}
