/* The users file: reading, checking, replacing. */
#include "config/config.h"

#include "unit/scratch.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>

#define HASH "$y$j9T$VjtY3bXLRfgo2.8ZOsA/r1$Hy4y/FBFDoip.TYF9FbySQQsvTAnhmgGCeOWCGI3zy6" /* of "x" */

static const struct {
	const char *text;
	int count;		/* -1: refused */
	const char *why;
} files[] = {
	{ "", 0, NULL },
	{ "# nobody\n\n  \n", 0, NULL },
	{ "a:" HASH "\n", 1, NULL },
	{ "a:" HASH, 1, NULL },
	{ "b:" HASH ":*@example.com, b@example.org\r\na:" HASH "\r\n", 2, NULL },
	{ "a:$6$saltsalt$x\nb:!\nc:*\nd:!" HASH "\n", 4, NULL },
	{ "user@example.com:" HASH "\n", 1, NULL },
	{ "a\n", -1, ":1: no `:'" },
	{ "# x\na:" HASH "\n:" HASH "\n", -1, ":3: a user name" },
	{ "a:" HASH "\na:" HASH "\n", -1, "user a is there twice" },
	{ "a:\n", -1, "not a crypt(3) hash" },
	{ "a:secret\n", -1, "not a crypt(3) hash" },
	{ "a:plainpassword\n", -1, "not a crypt(3) hash" },
	{ "a:$nosuch$x\n", -1, "not a crypt(3) hash" },
	{ " a:" HASH "\n", -1, "a user name" },
	{ "\xc3\xa4:" HASH "\n", -1, "a user name" },
	{ "a\tb:" HASH "\n", -1, "a user name" },
	{ "a:" HASH ":x\ty\n", -1, "control characters" },
};

START_TEST(load)
{
	struct users *u = NULL;
	struct why why = { "" };
	int result;

	result = users_load(&u, scratch_write("users", files[_i].text), &why);
	if (files[_i].count < 0) {
		ck_assert_int_eq(result, -1);
		ck_assert_msg(strstr(why.text, files[_i].why) != NULL, "%s",
		    why.text);
		ck_assert_ptr_null(strstr(why.text, "secret"));
		return;
	}
	ck_assert_msg(result == 0, "%s", why.text);
	ck_assert_int_eq((int)users_count(u), files[_i].count);
	users_unref(&u);
	ck_assert_ptr_null(u);
}
END_TEST

START_TEST(load_fails)
{
	struct users *u = NULL;
	struct why why;

	ck_assert_int_eq(users_load(&u, scratch_path("none"), &why), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(why.text, "gatepost passwd"));
	scratch_write_n("nul", "a:!\0b:!\n", 8, 0600);
	ck_assert_int_eq(users_load(&u, scratch_path("nul"), &why), -1);
	ck_assert_int_ne(errno, ENOENT);
}
END_TEST

START_TEST(find)
{
	struct users *u, *again;
	const struct user *user;

	ck_assert_int_eq(users_load(&u, scratch_write("users", "shop:" HASH
	    ":*@shop.example,a@[IPv6:::1]\napp:" HASH "\nzed:!\n"), NULL), 0);
	user = users_find(u, "shop");
	ck_assert_ptr_nonnull(user);
	ck_assert_str_eq(user->name, "shop");
	ck_assert_str_eq(user->hash, HASH);
	ck_assert_str_eq(user->allowed, "*@shop.example,a@[IPv6:::1]");
	ck_assert_str_eq(users_find(u, "app")->allowed, "");
	ck_assert_ptr_null(users_find(u, "App"));
	ck_assert_ptr_null(users_find(u, ""));
	ck_assert_ptr_null(users_find(u, "sho"));
	again = users_ref(u);
	users_unref(&u);
	ck_assert_ptr_nonnull(users_find(again, "zed"));
	users_unref(&again);
}
END_TEST

