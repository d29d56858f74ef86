/* mail/pattern: CONTRACT.md 2, "Patterns". */
#include "unit/bytes.h"

#include <string.h>

#include "mail/pattern.h"

Suite *test_pattern(void);

static const struct {
	const char *pattern, *text;
	bool match;
} cases[] = {
	{ "a@b.example", "a@b.example", true },
	{ "a@b.example", "a@B.EXAMPLE", true },
	{ "a@B.Example", "a@b.example", true },
	{ "A@b.example", "a@b.example", false },
	{ "*@b.example", "anything.at-all@b.example", true },
	{ "*@b.example", "@b.example", true },
	{ "*@b.example", "a@x.b.example", false },
	{ "*@*.example", "a@b.example", true },
	{ "*@*", "a@b", true },
	{ "*", "a@b", false },
	{ "*", "root", true },
	{ "*", "", true },
	{ "", "", true },
	{ "", "a", false },
	{ "a*b*c@x", "aXbYbZc@x", true },
	{ "a*b*c@x", "aXcYb@x", false },
	{ "a?c@x", "abc@x", true },
	{ "a?c@x", "ac@x", false },
	{ "a?c@x", "a\xc3\xb6" "c@x", true },
	{ "a?c@x", "a\xff" "c@x", true },
	{ "a?b", "a@b", false },
	{ "a*b", "a@b", false },
	{ "*@x", "\"a@b\"@x", false },
	{ "\"a@b\"@X", "\"a@b\"@x", true },
	{ "\"a@b\"", "\"a@b\"", true },
	{ "app", "app", true },
	{ "app", "App", false },
	{ "app", "app@x", false },
	{ "app@x", "app", false },
	{ "*@x.example", "me@x.example@evil.example", false },
	{ "**@x", "abc@x", true },
	{ "*a@x", "ba@x", true },
	{ "*ab@x", "aab@x", true },
	{ "[ab]@x", "a@x", false },
	{ "u@[192.0.2.1]", "u@[192.0.2.1]", true },
	{ "u@[192.0.2.*]", "u@[192.0.2.1]", true },
};

START_TEST(one)
{
	ck_assert_int_eq(pattern_match(str_of(cases[_i].pattern),
	    str_of(cases[_i].text)), cases[_i].match);
}
END_TEST

START_TEST(list)
{
	ck_assert(pattern_match_list(STR("a@b, *@c ,d@e"), STR("x@c")));
	ck_assert(pattern_match_list(STR(" a@b"), STR("a@b")));
	ck_assert(pattern_match_list(STR("a@b,\td@e\t"), STR("d@e")));
	ck_assert(!pattern_match_list(STR("a@b,,*@c"), STR("x@d")));
	ck_assert(!pattern_match_list(STR(""), STR("x@d")));
	ck_assert(!pattern_match_list(STR(",, ,"), STR("")));
}
END_TEST

/* Stars without end against text that nearly fits: no time lost. */
START_TEST(hostile)
{
	char pattern[201], text[4001];

	for (size_t i = 0; i < sizeof pattern - 1; i++)
		pattern[i] = i % 2 == 0 ? '*' : 'a';
	memset(text, 'a', sizeof text);
	pattern[sizeof pattern - 2] = 'b';
	pattern[sizeof pattern - 1] = text[sizeof text - 1] = '\0';
	ck_assert(!pattern_match(str_of(pattern), str_of(text)));
}
END_TEST

Suite *
test_pattern(void)
{
	Suite *s = suite_create("test_pattern");
	TCase *t = tcase_create("pattern");

	tcase_add_loop_test(t, one, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, list);
	tcase_add_test(t, hostile);
	suite_add_tcase(s, t);
	return s;
}
