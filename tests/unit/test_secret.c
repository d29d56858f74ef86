/* Secret files (C.2, C-30). */
#include "config/secret.h"

#include "config/guard.h"

#include "base/mem.h"

#include "unit/scratch.h"

#define X256 X64 X64 X64 X64
#define X64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define X1024 X256 X256 X256 X256

static const struct {
	const char *bytes;
	size_t n;
	mode_t mode;
	const char *secret, *why;	/* one of them */
} cases[] = {
#define BYTES(s) s, sizeof(s) - 1
	{ BYTES("key\n"), 0600, "key", NULL },
	{ BYTES("key"), 0640, "key", NULL },
	{ BYTES("key\n\n"), 0600, "key\n", NULL },
	{ BYTES("key\r\n"), 0600, "key", NULL },
	{ BYTES("key\r"), 0600, "key\r", NULL },
	{ BYTES(" key "), 0400, " key ", NULL },
	{ BYTES("\n"), 0600, NULL, "is empty" },
	{ BYTES("\r\n"), 0600, NULL, "is empty" },
	{ BYTES(""), 0600, NULL, "is empty" },
	{ BYTES("a\0b\n"), 0600, NULL, "NUL" },
	{ BYTES(X1024 "\n"), 0600, X1024, NULL },
	{ BYTES(X1024 "x\n"), 0600, NULL, "longer than 1024" },
	{ BYTES(X1024 "xyz\n"), 0600, NULL, "longer than" },
	{ BYTES("key\n"), 0644, NULL, "others can read it (mode 644)" },
	{ BYTES("key\n"), 0602, NULL, "others can read it" },
};

START_TEST(files)
{
	const char *path;
	char *secret = NULL;
	struct why why = { "" };
	int result;

	unsetenv("CREDENTIALS_DIRECTORY");
	path = scratch_write_n("key", cases[_i].bytes, cases[_i].n, cases[_i].mode);
	result = secret_read(&secret, path, 1024, NULL, &why);
	if (cases[_i].secret != NULL) {
		ck_assert_msg(result == 0, "%s", why.text);
		ck_assert_str_eq(secret, cases[_i].secret);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_ptr_nonnull(strstr(why.text, cases[_i].why));
		ck_assert_ptr_null(strstr(why.text, "key"));
	}
	mem_free_secret(&secret);
}
END_TEST

/* C-30: nothing but a file; a FIFO must not make us wait either. */
START_TEST(not_files)
{
	char *secret = NULL;
	struct why why;

	scratch_write("key", "key\n");
	ck_assert_int_eq(symlink("key", scratch_path("link")), 0);
	ck_assert_int_eq(secret_read(&secret, scratch_path("link"), 1024, NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "symbolic link"));
	ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
	ck_assert_int_eq(secret_read(&secret, scratch_path("fifo"), 1024, NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "not a regular file"));
	ck_assert_int_eq(secret_read(&secret, scratch_dir, 1024, NULL, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "not a regular file"));
	ck_assert_int_eq(secret_read(&secret, scratch_path("none"), 1024, NULL, &why), -1);
	ck_assert_ptr_null(secret);
}
END_TEST

/* What a provider gives instead of a token: whole, and only where it is ours. */
START_TEST(written_back)
{
	char *secret = NULL;
	struct stat st;
	struct why why;

	scratch_write_n("token", "old\n", 4, 0640);
	ck_assert_int_eq(secret_write(scratch_path("token"), "new", &why), 0);
	ck_assert_int_eq(secret_read(&secret, scratch_path("token"), SECRET_TOKEN_MAX, NULL, &why), 0);
	ck_assert_str_eq(secret, "new");
	mem_free_secret(&secret);
	ck_assert_int_eq(stat(scratch_path("token"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	ck_assert_int_eq(secret_write(scratch_path("none"), "new", &why), -1);
	ck_assert_int_eq(symlink(scratch_path("token"), scratch_path("link")), 0);
	ck_assert_int_eq(secret_write(scratch_path("link"), "newer", &why), -1);
	if (geteuid() == 0) {		/* somebody else's stays as it is */
		ck_assert_int_eq(chown(scratch_path("token"), 1, 1), 0);
		ck_assert_int_eq(secret_write(scratch_path("token"), "newer", &why), -1);
		ck_assert_int_eq(secret_read(&secret, scratch_path("token"), SECRET_TOKEN_MAX, NULL, &why), -1);
		ck_assert_int_eq(secret_read(&secret, scratch_path("token"), SECRET_TOKEN_MAX, "daemon", &why), 0);
		mem_free_secret(&secret);
		ck_assert_int_eq(chown(scratch_path("token"), 0, 0), 0);
	}
	ck_assert_ptr_null(strstr(why.text, "newer"));
	ck_assert_int_eq(secret_read(&secret, scratch_path("token"), SECRET_TOKEN_MAX, NULL, &why), 0);
	ck_assert_str_eq(secret, "new");
	mem_free_secret(&secret);
}
END_TEST

START_TEST(credentials)
{
	char *path, *secret = NULL;
	struct why why;

	ck_assert_int_eq(mkdir(scratch_path("cred"), 0700), 0);
	scratch_write_n("cred/key", "from systemd", 12, 0444);
	scratch_write_n("key", "from here", 9, 0600);
	scratch_write_n("other", "from here", 9, 0600);
	setenv("CREDENTIALS_DIRECTORY", scratch_path("cred"), 1);

	path = secret_path("key", scratch_dir);
	ck_assert_str_eq(path, scratch_path("cred/key"));
	ck_assert_int_eq(secret_read(&secret, path, 1024, NULL, &why), 0);
	ck_assert_str_eq(secret, "from systemd");
	mem_free_secret(&secret);
	free(path);

	path = secret_path("other", scratch_dir);
	ck_assert_str_eq(path, scratch_path("other"));
	free(path);
	path = secret_path("/abs/key", scratch_dir);
	ck_assert_str_eq(path, "/abs/key");
	free(path);
	/* a way out of the directory is not a credential */
	ck_assert(!guard_is_private(scratch_path("cred/../key"), 0644));
	ck_assert(!guard_is_private(scratch_path("credx"), 0644));
	ck_assert(guard_is_private(scratch_path("cred/key"), 0644));

	unsetenv("CREDENTIALS_DIRECTORY");
	path = secret_path("key", "/");
	ck_assert_str_eq(path, "/key");
	free(path);
}
END_TEST

Suite *test_secret(void);

Suite *
test_secret(void)
{
	Suite *s = suite_create("test_secret");
	TCase *t = tcase_create("secret");

	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_loop_test(t, files, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, not_files);
	tcase_add_test(t, written_back);
	tcase_add_test(t, credentials);
	suite_add_tcase(s, t);
	return s;
}
