/* Files that somebody else could write, replace or read (C-30, C-32). */
#include "config/guard.h"

#include "unit/scratch.h"

#include <limits.h>

static const struct {
	mode_t dir, file;
	const char *writers, *readers;	/* what is said of them, or NULL */
} modes[] = {
	{ 0700, 0600, NULL, NULL },
	{ 0755, 0640, NULL, NULL },
	{ 0755, 0660, NULL, NULL },		/* the group was chosen */
	{ 0755, 0644, NULL, "others can read it (mode 644)" },
	{ 0755, 0646, "anybody can write it (mode 646); chmod o-w it", "others can read it" },
	{ 0755, 0602, "anybody can write it (mode 602)", "others can read it" },
	{ 0757, 0600, "anybody can put another in its place; chmod o-w /tmp/gatepost-test.", NULL },
	{ 0777, 0640, "anybody can put another in its place", NULL },
	{ 01777, 0640, NULL, NULL },		/* as /tmp, and secrets of Kubernetes */
	{ 02775, 0440, NULL, NULL },
};

static void
expect(int result, const struct why *why, const char *said)
{
	ck_assert_msg(result == (said != NULL ? -1 : 0), "%s", why->text);
	ck_assert_msg(said == NULL || strstr(why->text, said) != NULL, "%s", why->text);
}

START_TEST(others)
{
	const char *path = scratch_path("dir/file");
	struct why why = { "" };
	struct stat st;

	unsetenv("CREDENTIALS_DIRECTORY");
	ck_assert_int_eq(mkdir(scratch_path("dir"), 0700), 0);
	scratch_write_n("dir/file", "x", 1, modes[_i].file);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(chmod(scratch_path("dir"), modes[_i].dir), 0);
	expect(guard_writers(path, &st, &why), &why, modes[_i].writers);
	expect(guard_readers(path, &st, &why), &why, modes[_i].readers);
	setenv("CREDENTIALS_DIRECTORY", scratch_path("dir"), 1);
	expect(guard_writers(path, &st, &why), &why, NULL);
	expect(guard_readers(path, &st, &why), &why, NULL);
	unsetenv("CREDENTIALS_DIRECTORY");
}
END_TEST

/* The way to `file', which is made so. */
static const struct {
	const char *how, *said;
} ways[] = {
	{ "mkdir -p a/b && touch a/b/f && ln -s a/b/f file", NULL },
	{ "mkdir -p a/b && touch a/b/f && chmod 777 a && ln -s a/b/f file", "/a (mode 777)" },
	{ "mkdir -p a/b && touch a/b/f && chmod 1777 a && ln -s a/b/f file", NULL },
	{ "mkdir -p a/b && touch a/b/f && chmod 2772 a/b && ln -s a/b/f file", "/a/b (mode 2772)" },
	{ "mkdir a b && touch a/f && ln -s ../a/f b/l && ln -s b/l file", NULL },
	{ "mkdir a b && touch a/f && ln -s ../a/f b/l && ln -s b/l file && chmod 777 b", "/b (mode 777)" },
	{ "mkdir a b && touch a/f && ln -s ../a b/l && ln -s \"$PWD/b/l/f\" file && chmod 777 b", "/b (mode 777)" },
	{ "mkdir a b && touch a/f && ln -s b/../a/f file && chmod 777 b", NULL },	/* nothing is looked up there */
	{ "mkdir -m 777 a && ln -s a/gone file", "/a (mode 777)" },
	{ "ln -s file file", NULL },				/* it was read: this is another by now, or /dev/fd/0 */
	{ "touch f && ln -s f file && chmod 777 .", "(mode 777)" },
	{ "touch f && ln -s f file && chmod 1777 .", NULL },
};

