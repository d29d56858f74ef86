/* Mounts as the kernel writes them, and which names reach the same file. */
#include "base/mounts.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char table[] =
    "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "21 20 8:1 /var/lib/gatepost/sub /etc/gatepost/conf.d rw - ext4 /dev/sda1 rw\n"
    "22 20 8:2 / /home rw - ext4 /dev/sda2 rw\n"
    "23 20 8:1 /etc/two\\040words /var/lib/gatepost/in rw - ext4 /dev/sda1 rw\n"
    "24 20 8:2 /me /me\\134 rw - ext4 /dev/sda2 rw\n";

static const struct {
	const char *path;
	uint64_t id;
	bool reached;
} names[] = {
	{ "/var/lib/gatepost", 20, true },
	{ "/var/lib/gatepost/x", 20, true },
	{ "/var/lib/gatepost2", 20, false },
	{ "/etc/gatepost/gatepost.conf", 20, false },
	{ "/etc/gatepost/conf.d", 21, true },
	{ "/etc/gatepost/conf.d/x", 21, true },
	{ "/etc/two words/x", 20, true },	/* /var/lib/gatepost/in/x */
	{ "/etc/two", 20, false },
	{ "/home/var/lib/gatepost/x", 22, false },
	{ "/me\\/x", 24, false },
	{ "/", 20, false },
	{ "/anything", 99, true },		/* it cannot be told */
	{ "/anything", 21, true },
};

START_TEST(reaches)
{
	struct mounts m;

	ck_assert_int_eq(mounts_parse(&m, str_of(table)), 0);
	ck_assert_uint_eq(m.n, 5);
	ck_assert(mounts_reach(&m, "/var/lib/gatepost", 20, names[_i].path, names[_i].id) == names[_i].reached);
	ck_assert(mounts_reach(&m, "/", 20, names[_i].path, names[_i].id));
	mounts_clear(&m);
}
END_TEST

static const char *const bad[] = { "\n", "20 1 8:1 /\n", "x 1 8:1 / / rw\n", "20 1 8:1 / here rw\n" };

START_TEST(refuses)
{
	struct mounts m;

	ck_assert_int_eq(mounts_parse(&m, str_of(bad[_i])), -1);
	ck_assert_uint_eq(m.n, 0);
}
END_TEST

START_TEST(reads_its_own)
{
	struct mounts m;

	ck_assert_int_eq(mounts_read(&m), 0);
	ck_assert_uint_gt(m.n, 0);
	ck_assert(mounts_reach(&m, "/", mounts_id("/"), "/", mounts_id("/")));
	ck_assert(mounts_id("/no such file") == UINT64_MAX);
	mounts_clear(&m);
}
END_TEST

Suite *test_mounts(void);

Suite *
test_mounts(void)
{
	Suite *s = suite_create("test_mounts");
	TCase *t = tcase_create("mounts");

	tcase_add_loop_test(t, reaches, 0, sizeof names / sizeof names[0]);
	tcase_add_loop_test(t, refuses, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(t, reads_its_own);
	suite_add_tcase(s, t);
	return s;
}
