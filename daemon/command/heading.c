/* Walks over the fields of a header and reads or completes those that hold addresses. */
#include "command/heading.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "mail/mailbox.h"

enum { WORD_OCTETS = 42 };	/* of an encoded word, which may be 75 long (RFC 2047 2) */

enum field_use { USE_NONE, USE_ADDRESS = 1, USE_RCPT = 2, USE_RESENT = 4 };

struct field {
	struct str whole, name, value;	/* whole: with the CRLF at its end */
};

static unsigned
use_of(struct str name)
{
	static const struct {
		const char *name;
		unsigned use;
	} fields[] = {
		{ "From", USE_ADDRESS }, { "Sender", USE_ADDRESS }, { "Reply-To", USE_ADDRESS },
		{ "To", USE_ADDRESS | USE_RCPT }, { "Cc", USE_ADDRESS | USE_RCPT }, { "Bcc", USE_ADDRESS | USE_RCPT },
		{ "Resent-From", USE_ADDRESS }, { "Resent-Sender", USE_ADDRESS }, { "Resent-Reply-To", USE_ADDRESS },
		{ "Resent-To", USE_ADDRESS | USE_RCPT | USE_RESENT }, { "Resent-Cc", USE_ADDRESS | USE_RCPT | USE_RESENT },
		{ "Resent-Bcc", USE_ADDRESS | USE_RCPT | USE_RESENT },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (str_iis(name, fields[i].name))
			return fields[i].use;
	return USE_NONE;
}

/* The next field with all its folded lines; false: there are no more. */
static bool
next_field(struct str *rest, struct field *f)
{
	const char *colon = memchr(rest->p, ':', rest->n);
	size_t n = 0;

	if (rest->n == 0 || colon == NULL)
		return false;
	do {
		const char *newline = memchr(rest->p + n, '\n', rest->n - n);

		n = newline != NULL ? (size_t)(newline + 1 - rest->p) : rest->n;
	} while (n < rest->n && (rest->p[n] == ' ' || rest->p[n] == '\t'));
	f->whole = (struct str){ rest->p, n };
	f->name = str_trim((struct str){ rest->p, (size_t)(colon - rest->p) });
	f->value = str_from(f->whole, (size_t)(colon + 1 - rest->p));
	*rest = str_from(*rest, n);
	return true;
}

bool
heading_has(struct str header, const char *field)
{
	struct field f;

	while (next_field(&header, &f))
		if (str_iis(f.name, field))
			return true;
	return false;
}

/* --- who it is for ---------------------------------------------------------------- */

void
rcpts_clear(struct rcpts *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i]);
	free(r->v);
	*r = (struct rcpts){ 0 };
}

static void
add(struct rcpts *r, const struct buf *address)
{
	if (r->n == r->room) {
		r->room = r->room == 0 ? 8 : r->room * 2;
		r->v = mem_resize(r->v, r->room, sizeof *r->v);
	}
	r->v[r->n++] = str_dup(buf_str(address));
}

int
heading_list(struct rcpts *r, struct str list, struct why *why)
{
	struct mailbox m = { 0 };
	struct str rest = list, bad;
	enum mailbox_result result;

	do {
		bad = rest;
		result = mailbox_next(&rest, &m);
		if (result == MAILBOX_ONE)
			add(r, &m.address);
	} while (result == MAILBOX_ONE);
	buf_clear(&m.address);
	if (result == MAILBOX_END)
		return 0;
	bad.n -= rest.n;
	while (bad.n > 0 && strchr(" \t\r\n,;", bad.p[0]) != NULL)
		bad = str_from(bad, 1);
	while (bad.n > 0 && strchr(" \t\r\n,;", bad.p[bad.n - 1]) != NULL)
		bad.n--;
	return fail(why, "not an address, or not a list of them: %.*s", bad.n < 100 ? (int)bad.n : 100, bad.p);
}

int
heading_recipients(struct rcpts *r, struct str header, struct why *why)
{
	struct rcpts usual = { 0 }, resent = { 0 }, *chosen;
	struct field f;
	int result = 0;

	while (result == 0 && next_field(&header, &f)) {
		unsigned use = use_of(f.name);

		if (use & USE_RCPT)
			result = heading_list(use & USE_RESENT ? &resent : &usual, f.value, why);
	}
	chosen = resent.n > 0 ? &resent : &usual;
	for (size_t i = 0; result == 0 && i < chosen->n; i++)
		add(r, &(struct buf){ .data = chosen->v[i], .len = strlen(chosen->v[i]) });
	rcpts_clear(&usual);
	rcpts_clear(&resent);
	return result;
}

/* --- what is missing ---------------------------------------------------------------- */

static void
qualify(struct buf *out, const struct field *f, const char *host)
{
	struct mailbox m = { 0 };
	struct str rest = f->value;
	const char *from = f->whole.p;
	enum mailbox_result r;

	while ((r = mailbox_next(&rest, &m)) != MAILBOX_END) {
		if (r == MAILBOX_BAD || m.has_domain)
			continue;
		buf_put(out, from, (size_t)(m.end - from));
		buf_printf(out, "@%s", host);
		from = m.end;
	}
	buf_put(out, from, f->whole.n - (size_t)(from - f->whole.p));
	buf_clear(&m.address);
}

void
heading_put(struct buf *out, struct str header, const char *host)
{
	struct field f;

	while (next_field(&header, &f)) {
		if (use_of(f.name) & USE_ADDRESS)
			qualify(out, &f, host);
		else
			buf_putstr(out, f.whole);
	}
}

/* A display name that is not ASCII, in words of RFC 2047; RFC 1428 names the character set that nobody told us. */
static void
put_encoded(struct buf *out, struct str s)
{
	bool is_utf8 = str_is_utf8(s);

	while (s.n > 0) {
		size_t n = 0, c = 1;

		while (n < s.n && (!is_utf8 || (c = str_character(str_from(s, n))) > 0) && n + c <= WORD_OCTETS)
			n += c;
		buf_puts(out, is_utf8 ? "=?utf-8?B?" : "=?unknown-8bit?B?");
		base64_put(out, s.p, n);
		buf_puts(out, "?=");
		s = str_from(s, n);
		if (s.n > 0)
			buf_puts(out, "\r\n ");
	}
}

static void
put_quoted(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s.p[i]);
	}
	buf_putc(out, '"');
}

/* As much of a name as fits, on one line, in the octets that it was given in. */
static void
fit_name(char *safe, size_t size, const char *name)
{
	size_t n = 0;

	if (str_is_utf8(str_of(name))) {
		str_fit(safe, size, str_of(name));
		return;
	}
	for (; name[n] != '\0' && n < size - 1; n++)
		safe[n] = (name[n] > 0x1f && name[n] != 0x7f) || (name[n] & 0x80) != 0 ? name[n] : '?';
	safe[n] = '\0';
}

void
heading_put_from(struct buf *out, const char *name, const char *address)
{
	static const char specials[] = "()<>[]:;@\\,.\"";
	char safe[256];
	struct str s;

	fit_name(safe, sizeof safe, name);
	s = str_trim(str_of(safe));
	buf_puts(out, "From: ");
	if (!str_is_ascii(s))
		put_encoded(out, s);
	else if (strpbrk(safe, specials) != NULL)
		put_quoted(out, s);
	else
		buf_putstr(out, s);
	buf_printf(out, s.n > 0 ? " <%s>\r\n" : "<%s>\r\n", address);
}
