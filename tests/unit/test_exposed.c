/* New commands from a file that the daemon itself could have written are none (C-06). */
#include "errand/errand.h"

#include "errand/ledger.h"
#include "unit/scratch.h"

#define UP "hostname = \"a.example\"\nupstream \"x\" { host = \"h.example\" username = \"me\" password_command = \"%s\" }\n%s"

static struct config *
load(const char *file, const char *command, const char *rest)
{
	const struct config_options o = { .file = scratch_path(file) };
	char text[512];
	struct config *c;
	struct why why;

	snprintf(text, sizeof text, UP, command, rest);
	scratch_write(file, text);
	ck_assert_msg(config_load(&c, &o, NULL, NULL, &why) == 0, "%s", why.text);
	return c;
}

static const struct {
	const char *how;	/* in the directory */
	const char *ground, *file;
	bool exposed;
} places[] = {
	{ "true", "spool", "etc/conf", false },
	{ "true", ".", "etc/conf", true },
	{ "true", "etc", "etc/conf", true },
	{ "true", "etc/conf", "etc/conf", true },
	{ "mkdir etc/con", "etc/con", "etc/conf", false },
	{ "mv etc spool && ln -s spool/etc etc", "spool", "etc/conf", true },
	{ "mv etc/conf spool && ln -s ../spool/conf etc/conf", "spool", "etc/conf", true },
	{ "ln -s ../etc spool/link", "spool", "spool/link/conf", true },	/* it could lead elsewhere when we look */
	{ "ln -s etc link", "spool", "link/conf", false },
};

START_TEST(where_it_lies)
{
	char *ground, path[512];
	struct names writable = { &ground, 1 };
	struct config *c;

	ck_assert_int_eq(mkdir(scratch_path("etc"), 0755) | mkdir(scratch_path("spool"), 0700), 0);
	c = load("etc/conf", "/bin/echo one", "");
	snprintf(path, sizeof path, "cd %s && %s", scratch_dir, places[_i].how);
	ck_assert_int_eq(system(path), 0);
	ground = realpath(scratch_path(places[_i].ground), NULL);
	ck_assert_uint_eq(c->nconf, 1);
	free(c->files.v[0]);
	c->files.v[0] = strdup(scratch_path(places[_i].file));
	ck_assert((exposed_find(c, &writable) != NULL) == places[_i].exposed);
	config_unref(&c);
	free(ground);
}
END_TEST

static const struct {
	const char *command, *rest;
	bool new;
} changes[] = {
	{ "/bin/echo one", "", false },
	{ "/bin/echo one", "upstream \"y\" { host = \"h.example\" auth = \"none\" }\n", false },
	{ "/bin/echo one", "alert { command = \"/bin/echo one\" }\n", false },
	{ "/bin/echo two", "", true },
	{ "/bin/echo one", "alert { command = \"/bin/sh\" }\n", true },
	{ "/bin/echo one", "include(\"more\")\n", true },
};

START_TEST(what_is_new)
{
	char *ground = NULL;
	struct names writable = { &ground, 1 }, nowhere = { 0 };
	struct config *now, *fresh;
	struct why why = { "" };

	ground = realpath(scratch_dir, NULL);
	scratch_write("more", "upstream \"z\" { host = \"h.example\" username = \"me\" password_command = \"/bin/sh\" }\n");
	now = load("conf", "/bin/echo one", "");
	fresh = load("conf", changes[_i].command, changes[_i].rest);
	ck_assert_int_eq(errand_check(now, fresh, &nowhere, &why), 0);
	ck_assert_int_eq(errand_check(now, fresh, &writable, &why), changes[_i].new ? -1 : 0);
	ck_assert_msg(!changes[_i].new || strstr(why.text, "is new, and the daemon itself may write to this file") != NULL, "%s", why.text);
	config_unref(&now);
	config_unref(&fresh);
	free(ground);
}
END_TEST

Suite *test_exposed(void);

Suite *
test_exposed(void)
{
	Suite *s = suite_create("test_exposed");
	TCase *t = tcase_create("exposed");

	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_loop_test(t, where_it_lies, 0, sizeof places / sizeof places[0]);
	tcase_add_loop_test(t, what_is_new, 0, sizeof changes / sizeof changes[0]);
	suite_add_tcase(s, t);
	return s;
}
