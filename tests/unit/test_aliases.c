/* mail/aliases: what a file says in the end, and what it may not say. */
#include "unit/bytes.h"

#include <string.h>

#include "mail/aliases.h"

Suite *test_aliases(void);

/* The final addresses of a name, joined by blanks. */
static void
ends(const struct aliases *a, const char *name, const char *want)
{
	const char *const *v = aliases_find(a, str_of(name));
	struct buf b = { 0 };

	if (v == NULL)
		buf_puts(&b, "none");
	else
		for (; *v != NULL; v++)
			buf_printf(&b, "%s%s", b.len > 0 ? " " : "", *v);
	bytes_eq(buf_str(&b), str_of(want));
	buf_clear(&b);
}

START_TEST(follows)
{
	struct aliases *a;
	struct why why = { "" };

	ck_assert_msg(aliases_parse(&a, "aliases", STR(
	    "# comment: x\n"
	    "\n"
	    "Postmaster:  root\r\n"
	    "root: admin, Ops@Example.com,\n"
	    "\t# between\n"
	    "\n"
	    "  \"a, b\"@x.example,\n"
	    "\tops@example.com , Ops@example.COM\n"
	    "admin : me@x.example\n"
	    "www-data: nobody\n"
	    "cron: Admin@LocalHost, nobody@localhost\n"
	    "last:root,admin"), &why) == 0, "%s", why.text);
	ends(a, "root", "me@x.example Ops@Example.com \"a, b\"@x.example ops@example.com");
	ends(a, "POSTMASTER", "me@x.example Ops@Example.com \"a, b\"@x.example ops@example.com");
	ends(a, "www-data", "nobody");
	ends(a, "last", "me@x.example Ops@Example.com \"a, b\"@x.example ops@example.com");
	ends(a, "nobody", "none");
	ends(a, "cron", "me@x.example nobody@localhost");
	ends(a, "", "none");
	ck_assert_ptr_null(aliases_find(a, STR("roo")));
	aliases_free(&a);
	ck_assert_ptr_null(a);
	aliases_free(&a);
	ck_assert_int_eq(aliases_parse(&a, "aliases", STR(""), NULL), 0);
	ends(a, "root", "none");
	aliases_free(&a);
}
END_TEST

static const struct {
	struct str text;
	const char *why;	/* the sentence has this */
} wrong[] = {
	{ STR("a: b@c\nroot: |/bin/cat\n"), "F:2: |/bin/cat: only addresses" },
	{ STR("root: \"|cmd a, b\"\n"), "F:1: \"|cmd a, b\": only addresses" },
	{ STR("root: /var/mail/x\n"), "F:1: /var/mail/x: only addresses" },
	{ STR("root: :include:/etc/x\n"), "F:1: :include:/etc/x: only addresses" },
	{ STR("root: a b@c\n"), "F:1: \"a b@c\" is no address" },
	{ STR("root: \\root\n"), "is no address" },
	{ STR("root: <a@b>\n"), "is no address" },
	{ STR("root: a@b\x01\n"), "is no address" },
	{ STR("root:\n"), "F:1: \"root\" names nobody" },
	{ STR("root: , ,\n"), "F:1: \"root\" names nobody" },
	{ STR("root\n"), "F:1: a line is" },
	{ STR("a@b: c@d\n"), "F:1: \"a@b\" is no local name" },
	{ STR(": c@d\n"), "is no local name" },
	{ STR("\n  x@y\n"), "F:2: a continuation of nothing" },
	{ STR("root: a@b\nx: c@d\nROOT: e@f\n"), "F:3: \"root\" already stands in line 1" },
	{ STR("root: root\n"), "F:1: \"root\" leads back to itself" },
	{ STR("a: b\nb: c, x@y\nc: A\n"), "leads back to itself" },
	{ STR("a0:a1\na1:a2\na2:a3\na3:a4\na4:a5\na5:a6\na6:a7\na7:a8\na8:a9\n"
	    "a9:b0\nb0:x@y\n"), "is more than 10 aliases deep" },
	{ STR("b0:x@y\na9:b0\na8:a9\na7:a8\na6:a7\na5:a6\na4:a5\na3:a4\na2:a3\n"
	    "a1:a2\na0:a1\n"), "is more than 10 aliases deep" },
	{ STR("z0:x@y\nz1:z0\nz2:z1\nz3:z2\nz4:z3\nz5:z4\nz6:z5\nz7:z6\nz8:z7\n"
	    "z9:z8\na:z9\n"), "is more than 10 aliases deep" },
	{ STR("a0:x@y\na1:a0\na2:a1\na3:a2\na4:a3\na5:a4\na6:a5\na7:a6\na8:a7\n"
	    "a9:a8\nb:a9\n"), "is more than 10 aliases deep" },	/* known already when it is asked for */
	{ STR("root: admin@localhost\nadmin: root\n"), "leads back to itself" },
	{ STR("root: a@b\0c\n"), "is no address" },
};

START_TEST(refused)
{
	struct aliases *a = NULL;
	struct why why = { "" };

	ck_assert_int_eq(aliases_parse(&a, "F", wrong[_i].text, &why), -1);
	ck_assert_msg(strstr(why.text, wrong[_i].why) != NULL, "got \"%s\", want \"%s\"",
	    why.text, wrong[_i].why);
}
END_TEST

START_TEST(ten_deep)
{
	struct aliases *a;

	ck_assert_int_eq(aliases_parse(&a, "F", STR("a1:a2\na2:a3\na3:a4\na4:a5\n"
	    "a5:a6\na6:a7\na7:a8\na8:a9\na9:b0\nb0:x@y\n"), NULL), 0);
	ends(a, "a1", "x@y");
	aliases_free(&a);
}
END_TEST

/* Ten levels of ten, each name of the next level ten times over: still one address. */
START_TEST(explosion)
{
	struct buf b = { 0 };
	struct aliases *a;

	for (int level = 0; level < 10; level++)
		for (int i = 0; i < 10; i++) {
			buf_printf(&b, "n%d%d:", level, i);
			for (int k = 0; k < 10; k++)
				if (level < 9)
					buf_printf(&b, "%s n%d%d", k > 0 ? "," : "", level + 1, k);
			buf_puts(&b, level < 9 ? "\n" : " x@y\n");
		}
	ck_assert_int_eq(aliases_parse(&a, "F", buf_str(&b), NULL), 0);
	ends(a, "n00", "x@y");
	aliases_free(&a);
	buf_clear(&b);
}
END_TEST

Suite *
test_aliases(void)
{
	Suite *s = suite_create("test_aliases");
	TCase *t = tcase_create("aliases");

	tcase_add_test(t, follows);
	tcase_add_loop_test(t, refused, 0, sizeof wrong / sizeof wrong[0]);
	tcase_add_test(t, ten_deep);
	tcase_add_test(t, explosion);
	suite_add_tcase(s, t);
	return s;
}
