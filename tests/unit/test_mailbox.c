/* Addresses of a list: what sendmail sends to. */
#include "mail/mailbox.h"

#include "unit/bytes.h"

static const struct {
	const char *in, *out;	/* addresses, a space behind each; "!" for one that cannot be read */
	const char *full;	/* `in' with "@h" where a domain is missing; NULL: as `in' */
} cases[] = {
	{ "", "", NULL },
	{ " , ,\t,", "", NULL },
	{ "a@b", "a@b ", NULL },
	{ "root", "root ", "root@h" },
	{ "root (Cron Daemon)", "root ", "root@h (Cron Daemon)" },
	{ "(Cron (the \\) Daemon)) root", "root ", "(Cron (the \\) Daemon)) root@h" },
	{ "a@b, root,c@d", "a@b root c@d ", "a@b, root@h,c@d" },
	{ "\"A, B\" <joe>", "joe ", "\"A, B\" <joe@h>" },
	{ "J. O'Neil <j@n.example>", "j@n.example ", NULL },
	{ "=?utf-8?Q?J=C3=A9?= <j@n.example>", "j@n.example ", NULL },
	{ "a@b.example <a@b.example>", "a@b.example ", NULL },
	{ "\xc3\xa9 <a@b>", "a@b ", NULL },
	{ "undisclosed-recipients:;", "", NULL },
	{ "A: one@b, two;, three", "one@b two three ", "A: one@b, two@h;, three@h" },
	{ "<@r,@s:u@c>", "u@c ", NULL },
	{ "u@[IPv6:::1], \"x y\"@b", "u@[IPv6:::1] \"x y\"@b ", NULL },
	{ "a . b @ c (x)", "a.b@c ", NULL },
	{ "a@b,\r\n\tc@d", "a@b c@d ", NULL },
	{ "x\r\n , y", "x y ", "x@h\r\n , y@h" },
	{ "John Smith", "! ", NULL },
	{ "John Smith, a@b", "! a@b ", NULL },
	{ "<>", "! ", NULL },
	/* as Postfix: who stands beside another is no less a recipient */
	{ "A B <a@b> c@d", "a@b c@d ", NULL },
	{ "a <b@c> <d@e>", "b@c d@e ", NULL },
	{ "<a@b>C D <e>, f", "a@b e f ", "<a@b>C D <e@h>, f@h" },
	{ "a@b c@d", "a@b c@d ", NULL },
	{ "a@b (x) c@d(y)\te@f , g", "a@b c@d e@f g ", "a@b (x) c@d(y)\te@f , g@h" },
	{ "a @ b c . d @ e", "a@b c.d@e ", NULL },
	{ "g: a@b c@d; e@f", "a@b c@d e@f ", NULL },
	{ "g: <a@b> c@d;e@f", "a@b c@d e@f ", NULL },
	{ "g: h@i <a@b>;, e@f", "a@b e@f ", NULL },
	{ "<a@b> (x), root", "a@b root ", "<a@b> (x), root@h" },
	/* but a word alone may be a name whose address was forgotten */
	{ "<a@b> hello there, c@d", "a@b ! c@d ", NULL },
	{ "<a@b> hello", "a@b ! ", NULL },
	{ "a@b root", "a@b ! ", NULL },
	{ "root a@b", "! ", NULL },
	{ "<a@b> \"C D\"", "a@b ! ", NULL },
	{ "<a@b c@d>", "! ", NULL },
	/* an address is no name of a group, and a group has one */
	{ "a@b: c@d", "! ", NULL },
	{ "a@b g: c@d;, e@f", "! e@f ", NULL },
	{ "g: root: c@d", "! ", NULL },
	{ "<a@b>: c@d", "a@b c@d ", NULL },
	{ "g: a@b; c@d", "a@b c@d ", NULL },
	{ "g: a@b;;, ;c@d", "a@b c@d ", NULL },
	{ "a > b@c", "! ", NULL },
	{ "a <b@c", "! ", NULL },
	{ "\"open, a@b", "! ", NULL },
	{ "(open, a@b", "! ", NULL },
	{ "a@b (open", "a@b ", NULL },
	{ "root (open (and) (shut)\r\n", "root ", "root@h (open (and) (shut)\r\n" },
	{ "a@b (open, root", "! ", NULL },
	{ "a@b (open; root", "! ", NULL },
	{ "a@b \"open", "! ", NULL },
	{ "a@b [open", "! ", NULL },
	{ "a@b@c, d@e", "! d@e ", NULL },
	{ "a\x01@b", "! ", NULL },
};

START_TEST(lists)
{
	char *heap = mem_copy(cases[_i].in, strlen(cases[_i].in) + 1);
	struct str rest = str_of(heap);
	struct mailbox m = { 0 };
	struct buf out = { 0 }, full = { 0 };
	const char *from = heap;
	enum mailbox_result r;

	while ((r = mailbox_next(&rest, &m)) != MAILBOX_END) {
		buf_puts(&out, r == MAILBOX_ONE ? m.address.data : "!");
		buf_putc(&out, ' ');
		if (r == MAILBOX_ONE && !m.has_domain) {
			buf_put(&full, from, (size_t)(m.end - from));
			buf_puts(&full, "@h");
			from = m.end;
		}
	}
	buf_puts(&full, from);
	bytes_eq(buf_str(&out), str_of(cases[_i].out));
	bytes_eq(buf_str(&full), str_of(cases[_i].full != NULL ? cases[_i].full : cases[_i].in));
	buf_clear(&out);
	buf_clear(&full);
	buf_clear(&m.address);
	free(heap);
}
END_TEST

/* C-24: deep or long, neither stack nor time. */
START_TEST(deep)
{
	static const char *const units[] = { "(", "\"", "<", "a:", "\\", "[", "a.", ",", "()", ">", "@", ";", "<a@b>", "a@b ", "(a@b) c@d ",
	    "a:<b@c>", "\"\"", "a@b (" };

	for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
		struct buf in = { 0 };
		struct mailbox m = { 0 };
		struct str rest;

		while (in.len < 1000000)
			buf_puts(&in, units[u]);
		rest = buf_str(&in);
		while (mailbox_next(&rest, &m) != MAILBOX_END)
			;
		ck_assert_uint_eq(rest.n, 0);
		buf_clear(&in);
		buf_clear(&m.address);
	}
}
END_TEST

Suite *test_mailbox(void);

Suite *
test_mailbox(void)
{
	Suite *s = suite_create("test_mailbox");
	TCase *t = tcase_create("mailbox");

	tcase_add_loop_test(t, lists, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, deep);
	suite_add_tcase(s, t);
	return s;
}
