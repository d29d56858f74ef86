/* mail/address: what is an address, where it ends, and that it stays itself. */
#include "unit/bytes.h"

#include <string.h>

#include "mail/address.h"

Suite *test_address(void);

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X63 X63 X63 "xxxxxxxxxxx"
#define DOMAIN_255 X63 "." X63 "." X63 "." X63

static const struct {
	struct str in;
	const char *printed, *rest;	/* NULL: refused */
} paths[] = {
	{ STR("<a@b.example>"), "a@b.example", "" },		/* A-080 */
	{ STR("<> SIZE=1"), "", " SIZE=1" },			/* A-081 */
	{ STR("<a@b>>"), "a@b", ">" },
	{ STR("<root>"), "root", "" },				/* A-091 */
	{ STR("<\"a b\"@x.example>"), "\"a b\"@x.example", "" }, /* A-086 */
	{ STR("<\"a\\\"b\"@x.example>"), "\"a\\\"b\"@x.example", "" },
	{ STR("<\"@\"@x.example>"), "\"@\"@x.example", "" },
	{ STR("<\"a>b\"@x.example>"), "\"a>b\"@x.example", "" },
	{ STR("<\"\\\\\"@x.example>"), "\"\\\\\"@x.example", "" },
	{ STR("<\"\\\\\"@x.example>\"@y>"), "\"\\\\\"@x.example", "\"@y>" },
	{ STR("<u@[192.0.2.1]>"), "u@[192.0.2.1]", "" },	/* A-087 */
	{ STR("<u@[IPv6:2001:db8::1]>"), "u@[IPv6:2001:db8::1]", "" },
	{ STR("<u@[ipv6:::ffff:192.0.2.1]>"), "u@[ipv6:::ffff:192.0.2.1]", "" },
	{ STR("<u@[999.1.1.1]>"), NULL, NULL },
	{ STR("<u@[IPv6:1::2::3]>"), NULL, NULL },
	{ STR("<u@[1.2.3]>"), NULL, NULL },
	{ STR("<u@[]>"), NULL, NULL },
	{ STR("<u@[::1]>"), NULL, NULL },
	{ STR("<u@[192.0.2.1>"), NULL, NULL },
	{ STR("<u@[192.0.2.1]x>"), NULL, NULL },
	{ STR("<u@[192.0.2.1\0]>"), NULL, NULL },
	{ STR("<@a.example,@b.example:u@c.example>"), "u@c.example", "" }, /* A-088 */
	{ STR("<@a.example:u@c.example>"), "u@c.example", "" },
	{ STR("<@[192.0.2.1]:u@c.example>"), "u@c.example", "" },
	{ STR("<@a.example>"), NULL, NULL },
	{ STR("<@a.example:>"), NULL, NULL },
	{ STR("<@a.example,u@c.example>"), NULL, NULL },
	{ STR("<@a.example,,@b.example:u@c.example>"), NULL, NULL },
	{ STR("<@:u@c.example>"), NULL, NULL },
	{ STR("<a@@b>"), NULL, NULL },				/* A-089 */
	{ STR("<a@b..c>"), NULL, NULL },
	{ STR("<a@b.>"), NULL, NULL },
	{ STR("<a@.b>"), NULL, NULL },
	{ STR("<a@>"), NULL, NULL },
	{ STR("<@>"), NULL, NULL },
	{ STR("<.a@b>"), NULL, NULL },
	{ STR("<a.@b>"), NULL, NULL },
	{ STR("<a..b@c>"), NULL, NULL },
	{ STR("<a b@c>"), NULL, NULL },
	{ STR("<a@-b.c>"), NULL, NULL },
	{ STR("<a@b-.c>"), NULL, NULL },
	{ STR("<a@b c>"), NULL, NULL },
	{ STR("<<a@b>"), NULL, NULL },
	{ STR("<a@b"), NULL, NULL },
	{ STR("<"), NULL, NULL },
	{ STR(""), NULL, NULL },
	{ STR("a@b"), NULL, NULL },
	{ STR("<\"a@b>"), NULL, NULL },
	{ STR("<\"a\"b@c>"), NULL, NULL },
	{ STR("<\"a\\"), NULL, NULL },
	{ STR("<\"a\rb\"@c>"), NULL, NULL },
	{ STR("<\"a\\\nb\"@c>"), NULL, NULL },
	{ STR("<a\0@b>"), NULL, NULL },
	{ STR("<a\x7f@b>"), NULL, NULL },
	{ STR("<a\t@b>"), NULL, NULL },
	{ STR("<(a)@b>"), NULL, NULL },
	{ STR("<a@b(c)>"), NULL, NULL },
	{ STR("<u%h@d.example>"), "u%h@d.example", "" },	/* A-115 */
	{ STR("<|cmd@d.example>"), "|cmd@d.example", "" },
	{ STR("<;sh@d.example>"), ";sh@d.example", "" },
	{ STR("<bounce+a=b.example@d.example>"), "bounce+a=b.example@d.example", "" },
	{ STR("<a@my_host>"), "a@my_host", "" },
	{ STR("<a@127.0.0.1>"), "a@127.0.0.1", "" },
	{ STR("<j\xc3\xb6@\xc3\xb6.example>"), "j\xc3\xb6@\xc3\xb6.example", "" },
	{ STR("<\"\xc3\xb6\"@x>"), "\"\xc3\xb6\"@x", "" },
	{ STR("<j\xff@x.example>"), NULL, NULL },
	{ STR("<j@\xc3.example>"), NULL, NULL },
	{ STR("<\"\\\xc3\xb6\"@x>"), NULL, NULL },
	{ STR("<" X63 "x@b.example>"), X63 "x@b.example", "" },	/* A-090 */
	{ STR("<" X200 "@" DOMAIN_255 ">"), X200 "@" DOMAIN_255, "" },
	{ STR("<" X200 "x@b.example>"), NULL, NULL },
	{ STR("<a@x" DOMAIN_255 ">"), NULL, NULL },
	{ STR("<a@" X63 "." X63 "." X63 ".xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx>"), NULL, NULL },	/* 256 */
	{ STR("<a@" X63 "x.example>"), NULL, NULL },
	{ STR("<@" X200 ":" X200 "@" X200 ">"), NULL, NULL },
};

