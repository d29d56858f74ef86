/*
 * Secrets in what strangers say.  Each is kept as the words that it can stand there as; which words may begin with an octet is
 * known by a table, so that most of a text is passed over.
 */
#include "base/veil.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"

enum {
	ALIGNMENTS = 3,
	FORMS = 2 + ALIGNMENTS,		/* of one secret */
	WORDS = VEIL_SECRETS * FORMS,
	SET = 64,			/* words in one number, a bit for each */
	SETS = (WORDS + SET - 1) / SET
};

struct word {
	struct buf text;
	bool coded;			/* base 64: its letters' case says something */
};

struct veil {
	_Atomic unsigned refs;
	unsigned n;
	struct word word[WORDS];
	uint64_t starts[256][SETS];	/* by octet: the words that can begin with it */
};

/* Is that octet, as it was said, one of the word's? */
static bool
is_same(const struct word *w, char of_word, unsigned char said)
{
	unsigned char c = (unsigned char)of_word;

	if (w->coded)		/* RFC 4648 5 has another alphabet */
		return c == said || (c == '+' && said == '-') || (c == '/' && said == '_');
	return str_fold(of_word) == str_fold((char)said);
}

/* --- its words --------------------------------------------------------------- */

static void
add_word(struct veil *v, const char *p, size_t n, bool coded)
{
	struct word *w = &v->word[v->n];
	uint64_t bit = (uint64_t)1 << v->n % SET;
	unsigned set = v->n / SET;

	if (n < VEIL_LEAST)
		return;
	v->n++;
	w->coded = coded;
	buf_put_secret(&w->text, p, n);
	for (unsigned c = 0; c < 256; c++)
		if (is_same(w, *p, (unsigned char)c))
			v->starts[c][set] |= bit;
	v->starts['%'][set] |= bit;
	v->starts['='][set] |= bit;
	v->starts['\\'][set] |= bit;
	if (*p == ' ')
		v->starts['+'][set] |= bit;
}

static void
add_hex(struct veil *v, const char *secret, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	struct buf hex = { 0 };

	(void)buf_room(&hex, 2 * n);	/* no copy is left behind by growing: so here and below */
	for (size_t i = 0; i < n; i++) {
		buf_putc(&hex, digits[(unsigned char)secret[i] >> 4]);
		buf_putc(&hex, digits[(unsigned char)secret[i] & 15]);
	}
	add_word(v, hex.data, hex.len, false);
	buf_wipe(&hex);
}

/* The characters that depend on the secret alone, when `before' octets modulo 3 stand in front of it. */
static void
add_coded(struct veil *v, const char *secret, size_t n, size_t before)
{
	struct buf raw = { 0 }, coded = { 0 };
	size_t from = (before * 8 + 5) / 6, to = (before + n) * 8 / 6;

	(void)buf_room(&raw, before + n);
	(void)buf_room(&coded, (before + n) * 2 + 8);
	buf_put(&raw, "\0\0", before);
	buf_put(&raw, secret, n);
	base64_put(&coded, raw.data, raw.len);
	if (to > from)
		add_word(v, coded.data + from, to - from, true);
	buf_wipe(&raw);
	buf_wipe(&coded);
}

static bool
has(const struct veil *v, const char *secret)
{
	for (unsigned i = 0; i < v->n; i++)
		if (str_is(buf_str(&v->word[i].text), secret))
			return true;
	return false;
}

struct veil *
veil_new(void)
{
	struct veil *v = mem_zero(sizeof *v);

	v->refs = 1;
	return v;
}

void
veil_add(struct veil *v, const char *secret)
{
	size_t n = secret != NULL ? strlen(secret) : 0;

	if (n < VEIL_LEAST || v->n + FORMS > WORDS || has(v, secret))
		return;
	add_word(v, secret, n, false);
	add_hex(v, secret, n);
	for (size_t before = 0; before < ALIGNMENTS; before++)
		add_coded(v, secret, n, before);
}

