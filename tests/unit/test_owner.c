/* Whose place a file lies in, and that nobody leads us elsewhere from then on (C-30).  As root, and each as a process of its own. */
#include "command/owner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"

#include <check.h>	/* last: it defines fail() */

enum { SOMEBODY = 65534 };

static void
shell(const char *command)
{
	char line[600];

	snprintf(line, sizeof line, "cd %s && %s", scratch_dir, command);
	ck_assert_msg(system(line) == 0, "%s", line);
}

static const struct {
	const char *how;	/* the place; home belongs to somebody else, the rest to root */
	const char *file;
	bool state;
	uid_t uid;		/* who we are then */
	const char *said;	/* NULL: that it went well */
} places[] = {
	{ "true", "root/users", false, 0, NULL },
	{ "true", "home/users", false, SOMEBODY, NULL },
	{ "true", "home/missing", false, SOMEBODY, NULL },
	{ "true", "home/no/users", false, 0, "home/no/users: No such file or directory; create its directory" },
	{ "true", "home/of_root/users", false, 0, NULL },	/* it may be exchanged until we are in it, and not from then on */
	{ "ln -s ../root/users home/link && chown -h nobody home/link", "home/link", false, SOMEBODY, "only who may enter" },
	{ "ln -s ../root home/link && chown -h nobody home/link", "home/link/users", false, SOMEBODY, "only who may enter" },
	{ "ln -s home/users link", "link", false, SOMEBODY, NULL },
	{ "ln -s home/new link", "link", false, SOMEBODY, NULL },	/* which is missing */
	{ "ln -s link link", "link", false, 0, "Too many levels of symbolic links" },
	{ "true", "root/users", true, SOMEBODY, "only who may enter" },	/* --state home, or its configuration's owner */
};

static int
enter(int i)
{
	struct config c = { .is_state_dir = places[i].state };
	char file[200], *name;
	struct why why;

	c.file = strdup(scratch_path("home/gatepost.conf"));
	snprintf(file, sizeof file, "%s", scratch_path(places[i].file));
	if (owner_enter(&c, file, &name, &why) < 0)
		return places[i].said != NULL && strstr(why.text, places[i].said) != NULL ? 0 : (fprintf(stderr, "%s\n", why.text), 1);
	if (places[i].said != NULL || geteuid() != places[i].uid || getuid() != places[i].uid || strchr(name, '/') != NULL)
		return 2;
	return access(name, F_OK) == 0 || errno == ENOENT ? 0 : 3;
}

/* What the child says with its end. */
static void
in_a_child(int (*fn)(int), int i)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn(i));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
}

static void
setup(void)
{
	scratch_make();
	shell("chmod 711 . && mkdir root home home/of_root && chmod 700 root home home/of_root && "
	    "touch root/users home/users home/of_root/users && chown nobody home home/users");
}

START_TEST(whose_place_it_is)
{
	if (geteuid() != 0)
		return;
	shell(places[_i].how);
	in_a_child(enter, _i);
}
END_TEST

static int
be_led_astray(int i)
{
	struct config c = { 0 };
	char file[200], *name;
	struct why why;

	(void)i;
	snprintf(file, sizeof file, "%s", scratch_path("home/of_root/users"));
	if (owner_enter(&c, file, &name, &why) < 0)
		return 1;
	if (rename(scratch_path("home/of_root"), scratch_path("home/away")) < 0 ||
	    symlink(scratch_path("root"), scratch_path("home/of_root")) < 0)
		return 2;
	return users_set(name, "app", "x", &why) == 0 ? 0 : 3;
}

START_TEST(exchanged_behind_us)
{
	if (geteuid() != 0)
		return;
	in_a_child(be_led_astray, 0);
	shell("test ! -s root/users && grep -q '^app:' home/away/users && test $(ls root | wc -l) = 1");
}
END_TEST

/* The configuration was somebody's when it was read, whatever lies there now. */
static int
believe(int i)
{
	struct config c = { .is_state_dir = true, .owner = SOMEBODY };
	char file[200], *name;
	struct why why;

	(void)i;
	c.file = strdup(scratch_path("root/gatepost.conf"));
	snprintf(file, sizeof file, "%s", scratch_path("root/users"));
	return owner_enter(&c, file, &name, &why) < 0 && geteuid() == SOMEBODY ? 0 : 1;
}

START_TEST(whose_configuration_it_was)
{
	if (geteuid() == 0)
		in_a_child(believe, 0);
}
END_TEST

Suite *test_owner(void);

Suite *
test_owner(void)
{
	Suite *s = suite_create("test_owner");
	TCase *t = tcase_create("owner");

	tcase_add_checked_fixture(t, setup, scratch_remove);
	tcase_add_loop_test(t, whose_place_it_is, 0, (int)(sizeof places / sizeof places[0]));
	tcase_add_test(t, exchanged_behind_us);
	tcase_add_test(t, whose_configuration_it_was);
	suite_add_tcase(s, t);
	return s;
}
