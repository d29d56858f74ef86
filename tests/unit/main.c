/* Runs every suite that the Makefile found: one per tests/unit/test_FILE.c, which
 * exports `Suite *test_FILE(void)'.  CK_RUN_SUITE=NAME runs one. */
#include <check.h>
#include <stdlib.h>

#define SUITE(name) Suite *name(void);
#include "suites.h"
#undef SUITE

int
main(void)
{
	static Suite *(*const suites[])(void) = {
#define SUITE(name) name,
#include "suites.h"
#undef SUITE
	};
	SRunner *runner = srunner_create(NULL);
	int failed;

	for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
