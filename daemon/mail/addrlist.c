/* Reads address lists token by token, without recursion: comments are counted, groups
 * do not nest, and what stands outside the grammar is refused. */
#include "mail/addrlist.h"

#include "base/buf.h"
#include "mail/address.h"

#include <string.h>

/* Tokens: these, or the special character itself. */
enum { END = 0, BAD = -1, ATOM = 256, QUOTED, LITERAL };

struct parser {
	struct str in;
	struct str token;
	int kind;
	bool in_group, any;	/* any: a mailbox or a group was there */
	bool words, at;		/* gathered: words side by side; a naked @ */
	struct buf address;
	void (*each)(void *, struct str addr);
	void *arg;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Skips blanks and comments (RFC 5322 3.2.2); false: a comment has no end. */
static bool
skip_blanks(struct str *s)
{
	size_t depth = 0, i = 0;

	for (; i < s->n; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (depth == 0 && !is_blank(c))
			break;
		else if (c == ')')
			depth--;
		else if (c == '\\' && ++i == s->n)
			return false;
	}
	*s = str_from(*s, i);
	return depth == 0;
}

/* Length of what s begins with up to the closing character, 0 if that is missing. */
static size_t
enclosed(struct str s, char close)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == close)
			return i + 1;
		if (s.p[i] == '\\')
			i++;
	}
	return 0;
}

static void
next(struct parser *p)
{
	static const char specials[] = "()<>[]:;@\\,.\" \t";
	size_t n = 0;

	p->kind = BAD;
	if (!skip_blanks(&p->in))
		return;
	if (p->in.n == 0) {
		p->kind = END;
		return;
	}
	switch (p->in.p[0]) {
	case '"':
		n = enclosed(p->in, '"');
		p->kind = QUOTED;
		break;
	case '[':
		n = enclosed(p->in, ']');
		p->kind = LITERAL;
		break;
	case '<': case '>': case '@': case ',': case ';': case ':': case '.':
		n = 1;
		p->kind = (unsigned char)p->in.p[0];
		break;
	default:
		while (n < p->in.n && strchr(specials, p->in.p[n]) == NULL)
			n++;
		p->kind = ATOM;
	}
	if (n == 0)
		p->kind = BAD;
	p->token = (struct str){ p->in.p, n };
	p->in = str_from(p->in, n);
}

/* Gathers an addr-spec, or the words of a display name, from the current token on. */
static void
gather(struct parser *p)
{
	bool after_word = false, is_word;

	buf_cut(&p->address, 0);
	p->words = p->at = false;
	for (;; next(p)) {
		is_word = p->kind == ATOM || p->kind == QUOTED || p->kind == LITERAL;
		if (!is_word && p->kind != '.' && p->kind != '@')
			return;
		p->words = p->words || (after_word && is_word);
		p->at = p->at || p->kind == '@';
		after_word = is_word;
		buf_putstr(&p->address, p->token);
	}
}

static bool
tell(struct parser *p)
{
	struct address parsed;

	if (p->words || address_parse(buf_str(&p->address), &parsed) < 0)
		return false;
	p->any = true;
	p->each(p->arg, buf_str(&p->address));
	return true;
}

/* "<addr-spec>", or with a route before it, which means nothing. */
static bool
take_angle(struct parser *p)
{
	next(p);
	gather(p);
	while ((p->kind == ',' || p->kind == ':') && p->address.len > 0 &&
	    p->address.data[0] == '@') {
		next(p);
		gather(p);
	}
	if (p->kind != '>' || !tell(p))
		return false;
	next(p);
	return true;
}

/* A mailbox, or the name of a group and its colon. */
static bool
take_entry(struct parser *p)
{
	gather(p);
	if (p->kind == '<')
		return !p->at && take_angle(p);
	if (p->kind == ':' && !p->in_group && !p->at && p->address.len > 0) {
		p->in_group = p->any = true;
		next(p);
		return true;
	}
	return tell(p);
}

static bool
take_list(struct parser *p)
{
	bool fresh = true;	/* may a mailbox stand here? */

	for (next(p); p->kind != END; ) {
		if (p->kind == ',') {
			fresh = true;
			next(p);
		} else if (p->kind == ';') {
			if (!p->in_group)
				return false;
			p->in_group = fresh = false;
			next(p);
		} else {
			bool was_in_group = p->in_group;

			if (!fresh || !take_entry(p))
				return false;
			fresh = p->in_group && !was_in_group;
		}
	}
	return !p->in_group && p->any;
}

bool
addrlist_parse(struct str value, void (*each)(void *, struct str addr), void *arg)
{
	struct parser p = { .in = value, .each = each, .arg = arg };
	bool ok = value.n <= ADDRLIST_MAX;

	for (size_t i = 0; ok && i < value.n; i++)
		ok = !((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f) ||
		    value.p[i] == '\t';
	ok = ok && take_list(&p);
	buf_clear(&p.address);
	return ok;
}
