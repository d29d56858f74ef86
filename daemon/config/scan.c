/*
 * The words, strings and comments of libconfuse's grammar.  Its scanner counts lines
 * wrongly after a comment, makes nothing of an unset variable, drops a stray `*' and
 * ends a string at an escaped NUL; so the text is read here first, and libconfuse gets
 * it without comments, variables and escapes of the user's making.
 */
#include "config/scan.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { VARIABLE_MAX = 64 };

void
scan_init(struct scan *s, struct str text)
{
	*s = (struct scan){ .rest = text, .line = 1, .token_line = 1 };
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		s->rest = str_from(text, 3);
}

void
scan_clear(struct scan *s)
{
	if (s->value.data != NULL)
		explicit_bzero(s->value.data, s->value.cap);
	buf_clear(&s->value);
}

/* The byte `at' places ahead; a NUL (which the text cannot have) behind its end. */
static unsigned char
peek(const struct scan *s, size_t at)
{
	return at < s->rest.n ? (unsigned char)s->rest.p[at] : '\0';
}

static void
step(struct scan *s, size_t n)
{
	for (size_t i = 0; i < n && i < s->rest.n; i++)
		s->line += s->rest.p[i] == '\n';
	s->rest = str_from(s->rest, n);
}

static void
skip_to(struct scan *s, char end)
{
	const char *p = memchr(s->rest.p, end, s->rest.n);

	step(s, p != NULL ? (size_t)(p - s->rest.p) : s->rest.n);
}

static int
skip_long_comment(struct scan *s, struct why *why)
{
	const char *end = memmem(s->rest.p + 2, s->rest.n - 2, "*/", 2);

	if (end == NULL)
		return fail(why, "comment not closed; end it with */");
	step(s, (size_t)(end - s->rest.p) + 2);
	return 0;
}

static int
skip_blank(struct scan *s, struct why *why)
{
	for (;;) {
		unsigned char c = peek(s, 0), next = peek(s, 1);

		if (c == ' ' || c == '\t' || c == '\n' ||
		    (c == '\r' && next == '\n'))
			step(s, 1);
		else if (c == '#' || (c == '/' && next == '/'))
			skip_to(s, '\n');
		else if (c == '/' && next == '*') {
			if (skip_long_comment(s, why) < 0)
				return -1;
		} else
			return 0;
	}
}

static bool
is_name(struct str s)
{
	if (s.n == 0 || s.n > VARIABLE_MAX || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] == '_' || (s.p[i] >= '0' && s.p[i] <= '9') ||
		    (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
		    (s.p[i] >= 'a' && s.p[i] <= 'z')))
			return false;
	return true;
}

/* A complaint about a ${}: with the text itself unless that may be a secret. */
static int
refuse(const struct scan *s, struct why *why, struct str all, const char *unsaid,
    const char *what, const char *advice)
{
	if (s->unsaid || s->token_line <= s->unsaid_line)
		return fail(why, "%s; %s", unsaid, advice);
	return fail(why, "${%.*s} %s; %s", (int)all.n, all.p, what, advice);
}

/* ${NAME} or ${NAME:-what to take if it is not set}. */
static int
expand(struct scan *s, struct why *why)
{
	struct str all = str_from(s->rest, 2), name;
	const char *end = memchr(all.p, '}', all.n);
	char text[VARIABLE_MAX + 1];
	const char *minus, *value;

	if (end == NULL || memchr(all.p, '\n', (size_t)(end - all.p)) != NULL)
		return fail(why, "${ without its }; for the two characters "
		    "themselves write \\${");
	all.n = (size_t)(end - all.p);
	minus = memmem(all.p, all.n, ":-", 2);
	name = all;
	if (minus != NULL)
		name.n = (size_t)(minus - all.p);
	if (!is_name(name))
		return refuse(s, why, all, "a ${} that does not name a variable",
		    "does not name a variable",
		    "for a dollar sign and a brace write \\${");
	memcpy(text, name.p, name.n);
	text[name.n] = '\0';
	value = getenv(text);
	if (value != NULL)
		buf_puts(&s->value, value);
	else if (minus != NULL)
		buf_put(&s->value, minus + 2, all.n - name.n - 2);
	else
		return refuse(s, why, name, "a variable that is not set",
		    "is not set", "set it, or write ${NAME:-VALUE} to have a "
		    "value in its place");
	s->expanded = true;
	step(s, all.n + 3);
	return 0;
}

