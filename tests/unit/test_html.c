/* Escaping: nothing that a stranger wrote may become markup, or turn what stands after it. */
#include "web/html.h"

#include <check.h>

static const struct {
	const char *in, *out;
} cases[] = {
	{ "", "" },
	{ "plain text", "plain text" },
	{ "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;" },
	{ "a\" onload='x' b", "a&quot; onload=&#39;x&#39; b" },
	{ "&lt;", "&amp;lt;" },
	{ "</bdi><p>", "&lt;/bdi&gt;&lt;p&gt;" },
	{ "caf\xc3\xa9", "caf\xc3\xa9" },
	{ "a\tb", "a b" },
	{ "a\nb\x1b[31m\x7f", "a\xef\xbf\xbd" "b\xef\xbf\xbd[31m\xef\xbf\xbd" },
	{ "\xff<\xc3", "\xef\xbf\xbd&lt;\xef\xbf\xbd" },
	{ "\xe2\x80\xae" "drawkcab", "\xe2\x80\xae" "drawkcab" },	/* kept inside its <bdi> */
};

START_TEST(escapes)
{
	struct buf b = { 0 }, want = { 0 };

	html_put(&b, cases[_i].in);
	buf_puts(&b, "|");
	buf_printf(&want, "%s|", cases[_i].out);
	ck_assert_str_eq(b.data, want.data);
	buf_cut(&b, 0);
	buf_cut(&want, 0);
	html_put_foreign(&b, cases[_i].in);
	buf_printf(&want, "<bdi>%s</bdi>", cases[_i].out);
	ck_assert_str_eq(b.data, want.data);
	buf_clear(&b);
	buf_clear(&want);
}
END_TEST

Suite *test_html(void);

Suite *
test_html(void)
{
	Suite *s = suite_create("test_html");
	TCase *t = tcase_create("html");

	tcase_add_loop_test(t, escapes, 0, sizeof cases / sizeof cases[0]);
	suite_add_tcase(s, t);
	return s;
}