struct veil *
veil_ref(struct veil *v)
{
	if (v != NULL)
		atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void
veil_unref(struct veil **vp)
{
	struct veil *v = *vp;

	*vp = NULL;
	if (v == NULL || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < v->n; i++)
		buf_wipe(&v->word[i].text);
	mem_wipe(v, sizeof *v);
}

/* --- looking for them ----------------------------------------------------------- */

static size_t
read_hex(const char *p, const char *end, char *c)
{
	if (end - p < 2 || str_hex(p[0]) < 0 || str_hex(p[1]) < 0)
		return 0;
	*c = (char)(str_hex(p[0]) << 4 | str_hex(p[1]));
	return 2;
}

#define OF_STATUS ".0123456789"	/* an enhanced status's characters */
#define HEXADECIMAL "0123456789abcdefABCDEF"

/* How an octet may be said: as a form or an address has it (+, %20), a mail's text (=20), a quoted string (\", \x20). */
enum { PERCENT = 1, EQUALS = 2, BACKSLASH = 4, ANY = 7 };

static unsigned
escape_of(char c)
{
	switch (c) {
	case '+':
	case '%':
		return PERCENT;
	case '=':
		return EQUALS;
	case '\\':
		return BACKSLASH;
	default:
		return 0;
	}
}

/* Octets at p that are an escape of these kinds for *c; 0: no such. */
static size_t
read_escape(const char *p, const char *end, unsigned kinds, char *c)
{
	switch (escape_of(*p) & kinds) {
	case PERCENT:
	case EQUALS:
		if (*p == '+')
			return *c = ' ', 1;
		return read_hex(p + 1, end, c) > 0 ? 3 : 0;
	case BACKSLASH:
		if (end - p < 2)
			return 0;
		if (p[1] == 'x' && read_hex(p + 2, end, c) > 0)
			return 4;
		*c = p[1];
		return 2;
	default:
		return 0;
	}
}

/* Octets at p that stand for that one of the word's; 0: none. */
static size_t
fits(const struct word *w, char c, const char *p, const char *end, unsigned kinds)
{
	char plain;
	size_t n;

	if (p == end)
		return 0;
	n = read_escape(p, end, kinds, &plain);
	return n > 0 && is_same(w, c, (unsigned char)plain) ? n : is_same(w, c, (unsigned char)*p);
}

static const char *
skip(const char *p, const char *end, const char *what)
{
	while (p < end && strchr(what, *p) != NULL && *p != '\0')
		p++;
	return p;
}

/* Behind the end of the line at p, which may be quoted-printable's soft one; NULL: that is elsewhere. */
static const char *
line_end(const char *p, const char *end, unsigned kinds)
{
	p = skip(p, end, " ");
	if (p < end && *p == '=' && (kinds & EQUALS) != 0)
		p++;
	if (p < end && *p == '\r')
		p++;
	return p < end && *p == '\n' ? p + 1 : NULL;
}

/* Where a word goes on that was broken at p: in the next line, behind its enhanced status.  NULL: it was not. */
static const char *
next_line(const char *p, const char *end, unsigned kinds)
{
	const char *line = line_end(p, end, kinds), *at;

	if (line == NULL)
		return NULL;
	at = skip(line, end, OF_STATUS);
	return skip(at - line >= 5 && at < end && *at == ' ' ? at : line, end, " ");
}

/* Past what stands at *p for the word's octet n; a line's end may stand before it, or for a space.  false: it is not there. */
static bool
pass(const struct word *w, size_t n, const char **p, const char *end, unsigned kinds)
{
	char c = w->text.data[n];
	size_t step = fits(w, c, *p, end, kinds);
	const char *next = step == 0 && n > 0 ? next_line(*p, end, kinds) : NULL;

	if (next != NULL)
		step = fits(w, c, next, end, kinds);
	if (step == 0 && (next == NULL || c != ' '))
		return false;
	*p = (next != NULL ? next : *p) + step;
	return true;
}

/* Is all that is left at p the beginning of an escape, or of a line that a word may go on in? */
static bool
is_begun(const char *p, const char *end, unsigned kinds)
{
	const char *line = line_end(p, end, kinds);

	if (line != NULL)
		return skip(skip(line, end, OF_STATUS), end, " ") == end;
	switch (p < end ? escape_of(*p) & kinds : 0) {
	case PERCENT:
	case EQUALS:
		return skip(p + 1, end, HEXADECIMAL "\r") == end && end - p < 3;
	case BACKSLASH:
		return skip(p + 1, end, "x" HEXADECIMAL) == end && end - p < 4;
	default:
		return skip(skip(p, end, " "), end, "\r") == end;
	}
}

/* Octets at p that are this word; 0: it is not there. */
static size_t
follow(const struct word *w, const char *p, const char *end, unsigned kinds, bool is_cut)
{
	size_t n = 0, all = w->text.len;
	const char *at = p;

	while (n < all && pass(w, n, &at, end, kinds))
		n++;
	if (n < all && n >= VEIL_LEAST && is_cut && is_begun(at, end, kinds))
		return (size_t)(end - p);
	return n == all || n >= VEIL_ENOUGH ? (size_t)(at - p) : 0;
}

/* All at once is another way only if there are several. */
static bool
is_way(unsigned way, unsigned kinds)
{
	return way == ANY ? (kinds & (kinds - 1)) != 0 : way == 0 || (kinds & way) != 0;
}

/* The longest that begins at p, in a text with escapes of these kinds.  By none, by each and by all at once: what looks like an
 * escape may be the secret's own. */
static size_t
find_at(const struct veil *v, const char *p, const char *end, unsigned kinds, bool is_cut)
{
	static const unsigned ways[] = { 0, PERCENT, EQUALS, BACKSLASH, ANY };
	size_t best = 0;

	for (unsigned set = 0; set < SETS; set++)
		for (uint64_t left = v->starts[(unsigned char)*p][set]; left != 0; left &= left - 1)
			for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
				const struct word *w = &v->word[set * SET + (unsigned)__builtin_ctzll(left)];
				size_t n = is_way(ways[i], kinds) ? follow(w, p, end, ways[i], is_cut) : 0;

				best = n > best ? n : best;
			}
	return best;
}

