/* Reading a file with what it includes: one text, and where all of it came from. */
#include "config/include.h"

#include "unit/scratch.h"

/* The text that libconfuse would get. */
static const struct {
	const char *file, *want;
} texts[] = {
	{ "", "" },
	{ "a = 1", "\"a\" =\"1\" " },
	{ "# c\n\na = 1 # d\n/* x\n*/ b = \"${V}\"\n",
	    "\"a\" =\"1\" \n\"b\" =\"v \\x22\\x5c\\x24\\x0a\\xc3\" " },
	{ "s \"t\" {\nl = {a, 'b c'}\n}\n",
	    "\"s\" \"t\" {\n\"l\" ={\"a\" ,\"b c\" }\n}" },
	{ "include(\"sub/one\")\nc = 3", "\"one\" =\"1\" \n\"two\" =\"2\" \n\"c\" =\"3\" " },
	{ "s { include('in')\n}", "\"s\" {\n\"a\" =\"1\" \n}" },
};

static void
files(void)
{
	scratch_make();
	setenv("V", "v \"\\$\n\xc3", 1);
	unsetenv("UNSET");
	ck_assert_int_eq(mkdir(scratch_path("sub"), 0700), 0);
	scratch_write("sub/one", "one = 1\ninclude(\"two\")");
	scratch_write("sub/two", "two = 2");
	scratch_write("in", "a = 1");
	scratch_write("open", "s {");
	scratch_write("close", "}");
	scratch_write("self", "\ninclude(self)");
	scratch_write("bad", "\n\nx = \"");
	scratch_write("deep", "\ninclude(none)");
}

START_TEST(text)
{
	struct include *in;
	struct why why;

	ck_assert_msg(include_read(&in, scratch_write("f", texts[_i].file),
	    &why) == 0, "%s", why.text);
	ck_assert_str_eq(in->text.len > 0 ? in->text.data : "", texts[_i].want);
	include_free(&in);
	ck_assert_ptr_null(in);
}
END_TEST

static const struct {
	const char *file;
	const char *why;	/* behind the directory's name */
} refused[] = {
	{ "a = 1\nb = 2\na = 3", "f:3: a: given twice, first at " },
	{ "a = 1\na = 1", "f:2: a: given twice" },
	{ "l = {}\nl = {x}", "f:2: l: given twice" },
	{ "log { a = 1 }\nlog { b = 2 }", "f:2: log: given twice" },
	{ "route x { a = 1 }\nroute y { a = 1 }\nroute x { }", "f:3: route: `x' given twice" },
	{ "log { a = 1\na = 2 }", "f:2: a: given twice" },
	{ "a = 1\ninclude(in)", "in:1: a: given twice, first at " },
	{ "include(in)\ninclude(in)", "in:1: a: given twice" },
	{ "\n\nuser = ${UNSET}", "f:3: user: ${UNSET} is not set; set it" },
	{ "a = 1 }", "f:1: a } without its {; remove it" },
	{ "s {\n a = 1\n", "f:1: s: the section is not closed; add a }" },
	{ "s {\ninclude(close)", "close:1: a } without its {" },
	{ "include(open)\n}", "open:1: s: the section is not closed" },
	{ "a =", "f:1: a: the file ends before its value" },
	{ "a", "f:1: the file ends before its value" },
	{ "a = {x", "f:1: a: the file ends before its value" },
	{ "A = 1", "f:1: `A' is not the name of an option" },
	{ "\"a|b\" = 1", "f:1: what stands here is not the name of an option" },
	{ "\"\" = 1", "f:1: what stands here is not the name of an option" },
	{ "include", "f:1: include: the file ends before its value" },
	{ "include = 3", "f:1: include: wants one file; write include(\"FILE\")" },
	{ "include(a, b)", "f:1: include: wants one file" },
	{ "include(\"\")", "f:1: include: wants one file" },
	{ "include \"x\" {}", "f:1: include: wants one file" },
	{ "\ninclude(none)", "f:2: include: " },
	{ "include(sub)", "f:1: include: " },
	{ "include(deep)", "deep:2: include: " },
	{ "include(self)", "self:2: include: more than 10 deep; does a file include "
	    "itself?" },
	{ "a = 1\ninclude(bad)", "bad:3: x: no closing \" on this line; add it" },
};

