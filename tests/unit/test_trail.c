/* The kernel's way to a file: what trail.h goes must end where open(2) ends, and miss no directory and no link (C-06, C-32). */
#include "base/trail.h"

#include "unit/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

/* How the directory is made; the name that is gone, of it; the error; the names of the steps, with their directories: `>' a link. */
static const struct {
	const char *how, *path;
	int error;
	const char *steps;	/* NULL: they are not looked at */
} ways[] = {
	{ "touch f", "f", 0, "./f" },
	{ "touch f", "./f", 0, "./f" },
	{ "touch f", "//f", 0, "./f" },
	{ "touch f", "f/", ENOTDIR, "./f" },
	{ "touch f", "f/.", ENOTDIR, "./f" },
	{ "touch f", "f/..", ENOTDIR, "./f" },
	{ "touch f", "f/g", ENOTDIR, "./f" },
	{ "true", "f", ENOENT, "./f" },
	{ "true", "d/f", ENOENT, "./d" },
	{ "mkdir d && touch d/f", "d/f", 0, "./d d/f" },
	{ "mkdir d", "d", 0, "./d" },
	{ "mkdir d", "d/", 0, "./d" },
	{ "mkdir d", "d/.", 0, "./d" },
	{ "mkdir d && touch f", "d/../f", 0, "./d ./f" },
	{ "mkdir d", "d/..", 0, "./d" },
	{ "mkdir -p d/e && touch d/f", "d/e/.././/e/../f", 0, "./d d/e d/e d/f" },
	{ "true", "../../../../../../..", 0, NULL },
	/* a link to a file; to a directory; to a link */
	{ "touch f && ln -s f l", "l", 0, "./l> ./f" },
	{ "touch f && ln -s f l", "l/", ENOTDIR, "./l> ./f" },
	{ "touch f && ln -s f/ l", "l", ENOTDIR, "./l> ./f" },
	{ "touch f && ln -s \"$PWD/f\" l", "l", 0, NULL },
	{ "mkdir d && touch d/f && ln -s d l", "l/f", 0, "./l> ./d d/f" },
	{ "mkdir d && touch d/f && ln -s \"$PWD/d/\" l", "l/f", 0, NULL },
	{ "mkdir d && touch d/f && ln -s .//d/ l", "l/f", 0, "./l> ./d d/f" },
	{ "mkdir d && touch f && ln -s ../f d/l", "d/l", 0, "./d d/l> ./f" },
	{ "mkdir d && ln -s d l", "l", 0, "./l> ./d" },
	{ "touch f && ln -s f l && ln -s l m && ln -s m n", "n", 0, "./n> ./m> ./l> ./f" },
	{ "mkdir d e && touch e/f && ln -s ../e d/l && ln -s d/l m", "m/f", 0, "./m> ./d d/l> ./e e/f" },
	/* .. is of where the link leads, not of where it lies */
	{ "mkdir -p d/e && touch d/f f && ln -s d/e l", "l/../f", 0, "./l> ./d d/e d/f" },
	{ "mkdir -p d/e && ln -s .. d/e/l && touch d/f", "d/e/l/f", 0, "./d d/e d/e/l> d/f" },
	{ "mkdir -p d/e && ln -s . d/l && touch d/f", "d/l/l/l/f", 0, "./d d/l> d/l> d/l> d/f" },
	{ "ln -s / l", "l/..", 0, NULL },
	/* nowhere */
	{ "ln -s l l", "l", ELOOP, NULL },
	{ "ln -s m l && ln -s l m", "l/f", ELOOP, NULL },
	{ "ln -s l/x l", "l", ELOOP, NULL },
	{ "ln -s gone l", "l", ENOENT, "./l> ./gone" },
	{ "ln -s gone/f l", "l", ENOENT, "./l> ./gone" },
	{ "mkdir d && ln -s ../gone d/l", "d/l", ENOENT, "./d d/l> ./gone" },
};

static char said[4096];

static void
note(const struct trail *t)
{
	const char *in = t->dir.data + strlen(scratch_dir), *slash = strrchr(t->real.data, '/');

	if (strncmp(t->dir.data, scratch_dir, strlen(scratch_dir)) != 0)
		return;			/* above it */
	ck_assert_uint_lt(strlen(said) + t->real.len + 8, sizeof said);
	snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s%s%s", said[0] != '\0' ? " " : "", in[0] == '/' ? in + 1 : ".",
	    slash, S_ISLNK(t->st.st_mode) ? ">" : "");
}

/* 0 or the error; *real is where it ends. */
static int
go(const char *path, char *real, size_t size)
{
	struct trail t;
	struct stat st;
	int result, steps = 0, error;

	said[0] = real[0] = '\0';
	trail_init(&t, path);
	while ((result = trail_next(&t)) > 0) {
		ck_assert_int_eq(stat(t.dir.data, &st), 0);
		ck_assert(S_ISDIR(t.up.st_mode) && st.st_ino == t.up.st_ino && st.st_dev == t.up.st_dev);
		ck_assert_int_lt(++steps, 1000);
		note(&t);
	}
	error = result < 0 ? errno : 0;
	ck_assert(result == 0 || (trail_next(&t) == -1 && errno == error));
	if (result == 0)
		snprintf(real, size, "%s", t.real.data);
	trail_clear(&t);
	return error;
}

