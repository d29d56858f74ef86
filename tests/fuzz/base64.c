/*
 * Base 64 and what SASL mechanisms put into it.  Promises: what decodes is the only way to write it; anything encoded comes
 * back; a PLAIN message is taken apart within its bounds (PROTOCOL.md, C-09).
 */
#include "fuzz/support/fuzz.h"

#include "base/base64.h"
#include "smtp/sasl.h"

static void
check_plain(struct str message)
{
	struct str authzid, user, password;

	if (sasl_plain_parse(message, &authzid, &user, &password) < 0)
		return;
	hold(fuzz_is_within(authzid, message) && fuzz_is_within(user, message) && fuzz_is_within(password, message));
	hold(memchr(user.n > 0 ? user.p : "", '\0', user.n) == NULL);
	hold(memchr(password.n > 0 ? password.p : "", '\0', password.n) == NULL);
	hold(authzid.n == 0 || str_eq(authzid, user));
	hold(authzid.n + user.n + password.n + 2 == message.n);
}

/* As a client says it, the server must read it. */
static void
check_said(struct str in)
{
	struct buf user = { 0 }, out = { 0 };
	struct str name = in, rest = in, authzid, said, password;
	char *text;

	(void)str_split(&rest, '\n', &name);
	buf_putstr(&user, name);
	text = str_dup(rest);
	if (user.len > 0 && strlen(user.data) == user.len && text[0] != '\0' && strlen(text) == rest.n) {
		sasl_plain(&out, user.data, text);
		if (sasl_plain_parse(buf_str(&out), &authzid, &said, &password) == 0)
			hold(str_eq(said, name) && str_eq(password, rest));
		buf_cut(&out, 0);
		sasl_cram_md5(&out, user.data, text, in);
		hold(out.len == name.n + 1 + 32);
		buf_cut(&out, 0);
		sasl_xoauth2(&out, user.data, text);
		sasl_oauthbearer(&out, user.data, "host.example", 587, text);
		hold(out.len > 2 * (name.n + rest.n));
	}
	free(text);
	buf_clear(&out);
	buf_clear(&user);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	struct buf a = { 0 }, b = { 0 };

	if (base64_take(&a, in)) {
		hold(a.len == in.n / 4 * 3 || a.len + 1 == in.n / 4 * 3 || a.len + 2 == in.n / 4 * 3);
		check_plain(buf_str(&a));
		base64_put(&b, a.data, a.len);
		hold(str_eq(buf_str(&b), in));
		buf_clear(&b);
	} else {
		hold(a.len == 0);
	}
	buf_clear(&a);
	base64_put(&b, in.p, in.n);
	hold(b.len == (n + 2) / 3 * 4);
	hold(base64_take(&a, buf_str(&b)) && str_eq(buf_str(&a), in));
	buf_clear(&a);
	buf_clear(&b);
	check_plain(in);
	check_said(in);
	return 0;
}
