/*
 * Secrets in what strangers say: the first line is the secret, the rest the text.  Promises, by a slow reading: what is left shows it
 * neither as it is, nor in any case, percent-encoded, quoted-printable, with backslashes or all of these, or in hexadecimal; what shows it nowhere stays as it was; nothing grows
 * (PROTOCOL.md C-16).
 */
#include "fuzz/support/fuzz.h"

#include "base/veil.h"

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

enum { ANY = '\1' };	/* each of them */

static bool
is_escape(char c, char escape)
{
	return escape == ANY ? c == '%' || c == '=' || c == '\\' : c == escape;
}

/* The octet that is written at s, and how many that takes: %41 or =41 with that for `escape', \\x41 or \\A with a backslash, 0: none. */
static size_t
escaped_at(struct str s, char escape, char *c)
{
	bool quoted = s.p[0] == '\\';
	size_t at = quoted ? 2 : 1;

	if (s.n < 2 || !is_escape(s.p[0], escape))
		return 0;
	if ((!quoted || s.p[1] == 'x') && s.n > at + 1 && digit(s.p[at]) >= 0 && digit(s.p[at + 1]) >= 0) {
		*c = (char)(digit(s.p[at]) << 4 | digit(s.p[at + 1]));
		return at + 2;
	}
	*c = s.p[1];
	return quoted ? 2 : 0;
}

/* In small letters; one kind of escapes taken off, or ANY, or none ('\0'), '+' for a space or not. */
static void
plain_put(struct buf *out, struct str s, char escape, bool plus)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		char c = s.p[i];

		n = escape != '\0' ? escaped_at(str_from(s, i), escape, &c) : 0;
		if (n == 0) {
			n = 1;
			c = plus && s.p[i] == '+' ? ' ' : s.p[i];
		}
		buf_putc(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
}

static bool
contains(struct str text, struct str what, char escape, bool plus)
{
	struct buf a = { 0 }, b = { 0 };
	bool found;

	plain_put(&a, text, escape, plus);
	plain_put(&b, what, '\0', false);
	found = a.len > 0 && memmem(a.data, a.len, b.data, b.len) != NULL;
	buf_clear(&a);
	buf_clear(&b);
	return found;
}

static bool
shows(struct str text, struct str secret)
{
	struct buf hex = { 0 };
	bool found = contains(text, secret, '\0', false) || contains(text, secret, '%', false) || contains(text, secret, '%', true) ||
	    contains(text, secret, '=', false) || contains(text, secret, '\\', false) || contains(text, secret, ANY, false) ||
	    contains(text, secret, ANY, true);

	for (size_t i = 0; i < secret.n; i++)
		buf_printf(&hex, "%02x", (unsigned char)secret.p[i]);
	found = found || contains(text, buf_str(&hex), '\0', false);
	buf_clear(&hex);
	return found;
}

static void
play(struct str secret, struct str said)
{
	struct buf text = { 0 };
	struct veil *v = veil_new();
	char *key = str_dup(secret);

	veil_add(v, key);
	buf_putstr(&text, said);
	veil_hide(v, &text, false);
	hold(text.len <= said.n);
	hold(veil_finds(v, said) || str_eq(buf_str(&text), said));
	if (memchr(secret.p, '*', secret.n) == NULL)	/* else what hides it may be a part of it */
		hold(!veil_finds(v, buf_str(&text)) && !shows(buf_str(&text), secret));
	hold(veil_finds(v, said) || !shows(said, secret));
	veil_hide(v, &text, true);
	hold(text.len <= said.n);
	buf_clear(&text);
	veil_unref(&v);
	free(key);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n), secret;

	if (!str_split(&in, '\n', &secret) || secret.n < VEIL_LEAST || memchr(secret.p, '\0', secret.n) != NULL)
		return 0;
	play(secret, in);
	return 0;
}
