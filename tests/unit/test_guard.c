/* Files that somebody else could write, replace or read (C-30, C-32). */
#include "config/guard.h"

#include "unit/scratch.h"

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
	{ 0757, 0600, "anybody can put another in its place; chmod o-w its directory (mode 757)", NULL },
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
	tcase_add_test(t, owners);
	suite_add_tcase(s, t);
	return s;
}
