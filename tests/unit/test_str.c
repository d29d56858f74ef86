/* Slices. */
#include "base/str.h"

#include "base/buf.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(compares)
{
	ck_assert(str_eq(STR("a"), STR("a")));
	ck_assert(!str_eq(STR("a"), STR("A")));
	ck_assert(!str_eq(STR("a"), STR("ab")));
	ck_assert(str_eq((struct str){ 0 }, STR("")));
	ck_assert(str_ieq(STR("StartTLS"), STR("STARTTLS")));
	ck_assert(!str_ieq(STR("[{"), STR("{[")));	/* 0x20 apart, no letters */
	ck_assert(!str_ieq(STR("\xc4"), STR("\xe4")));
	ck_assert(str_is(STR("x"), "x"));
	ck_assert(!str_is(STR("x\0y"), "x"));
	ck_assert(str_iis(STR("X"), "x"));
	ck_assert(str_is(STR(""), NULL));
	ck_assert(str_istarts(STR("mail FROM:<>"), "MAIL from:"));
	ck_assert(!str_istarts(STR("MAIL"), "MAIL FROM:"));
	ck_assert(str_istarts(STR(""), ""));
}
END_TEST

static const struct {
	const char *in, *out;
} trims[] = {
	{ "", "" }, { " ", "" }, { " \t a b\t ", "a b" }, { "a", "a" },
	{ "\ra\n", "\ra\n" },
};

START_TEST(trims_blanks)
{
	ck_assert(str_is(str_trim(str_of(trims[_i].in)), trims[_i].out));
}
END_TEST

START_TEST(from)
{
	char *copy;

	ck_assert(str_is(str_from(STR("abc"), 1), "bc"));
	ck_assert(str_is(str_from(STR("abc"), 3), ""));
	ck_assert(str_is(str_from(STR("abc"), 99), ""));
	ck_assert_uint_eq(str_from((struct str){ 0 }, 1).n, 0);
	copy = str_dup((struct str){ "abc", 2 });
	ck_assert_str_eq(copy, "ab");
	free(copy);
}
END_TEST

static const struct {
	const char *in, *parts;	/* each ended by | */
} splits[] = {
	{ "a,,b", "a||b|" }, { "a", "a|" }, { "a,", "a||" }, { ",", "||" },
	{ "", "|" }, { "ab,cd", "ab|cd|" },
};

START_TEST(splits_parts)
{
	struct str rest = str_of(splits[_i].in), part;
	struct buf got = { 0 };

	while (str_split(&rest, ',', &part)) {
		buf_putstr(&got, part);
		buf_putc(&got, '|');
	}
	ck_assert_str_eq(got.data, splits[_i].parts);
	ck_assert_uint_eq(rest.n, 0);
	ck_assert_ptr_nonnull(rest.p);
	ck_assert(!str_split(&rest, ',', &part));
	buf_clear(&got);
}
END_TEST

static const struct {
	const char *in;
	bool ok;
	uint64_t max, out;
} numbers[] = {
	{ "0", true, 10, 0 }, { "10", true, 10, 10 }, { "11", true, 10, 11 },
	{ "12", true, 10, 11 }, { "99999999999999999999999", true, 10, 11 },
	{ "0000000000000000000000000010", true, 10, 10 },
	{ "", false, 10, 0 }, { "-1", false, 10, 0 }, { "+1", false, 10, 0 },
	{ " 1", false, 10, 0 }, { "1x", false, 10, 0 }, { "0x1", false, 10, 0 },
	{ "99x", false, 10, 0 }, { "\xb2", false, 10, 0 },
	{ "7", true, 5, 6 }, { "0", true, 0, 0 }, { "5", true, 0, 1 },
	{ "18446744073709551614", true, UINT64_MAX - 1, UINT64_MAX - 1 },
	{ "18446744073709551615", true, UINT64_MAX - 1, UINT64_MAX },
	{ "18446744073709551616", true, UINT64_MAX - 1, UINT64_MAX },
	{ "184467440737095516150", true, UINT64_MAX - 1, UINT64_MAX },
	{ "9223372036854775808", true, INT64_MAX, UINT64_C(1) << 63 },
};

START_TEST(reads_numbers)
{
	uint64_t out = 4711;
	bool ok = str_number(str_of(numbers[_i].in), numbers[_i].max, &out);

	ck_assert_int_eq(ok, numbers[_i].ok);
	ck_assert_uint_eq(out, ok ? numbers[_i].out : 4711);
}
END_TEST

