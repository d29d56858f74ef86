/* Base 64: RFC 4648's vectors, and what a strict reader refuses. */
#include "base/base64.h"

#include <check.h>
#include <string.h>

static const struct {
	struct str plain;
	const char *text;
} good[] = {
	{ { "", 0 }, "" },
	{ { "f", 1 }, "Zg==" },
	{ { "fo", 2 }, "Zm8=" },
	{ { "foo", 3 }, "Zm9v" },
	{ { "foob", 4 }, "Zm9vYg==" },
	{ { "fooba", 5 }, "Zm9vYmE=" },
	{ { "foobar", 6 }, "Zm9vYmFy" },
	{ { "\0user\0pass", 10 }, "AHVzZXIAcGFzcw==" },
	{ { "\xff\xfe\xfb\xef", 4 }, "//777w==" },
	{ { "\xfb\xf0\x00", 3 }, "+/AA" },
};

START_TEST(both_ways)
{
	struct buf out = { 0 };

	buf_puts(&out, "> ");
	base64_put(&out, good[_i].plain.p, good[_i].plain.n);
	ck_assert_str_eq(out.data + 2, good[_i].text);
	ck_assert(base64_take(&out, str_of(good[_i].text)));
	ck_assert(str_eq(str_from(buf_str(&out), 2 + strlen(good[_i].text)),
	    good[_i].plain));
	buf_clear(&out);
}
END_TEST

static const char *bad[] = {
	"Z", "Zg", "Zg=", "Zg===", "Zm9", "=", "==", "===", "====", "Zm9v=",
	"Zm9v====", "Z===", "Zg==Zg==", "Zm=v", "Zm9v Zm8", "Zm9v\r\n", "Zm8=\n",
	" Zm8=", "Zh==", "Zm9=", "Zm9-", "Zm_v", "Zm9*", "Zm9\xc3", "=AAA", "A=AA",
	"Zm+=", "ZC==", "ZE==", "ZI==", "Zm=vZm9v",
};

START_TEST(refused)
{
	struct buf out = { 0 };

	buf_puts(&out, "before");
	ck_assert(!base64_take(&out, str_of(bad[_i])));
	ck_assert(str_is(buf_str(&out), "before"));
	buf_clear(&out);
	ck_assert(!base64_take(&out, STR("Zm\0v")));
	ck_assert_uint_eq(out.len, 0);
	buf_clear(&out);
}
END_TEST

START_TEST(all_bytes)
{
	char in[256];
	struct buf text = { 0 }, out = { 0 };

	for (int i = 0; i < 256; i++)
		in[i] = (char)i;
	for (size_t n = 0; n <= sizeof in; n++) {
		buf_cut(&text, 0);
		buf_cut(&out, 0);
		base64_put(&text, in, n);
		ck_assert_uint_eq(text.len, (n + 2) / 3 * 4);
		ck_assert(base64_take(&out, buf_str(&text)));
		ck_assert(str_eq(buf_str(&out), (struct str){ in, n }));
	}
	buf_clear(&text);
	buf_clear(&out);
}
END_TEST

Suite *test_base64(void);
Suite *
test_base64(void)
{
	Suite *s = suite_create("test_base64");
	TCase *tc = tcase_create("base64");

	tcase_add_loop_test(tc, both_ways, 0, sizeof good / sizeof good[0]);
	tcase_add_loop_test(tc, refused, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tc, all_bytes);
	suite_add_tcase(s, tc);
	return s;
}
