/* New commands from a file that the daemon itself could have written are none (C-06). */
#include "errand/errand.h"

#include "errand/ledger.h"
#include "unit/scratch.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

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
	/* every link on the way: only those who go it meet what lies between (C-06) */
	{ "ln -s ../etc/conf spool/b && ln -s spool/b a", "spool", "a", true },
	{ "ln -s ../etc spool/b && ln -s spool/b a", "spool", "a/conf", true },
	{ "mkdir far && ln -s ../spool/c far/b && ln -s ../etc spool/c && ln -s far/b a", "spool", "a/conf", true },
	{ "ln -s \"$PWD/spool/c\" a && ln -s \"$PWD/etc\" spool/c", "spool", "a/conf", true },
	{ "mkdir far && ln -s ../etc far/b && ln -s far/b a", "spool", "a/conf", false },
	{ "mkdir spool/d && ln -s spool/d a", "spool", "a/../../etc/conf", true },
	{ "true", "spool", "spool/../etc/conf", false },	/* nothing is looked up there */
	{ "rm etc/conf", "spool", "etc/conf", true },		/* whatever it was when it was read */
	{ "ln -sf conf etc/conf", "spool", "etc/conf", true },
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

/* One directory by two names, of which the sandbox allows only one; or one file (C-06). */
static const struct {
	const char *how, *ground;
	bool exposed;
} mounted[] = {
	{ "mkdir spool/sub && mv etc/conf spool/sub && mount --bind spool/sub etc", "spool", true },
	{ "mkdir spool/sub && mv etc/conf spool/sub && mount --bind spool etc && ln -s sub/conf etc/conf", "spool", true },
	{ "mkdir spool/sub && mount --bind etc spool/sub", "spool", true },
	{ "mkdir spool/sub spool/sub/etc && mount --bind . spool/sub", "spool", true },
	{ "mount --bind etc/conf etc/conf", "spool", false },
	{ "mount --bind spool spool && mount --bind etc etc", "spool", false },
	{ "mkdir far && mount --bind far spool", "spool", false },
	{ "mv etc/conf spool && touch etc/conf && mount --bind spool/conf etc/conf", "spool", true },
	{ "ln etc/conf spool/second", "spool", true },
};

START_TEST(by_another_name)
{
	char *ground, path[512];
	struct names writable = { &ground, 1 };
	struct config *c;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return;
	ck_assert_int_eq(mkdir(scratch_path("etc"), 0755) | mkdir(scratch_path("spool"), 0700), 0);
	c = load("etc/conf", "/bin/echo one", "");
	snprintf(path, sizeof path, "cd %s && %s", scratch_dir, mounted[_i].how);
	ck_assert_int_eq(system(path), 0);
	ground = realpath(scratch_path(mounted[_i].ground), NULL);
	ck_assert((exposed_find(c, &writable) != NULL) == mounted[_i].exposed);
	config_unref(&c);
	free(ground);
	snprintf(path, sizeof path, "cd %s && umount -Rq etc spool; umount -q etc/conf", scratch_dir);
	(void)!system(path);
}
END_TEST

/* The modes, for one who is not root: the daemon's user is `nobody', and the ground is all of the directory. */
static const struct {
	const char *how;
	bool exposed;
} modes[] = {
	{ "true", false },
	{ "chmod 644 etc/conf", false },
	{ "chmod 664 etc/conf && chgrp nogroup etc/conf", true },
	{ "chmod 646 etc/conf", true },
	{ "chown nobody etc/conf && chmod 444 etc/conf", true },
	{ "chmod 777 etc", true },
	{ "chgrp nogroup etc && chmod 775 etc", true },
	{ "chown nobody etc && chmod 500 etc", true },	/* it may change that */
	{ "chmod 1777 etc", false },			/* as /tmp */
	{ "chmod 1777 etc && mv etc/conf other && ln -s ../other etc/conf", false },
	{ "chmod 1777 etc && mv etc/conf other && ln -s ../other etc/conf && chown -h nobody etc/conf", true },
	{ "chown nobody etc && chmod 1755 etc", true },
};

START_TEST(what_its_user_may)
{
	char *ground, command[512];
	struct names writable = { &ground, 1 };
	struct config *c;
	bool exposed;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(chmod(scratch_dir, 0755) | mkdir(scratch_path("etc"), 0755), 0);
	c = load("etc/conf", "/bin/echo one", "");
	snprintf(command, sizeof command, "cd %s && chmod 755 etc && chmod 644 etc/conf && %s", scratch_dir, modes[_i].how);
	ck_assert_int_eq(system(command), 0);
	ground = realpath(scratch_dir, NULL);
	ck_assert_int_eq(setgroups(0, NULL) | setresgid(65534, 65534, 0) | setresuid(65534, 65534, 0), 0);
	exposed = exposed_find(c, &writable) != NULL;
	ck_assert_int_eq(setresuid(0, 0, 0) | setresgid(0, 0, 0), 0);
	ck_assert(exposed == modes[_i].exposed);
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
	tcase_add_loop_test(t, by_another_name, 0, sizeof mounted / sizeof mounted[0]);
	tcase_add_loop_test(t, what_its_user_may, 0, sizeof modes / sizeof modes[0]);
	tcase_add_loop_test(t, what_is_new, 0, sizeof changes / sizeof changes[0]);
	suite_add_tcase(s, t);
	return s;
}
