/* Tables for people, and the lines of `gatepost queue' in one. */
#include "command/table.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "command/list.h"

START_TEST(aligns)
{
	struct table t;
	struct buf out = { 0 };

	table_init(&t, 3, 2, false);
	table_put(&t, TINT_GOOD, "a");
	table_put(&t, TINT_NONE, "bb");
	table_put(&t, TINT_NONE, "the end");
	table_put(&t, TINT_NONE, "l\xc3\xa4nger");	/* seven octets, six places */
	table_put(&t, TINT_NONE, "");
	table_put(&t, TINT_NONE, "x");
	table_put(&t, TINT_NONE, "only");
	table_put(&t, TINT_NONE, "");
	table_put(&t, TINT_NONE, "");
	table_row(&t, TINT_NONE, "a line as long as it likes");
	table_print(&t, &out);
	ck_assert_str_eq(out.data, "  a       bb  the end\n  l\xc3\xa4nger      x\n  only\n"
	    "      a line as long as it likes\n");
	/* The next part keeps the widths. */
	buf_cut(&out, 0);
	table_put(&t, TINT_NONE, "b");
	table_putf(&t, TINT_NONE, "%d", 7);
	table_put(&t, TINT_NONE, "c");
	table_print(&t, &out);
	ck_assert_str_eq(out.data, "  b       7   c\n");
	buf_clear(&out);
	table_clear(&t);
}
END_TEST

/* What strangers wrote reaches the terminal as text: no escape sequence, no new line. */
/* Nothing is cut off where it does not fit, and all rows are broken alike. */
static const struct { unsigned screen; const char *out; } screens[] = {
	{ 0, "  id-1   a@b.example          some words that go on and on\n"
	    "  id-22  longer@address.test  y\n"
	    "      a line across all of it, of some length\n" },
	{ 80, "  id-1   a@b.example          some words that go on and on\n"
	    "  id-22  longer@address.test  y\n"
	    "      a line across all of it, of some length\n" },
	{ 30, "  id-1   a@b.example\n"
	    "      some words that go on\n"
	    "      and on\n"
	    "  id-22  longer@address.test\n"
	    "      y\n"
	    "      a line across all of it,\n"
	    "      of some length\n" },
	{ 22, "  id-1\n"
	    "      a@b.example\n"
	    "      some words that\n"
	    "      go on and on\n"
	    "  id-22\n"
	    "      longer@address.test\n"	/* a word is never broken */
	    "      y\n"
	    "      a line across\n"
	    "      all of it, of\n"
	    "      some length\n" },
};

START_TEST(fits_the_screen)
{
	struct buf out = { 0 };
	struct table t;

	table_init(&t, 3, 2, false);
	t.screen = screens[_i].screen;
	table_put(&t, TINT_NONE, "id-1");
	table_put(&t, TINT_NONE, "a@b.example");
	table_put(&t, TINT_NONE, "some words that go on and on");
	table_put(&t, TINT_NONE, "id-22");
	table_put(&t, TINT_NONE, "longer@address.test");
	table_put(&t, TINT_NONE, "y");
	table_row(&t, TINT_NONE, "a line across all of it, of some length");
	table_print(&t, &out);
	buf_putc(&out, '\0');
	ck_assert_str_eq(out.data, screens[_i].out);
	buf_clear(&out);
	table_clear(&t);
}
END_TEST

START_TEST(harmless)
{
	struct table t;
	struct buf out = { 0 };

	table_init(&t, 2, 0, true);
	table_put(&t, TINT_BAD, "\033[2J\r\n");
	table_put(&t, TINT_NONE, "\xff" "b");
	table_print(&t, &out);
	ck_assert_str_eq(out.data, "\033[31m\\x1B[2J\\x0D\\x0A\033[0m  \\xFFb\n");
	buf_clear(&out);
	table_clear(&t);
}
END_TEST

static const struct {
	uint64_t octets;
	const char *text;
} sizes[] = {
	{ 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1.0 KB" }, { 1536, "1.5 KB" }, { 102400, "100 KB" },
	{ 1048575, "1.0 MB" }, { 52428800, "50.0 MB" }, { UINT64_MAX, "16777216 TB" },
};

START_TEST(prints_sizes)
{
	char text[32];

	table_size(text, sizeof text, sizes[_i].octets);
	ck_assert_str_eq(text, sizes[_i].text);
}
END_TEST

static const struct {
	const char *message, *lines;
} messages[] = {
	{ "{\"id\":\"A\",\"from\":\"a@x\",\"to\":[\"b@y\"],\"size\":4096,\"age_s\":7200,\"state\":\"deferred\","
	  "\"attempts\":3,\"next_attempt_s\":180,\"reason\":\"421 4.7.0 later\"}",
	  "A  2 h  4.0 KB  deferred  in 3 min  a@x  b@y\n    421 4.7.0 later\n" },
	{ "{\"id\":\"A\",\"from\":\"\",\"to\":[\"b@y\",\"c@y\",\"d@y\"],\"size\":10,\"age_s\":1,\"state\":\"active\","
	  "\"attempts\":0,\"next_attempt_s\":-1,\"reason\":\"\"}",
	  "A  1 s  10 B  active  now  <>  b@y and 2 more\n" },
	{ "{\"id\":\"A\",\"from\":\"a@x\",\"to\":[],\"size\":10,\"age_s\":1,\"state\":\"held\","
	  "\"attempts\":0,\"next_attempt_s\":-1,\"reason\":\"\"}",
	  "A  1 s  10 B  held  -  a@x  ?\n" },
	{ "{\"id\":\"A\",\"from\":\"a@x\",\"to\":[\"b@y\"],\"size\":10,\"age_s\":1,\"state\":\"deferred\","
	  "\"attempts\":0,\"next_attempt_s\":0,\"reason\":\"\"}",
	  "A  1 s  10 B  deferred  due  a@x  b@y\n" },
};

START_TEST(lists)
{
	json_t *doc = json_loads(messages[_i].message, 0, NULL);
	struct buf out = { 0 };
	struct table t;

	table_init(&t, LIST_COLUMNS, 0, false);
	list_row(&t, doc);
	table_print(&t, &out);
	ck_assert_str_eq(out.data, messages[_i].lines);
	table_clear(&t);
	buf_clear(&out);
	json_decref(doc);
}
END_TEST

START_TEST(wants_no_colour)
{
	/* Standard output of a test is no terminal; with one, NO_COLOR decides. */
	setenv("NO_COLOR", "1", 1);
	ck_assert(!table_wants_colour());
}
END_TEST

Suite *test_table(void);

Suite *
test_table(void)
{
	Suite *s = suite_create("test_table");
	TCase *t = tcase_create("table");

	tcase_add_test(t, aligns);
	tcase_add_test(t, harmless);
	tcase_add_test(t, wants_no_colour);
	tcase_add_loop_test(t, fits_the_screen, 0, sizeof screens / sizeof screens[0]);
	tcase_add_loop_test(t, prints_sizes, 0, sizeof sizes / sizeof sizes[0]);
	tcase_add_loop_test(t, lists, 0, sizeof messages / sizeof messages[0]);
	suite_add_tcase(s, t);
	return s;
}
