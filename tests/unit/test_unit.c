/* What a systemd unit is handed, found from outside (C.2). */
#include "config/unit.h"

#include "base/mem.h"

#include "unit/scratch.h"

static const struct { const char *file, *unit; } names[] = {
	{ "/etc/gatepost/gatepost.conf", "gatepost.service" },
	{ "/etc/gatepost/second.conf", "gatepost@second.service" },
	{ "/etc/gatepost/.conf", NULL },
	{ "/etc/gatepost/second", NULL },
	{ "/etc/gatepost/sub/second.conf", NULL },
	{ "/etc/second.conf", NULL },
	{ "/etc/gatepos2/second.conf", NULL },
	{ "/etc/gatepost.conf", NULL },
};

START_TEST(name_of_unit)
{
	char *unit = unit_name(names[_i].file, "/etc/gatepost/gatepost.conf");

	if (names[_i].unit == NULL)
		ck_assert_ptr_null(unit);
	else
		ck_assert_str_eq(unit, names[_i].unit);
	free(unit);
}
END_TEST

#define THERE "/run/credentials/gatepost.service/key"

static const struct {
	const char *unit, *drop_in;	/* what is in them; NULL: not there */
	const char *path;		/* relative to the root; NULL: handed none */
} files[] = {
	{ NULL, NULL, NULL },
	{ "[Service]\nLoadCredential=key:/a\n", NULL, "/a" },
	{ "[Service]\nLoadCredential=key:/a", NULL, "/a" },
	{ NULL, "[Service]\n \tLoadCredential\t=  key:/a b \n", "/a b" },
	{ "LoadCredential=key:/a\n", "LoadCredential=key:/b\n", "/b" },
	{ "LoadCredential=key:/a\n", "LoadCredential=\n", NULL },
	{ "LoadCredential=\n", "LoadCredential=key:/b\n", "/b" },
	{ NULL, "LoadCredential=\nLoadCredential=key:/b\n", "/b" },
	{ NULL, "#LoadCredential=key:/a\n;LoadCredential=key:/a\n", NULL },
	{ NULL, "LoadCredential=keys:/a\n", NULL },
	{ NULL, "LoadCredential=ke:/a\n", NULL },
	{ NULL, "LoadCredential=:/a\nLoadCredential\n=\n\n==\n", NULL },
	{ NULL, "XLoadCredential=key:/a\nLoadCredentials=key:/a\n", NULL },
	/* only the running unit has these */
	{ NULL, "LoadCredential=key\n", THERE },
	{ NULL, "LoadCredential=key:\n", THERE },
	{ NULL, "LoadCredential=key:relative\n", THERE },
	{ NULL, "LoadCredential=key:/etc/%i.key\n", THERE },
	{ NULL, "LoadCredentialEncrypted=key:/a\n", THERE },
	{ NULL, "SetCredential=key: value\n", THERE },
	{ NULL, "SetCredentialEncrypted=key: \\\n  aGVs\\\n", THERE },
};

static void
make_dirs(void)
{
	static const char *const dirs[] = { "etc", "etc/systemd", "etc/systemd/system", "etc/systemd/system/gatepost.service.d",
	    "etc/systemd/system/gatepost@.service.d", "etc/systemd/system/gatepost@two.service.d", "run", "run/credentials",
	    "run/credentials/gatepost.service" };

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		ck_assert_int_eq(mkdir(scratch_path(dirs[i]), 0700), 0);
}

/* C-30 from outside: `gatepost check' sees what the unit will. */
START_TEST(in_files)
{
	const char *want = files[_i].path;
	char *path;

	make_dirs();
	if (files[_i].unit != NULL)
		scratch_write("etc/systemd/system/gatepost.service", files[_i].unit);
	if (files[_i].drop_in != NULL)
		scratch_write("etc/systemd/system/gatepost.service.d/override.conf", files[_i].drop_in);
	scratch_write("etc/systemd/system/gatepost.service.d/other", "LoadCredential=key:/wrong\n");
	path = unit_find(scratch_dir, "gatepost.service", "key");
	if (want == NULL)
		ck_assert_msg(path == NULL, "%s", path);
	else if (strcmp(want, THERE) == 0)
		ck_assert_str_eq(path, scratch_path(THERE + 1));
	else
		ck_assert_str_eq(path, want);
	free(path);
}
END_TEST

START_TEST(running_unit_first)
{
	char *path;

	make_dirs();
	scratch_write("etc/systemd/system/gatepost.service.d/a.conf", "LoadCredential=key:/a\n");
	scratch_write("run/credentials/gatepost.service/key", "x");
	path = unit_find(scratch_dir, "gatepost.service", "key");
	ck_assert_str_eq(path, scratch_path(THERE + 1));
	free(path);
}
END_TEST

START_TEST(instance)
{
	char *path;

	make_dirs();
	scratch_write("etc/systemd/system/gatepost@.service.d/a.conf", "LoadCredential=key:/a\nLoadCredential=other:/o\n");
	path = unit_find(scratch_dir, "gatepost@two.service", "key");
	ck_assert_str_eq(path, "/a");
	free(path);
	scratch_write("etc/systemd/system/gatepost@two.service.d/a.conf", "LoadCredential=key:/b\n");
	path = unit_find(scratch_dir, "gatepost@two.service", "key");
	ck_assert_str_eq(path, "/b");
	free(path);
	path = unit_find(scratch_dir, "gatepost@two.service", "other");
	ck_assert_str_eq(path, "/o");
	free(path);
	ck_assert_ptr_null(unit_find(scratch_dir, "gatepost.service", "key"));
}
END_TEST

Suite *test_unit(void);

Suite *
test_unit(void)
{
	Suite *s = suite_create("test_unit");
	TCase *t = tcase_create("unit");

	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_loop_test(t, name_of_unit, 0, sizeof names / sizeof names[0]);
	tcase_add_loop_test(t, in_files, 0, sizeof files / sizeof files[0]);
	tcase_add_test(t, running_unit_first);
	tcase_add_test(t, instance);
	suite_add_tcase(s, t);
	return s;
}