static bool
is_digit(unsigned char c, unsigned base)
{
	if (base == 16 && ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'))
		return true;
	return c >= '0' && c < '0' + (base < 10 ? base : 10);
}

/* Up to `max' digits of \ooo and \xhh. */
static int
number(struct scan *s, unsigned base, unsigned max, struct why *why)
{
	char digits[4] = "";
	unsigned n = 0;
	unsigned long value;

	while (n < max && is_digit(peek(s, n), base)) {
		digits[n] = (char)peek(s, n);
		n++;
	}
	value = strtoul(digits, NULL, (int)base);
	if (n == 0 || value > 0xff)
		return fail(why, "bad escape; write \\\\ for a backslash");
	if (value == 0)
		return fail(why, "an escaped NUL; no value can have one");
	buf_putc(&s->value, (char)value);
	step(s, n);
	return 0;
}

/* What follows a backslash between double quotes. */
static int
escape(struct scan *s, struct why *why)
{
	static const char letters[] = "nrtbfave";
	static const char meanings[] = "\n\r\t\b\f\a\v\033";
	unsigned char c = peek(s, 0);
	const char *letter;

	if (c >= '0' && c <= '9')
		return number(s, 8, 3, why);
	if (c == 'x' && is_digit(peek(s, 1), 16)) {
		step(s, 1);
		return number(s, 16, 2, why);
	}
	if (c == '\r' && peek(s, 1) == '\n') {
		step(s, 1);
		c = '\n';
	}
	if (c != '\n') {	/* a line that goes on in the next leaves nothing */
		letter = c != '\0' ? strchr(letters, c) : NULL;
		buf_putc(&s->value, letter != NULL ? meanings[letter - letters] :
		    (char)c);
	}
	step(s, 1);
	return 0;
}

static enum scan_token
quoted(struct scan *s, char quote, struct why *why)
{
	s->quoted = true;
	step(s, 1);
	for (;;) {
		unsigned char c = peek(s, 0), next = peek(s, 1);
		int ok = 0;

		if (c == '\0' || c == '\n' || (c == '\\' && next == '\0')) {
			fail(why, "no closing %c on this line; add it", quote);
			return SCAN_BAD;
		}
		if (c == (unsigned char)quote) {
			step(s, 1);
			return SCAN_TEXT;
		}
		if (quote == '"' && c == '$' && next == '{') {
			ok = expand(s, why);
		} else if (quote == '"' && c == '\\') {
			step(s, 1);
			ok = escape(s, why);
		} else {
			if (c == '\\' && (next == '\\' || next == '\'')) {
				step(s, 1);
				c = next;
			}
			buf_putc(&s->value, (char)c);
			step(s, 1);
		}
		if (ok < 0)
			return SCAN_BAD;
	}
}

static bool
ends_word(unsigned char c)
{
	return c <= ' ' || c == 0x7f || strchr("#\"'={}()+,*", c) != NULL;
}

static enum scan_token
word(struct scan *s, struct why *why)
{
	unsigned char c;

	s->quoted = false;
	while (c = peek(s, 0), !ends_word(c)) {
		if (c == '$' && peek(s, 1) == '{') {
			if (expand(s, why) < 0)
				return SCAN_BAD;
			continue;
		}
		buf_putc(&s->value, (char)c);
		step(s, 1);
	}
	if (c == '*' || c == '+')
		fail(why, "`*' or `+' outside quotes; write the whole value in "
		    "double quotes");
	else if (c == 0x7f || (c == '\r' && peek(s, 1) != '\n') ||
	    (c < ' ' && strchr("\t\r\n", c) == NULL))
		fail(why, "a control character; remove it");
	else
		return SCAN_TEXT;
	return SCAN_BAD;
}

enum scan_token
scan_next(struct scan *s, struct why *why)
{
	static const char marks[] = "={},()";
	static const enum scan_token tokens[] = { SCAN_EQUAL, SCAN_OPEN,
	    SCAN_CLOSE, SCAN_COMMA, SCAN_PAREN, SCAN_UNPAREN };
	const char *mark;
	unsigned char c;

	buf_cut(&s->value, 0);
	s->expanded = false;
	if (skip_blank(s, why) < 0) {
		s->token_line = s->line;
		return SCAN_BAD;
	}
	s->token_line = s->line;
	c = peek(s, 0);
	if (c == '\0')
		return SCAN_END;
	mark = strchr(marks, c);
	if (mark != NULL) {
		step(s, 1);
		return tokens[mark - marks];
	}
	if (c == '+' && peek(s, 1) == '=') {
		fail(why, "`+=' is not used here; write the whole list after =");
		return SCAN_BAD;
	}
	if (c == '"' || c == '\'')
		return quoted(s, (char)c, why);
	return word(s, why);
}
