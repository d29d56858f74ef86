/* Who may do what at the control socket. */
#include "control/asker.h"

#include <check.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OWN = 990, OPERATORS = 991 };

static const struct {
	uid_t uid;
	gid_t group[3];
	unsigned ngroup;
	gid_t operators;
	bool may;
} cases[] = {
	{ 0, { 0 }, 1, OPERATORS, true },
	{ OWN, { 990 }, 1, OPERATORS, true },
	{ 1000, { 1000, 27, OPERATORS }, 3, OPERATORS, true },
	{ 1000, { OPERATORS }, 1, OPERATORS, true },
	{ 1000, { 1000, 27, 0 }, 3, OPERATORS, false },
	{ 1000, { 1000, 27, OPERATORS }, 2, OPERATORS, false },
	/* Without such a group nobody is in it. */
	{ 1000, { 1000, ASKER_NO_GROUP, 0 }, 3, ASKER_NO_GROUP, false },
	{ (uid_t)-1, { 0 }, 1, OPERATORS, false },
};

START_TEST(decides)
{
	ck_assert(asker_is_operator(cases[_i].uid, cases[_i].group, cases[_i].ngroup, OWN, cases[_i].operators) ==
	    cases[_i].may);
}
END_TEST

START_TEST(sees)
{
	const struct asker operator = { .is_operator = true }, ann = { .uid = 1000, .user = "ann" },
	    nameless = { .uid = 1001 };

	ck_assert(asker_may_see(&operator, "bob") && asker_may_see(&operator, "") && asker_may_see(&operator, NULL));
	ck_assert(asker_may_see(&ann, "ann"));
	ck_assert(!asker_may_see(&ann, "Ann") && !asker_may_see(&ann, "anna") && !asker_may_see(&ann, NULL));
	/* Mail of trusted peers has no user: it belongs to nobody. */
	ck_assert(!asker_may_see(&nameless, "") && !asker_may_see(&ann, ""));
}
END_TEST

START_TEST(identifies)
{
	struct asker a;
	struct why why;
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	ck_assert_int_eq(asker_identify(&a, fd[0], ASKER_NO_GROUP, &why), 0);
	ck_assert_uint_eq(a.uid, geteuid());
	ck_assert(a.is_operator);	/* the daemon's own uid */
	close(fd[0]);
	close(fd[1]);
	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(asker_identify(&a, fd[0], ASKER_NO_GROUP, &why), -1);
	ck_assert(!a.is_operator);
	close(fd[0]);
	close(fd[1]);
}
END_TEST

Suite *test_asker(void);

Suite *
test_asker(void)
{
	Suite *s = suite_create("test_asker");
	TCase *t = tcase_create("asker");

	tcase_add_loop_test(t, decides, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(t, sees);
	tcase_add_test(t, identifies);
	suite_add_tcase(s, t);
	return s;
}
