/*
 * Addresses: of the envelope (strict), of From: fields (strict lists) and of sendmail's header (forgiving).  Promises: slices
 * lie in the input; what was accepted is printed and read again as the same (PROTOCOL.md A-086-A-091, C-24); it has nothing
 * that could break a line; a list tells addresses only that are some.
 */
#include "fuzz/support/fuzz.h"

#include "mail/address.h"
#include "mail/addrlist.h"
#include "mail/mailbox.h"
#include "mail/pattern.h"

static void
check_accepted(const struct address *a, struct str in)
{
	char *text = address_print(a), *full = address_qualify(a, "host.example");
	struct str printed = str_of(text);
	struct address again;

	hold(fuzz_is_within(a->local, in) && fuzz_is_within(a->domain, in));
	hold(a->local.n <= ADDRESS_LOCAL_MAX && a->domain.n <= ADDRESS_DOMAIN_MAX);
	hold(printed.n + 2 <= ADDRESS_PATH_MAX);
	hold(a->is_null == (printed.n == 0));
	hold(!str_has_control(printed) && str_is_utf8(printed));
	hold(a->is_utf8 == !str_is_ascii(printed));
	if (!a->is_null) {
		hold(address_parse(printed, &again) == 0);
		hold(str_eq(again.local, a->local) && str_eq(again.domain, a->domain));
		hold(str_eq(address_local(printed), a->local) && str_eq(address_domain(printed), a->domain));
		hold(address_eq(printed, printed));
		hold(a->domain.n == 0 || address_is_domain(a->domain));
		hold(address_domain(str_of(full)).n > 0);
		hold(address_parse(str_of(full), &again) == 0 || strlen(full) > ADDRESS_PATH_MAX - 2);
		/* no wildcard stands for an @ */
		hold(pattern_match(STR("*@*"), str_of(full)) == (memchr(a->local.p, '@', a->local.n) == NULL));
	}
	free(text);
	free(full);
}

static void
check_path(struct str in)
{
	struct buf path = { 0 };
	struct address a;
	struct str rest;

	if (address_parse_path(in, &a, &rest) == 0) {
		hold(fuzz_is_within(rest, in) && rest.p + rest.n == in.p + in.n);
		hold(in.n - rest.n <= ADDRESS_PATH_MAX);
		check_accepted(&a, in);
	}
	buf_putc(&path, '<');
	buf_putstr(&path, in);
	buf_putc(&path, '>');
	if (address_parse_path(buf_str(&path), &a, &rest) == 0)
		check_accepted(&a, buf_str(&path));
	buf_clear(&path);
}

static void
on_listed(void *arg, struct str addr)
{
	struct address a;

	(void)arg;
	hold(!str_has_control(addr));
	hold(address_parse(addr, &a) == 0);
}

static void
check_mailboxes(struct str in)
{
	struct mailbox m = { 0 };
	struct str rest = in;
	enum mailbox_result r;
	size_t rounds = 0;

	while ((r = mailbox_next(&rest, &m)) != MAILBOX_END) {
		hold(fuzz_is_within(rest, in));
		hold(rounds++ <= in.n);
		if (r == MAILBOX_BAD)
			continue;
		hold(m.address.len > 0 && !str_has_control(buf_str(&m.address)));
		hold(m.end >= in.p && m.end <= in.p + in.n);
	}
	buf_clear(&m.address);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n), rest = in, pattern;
	struct address a;

	if (address_parse(in, &a) == 0)
		check_accepted(&a, in);
	check_path(in);
	(void)address_is_domain(in);
	(void)addrlist_parse(in, on_listed, NULL);
	check_mailboxes(in);
	(void)str_split(&rest, ' ', &pattern);
	(void)pattern_match(pattern, rest);
	(void)pattern_match_list(rest, pattern);
	return 0;
}