START_TEST(refuses)
{
	struct include *in = NULL;
	struct why why = { "" };
	char want[256];

	snprintf(want, sizeof want, "%s/%s", scratch_dir, refused[_i].why);
	ck_assert_int_eq(include_read(&in, scratch_write("f", refused[_i].file),
	    &why), -1);
	ck_assert_msg(strncmp(why.text, want, strlen(want)) == 0, "%s", why.text);
	ck_assert_ptr_null(in);
}
END_TEST

START_TEST(refuses_nul)
{
	struct include *in = NULL;
	struct why why;

	ck_assert_int_eq(include_read(&in, scratch_write_n("f", "a = 1\nb = \0 2", 12,
	    0600), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "f:2: a NUL octet"));
}
END_TEST

/* Too many and too long end in a reason, soon. */
START_TEST(bounds)
{
	struct include *in = NULL;
	struct why why;
	struct buf b = { 0 };

	for (unsigned i = 0; i < 10001; i++)
		buf_printf(&b, "a%u=1\n", i);
	scratch_write_n("f", b.data, b.len, 0600);
	ck_assert_int_eq(include_read(&in, scratch_path("f"), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "f:10000: a9999: more than 10000"));
	memset(buf_room(&b, 5 << 20), '#', 5 << 20);
	scratch_write_n("f", b.data, 5 << 20, 0600);
	ck_assert_int_eq(include_read(&in, scratch_path("f"), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "longer than 4194304 octets"));
	buf_clear(&b);
	ck_assert_int_eq(include_read(&in, scratch_path("none"), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "none: cannot be opened: No such file "
	    "or directory; create it"));
}
END_TEST

START_TEST(places)
{
	struct include *in;
	const struct place *top, *s, *a;
	struct why why;

	scratch_write("f", "x = 1\nroute \"t\" {\n  include(in)\n}\n\nroute \"u\" { a = 2 }\n");
	ck_assert_int_eq(include_read(&in, scratch_path("f"), &why), 0);
	top = &in->place[0];
	ck_assert_uint_eq(include_find(in, top, "x", NULL)->line, 1);
	ck_assert_ptr_null(include_find(in, top, "a", NULL));
	ck_assert_ptr_null(include_find(in, top, "route", NULL));
	ck_assert_ptr_null(include_find(in, top, "route", ""));
	s = include_find(in, top, "route", "t");
	ck_assert_uint_eq(s->line, 2);
	a = include_find(in, s, "a", NULL);
	ck_assert_uint_eq(a->line, 1);
	ck_assert_str_eq(in->file[a->file].path, scratch_path("in"));
	ck_assert_str_eq(in->file[a->file].dir, scratch_dir);
	s = include_find(in, top, "route", "u");
	ck_assert_uint_eq(include_find(in, s, "a", NULL)->line, 6);
	ck_assert_int_eq(include_blame(in, s, "host", &why, "is %s; add it", "missing"), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "f:6: host: is missing; add it"));
	include_blame_line(in, 3, &why, "x");
	ck_assert_ptr_nonnull(strstr(why.text, "in:1: x"));
	include_blame_line(in, 999, &why, "x");
	ck_assert_ptr_nonnull(strstr(why.text, "f:6: x"));
	include_free(&in);
}
END_TEST

Suite *test_include(void);

Suite *
test_include(void)
{
	Suite *s = suite_create("test_include");
	TCase *t = tcase_create("include");

	tcase_add_checked_fixture(t, files, scratch_remove);
	tcase_add_loop_test(t, text, 0, sizeof texts / sizeof texts[0]);
	tcase_add_loop_test(t, refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(t, refuses_nul);
	tcase_add_test(t, bounds);
	tcase_add_test(t, places);
	suite_add_tcase(s, t);
	return s;
}
