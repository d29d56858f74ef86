/* The configuration's scanner. */
#include "config/scan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Tokens as one text: words in <>, the rest as themselves, lines as @n before each
 * token that is not in the line of the one before; "!" and the reason at an error. */
static void
describe(struct str text, struct buf *out)
{
	static const char marks[] = { [SCAN_EQUAL] = '=', [SCAN_OPEN] = '{',
		[SCAN_CLOSE] = '}', [SCAN_COMMA] = ',', [SCAN_PAREN] = '(',
		[SCAN_UNPAREN] = ')' };
	struct scan s;
	struct why why = { "" };
	enum scan_token t;
	unsigned line = 1;

	scan_init(&s, text);
	while ((t = scan_next(&s, &why)) != SCAN_END) {
		if (s.token_line != line)
			buf_printf(out, "@%u", line = s.token_line);
		if (t == SCAN_BAD) {
			buf_printf(out, "!%s", why.text);
			break;
		}
		if (t == SCAN_TEXT) {
			buf_putc(out, '<');
			buf_putstr(out, buf_str(&s.value));
			buf_putc(out, '>');
		} else
			buf_putc(out, marks[t]);
	}
	scan_clear(&s);
}

static const struct {
	const char *text, *want;
} cases[] = {
	{ "", "" },
	{ "\xef\xbb\xbf", "" },
	{ "\xef\xbb\xbf" "a=1", "<a>=<1>" },
	{ "a = 1\nb = 2", "<a>=<1>@2<b>=<2>" },
	{ "a = 1\r\nb = 2\r\n", "<a>=<1>@2<b>=<2>" },
	{ "# x = \"\n// y\n/* z\n*/ a", "@4<a>" },
	{ "a#b", "<a>" },
	{ "http://h/p a//b", "<http://h/p><a//b>" },
	{ "l={a,\"b\",'c'}", "<l>={<a>,<b>,<c>}" },
	{ "s \"t\" { } f(\"x\")", "<s><t>{}<f>(<x>)" },
	{ "\"\" ''", "<><>" },
	{ "\"a b\"\"c\"", "<a b><c>" },
	/* escapes */
	{ "\"\\n\\r\\t\\b\\f\\a\\v\\e\\q\\\"\\\\\"", "<\n\r\t\b\f\a\v\033q\"\\>" },
	{ "\"\\x41\\x4a\\x7\\101\\60\"", "<AJ\aA0>" },
	{ "\"\\x4G\"", "<\x04G>" },
	{ "\"\\xq\"", "<xq>" },
	{ "\"a\\\nb\" c", "<ab>@2<c>" },
	{ "\"a\\\r\nb\"", "<ab>" },
	{ "'\\n\\'\\\\$x${V}'", "<\\n'\\$x${V}>" },
	{ "\"\\0\"", "!an escaped NUL; no value can have one" },
	{ "\"\\x00\"", "!an escaped NUL; no value can have one" },
	{ "\"\\8\"", "!bad escape; write \\\\ for a backslash" },
	{ "\"\\777\"", "!bad escape; write \\\\ for a backslash" },
	/* variables */
	{ "\"${V}\" ${V} x${V}y", "<value \"#{><value \"#{><xvalue \"#{y>" },
	{ "\"${EMPTY}\" ${EMPTY}", "<><>" },
	{ "\"${UNSET:-a b}${V:-c}${EMPTY:-d}\"", "<a bvalue \"#{>" },
	{ "\"${UNSET:-}\"", "<>" },
	{ "\"\\${V} $V $\"", "<${V} $V $>" },
	{ "\n\"${UNSET}\"", "@2!${UNSET} is not set; set it, or write "
	    "${NAME:-VALUE} to have a value in its place" },
	{ "${UNSET}", "!${UNSET} is not set; set it, or write "
	    "${NAME:-VALUE} to have a value in its place" },
	{ "\"${V\"", "!${ without its }; for the two characters themselves "
	    "write \\${" },
	{ "\"${V\n}\"", "!${ without its }; for the two characters themselves "
	    "write \\${" },
	{ "\"${}\"", "!${} does not name a variable; for a dollar sign and a "
	    "brace write \\${" },
	{ "\"${1}\"", "!${1} does not name a variable; for a dollar sign and a "
	    "brace write \\${" },
	{ "\"${A-B}\"", "!${A-B} does not name a variable; for a dollar sign "
	    "and a brace write \\${" },
	/* what is not closed, and what does not belong */
	{ "\"abc", "!no closing \" on this line; add it" },
	{ "a = \"abc\nd", "<a>=!no closing \" on this line; add it" },
	{ "\"abc\\", "!no closing \" on this line; add it" },
	{ "'abc\\", "!no closing ' on this line; add it" },
	{ "a\n/* b", "<a>@2!comment not closed; end it with */" },
	{ "/*", "!comment not closed; end it with */" },
	{ "*@x", "!`*' or `+' outside quotes; write the whole value in double quotes" },
	{ "x*", "!`*' or `+' outside quotes; write the whole value in double quotes" },
	{ "a + b", "<a>!`*' or `+' outside quotes; write the whole value in double "
	    "quotes" },
	{ "a += b", "<a>!`+=' is not used here; write the whole list after =" },
	{ "a\rb", "!a control character; remove it" },
	{ "a\r", "!a control character; remove it" },
	{ "\001", "!a control character; remove it" },
	{ "a\177", "!a control character; remove it" },
	{ "/", "</>" },
};

START_TEST(tokens)
{
	struct buf got = { 0 };

	setenv("V", "value \"#{", 1);
	setenv("EMPTY", "", 1);
	unsetenv("UNSET");
	describe(str_of(cases[_i].text), &got);
	ck_assert_str_eq(got.len > 0 ? got.data : "", cases[_i].want);
	buf_clear(&got);
}
END_TEST

/* Cut at any octet it ends, in an error or not, and reads nothing behind the cut. */
START_TEST(cut_anywhere)
{
	size_t n = strlen(cases[_i].text);

	setenv("V", "v", 1);
	for (size_t cut = 0; cut < n; cut++) {
		char *copy = malloc(cut > 0 ? cut : 1);
		struct buf got = { 0 };

		memcpy(copy, cases[_i].text, cut);
		describe((struct str){ copy, cut }, &got);
		buf_clear(&got);
		free(copy);
	}
}
END_TEST

Suite *test_scan(void);

Suite *
test_scan(void)
{
	Suite *s = suite_create("test_scan");
	TCase *t = tcase_create("scan");
	int n = sizeof cases / sizeof cases[0];

	tcase_add_loop_test(t, tokens, 0, n);
	tcase_add_loop_test(t, cut_anywhere, 0, n);
	suite_add_tcase(s, t);
	return s;
}