START_TEST(path)
{
	char *heap = mem_copy(paths[_i].in.p, paths[_i].in.n + 1);
	struct str in = { heap, paths[_i].in.n }, rest;
	struct address a;
	char *printed;

	if (paths[_i].printed == NULL)
		ck_assert_int_eq(address_parse_path(in, &a, &rest), -1);
	else {
		ck_assert_int_eq(address_parse_path(in, &a, &rest), 0);
		bytes_eq(rest, str_of(paths[_i].rest));
		printed = address_print(&a);
		ck_assert_str_eq(printed, paths[_i].printed);
		ck_assert_int_eq(a.is_null, *printed == '\0');
		ck_assert_int_eq(a.is_utf8, !str_is_ascii(str_of(printed)));
		bytes_eq(address_local(str_of(printed)), a.local);
		bytes_eq(address_domain(str_of(printed)), a.domain);
		free(printed);
	}
	free(heap);
}
END_TEST

START_TEST(bare)
{
	struct address a;

	ck_assert_int_eq(address_parse(STR("a@b.example"), &a), 0);
	bytes_eq(a.local, STR("a"));
	bytes_eq(a.domain, STR("b.example"));
	ck_assert_int_eq(address_parse(STR("\"a@b\""), &a), 0);
	ck_assert_uint_eq(a.domain.n, 0);
	ck_assert_int_eq(address_parse(STR(""), &a), -1);
	ck_assert_int_eq(address_parse(STR("<a@b>"), &a), -1);
	ck_assert_int_eq(address_parse(STR("a@b "), &a), -1);
	ck_assert_int_eq(address_parse(STR("@a:b@c"), &a), -1);
}
END_TEST