static unsigned
escapes_in(struct str text)
{
	unsigned kinds = 0;

	for (size_t i = 0; i < text.n; i++)
		kinds |= escape_of(text.p[i]);
	return kinds;
}

void
veil_hide(const struct veil *v, struct buf *text, bool is_cut)
{
	const char *end = text->data + text->len;
	size_t at = 0, to = 0, before = text->len;
	unsigned kinds;

	if (v == NULL || v->n == 0 || text->len == 0)
		return;
	kinds = escapes_in(buf_str(text));
	while (at < before) {
		size_t n = find_at(v, text->data + at, end, kinds, is_cut);

		if (n > 0) {
			memset(text->data + to, '*', 3);
			to += 3;
			at += n;
		} else {
			text->data[to++] = text->data[at++];
		}
	}
	explicit_bzero(text->data + to, before - to);
	buf_cut(text, to);
}

/* As it was before it was written: "\\," for a comma, "\\C3" for an octet. */
static void
unescape(struct buf *out, const struct buf *name)
{
	const char *p = name->data, *end = p + name->len;

	(void)buf_room(out, name->len);
	for (; p < end; p++) {
		if (*p != '\\' || end - p < 2) {
			buf_putc(out, *p);
		} else if (end - p > 2 && str_hex(p[1]) >= 0 && str_hex(p[2]) >= 0) {
			buf_putc(out, (char)(str_hex(p[1]) << 4 | str_hex(p[2])));
			p += 2;
		} else
			buf_putc(out, *++p);
	}
}

void
veil_hide_name(const struct veil *v, struct buf *name)
{
	struct buf plain = { 0 };
	size_t before;

	if (v == NULL || v->n == 0 || name->len == 0)
		return;
	unescape(&plain, name);
	before = plain.len;
	veil_hide(v, &plain, false);
	if (plain.len < before) {	/* three asterisks are shorter than whatever they stand for */
		buf_wipe(name);
		buf_puts(name, "***");
	}
	buf_wipe(&plain);
}

bool
veil_finds(const struct veil *v, struct str text)
{
	unsigned kinds = escapes_in(text);

	for (size_t i = 0; v->n > 0 && i < text.n; i++)
		if (find_at(v, text.p + i, text.p + text.n, kinds, false) > 0)
			return true;
	return false;
}