/* an unknown user and a locked one get what a wrong password gets. */
START_TEST(check)
{
	static const struct user good = { "a", HASH, "" },
	    locked = { "b", "!" HASH, "" }, starred = { "c", "*", "" };
	char *long_one = malloc(2000);

	memset(long_one, 'x', 1999);
	long_one[1999] = '\0';
	ck_assert(users_check(&good, "x"));
	ck_assert(!users_check(&good, "y"));
	ck_assert(!users_check(&good, ""));
	ck_assert(!users_check(&good, long_one));
	ck_assert(!users_check(NULL, "x"));
	ck_assert(!users_check(&locked, "x"));
	ck_assert(!users_check(&starred, "x"));
	free(long_one);
}
END_TEST

static double
seconds(const struct user *user)
{
	double best = 1e9;

	for (unsigned i = 0; i < 7; i++) {
		struct timespec a, b;
		double s;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		users_check(user, "wrong");
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		s = (double)(b.tv_sec - a.tv_sec) +
		    (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		if (s < best)
			best = s;
	}
	return best;
}

/* A-055, same work: the least of several times, and room for a busy machine. */
START_TEST(unknown_users_cost_the_same)
{
	static const struct user known = { "a", HASH, "" };
	double a = seconds(&known), b = seconds(NULL);

	ck_assert_msg(a < b * 2 && b < a * 2, "%f and %f", a, b);
}
END_TEST

static char *
text_of(const char *name)
{
	static char text[4096];
	FILE *f = fopen(scratch_path(name), "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

START_TEST(set)
{
	const char *file = scratch_path("users");
	struct users *u;
	struct stat st;
	struct why why;

	ck_assert_msg(users_set(file, "app", "secret", &why) == 0, "%s", why.text);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(strncmp(text_of("users"), "app:$y$", 7), 0);
	ck_assert_int_eq(users_set(file, "shop", "other", &why), 0);
	ck_assert_int_eq(users_set(file, "app", "third", &why), 0);
	ck_assert_int_eq(users_load(&u, file, &why), 0);
	ck_assert_uint_eq(users_count(u), 2);
	ck_assert(users_check(users_find(u, "app"), "third"));
	ck_assert(!users_check(users_find(u, "app"), "secret"));
	ck_assert(users_check(users_find(u, "shop"), "other"));
	users_unref(&u);
	ck_assert_int_eq(users_set(file, "app", NULL, &why), 0);
	ck_assert_int_eq(strncmp(text_of("users"), "shop:", 5), 0);
	ck_assert_int_eq(users_set(file, "app", NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "no user app"));
	ck_assert_int_eq(users_set(file, "shop", NULL, &why), 0);
	ck_assert_str_eq(text_of("users"), "");
}
END_TEST

/* A kind is a method and its cost, whatever the salt. */
START_TEST(kinds_of_hashes)
{
	static const char *const tables[] = {
		"a:$6$saltsalt$x\nb:$6$otherone$y\nc:!\n",
		"a:$6$saltsalt$x\nb:$6$rounds=9000$saltsalt$x\nc:$y$j9T$saltsaltsalt$x\nd:$y$jBT$saltsaltsalt$x\ne:$2b$10$saltsaltsaltsaltsaltsalt\n"
		    "f:$2b$13$saltsaltsaltsaltsaltsalt\ng:*\nh:$y$j9T$othersalt$x\n",
		"",
	};
	static const unsigned kinds[] = { 2, 7, 0 };
	const struct user *kind[9];
	struct users *u[3];
	struct why why;

	for (int i = 0; i < 3; i++) {
		scratch_write("kinds", tables[i]);
		ck_assert_msg(users_load(&u[i], scratch_path("kinds"), &why) == 0, "%s", why.text);
		ck_assert_uint_eq(users_kinds(u[i], kind, 9), kinds[i]);
		ck_assert_uint_eq(users_kinds(u[i], kind, 1), kinds[i] > 0);
	}
	ck_assert(users_has_kinds_of(u[1], u[0]) && !users_has_kinds_of(u[0], u[1]));
	ck_assert(users_has_kinds_of(u[0], u[2]) && !users_has_kinds_of(u[2], u[0]));
	for (int i = 0; i < 3; i++)
		users_unref(&u[i]);
}
END_TEST

/* Other lines, patterns and mode stay as they are; a symbolic link is not what is changed. */
START_TEST(set_keeps_the_rest)
{
	const char *text;
	struct stat st;
	struct why why;

	scratch_write_n("real", "# mine\napp2:!\napp:!:*@a.example\nend:!", 37, 0604);
	ck_assert_int_eq(symlink("real", scratch_path("users")), 0);
	ck_assert_int_eq(users_set(scratch_path("users"), "app", "x", &why), -1);
	ck_assert_msg(strstr(why.text, "users: is a symbolic link") != NULL, "%s", why.text);
	ck_assert_int_eq(users_set(scratch_path("real"), "app", "x", &why), 0);
	text = text_of("real");
	ck_assert_int_eq(strncmp(text, "# mine\napp2:!\napp:$y$", 21), 0);
	ck_assert_ptr_nonnull(strstr(text, ":*@a.example\nend:!"));
	ck_assert_int_eq(users_set(scratch_path("real"), "new", "x", &why), 0);
	ck_assert_ptr_nonnull(strstr(text_of("real"), "\nend:!\nnew:$y$"));
	ck_assert_int_eq(lstat(scratch_path("users"), &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_eq(stat(scratch_path("real"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0604);
}
END_TEST

static const struct {
	const char *user, *password;
} refused[] = {
	{ "", "x" }, { "a:b", "x" }, { "a\nb", "x" }, { "#a", "x" }, { " a", "x" },
	{ "\xc3\xa4", "x" }, { "a", "" }, { "a", "x\ny" },
};

START_TEST(set_refuses)
{
	struct why why;

	ck_assert_int_eq(users_set(scratch_path("users"), refused[_i].user,
	    refused[_i].password, &why), -1);
	ck_assert_int_eq(access(scratch_path("users"), F_OK), -1);
	ck_assert_int_eq(users_set(scratch_path("no/users"), "a", "x", &why), -1);
}
END_TEST

static void *
add_one(void *name)
{
	struct why why;

	return users_set(scratch_path("users"), name, "x", &why) == 0 ? name : NULL;
}

/* Two at once lose nobody. */
START_TEST(set_at_once)
{
	static char names[4][2] = { "a", "b", "c", "d" };
	pthread_t t[4];
	struct users *u;
	void *done;

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, add_one, names[i]), 0);
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(t[i], &done);
		ck_assert_ptr_nonnull(done);
	}
	ck_assert_int_eq(users_load(&u, scratch_path("users"), NULL), 0);
	ck_assert_uint_eq(users_count(u), 4);
	users_unref(&u);
}
END_TEST

/* Who may open the directory can lock it; that is nothing to us. */
START_TEST(set_does_not_wait_for_a_stranger)
{
	int dir = open(scratch_dir, O_RDONLY | O_DIRECTORY);
	struct why why;

	ck_assert_int_eq(flock(dir, LOCK_SH), 0);
	ck_assert_msg(users_set(scratch_path("users"), "app", "x", &why) == 0, "%s", why.text);
	ck_assert_int_ne(access(scratch_path("users.lock"), F_OK), 0);
	close(dir);
}
END_TEST

Suite *test_users(void);

Suite *
test_users(void)
{
	Suite *s = suite_create("test_users");
	TCase *t = tcase_create("users");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_loop_test(t, load, 0, sizeof files / sizeof files[0]);
	tcase_add_test(t, load_fails);
	tcase_add_test(t, find);
	tcase_add_test(t, check);
	tcase_add_test(t, unknown_users_cost_the_same);
	tcase_add_test(t, set);
	tcase_add_test(t, kinds_of_hashes);
	tcase_add_test(t, set_keeps_the_rest);
	tcase_add_loop_test(t, set_refuses, 0, sizeof refused / sizeof refused[0]);
	tcase_add_test(t, set_at_once);
	tcase_add_test(t, set_does_not_wait_for_a_stranger);
	suite_add_tcase(s, t);
	return s;
}