START_TEST(qualifying)
{
	struct address a;
	char *text;

	ck_assert_int_eq(address_parse(STR("root"), &a), 0);
	text = address_qualify(&a, "host.example");
	ck_assert_str_eq(text, "root@host.example");
	free(text);
	ck_assert_int_eq(address_parse(STR("root@x"), &a), 0);
	text = address_qualify(&a, "host.example");
	ck_assert_str_eq(text, "root@x");
	free(text);
	a = (struct address){ STR(""), STR(""), true, false };
	text = address_qualify(&a, "host.example");
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(equality)
{
	ck_assert(address_eq(STR("a@B.Example"), STR("a@b.eXAMPLE")));
	ck_assert(!address_eq(STR("A@b"), STR("a@b")));
	ck_assert(!address_eq(STR("a"), STR("a@b")));
	ck_assert(address_eq(STR("\"x@Y\"@b"), STR("\"x@Y\"@B")));
	ck_assert(!address_eq(STR("\"x@Y\"@b"), STR("\"x@y\"@b")));
	bytes_eq(address_domain(STR("\"a@b\"")), STR(""));
	bytes_eq(address_domain(STR("\"a\\\"@b\"@c")), STR("c"));
	bytes_eq(address_local(STR("\"a\\\"@b\"@c")), STR("\"a\\\"@b\""));
	bytes_eq(address_domain(STR("")), STR(""));
}
END_TEST

/* Names that clients greet with (A-020, A-021, A-022, F). */
static const struct {
	struct str name;
	bool ok;
} names[] = {
	{ STR("client.example"), true }, { STR("localhost"), true },
	{ STR("my_host"), true }, { STR("[127.0.0.1]"), true },
	{ STR("[127.0.1.1]"), true }, { STR("[IPv6:::1]"), true },
	{ STR("[0:0:0:0:0:0:0:1]"), true }, { STR("127.0.0.1"), true },
	{ STR("xn--bcher-kva.example"), true }, { STR("b\xc3\xbc" "cher.example"), true },
	{ STR(DOMAIN_255), true }, { STR(DOMAIN_255 "x"), false },
	{ STR(""), false }, { STR("a b<script>"), false }, { STR("\x01x"), false },
	{ STR("\xff"), false }, { STR("-x"), false }, { STR("a..b"), false },
	{ STR("[127.0.0.1"), false }, { STR("[]"), false }, { STR("[x]"), false },
	{ STR("[127.0.0.1]]"), false }, { STR("a\0b"), false }, { STR("a@b"), false },
	{ STR("["), false }, { STR("[127.0.0.1x"), false },
	{ STR("x127.0.0.1]"), false },
};

START_TEST(domains)
{
	char *heap = mem_copy(names[_i].name.p, names[_i].name.n + 1);

	ck_assert_int_eq(address_is_domain((struct str){ heap, names[_i].name.n }),
	    names[_i].ok);
	free(heap);
}
END_TEST

/* A-090: a path of 512 octets, route and all, and of one more. */
START_TEST(longest_path)
{
	static const char *const route[] = { "<@" X63 "." X63 "." X63 "." X63 ",@b", "<@" X63 "." X63 "." X63 "." X63 ",@bb" };

	for (unsigned more = 0; more < 2; more++) {
		struct buf b = { 0 };
		struct address a;
		struct str rest;

		buf_puts(&b, route[more]);
		buf_puts(&b, ":" X63 "@" X63 "." X63 ".");
		while (b.len < ADDRESS_PATH_MAX + more - 1)
			buf_putc(&b, 'x');
		buf_putc(&b, '>');
		ck_assert_int_eq(address_parse_path(buf_str(&b), &a, &rest), more == 0 ? 0 : -1);
		buf_clear(&b);
	}
}
END_TEST

/* C-24: what is deep or long costs no stack, and no time either. */
START_TEST(deep)
{
	static const char *const units[] = {
		"\"", "\\\"", "(", "@a,", "@a.example,", "<", "[", "a.", "\"\"", "a@",
	};

	for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
		struct buf b = { 0 };
		struct address a;
		struct str rest;

		buf_putc(&b, '<');
		for (int i = 0; i < 100000; i++)
			buf_puts(&b, units[u]);
		buf_puts(&b, "a@b>");
		ck_assert_int_eq(address_parse_path(buf_str(&b), &a, &rest), -1);
		ck_assert_int_eq(address_parse(str_from(buf_str(&b), 1), &a), -1);
		buf_clear(&b);
	}
}
END_TEST

/* C-24: parse(print(x)) is x, for all that is an address. */
START_TEST(round_trip)
{
	static const char *const tokens[] = {
		"a", "B", ".", "\"", "\\", "@", "x.example", " ", ">", "<", "[", "]",
		"192.0.2.1", "IPv6:::1", ",", ":", "-", "\xc3\xb6", ";", "\\\"", "\"q\"",
	};
	uint32_t seed = 11;
	unsigned parsed = 0;

	for (int i = 0; i < 200000; i++) {
		struct buf b = { 0 };
		struct address a, again;

		for (uint32_t n = 1 + bytes_random(&seed, 8); n > 0; n--)
			buf_puts(&b, tokens[bytes_random(&seed,
			    sizeof tokens / sizeof tokens[0])]);
		if (address_parse(buf_str(&b), &a) == 0) {
			char *text = address_print(&a);

			bytes_eq(str_of(text), buf_str(&b));
			ck_assert_int_eq(address_parse(str_of(text), &again), 0);
			bytes_eq(again.local, a.local);
			bytes_eq(again.domain, a.domain);
			bytes_eq(address_local(str_of(text)), a.local);
			bytes_eq(address_domain(str_of(text)), a.domain);
			free(text);
			parsed++;
		}
		buf_clear(&b);
	}
	ck_assert_uint_gt(parsed, 5000);
}
END_TEST

Suite *
test_address(void)
{
	Suite *s = suite_create("test_address");
	TCase *t = tcase_create("address");

	tcase_add_loop_test(t, path, 0, sizeof paths / sizeof paths[0]);
	tcase_add_test(t, bare);
	tcase_add_test(t, qualifying);
	tcase_add_test(t, equality);
	tcase_add_loop_test(t, domains, 0, sizeof names / sizeof names[0]);
	tcase_add_test(t, longest_path);
	tcase_add_test(t, deep);
	tcase_add_test(t, round_trip);
	suite_add_tcase(s, t);
	return s;
}
