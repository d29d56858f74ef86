/* Runs the end-to-end suites.  GATEPOST names the program.  CK_RUN_SUITE=NAME runs one. */
#include <check.h>
#include <stddef.h>
#include <stdlib.h>

#define SUITES(X) \
	X(activation) X(arrives) X(byname) X(chain) X(confined) X(damage) X(doctor) X(durable) X(errands) X(faults) X(flight) X(kills) \
	X(live) X(logins) X(logs) X(pace) X(planted) X(reload) X(route) X(secrets) X(table) X(told) X(ways) X(web) X(words)
#define DECLARE(name) Suite *name##_suite(void);
#define NAME(name) name##_suite,

SUITES(DECLARE)

static Suite *(*const suites[])(void) = { SUITES(NAME) };

int
main(void)
{
	SRunner *runner = srunner_create(suites[0]());
	int failed;

	for (size_t i = 1; i < sizeof suites / sizeof suites[0]; i++)
		srunner_add_suite(runner, suites[i]());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
