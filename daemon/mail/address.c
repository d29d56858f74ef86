/* The address parser: one pass, no recursion, nothing copied. */
#include "mail/address.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <string.h>

static bool
is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z');
}

/* Of an unquoted local part, but for its dots.  The `;' is no atext (RFC 5322
 * 3.2.3), yet such addresses exist and nothing here reads it (A-115). */
static bool
is_atext(unsigned char c)
{
	return is_alnum(c) || c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~;", c) != NULL);
}

static bool
is_label_char(unsigned char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c >= 0x80;
}

/* Length of the quoted string that s begins with, 0 if it is none. */
static size_t
quoted_len(struct str s)
{
	for (size_t i = 1; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"')
			return i + 1;
		if (c == '\\') {
			if (++i == s.n)
				break;
			c = (unsigned char)s.p[i];
			if (c >= 0x80)
				return 0;
		}
		if (c < ' ' || c == 0x7f)
			return 0;
	}
	return 0;
}

static size_t
local_len(struct str s)
{
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '"')
		return quoted_len(s);
	while (n < s.n && (is_atext((unsigned char)s.p[n]) ||
	    (s.p[n] == '.' && n > 0 && s.p[n - 1] != '.')))
		n++;
	return n > 0 && s.p[n - 1] != '.' ? n : 0;
}

static bool
is_name(struct str s)
{
	size_t from = 0;

	if (s.n == 0 || s.n > ADDRESS_DOMAIN_MAX || !str_is_utf8(s))
		return false;
	for (size_t i = 0; i <= s.n; i++) {
		struct str label = { s.p + from, i - from };

		if (i < s.n && s.p[i] != '.') {
			if (!is_label_char((unsigned char)s.p[i]))
				return false;
			continue;
		}
		if (label.n == 0 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-' ||
		    (label.n > 63 && str_is_ascii(label)))
			return false;
		from = i + 1;
	}
	return true;
}

static bool
is_ip(int family, struct str s)
{
	char text[INET6_ADDRSTRLEN];
	unsigned char bytes[16];

	if (s.n >= sizeof text || str_has_control(s))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, bytes) == 1;
}

/* What stands between brackets, if anything does. */
static bool
unwrap(struct str s, struct str *inner)
{
	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	*inner = (struct str){ s.p + 1, s.n - 2 };
	return true;
}

/* "[127.0.0.1]", "[IPv6:::1]" */
static bool
is_literal(struct str s)
{
	struct str inner;

	if (!unwrap(s, &inner))
		return false;
	if (str_istarts(inner, "IPv6:"))
		return is_ip(AF_INET6, str_from(inner, 5));
	return is_ip(AF_INET, inner);
}

bool
address_is_domain(struct str s)
{
	struct str inner;

	/* Jakarta Mail greets with "[::1]" and the like, without the tag. */
	return is_name(s) || is_literal(s) ||
	    (unwrap(s, &inner) && is_ip(AF_INET6, inner));
}

/* Takes a domain off the front of *s. */
static bool
take_domain(struct str *s, struct str *domain)
{
	const char *end;
	size_t n = 0;

	if (s->n > 0 && s->p[0] == '[') {
		end = memchr(s->p, ']', s->n);
		n = end != NULL ? (size_t)(end - s->p) + 1 : 0;
	} else
		while (n < s->n && (s->p[n] == '.' ||
		    is_label_char((unsigned char)s->p[n])))
			n++;
	*domain = (struct str){ s->p, n };
	*s = str_from(*s, n);
	return is_name(*domain) || is_literal(*domain);
}

static bool
take_mailbox(struct str *s, struct address *out)
{
	size_t n = local_len(*s);

	*out = (struct address){ .local = { s->p, n }, .domain = STR("") };
	if (n == 0 || n > ADDRESS_LOCAL_MAX || !str_is_utf8(out->local))
		return false;
	*s = str_from(*s, n);
	if (s->n > 0 && s->p[0] == '@') {
		*s = str_from(*s, 1);
		if (!take_domain(s, &out->domain))
			return false;
	}
	out->is_utf8 = !str_is_ascii(out->local) || !str_is_ascii(out->domain);
	return true;
}

/* "@a,@b:" (RFC 5321 appendix C); true also where there is none. */
static bool
skip_route(struct str *s)
{
	struct str domain;

	if (s->n == 0 || s->p[0] != '@')
		return true;
	while (s->n > 0 && s->p[0] == '@') {
		*s = str_from(*s, 1);
		if (!take_domain(s, &domain) || s->n == 0)
			return false;
		if (s->p[0] == ':') {
			*s = str_from(*s, 1);
			return true;
		}
		if (s->p[0] != ',')
			return false;
		*s = str_from(*s, 1);
	}
	return false;
}

int
address_parse_path(struct str in, struct address *out, struct str *rest)
{
	struct str s = in;

	if (s.n > ADDRESS_PATH_MAX)
		s.n = ADDRESS_PATH_MAX;
	if (s.n < 2 || s.p[0] != '<')
		return -1;
	s = str_from(s, 1);
	if (s.p[0] == '>')
		*out = (struct address){ STR(""), STR(""), true, false };
	else if (!skip_route(&s) || !take_mailbox(&s, out))
		return -1;
	if (s.n == 0 || s.p[0] != '>')
		return -1;
	*rest = str_from(in, (size_t)(s.p + 1 - in.p));
	return 0;
}

int
address_parse(struct str in, struct address *out)
{
	if (in.n > ADDRESS_PATH_MAX - 2)
		return -1;
	return take_mailbox(&in, out) && in.n == 0 ? 0 : -1;
}

char *
address_qualify(const struct address *a, const char *host)
{
	struct str domain = a->domain.n > 0 ? a->domain : str_of(host);

	if (a->is_null)
		return mem_text("");
	return mem_printf("%.*s%s%.*s", (int)a->local.n, a->local.p,
	    domain.n > 0 ? "@" : "", (int)domain.n, domain.p);
}

char *
address_print(const struct address *a)
{
	return address_qualify(a, "");
}

/* Where the last @ outside quotes stands; printed.n if there is none. */
static size_t
at_sign(struct str printed)
{
	size_t at = printed.n;
	bool quoted = false;

	for (size_t i = 0; i < printed.n; i++) {
		if (printed.p[i] == '"')
			quoted = !quoted;
		else if (printed.p[i] == '\\' && quoted)
			i++;
		else if (printed.p[i] == '@' && !quoted)
			at = i;
	}
	return at;
}

struct str
address_domain(struct str printed)
{
	return str_from(printed, at_sign(printed) + 1);
}

struct str
address_local(struct str printed)
{
	return (struct str){ printed.p, at_sign(printed) };
}

bool
address_eq(struct str a, struct str b)
{
	return str_eq(address_local(a), address_local(b)) &&
	    str_ieq(address_domain(a), address_domain(b));
}
