/* mail/addrlist: RFC 5322 3.4, and what readers would disagree about. */
#include "unit/bytes.h"

#include <string.h>

#include "mail/addrlist.h"

Suite *test_addrlist(void);

static void
gather(void *arg, struct str addr)
{
	struct buf *b = arg;

	if (b->len > 0)
		buf_putc(b, ' ');
	buf_putstr(b, addr);
}

static const struct {
	struct str in;
	const char *out;	/* NULL: refused */
} cases[] = {
	{ STR("a@b"), "a@b" },
	{ STR("  a@b\t"), "a@b" },
	{ STR("Joe <a@b>"), "a@b" },
	{ STR("<a@b>"), "a@b" },
	{ STR("John Q. Public <a@b>"), "a@b" },
	{ STR("\"Public, John <x@y>\" <a@b>"), "a@b" },
	{ STR("\"x@y\" <a@b>"), "a@b" },
	{ STR("J\xc3\xb6rg <j\xc3\xb6@b>"), "j\xc3\xb6@b" },
	{ STR("=?utf-8?q?x=40y?= <a@b>"), "a@b" },
	{ STR("a@b (Joe <x@y>, (nested \\) )), c@d"), "a@b c@d" },
	{ STR("(c)a(c)@(c)b(c)"), "a@b" },
	{ STR("a . b @ c . d"), "a.b@c.d" },
	{ STR("Joe <a@b>, c@d,, \"e f\"@g ,"), "a@b c@d \"e f\"@g" },
	{ STR("root"), "root" },
	{ STR("root (Cron Daemon)"), "root" },
	{ STR("friends: a@b, Joe <c@d>;, e@f"), "a@b c@d e@f" },
	{ STR("undisclosed-recipients:;"), "" },
	{ STR("\"a@b\":;"), "" },
	{ STR("a@[192.0.2.1]"), "a@[192.0.2.1]" },
	{ STR("<@x,@y:a@b>"), "a@b" },
	{ STR("Joe <@x:a@b>"), "a@b" },
	{ STR("\"a\\\"b\"@c"), "\"a\\\"b\"@c" },
	{ STR(""), NULL },
	{ STR(" (only) "), NULL },
	{ STR(","), NULL },
	{ STR("<>"), NULL },
	{ STR("Joe <>"), NULL },
	{ STR("Joe"), "Joe" },
	{ STR("Joe Public"), NULL },
	{ STR("a@b c@d"), NULL },
	{ STR("a@b <c@d>"), NULL },
	{ STR("<a@b> <c@d>"), NULL },
	{ STR("<a@b>c@d"), NULL },
	{ STR("<a@b"), NULL },
	{ STR("a@b>"), NULL },
	{ STR("<a b@c>"), NULL },
	{ STR("<a@b, c@d>"), NULL },
	{ STR("<,a@b>"), NULL },
	{ STR("<:a@b>"), NULL },
	{ STR("<a:a@b>"), NULL },
	{ STR("a@b;"), NULL },
	{ STR("x: a@b"), NULL },
	{ STR("x: y: a@b;;"), NULL },
	{ STR("x: a@b; c@d"), NULL },
	{ STR(": a@b;"), NULL },
	{ STR("(open a@b"), NULL },
	{ STR("(\\"), NULL },
	{ STR("a@b)"), NULL },
	{ STR("\"open@b"), NULL },
	{ STR("a@b\\"), NULL },
	{ STR("[x] <a@b>"), "a@b" },
	{ STR("[open"), NULL },
	{ STR("a@@b"), NULL },
	{ STR("a@b@c"), NULL },
	{ STR("a\0@b"), NULL },
	{ STR("a@b\r\nc"), NULL },
	{ STR("j\xff@b"), NULL },
};

START_TEST(lists)
{
	char *heap = mem_copy(cases[_i].in.p, cases[_i].in.n + 1);
	struct buf out = { 0 };
	bool ok = addrlist_parse((struct str){ heap, cases[_i].in.n }, gather, &out);

	ck_assert_int_eq(ok, cases[_i].out != NULL);
	if (ok)
		bytes_eq(buf_str(&out), str_of(cases[_i].out));
	buf_clear(&out);
	free(heap);
}
END_TEST

/* C-24: deep or long, neither stack nor time. */
START_TEST(deep)
{
	static const char *const units[] = { "(", "\"", "<", "a:", "\\", "[", "a.", ",", "()" };

	for (size_t u = 0; u < sizeof units / sizeof units[0]; u++)
		for (size_t size = 4000; size <= 100000; size *= 25) {
			struct buf in = { 0 }, out = { 0 };

			while (in.len < size)
				buf_puts(&in, units[u]);
			buf_puts(&in, "a@b");
			if (addrlist_parse(buf_str(&in), gather, &out)) {
				ck_assert_uint_le(in.len, ADDRLIST_MAX);
				ck_assert(units[u][0] == ',' || units[u][1] != '\0');
			}
			buf_clear(&in);
			buf_clear(&out);
		}
}
END_TEST

Suite *
test_addrlist(void)
{
	Suite *s = suite_create("test_addrlist");
	TCase *t = tcase_create("addrlist");

	tcase_add_loop_test(t, lists, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, deep);
	suite_add_tcase(s, t);
	return s;
}