static const struct {
	struct str in;
	bool utf8;
	const char *safe, *safe7;
} texts[] = {
	{ { "plain", 5 }, true, "plain", "plain" },
	{ { "", 0 }, true, "", "" },
	{ { "a\r\nb\t\0c\x7f", 8 }, true, "a\\x0D\\x0Ab\\x09\\x00c\\x7F",
	    "a\\x0D\\x0Ab\\x09\\x00c\\x7F" },
	{ { "C:\\x0A", 6 }, true, "C:\\x0A", "C:\\x0A" },
	{ { "gr\xc3\xbc\xc3\x9f", 6 }, true, "gr\xc3\xbc\xc3\x9f",
	    "gr\\xC3\\xBC\\xC3\\x9F" },
	{ { "\xe2\x82\xac\xf0\x9f\x98\x80", 7 }, true,
	    "\xe2\x82\xac\xf0\x9f\x98\x80",
	    "\\xE2\\x82\\xAC\\xF0\\x9F\\x98\\x80" },
	{ { "a\xe2\x80\xae" "b", 5 }, true, "a\\xE2\\x80\\xAEb", "a\\xE2\\x80\\xAEb" },	/* backwards from here */
	{ { "\xe2\x80\xa8\xe2\x81\xa9\xd8\x9c", 8 }, true, "\\xE2\\x80\\xA8\\xE2\\x81\\xA9\\xD8\\x9C",
	    "\\xE2\\x80\\xA8\\xE2\\x81\\xA9\\xD8\\x9C" },
	{ { "\xe2\x80\x93\xd8\x9b", 5 }, true, "\xe2\x80\x93\xd8\x9b", "\\xE2\\x80\\x93\\xD8\\x9B" },
	{ { "\xc2\x9b", 2 }, true, "\\xC2\\x9B", "\\xC2\\x9B" },	/* C1: CSI */
	{ { "\xc2\xa0", 2 }, true, "\xc2\xa0", "\\xC2\\xA0" },
	{ { "\xfc" "x", 2 }, false, "\\xFCx", "\\xFCx" },		/* Latin-1 */
	{ { "\xc0\xaf", 2 }, false, "\\xC0\\xAF", "\\xC0\\xAF" },	/* overlong */
	{ { "\xe0\x80\xaf", 3 }, false, "\\xE0\\x80\\xAF", "\\xE0\\x80\\xAF" },
	{ { "\xf0\x8f\xbf\xbf", 4 }, false, "\\xF0\\x8F\\xBF\\xBF",
	    "\\xF0\\x8F\\xBF\\xBF" },
	{ { "\xed\xa0\x80", 3 }, false, "\\xED\\xA0\\x80", "\\xED\\xA0\\x80" },
	{ { "\xf4\x90\x80\x80", 4 }, false, "\\xF4\\x90\\x80\\x80",
	    "\\xF4\\x90\\x80\\x80" },
	{ { "\xf5", 1 }, false, "\\xF5", "\\xF5" },
	{ { "\xc3", 1 }, false, "\\xC3", "\\xC3" },			/* cut */
	{ { "\xe2\x82", 2 }, false, "\\xE2\\x82", "\\xE2\\x82" },
	{ { "\xe2\x82" "A", 3 }, false, "\\xE2\\x82A", "\\xE2\\x82A" },
	{ { "\xed\x9f\xbf\xee\x80\x80", 6 }, true, "\xed\x9f\xbf\xee\x80\x80",
	    "\\xED\\x9F\\xBF\\xEE\\x80\\x80" },
	{ { "\xf4\x8f\xbf\xbf", 4 }, true, "\xf4\x8f\xbf\xbf",
	    "\\xF4\\x8F\\xBF\\xBF" },
};

START_TEST(makes_safe)
{
	struct buf out = { 0 };
	char *copy = malloc(texts[_i].in.n + 1);	/* no NUL to lean on */
	struct str in = { copy, texts[_i].in.n };

	memcpy(copy, texts[_i].in.p, in.n);
	ck_assert_int_eq(str_is_utf8(in), texts[_i].utf8);
	str_safe(&out, in, true);
	ck_assert(str_is(buf_str(&out), texts[_i].safe));
	buf_cut(&out, 0);
	str_safe(&out, in, false);
	ck_assert(str_is(buf_str(&out), texts[_i].safe7));
	ck_assert(str_is_ascii(buf_str(&out)));
	ck_assert(!str_has_control(buf_str(&out)));
	buf_clear(&out);
	free(copy);
}
END_TEST

static const struct {
	const char *in;
	size_t size;
	const char *out;
} fits[] = {
	{ "abc", 4, "abc" }, { "abc", 3, "ab" }, { "abc", 1, "" }, { "", 1, "" },
	{ "a\xc3\xbc", 4, "a\xc3\xbc" }, { "a\xc3\xbc", 3, "a" },
	{ "a\xc3\xbc" "b", 3, "a" }, { "a\nb\xff", 9, "a?b?" },
	{ "\xe2\x82\xac\xe2\x82", 9, "\xe2\x82\xac??" },
	{ "\xc2\x9b", 9, "??" },
};

START_TEST(is_fitted)
{
	char *out = malloc(fits[_i].size);

	str_fit(out, fits[_i].size, str_of(fits[_i].in));
	ck_assert_str_eq(out, fits[_i].out);
	str_fit(out, 0, STR("x"));
	ck_assert_str_eq(out, fits[_i].out);
	free(out);
}
END_TEST

START_TEST(asks)
{
	ck_assert(str_is_ascii(STR("a\n\x7f")));
	ck_assert(!str_is_ascii(STR("a\x80")));
	ck_assert(str_has_control(STR("a\n")));
	ck_assert(str_has_control(STR("\x7f")));
	ck_assert(str_has_control(STR("\0")));
	ck_assert(!str_has_control(STR("a b\xc3\xbc")));
}
END_TEST

#define LOOP(tc, fn, table)                                                    \
	tcase_add_loop_test(tc, fn, 0, (int)(sizeof table / sizeof table[0]))

Suite *test_str(void);
Suite *
test_str(void)
{
	Suite *s = suite_create("test_str");
	TCase *tc = tcase_create("str");

	tcase_add_test(tc, compares);
	LOOP(tc, trims_blanks, trims);
	tcase_add_test(tc, from);
	LOOP(tc, splits_parts, splits);
	LOOP(tc, reads_numbers, numbers);
	LOOP(tc, makes_safe, texts);
	LOOP(tc, is_fitted, fits);
	tcase_add_test(tc, asks);
	suite_add_tcase(s, tc);
	return s;
}