START_TEST(the_way)
{
	struct stat st = { .st_mode = S_IFREG | 0600 };
	struct why why = { "" };
	char command[512];

	unsetenv("CREDENTIALS_DIRECTORY");
	snprintf(command, sizeof command, "umask 022 && cd %s && %s", scratch_dir, ways[_i].how);
	ck_assert_int_eq(system(command), 0);
	expect(guard_writers(scratch_path("file"), &st, &why), &why, ways[_i].said);
	ck_assert_msg(ways[_i].said == NULL || strstr(why.text, "anybody can put another in its place; chmod o-w /") == why.text,
	    "%s", why.text);
	ck_assert_int_eq(chdir(scratch_dir), 0);
	expect(guard_writers("file", &st, &why), &why, ways[_i].said);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* As the kernel has it with protected_symlinks, which may be off. */
START_TEST(a_link_that_a_stranger_put_in_tmp)
{
	struct stat st = { .st_mode = S_IFREG | 0600 };
	struct why why = { "" };

	if (geteuid() != 0)
		return;
	unsetenv("CREDENTIALS_DIRECTORY");
	scratch_write("f", "");
	ck_assert_int_eq(symlink("f", scratch_path("file")) | chmod(scratch_dir, 01777), 0);
	expect(guard_writers(scratch_path("file"), &st, &why), &why, NULL);
	ck_assert_int_eq(lchown(scratch_path("file"), 1234, 1234), 0);
	expect(guard_writers(scratch_path("file"), &st, &why), &why, "a symbolic link that user 1234 put where anybody may: /tmp/gatepost-test.");
	ck_assert_int_eq(chown(scratch_dir, 1234, 1234), 0);	/* it is the stranger's directory */
	expect(guard_writers(scratch_path("file"), &st, &why), &why, NULL);
	ck_assert_int_eq(chown(scratch_dir, 0, 0) | chmod(scratch_dir, 0755), 0);	/* somebody gave it to him */
	expect(guard_writers(scratch_path("file"), &st, &why), &why, NULL);
}
END_TEST

START_TEST(a_very_long_way)
{
	struct stat st = { .st_mode = S_IFREG | 0600 };
	struct why why = { "" };
	char path[PATH_MAX], dir[101];
	size_t n = (size_t)snprintf(path, sizeof path, "%s", scratch_dir);

	memset(dir, 'd', 100);
	dir[100] = '\0';
	for (int i = 0; i < 10; i++) {
		n += (size_t)snprintf(path + n, sizeof path - n, "/%s", dir);
		ck_assert_int_eq(mkdir(path, 0755), 0);
	}
	ck_assert_int_eq(chmod(path, 0777), 0);
	snprintf(path + n, sizeof path - n, "/file");
	expect(guard_writers(path, &st, &why), &why, "dddd (mode 777)");
}
END_TEST

START_TEST(owners)
{
	struct stat st = { .st_uid = 0 };
	struct why why = { "" };

	unsetenv("CREDENTIALS_DIRECTORY");
	expect(guard_owner("/x/y", &st, NULL, &why), &why, NULL);
	st.st_uid = geteuid();
	expect(guard_owner("/x/y", &st, NULL, &why), &why, NULL);
	st.st_uid = 1;			/* daemon, on every Debian */
	expect(guard_owner("/x/y", &st, NULL, &why), &why, "belongs to user 1, who is neither root nor the daemon's user; chown root it");
	expect(guard_owner("/x/y", &st, "", &why), &why, "belongs to user 1");
	expect(guard_owner("/x/y", &st, "bin", &why), &why, "belongs to user 1");
	expect(guard_owner("/x/y", &st, "nobody-of-this-name", &why), &why, "belongs to user 1");
	expect(guard_owner("/x/y", &st, "daemon", &why), &why, NULL);
	setenv("CREDENTIALS_DIRECTORY", "/x", 1);
	expect(guard_owner("/x/y", &st, NULL, &why), &why, NULL);
	unsetenv("CREDENTIALS_DIRECTORY");
}
END_TEST

Suite *test_guard(void);

Suite *
test_guard(void)
{
	Suite *s = suite_create("test_guard");
	TCase *t = tcase_create("guard");

	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_loop_test(t, others, 0, sizeof modes / sizeof modes[0]);
	tcase_add_loop_test(t, the_way, 0, sizeof ways / sizeof ways[0]);
	tcase_add_test(t, a_link_that_a_stranger_put_in_tmp);
	tcase_add_test(t, a_very_long_way);
	tcase_add_test(t, owners);
	suite_add_tcase(s, t);
	return s;
}