/* Twice: by the whole name, and from the directory. */
START_TEST(it_ends_where_the_kernel_does)
{
	char command[600], real[PATH_MAX], expected[PATH_MAX];

	snprintf(command, sizeof command, "cd %s && %s", scratch_dir, ways[_i].how);
	ck_assert_int_eq(system(command), 0);
	ck_assert_int_eq(chdir(scratch_dir), 0);
	for (int i = 0; i < 2; i++) {
		const char *path = i == 0 || ways[_i].path[0] == '/' ? scratch_path(ways[_i].path) : ways[_i].path;
		int fd = open(path, O_PATH | O_CLOEXEC), error = fd < 0 ? errno : 0;

		ck_assert_int_eq(error, ways[_i].error);
		ck_assert_int_eq(go(path, real, sizeof real), error);
		ck_assert(error != 0 || realpath(path, expected) != NULL);
		ck_assert_str_eq(real, error == 0 ? expected : "");
		if (ways[_i].steps != NULL)
			ck_assert_str_eq(said, ways[_i].steps);
		if (fd >= 0)
			close(fd);
	}
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* N links, each to the next; the last is a file. */
START_TEST(it_follows_as_many_links)
{
	char real[PATH_MAX], name[16], next[16];
	const char *path;

	for (int n = 1; n <= TRAIL_LINKS + 2; n++) {
		snprintf(name, sizeof name, "%d", n);
		snprintf(next, sizeof next, "%d", n - 1);
		if (n == 1)
			scratch_write("0", "");
		ck_assert_int_eq(symlink(next, scratch_path(name)), 0);
		path = scratch_path(name);
		ck_assert_int_eq(access(path, F_OK), n <= TRAIL_LINKS ? 0 : -1);
		ck_assert_int_eq(go(path, real, sizeof real), n <= TRAIL_LINKS ? 0 : ELOOP);
	}
}
END_TEST

/* Two to the 60th ways, were there no bound. */
START_TEST(it_does_not_branch_for_ever)
{
	char real[PATH_MAX], name[16], next[32];

	for (int n = 1; n <= 60; n++) {
		snprintf(name, sizeof name, "l%d", n);
		snprintf(next, sizeof next, "l%d/../l%d", n - 1, n - 1);
		ck_assert_int_eq(symlink(n == 1 ? "." : next, scratch_path(name)), 0);
	}
	ck_assert_int_eq(access(scratch_path("l60"), F_OK), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(go(scratch_path("l60"), real, sizeof real), ELOOP);
}
END_TEST

START_TEST(what_is_too_long)
{
	char path[2 * PATH_MAX], real[PATH_MAX];
	size_t n = strlen(scratch_dir);

	scratch_write("f", "");
	ck_assert_int_eq(go("", real, sizeof real), ENOENT);
	for (size_t length = PATH_MAX - 3; length < PATH_MAX + 3; length++) {	/* /././/f */
		memcpy(path, scratch_dir, n);
		for (size_t i = n; i < length; i++)
			path[i] = (i - n) % 2 == 0 || i + 2 == length ? '/' : '.';
		path[length - 1] = 'f';
		path[length] = '\0';
		ck_assert_int_eq(access(path, F_OK), length < PATH_MAX ? 0 : -1);
		ck_assert_int_eq(go(path, real, sizeof real), length < PATH_MAX ? 0 : ENAMETOOLONG);
	}
	for (size_t length = NAME_MAX - 1; length < NAME_MAX + 3; length++) {	/* one name */
		snprintf(path, sizeof path, "%s/%0*d", scratch_dir, (int)length, 0);
		ck_assert_int_eq(go(path, real, sizeof real), length <= NAME_MAX ? ENOENT : ENAMETOOLONG);
	}
}
END_TEST

/* Where the working directory is no more there is no way from it. */
START_TEST(nowhere_to_begin)
{
	char real[PATH_MAX];

	ck_assert_int_eq(mkdir(scratch_path("d"), 0700) | chdir(scratch_path("d")) | rmdir(scratch_path("d")), 0);
	ck_assert_int_eq(go("../f", real, sizeof real), ENOENT);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(go(".", real, sizeof real), 0);
	ck_assert_str_eq(real, "/");
	ck_assert_int_eq(go("dev/..", real, sizeof real), 0);
	ck_assert_str_eq(real, "/");
}
END_TEST

Suite *test_trail(void);

Suite *
test_trail(void)
{
	Suite *s = suite_create("test_trail");
	TCase *t = tcase_create("trail");

	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_loop_test(t, it_ends_where_the_kernel_does, 0, sizeof ways / sizeof ways[0]);
	tcase_add_test(t, it_follows_as_many_links);
	tcase_add_test(t, it_does_not_branch_for_ever);
	tcase_add_test(t, what_is_too_long);
	tcase_add_test(t, nowhere_to_begin);
	suite_add_tcase(s, t);
	return s;
}
