/* Runs the end-to-end suites.  GATEPOST names the program.  CK_RUN_SUITE=NAME runs one. */
#include <check.h>
#include <stdlib.h>

Suite *activation_suite(void);
Suite *byname_suite(void);
Suite *chain_suite(void);
Suite *doctor_suite(void);
Suite *durable_suite(void);
Suite *errands_suite(void);
Suite *faults_suite(void);
Suite *flight_suite(void);
Suite *live_suite(void);
Suite *logins_suite(void);
Suite *logs_suite(void);
Suite *pace_suite(void);
Suite *reload_suite(void);
Suite *route_suite(void);
Suite *secrets_suite(void);
Suite *table_suite(void);
Suite *told_suite(void);
Suite *ways_suite(void);
Suite *words_suite(void);
Suite *web_suite(void);

int
main(void)
{
	SRunner *runner = srunner_create(activation_suite());
	int failed;

	srunner_add_suite(runner, byname_suite());
	srunner_add_suite(runner, chain_suite());
	srunner_add_suite(runner, doctor_suite());
	srunner_add_suite(runner, durable_suite());
	srunner_add_suite(runner, errands_suite());
	srunner_add_suite(runner, faults_suite());
	srunner_add_suite(runner, flight_suite());
	srunner_add_suite(runner, live_suite());
	srunner_add_suite(runner, logins_suite());
	srunner_add_suite(runner, logs_suite());
	srunner_add_suite(runner, pace_suite());
	srunner_add_suite(runner, reload_suite());
	srunner_add_suite(runner, route_suite());
	srunner_add_suite(runner, secrets_suite());
	srunner_add_suite(runner, table_suite());
	srunner_add_suite(runner, told_suite());
	srunner_add_suite(runner, ways_suite());
	srunner_add_suite(runner, web_suite());
	srunner_add_suite(runner, words_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
