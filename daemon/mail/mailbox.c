/* Cuts a list of addresses at its commas, then squeezes the address out of each part.  Iterative: comments are counted. */
#include "mail/mailbox.h"

#include <string.h>

#include "mail/address.h"

/* What stands between two commas. */
struct part {
	size_t from;		/* behind a group's name */
	size_t angle, close;	/* behind the <, and where the > is; 0: none */
	bool bad;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
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
	return s.n + 1;
}

/* False: the part ends before this character. */
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
		return true;
	case ':':	/* of a group; between < and > of a source route */
		if (p->angle == 0)
			p->from = at + 1;
		return true;
	case ',': case ';':
		return in_angle;
	default:
		return true;
	}
}

/* Length of the part that s begins with. */
static size_t
cut(struct str s, struct part *p)
{
	size_t i = 0, n;

	*p = (struct part){ 0 };
	while (i < s.n) {
		n = enclosed(str_from(s, i));
		if (n == 0 && !take_special(p, s.p[i], i))
			return i;
		i += n == 0 ? 1 : n;
	}
	p->bad = p->bad || i > s.n || (p->angle > 0 && p->close == 0);
	return s.n;
}

/* Words side by side are no address. */
static bool
may_meet(char before, char after)
{
	return strchr(".@:,", before) != NULL || strchr(".@:,", after) != NULL;
}

/* Without comments and blanks; false: that leaves no address. */
static bool
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
			return false;
		buf_put(&m->address, s.p, n);
		m->end = s.p + n;
		gap = false;
	}
	return true;
}

static bool
judge(struct mailbox *m)
{
	struct address parsed;
	const char *colon;

	if (m->address.data[0] == '@' && (colon = strchr(m->address.data, ':')) != NULL)
		buf_drop(&m->address, (size_t)(colon + 1 - m->address.data));
	if (address_parse(buf_str(&m->address), &parsed) < 0 || parsed.is_null)
		return false;
	m->has_domain = parsed.domain.n > 0;
	return true;
}

enum mailbox_result
mailbox_next(struct str *rest, struct mailbox *m)
{
	while (rest->n > 0) {
		struct part p;
		struct str s = *rest;
		size_t n = cut(s, &p);
		bool has_angle = p.angle > 0;

		*rest = str_from(s, n < s.n ? n + 1 : n);
		if (p.bad)
			return MAILBOX_BAD;
		s = has_angle ? (struct str){ s.p + p.angle, p.close - p.angle } : (struct str){ s.p + p.from, n - p.from };
		if (!squeeze(m, s))
			return MAILBOX_BAD;
		if (m->address.len > 0)
			return judge(m) ? MAILBOX_ONE : MAILBOX_BAD;
		if (has_angle)
			return MAILBOX_BAD;
	}
	return MAILBOX_END;
}
