/* Lines that fit, and a stranger's text made harmless, in one piece and in trickles. */
#include "command/screen.h"

#include <check.h>
#include <string.h>

Suite *test_screen(void);

static const struct { unsigned width; const char *in, *out; } folds[] = {
	{ 0, "a very long line indeed that stays\n", "a very long line indeed that stays\n" },
	{ 20, "short\n\nlines\n", "short\n\nlines\n" },
	{ 20, "exactly twenty chars\n", "exactly twenty chars\n" },
	{ 20, "one more than twenty!\n", "one more than\n    twenty!\n" },
	{ 20, "  indented text that goes on\n", "  indented text that\n      goes on\n" },
	{ 20, "\033[31mcolours take no room\033[0m\n", "\033[31mcolours take no room\033[0m\n" },
	{ 20, "\303\251\303\251\303\251\303\251\303\251 \303\251\303\251\303\251\303\251\303\251 \303\251\303\251\303\251\303\251\303\251 ab\n",
	  "\303\251\303\251\303\251\303\251\303\251 \303\251\303\251\303\251\303\251\303\251 \303\251\303\251\303\251\303\251\303\251 ab\n" },
	{ 20, "aVeryLongWordThatDoesNotFitAnywhere x", "aVeryLongWordThatDoesNotFitAnywhere\n    x" },
	{ 20, "a  two  blanks  are  kept  within", "a  two  blanks  are\n    kept  within" },
};

START_TEST(fold)
{
	struct buf out = { 0 };

	screen_fold(&out, str_of(folds[_i].in), folds[_i].width);
	ck_assert_uint_eq(out.len, strlen(folds[_i].out));
	ck_assert_int_eq(memcmp(out.data, folds[_i].out, out.len), 0);
	buf_clear(&out);
}
END_TEST

static const struct { const char *in, *out; } strangers[] = {
	{ "plain\r\ntext\n\ttab", "plain\ntext\n\ttab" },
	{ "\033[2J\033]0;x\007", "\\x1B[2J\\x1B]0;x\\x07" },
	{ "caf\303\251 \346\274\242 \360\237\230\200", "caf\303\251 \346\274\242 \360\237\230\200" },
	{ "c1 \302\233 31m", "c1 \\xC2\\x9B 31m" },
	{ "bad \377 \303( end \303", "bad \\xFF \\xC3( end \\xC3" },
	{ "cr\ralone\r", "cr\\x0Dalone\\x0D" },
	{ "", "" },
};

START_TEST(tame)
{
	struct str in = str_of(strangers[_i].in);

	for (size_t step = 0; step <= 3; step++) {
		struct buf out = { 0 }, kept = { 0 };
		size_t n;

		for (size_t i = 0; i < in.n; i += n) {
			n = step == 0 || in.n - i < step ? in.n - i : step;
			screen_tame(&out, &kept, (struct str){ in.p + i, n }, false);
		}
		screen_tame(&out, &kept, STR(""), true);
		ck_assert_uint_eq(kept.len, 0);
		buf_putc(&out, '\0');
		ck_assert_str_eq(out.data, strangers[_i].out);
		buf_clear(&out);
		buf_clear(&kept);
	}
}
END_TEST

Suite *
test_screen(void)
{
	Suite *s = suite_create("test_screen");
	TCase *t = tcase_create("screen");

	tcase_add_loop_test(t, fold, 0, sizeof folds / sizeof folds[0]);
	tcase_add_loop_test(t, tame, 0, sizeof strangers / sizeof strangers[0]);
	suite_add_tcase(s, t);
	return s;
}
