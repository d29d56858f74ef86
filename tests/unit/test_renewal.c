/* When the operator is asked to renew the local certificate. */
#include "control/control.h"

#include "base/clock.h"
#include "net/tls.h"
#include "unit/scratch.h"

enum { DAY_S = 86400 };

START_TEST(asked_in_time)
{
	char name[] = "relay.example", other[] = "new.example", none[] = "", own[] = "/etc/own.pem";
	struct listen listen = { .tls = TLS_STARTTLS };
	struct config c = { .spool_dir = scratch_dir, .hostname = name, .listen = &listen, .nlisten = 1,
	    .tls = { .certificate = none } };
	struct tls_certificate cert;
	struct why what = { "" };
	bool made;

	ck_assert(!renewal_is_due(&c, &what));		/* not made yet */
	ck_assert_int_eq(tls_local_ca(scratch_path("tls"), name, false, &made, &what), 0);
	ck_assert(!renewal_is_due(&c, &what));

	c.hostname = other;
	ck_assert(renewal_is_due(&c, &what));
	ck_assert_str_eq(what.text, "the local certificate does not have the name new.example");
	listen.tls = TLS_NONE;				/* nobody sees it */
	ck_assert(!renewal_is_due(&c, &what));
	listen.tls = TLS_STARTTLS;
	c.tls.certificate = own;			/* nor here */
	ck_assert(!renewal_is_due(&c, &what));
	c.tls.certificate = none;
	c.hostname = name;

	ck_assert_int_eq(tls_read_certificate(scratch_path("tls/cert.pem"), NULL, &cert, &what), 0);
	clock_fake(1000, cert.not_after_wall_s - 30 * DAY_S);
	ck_assert(!renewal_is_due(&c, &what));
	clock_fake(1000, cert.not_after_wall_s - 30 * DAY_S + 1);
	ck_assert(renewal_is_due(&c, &what));
	ck_assert_str_eq(what.text, "the local certificate ends in 29 days");
	clock_fake(1000, cert.not_after_wall_s);
	ck_assert(renewal_is_due(&c, &what));
	ck_assert_str_eq(what.text, "the local certificate has expired");
}
END_TEST

Suite *test_renewal(void);

Suite *
test_renewal(void)
{
	Suite *s = suite_create("test_renewal");
	TCase *t = tcase_create("renewal");

	tcase_add_checked_fixture(t, scratch_make, scratch_remove);
	tcase_add_test(t, asked_in_time);
	suite_add_tcase(s, t);
	return s;
}
