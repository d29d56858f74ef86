/* mail/xtext: RFC 3461 4. */
#include "unit/bytes.h"

#include "mail/xtext.h"

Suite *test_xtext(void);

static const struct {
	struct str in;
	bool valid, printable;
	struct str out;
} cases[] = {
	{ STR(""), true, true, STR("") },
	{ STR("QQ+2B1"), true, true, STR("QQ+1") },		/* */
	{ STR("u+40x.example"), true, true, STR("u@x.example") },
	{ STR("a+20b"), true, true, STR("a b") },
	{ STR("a+0D+0A"), true, false, STR("a\r\n") },
	{ STR("+00"), true, false, STR("\0") },
	{ STR("a+7F"), true, false, STR("a\x7f") },
	{ STR("+FF"), true, false, STR("\xff") },
	{ STR("+"), false, false, STR("") },
	{ STR("a+"), false, false, STR("") },
	{ STR("a+2"), false, false, STR("") },
	{ STR("a+ZZ"), false, false, STR("") },
	{ STR("a+G0"), false, false, STR("") },
	{ STR("a+0G"), false, false, STR("") },
	{ STR("a+2b"), false, false, STR("") },
	{ STR("a=b"), false, false, STR("") },
	{ STR("a b"), false, false, STR("") },
	{ STR("a\x7f"), false, false, STR("") },
	{ STR("\xc3\xb6"), false, false, STR("") },
};

START_TEST(decoding)
{
	char *heap = mem_copy(cases[_i].in.p, cases[_i].in.n + 1);
	struct str in = { heap, cases[_i].in.n };
	struct buf out = { 0 };

	ck_assert_int_eq(xtext_is(in), cases[_i].valid);
	ck_assert_int_eq(xtext_is_printable(in), cases[_i].printable);
	ck_assert_int_eq(xtext_decode(&out, in), cases[_i].valid);
	bytes_eq(buf_str(&out), cases[_i].out);
	buf_clear(&out);
	/* what stands behind it is no part of it */
	ck_assert(!xtext_is((struct str){ "a+2B", 3 }) && !xtext_is((struct str){ "+2", 1 }));
	free(heap);
}
END_TEST

START_TEST(round_trip)
{
	struct buf all = { 0 }, coded = { 0 }, back = { 0 };

	for (int c = 0; c < 256; c++)
		buf_putc(&all, (char)c);
	xtext_encode(&coded, buf_str(&all));
	ck_assert(xtext_decode(&back, buf_str(&coded)));
	bytes_eq(buf_str(&back), buf_str(&all));
	buf_clear(&all);
	buf_clear(&coded);
	buf_clear(&back);
}
END_TEST

Suite *
test_xtext(void)
{
	Suite *s = suite_create("test_xtext");
	TCase *t = tcase_create("xtext");

	tcase_add_loop_test(t, decoding, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, round_trip);
	suite_add_tcase(s, t);
	return s;
}
