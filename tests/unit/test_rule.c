/* Which route's upstreams a recipient's mail goes to (CONTRACT.md 2). */
#include "config/config.h"

#include "unit/scratch.h"	/* last: check.h has a macro `fail' */

static const char routes[] =
    "hostname = \"h.example\"\nupstream \"u\" { host = \"127.0.0.1\" auth = \"none\" }\n"
    "route \"0\" { from = {\"a@one.example\", \"*@two.example\"} to = {\"*@x.example\"} upstreams = {\"u\"} }\n"
    "route \"1\" { user = {\"web*\"} from = {\"*@one.example\"} upstreams = {\"u\"} }\n"
    "route \"2\" { to = {\"*@y.example\"} upstreams = {\"u\"} }\n";

static const struct {
	unsigned from;
	const char *sender, *user, *rcpt;
	unsigned want;		/* 3: none */
} cases[] = {
	{ 0, "a@one.example", "web", "r@x.example", 0 },	/* the first counts, though the second matches too */
	{ 0, "a@ONE.example", "app", "r@X.example", 0 },
	{ 0, "A@one.example", "app", "r@x.example", 3 },	/* local parts have their case */
	{ 0, "z@two.example", "", "r@x.example", 0 },
	{ 0, "a@one.example", "web7", "r@z.example", 1 },
	{ 0, "a@one.example", "Web7", "r@z.example", 3 },
	{ 0, "b@one.example", "app", "r@y.example", 2 },
	{ 0, "", "", "r@y.example", 2 },			/* a notification */
	{ 0, "", "", "r@x.example", 3 },
	{ 0, "a@one.example", "web", NULL, 0 },			/* for some recipient */
	{ 1, "a@one.example", "web", NULL, 1 },
	{ 2, "a@one.example", "web", NULL, 2 },
	{ 3, "a@one.example", "web", NULL, 3 },
	{ 0, "b@three.example", "app", NULL, 2 },
};

START_TEST(the_first_that_matches)
{
	struct config_options o = { 0 };
	struct config *c;
	struct why why;

	scratch_write("a.conf", routes);
	o.file = scratch_path("a.conf");
	if (config_load(&c, &o, NULL, NULL, &why) < 0)
		ck_abort_msg("%s", why.text);
	ck_assert_uint_eq(rule_find(c, cases[_i].from, cases[_i].sender, cases[_i].user, cases[_i].rcpt), cases[_i].want);
	config_unref(&c);
}
END_TEST

Suite *test_rule(void);

Suite *
test_rule(void)
{
	Suite *s = suite_create("test_rule");
	TCase *t = tcase_create("rule");

	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_loop_test(t, the_first_that_matches, 0, (int)(sizeof cases / sizeof cases[0]));
	suite_add_tcase(s, t);
	return s;
}
