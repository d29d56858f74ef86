/* xtext (RFC 3461 4).  Promises: anything encoded is xtext and comes back as it was; what decodes is xtext by a slow reading of
 * the rules, however much of it there is; a text that is refused leaves nothing behind (PROTOCOL.md ). */
#include "fuzz/support/fuzz.h"

#include "mail/xtext.h"

enum { BEGINNINGS = 64 };

static bool
slow_is(struct str s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '=' || s.p[i] < '!' || s.p[i] > '~')
			return false;
		if (s.p[i] != '+')
			continue;
		if (s.n - i < 3 || memchr(digits, s.p[i + 1], 16) == NULL || memchr(digits, s.p[i + 2], 16) == NULL)
			return false;
		i += 2;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	struct buf a = { 0 }, b = { 0 };
	bool ok = xtext_decode(&a, in);

	hold(ok == xtext_is(in));
	/* behind a value in a line there is more, which may look like a part of it */
	for (size_t k = 0; k <= n && k < BEGINNINGS; k++)
		hold(xtext_is((struct str){ in.p, k }) == slow_is((struct str){ in.p, k }));
	hold(ok || a.len == 0);
	hold(a.len <= n);
	hold(xtext_is_printable(in) == (ok && str_is_ascii(buf_str(&a)) && !str_has_control(buf_str(&a))));
	if (ok) {
		xtext_encode(&b, buf_str(&a));
		hold(xtext_is(buf_str(&b)));
		buf_cut(&a, 0);
		hold(xtext_decode(&a, buf_str(&b)));
		xtext_encode(&a, STR(""));
		buf_clear(&b);
	}
	buf_clear(&a);
	xtext_encode(&b, in);
	hold(xtext_is(buf_str(&b)) && str_is_ascii(buf_str(&b)) && b.len <= 3 * n);
	hold(xtext_decode(&a, buf_str(&b)) && str_eq(buf_str(&a), in));
	buf_clear(&a);
	buf_clear(&b);
	return 0;
}
