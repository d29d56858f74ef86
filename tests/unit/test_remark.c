/* Whoever provokes lines of the log fills no disk with them. */
#include "listener/remark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#include <check.h>

START_TEST(test_bound)
{
	struct remarks r = { 0 };
	unsigned made = 0;
	char text[256] = "";
	int to[2], err = dup(2);

	ck_assert_int_eq(pipe(to), 0);
	log_open(LOG_INFO, LOG_LOGFMT);
	dup2(to[1], 2);
	for (int i = 0; i < 1000; i++)
		made += remark_may(&r, 5000 + i / 2);
	ck_assert_uint_eq(made, 100);
	for (int i = 0; i < 3; i++)
		ck_assert(remark_may(&r, 6000 + i));
	log_flush();
	dup2(err, 2);
	close(to[1]);
	ck_assert_int_gt(read(to[0], text, sizeof text - 1), 0);
	ck_assert_msg(strstr(text, "event=unsaid ") != NULL && strstr(text, " lines=900 ") != NULL, "%s", text);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);		/* once */
}
END_TEST

Suite *test_remark(void);

Suite *
test_remark(void)
{
	Suite *s = suite_create("test_remark");
	TCase *t = tcase_create("remark");

	tcase_add_test(t, test_bound);
	suite_add_tcase(s, t);
	return s;
}
