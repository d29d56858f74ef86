/* Networks: C-25 (a list that covers everyone is an open relay) among them. */
#include "config/cidr.h"

#include <check.h>
#include <string.h>

static const struct {
	const char *text;
	int bits;	/* of 128; -1: refused */
} parsed[] = {
	{ "127.0.0.1", 128 },
	{ "127.0.0.1/32", 128 },
	{ "10.0.0.0/8", 104 },
	{ "0.0.0.0/0", 96 },
	{ "::1", 128 },
	{ "::/0", 0 },
	{ "2001:db8::/32", 32 },
	{ "::ffff:192.0.2.0/120", 120 },
	{ "", -1 },
	{ "/8", -1 },
	{ "10.0.0.0/", -1 },
	{ "10.0.0.0/33", -1 },
	{ "10.0.0.0/-1", -1 },
	{ "10.0.0.0/8/8", -1 },
	{ "10.0.0.0/8 ", -1 },
	{ " 10.0.0.0", -1 },
	{ "10.0.0.1/8", -1 },
	{ "10.0.0", -1 },
	{ "10.0.0.0.0", -1 },
	{ "256.0.0.0", -1 },
	{ "::1/129", -1 },
	{ "::1/64", -1 },
	{ "[::1]", -1 },
	{ "fe80::1%eth0", -1 },
	{ "localhost", -1 },
	{ "10.0.0.0/99999999999999999999", -1 },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", -1 },
};

START_TEST(parse)
{
	struct cidr c = { .bits = 999 };
	bool ok = cidr_parse(str_of(parsed[_i].text), &c);

	ck_assert_msg(ok == (parsed[_i].bits >= 0), "%s", parsed[_i].text);
	if (ok)
		ck_assert_int_eq((int)c.bits, parsed[_i].bits);
	else
		ck_assert_uint_eq(c.bits, 999);
}
END_TEST

static const struct {
	const char *network, *address;
	bool has;
} members[] = {
	{ "10.0.0.0/8", "10.255.1.2", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "10.0.0.0/8", "::ffff:10.1.1.1", true },
	{ "::ffff:10.0.0.0/104", "10.1.1.1", true },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.128/25", "192.0.2.200", true },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "::/0", "203.0.113.9", true },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "::1", "::1", true },
	{ "::1", "127.0.0.1", false },
};

START_TEST(member)
{
	struct cidr c;
	unsigned char address[16];

	ck_assert(cidr_parse(str_of(members[_i].network), &c));
	ck_assert(cidr_address(members[_i].address, address));
	ck_assert(cidr_has(&c, address) == members[_i].has);
}
END_TEST

static const struct {
	const char *list;
	bool everyone;
} lists[] = {
	{ "", false },
	{ "0.0.0.0/0", true },
	{ "::/0", true },
	{ "10.0.0.0/8,0.0.0.0/0", true },
	{ "0.0.0.0/1", false },
	{ "0.0.0.0/1,128.0.0.0/1", true },
	{ "128.0.0.0/1,0.0.0.0/2,64.0.0.0/2", true },
	{ "128.0.0.0/1,0.0.0.0/2,64.0.0.0/3", false },
	{ "::ffff:0:0/96", true },
	{ "::/1", true },
	{ "8000::/1", false },
	{ "2000::/3", true },
	{ "2000::/4,3000::/4", true },
	{ "2000::/4", false },
	{ "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,::1,127.0.0.0/8", false },
};

START_TEST(everyone)
{
	struct str rest = str_of(lists[_i].list), part;
	struct cidr c[8];
	unsigned n = 0;

	while (lists[_i].list[0] != '\0' && str_split(&rest, ',', &part))
		ck_assert(cidr_parse(part, &c[n++]));
	ck_assert(cidr_cover_everyone(c, n) == lists[_i].everyone);
}
END_TEST

START_TEST(loopback)
{
	ck_assert(cidr_is_loopback("127.0.0.1"));
	ck_assert(cidr_is_loopback("127.255.0.9"));
	ck_assert(cidr_is_loopback("::1"));
	ck_assert(cidr_is_loopback("::ffff:127.0.0.1"));
	ck_assert(cidr_is_loopback("localhost"));
	ck_assert(cidr_is_loopback("LocalHost"));
	ck_assert(!cidr_is_loopback("128.0.0.1"));
	ck_assert(!cidr_is_loopback("::2"));
	ck_assert(!cidr_is_loopback("localhost.example.com"));
	ck_assert(!cidr_is_loopback("127.0.0.1.example.com"));
	ck_assert(!cidr_is_loopback(""));
}
END_TEST

Suite *test_cidr(void);

Suite *
test_cidr(void)
{
	Suite *s = suite_create("test_cidr");
	TCase *t = tcase_create("cidr");

	tcase_add_loop_test(t, parse, 0, sizeof parsed / sizeof parsed[0]);
	tcase_add_loop_test(t, member, 0, sizeof members / sizeof members[0]);
	tcase_add_loop_test(t, everyone, 0, sizeof lists / sizeof lists[0]);
	tcase_add_test(t, loopback);
	suite_add_tcase(s, t);
	return s;
}
