/*
 * Secrets in what strangers say: the first line is the secret, the rest the text.  Promises, by a slow reading: what is left shows it
 * neither as it is, nor in any case, percent-encoded or in hexadecimal; what shows it nowhere stays as it was; nothing grows
 * (PROTOCOL.md C-16).
 */
#include "fuzz/support/fuzz.h"

#include "base/veil.h"

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

/* In small letters; percent-encoding taken off, '+' for a space or not. */
static void
plain_put(struct buf *out, struct str s, bool percent, bool plus)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (percent && c == '%' && s.n - i > 2 && digit(s.p[i + 1]) >= 0 && digit(s.p[i + 2]) >= 0) {
			c = (char)(digit(s.p[i + 1]) << 4 | digit(s.p[i + 2]));
			i += 2;
		} else if (plus && c == '+') {
			c = ' ';
		}
		buf_putc(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
}

static bool
contains(struct str text, struct str what, bool percent, bool plus)
{
	struct buf a = { 0 }, b = { 0 };
	bool found;

	plain_put(&a, text, percent, plus);
	plain_put(&b, what, false, false);
	found = a.len > 0 && memmem(a.data, a.len, b.data, b.len) != NULL;
	buf_clear(&a);
	buf_clear(&b);
	return found;
}

static bool
shows(struct str text, struct str secret)
{
	struct buf hex = { 0 };
	bool found = contains(text, secret, false, false) || contains(text, secret, true, false) || contains(text, secret, true, true);

	for (size_t i = 0; i < secret.n; i++)
		buf_printf(&hex, "%02x", (unsigned char)secret.p[i]);
	found = found || contains(text, buf_str(&hex), false, false);
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
