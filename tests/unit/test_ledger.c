/* The numbered commands: whatever changes what a number means changes the digest. */
#include "errand/ledger.h"

#include <check.h>
#include <string.h>

#include "errand/errand.h"

static const struct {
	const char *alert, *name[2], *command[2];
	unsigned n;
} configs[] = {
	{ "/bin/a", { "one", "two" }, { "/bin/x", "" }, 2 },
	{ "", { "one", "two" }, { "/bin/x", "" }, 2 },
	{ "/bin/a", { "two", "one" }, { "/bin/x", "" }, 2 },
	{ "/bin/a", { "one", "two" }, { "", "/bin/x" }, 2 },
	{ "/bin/a", { "one", "two" }, { "/bin/x y", "" }, 2 },
	{ "/bin/a", { "one" }, { "/bin/x" }, 1 },
	{ "/bin/a", { NULL }, { NULL }, 0 },
};
enum { CONFIGS = sizeof configs / sizeof configs[0] };

static void
make(struct ledger *l, unsigned k)
{
	struct upstream up[2] = { 0 };
	struct config c = { .upstream = up, .nupstream = configs[k].n };

	c.alert.command = (char *)(uintptr_t)configs[k].alert;
	for (unsigned i = 0; i < configs[k].n; i++) {
		up[i].name = (char *)(uintptr_t)configs[k].name[i];
		up[i].password_command = (char *)(uintptr_t)configs[k].command[i];
	}
	ledger_init(l, &c);
}

START_TEST(the_digest_tells_them_apart)
{
	struct ledger a, b;

	make(&a, (unsigned)_i);
	for (unsigned k = 0; k < CONFIGS; k++) {
		make(&b, k);
		ck_assert_int_eq(memcmp(a.digest, b.digest, sizeof a.digest) == 0, k == (unsigned)_i);
		ledger_clear(&b);
	}
	ledger_clear(&a);
}
END_TEST

START_TEST(numbers_are_places)
{
	struct ledger l;

	make(&l, 0);
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.line[ERRAND_ALERT].command, "/bin/a");
	ck_assert_str_eq(l.line[ERRAND_UPSTREAM].name, "one");
	ck_assert_str_eq(l.line[ERRAND_UPSTREAM].command, "/bin/x");
	ck_assert_str_eq(l.line[ERRAND_UPSTREAM + 1].command, "");
	ledger_clear(&l);
}
END_TEST

Suite *test_ledger(void);
Suite *
test_ledger(void)
{
	Suite *s = suite_create("test_ledger");
	TCase *tc = tcase_create("ledger");

	tcase_add_loop_test(tc, the_digest_tells_them_apart, 0, CONFIGS);
	tcase_add_test(tc, numbers_are_places);
	suite_add_tcase(s, tc);
	return s;
}
