/* smtp/caps: whole keywords, and only from the lines that have them. */
#include "unit/bytes.h"

#include "smtp/caps.h"

Suite *test_caps(void);

static struct caps
parse(const char *text)
{
	struct str in = str_of(text);
	struct reply r;
	struct caps c;

	reply_init(&r);
	ck_assert_int_eq(reply_feed(&r, &in), REPLY_READY);
	caps_parse(&c, &r);
	reply_clear(&r);
	return c;
}

/* B-109: neither the server's name nor parts of words say anything. */
START_TEST(keywords)
{
	struct caps c = parse("250-dsn.starttls.example PIPELINING\r\n"
	    "250-starttls\r\n250-PipeLining\r\n250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
	    "250-SIZE 35882577\r\n250-AUTH LOGIN PLAIN  XOAUTH2\r\n250 DSN\r\n");

	ck_assert(c.esmtp && c.starttls && c.pipelining && c.eightbit);
	ck_assert(c.enhanced && c.chunking && c.utf8 && c.dsn);
	ck_assert(c.size_given);
	ck_assert_uint_eq(c.size, 35882577);
	ck_assert_uint_eq(c.mechs, MECH_LOGIN | MECH_PLAIN | MECH_XOAUTH2);
	c = parse("250-DSN\r\n250-XSTARTTLS\r\n250-STARTTLSX\r\n250-XXXXXXXA\r\n"
	    "250-\r\n250 PIPELINING2\r\n");
	ck_assert(c.esmtp && !c.starttls && !c.dsn && !c.pipelining);
	c = parse("250 STARTTLS\r\n");
	ck_assert(!c.starttls);
}
END_TEST

START_TEST(mechanisms)
{
	struct caps c = parse("250-x\r\n250-AUTH=LOGIN PLAIN\r\n"
	    "250-auth cram-md5 KERBEROS_V9\r\n250 AUTH OAUTHBEARER\r\n");

	ck_assert_uint_eq(c.mechs,
	    MECH_LOGIN | MECH_PLAIN | MECH_CRAM_MD5 | MECH_OAUTHBEARER);
	ck_assert(c.auth);
	ck_assert(parse("250-x\r\n250 AUTH NTLM\r\n").auth);
	ck_assert(!parse("250-x\r\n250 AUTHPLAIN PLAINX\r\n").auth);
	ck_assert(!parse("250 AUTH PLAIN\r\n").auth);
	ck_assert_uint_eq(parse("250-x\r\n250 AUTH\r\n").mechs, 0);
	ck_assert_uint_eq(parse("250-x\r\n250 AUTH=\r\n").mechs, 0);
	ck_assert_uint_eq(parse("250-x\r\n250 AUTHPLAIN PLAINX\r\n").mechs, 0);
	ck_assert_uint_eq(parse("250-x\r\n250-AUTH PLAINX XPLAIN\r\n250 AUTH=LOGIN-2\r\n").mechs, 0);
}
END_TEST

/* B-111. */
static const struct {
	const char *text;
	bool given;
	uint64_t size;
} sizes[] = {
	{ "250 x\r\n", false, 0 },
	{ "250-x\r\n250 SIZE\r\n", true, 0 },
	{ "250-x\r\n250 SIZE 0\r\n", true, 0 },
	{ "250-x\r\n250 size 1000\r\n", true, 1000 },
	{ "250-x\r\n250 SIZE x\r\n", true, 0 },
	{ "250-x\r\n250 SIZE -1\r\n", true, 0 },
	{ "250-x\r\n250 SIZE 1 2\r\n", true, 0 },
	{ "250-x\r\n250 SIZE 9223372036854775807\r\n", true, INT64_MAX },
	{ "250-x\r\n250 SIZE 9223372036854775808\r\n", true, 0 },
	{ "250-x\r\n250 SIZE 99999999999999999999999\r\n", true, 0 },
	{ "250-x\r\n250-SIZE 2000\r\n250 SIZE 1000\r\n", true, 1000 },
	{ "250-x\r\n250-SIZE 1000\r\n250 SIZE 2000\r\n", true, 1000 },
};

START_TEST(size)
{
	struct caps c = parse(sizes[_i].text);

	ck_assert_int_eq(c.size_given, sizes[_i].given);
	ck_assert_uint_eq(c.size, sizes[_i].size);
}
END_TEST

START_TEST(limits)
{
	struct caps c = parse("250-x\r\n250 LIMITS RCPTMAX=50 mailmax=20 X=1 Y\r\n");

	ck_assert_uint_eq(c.rcpt_max, 50);
	ck_assert_uint_eq(c.mail_max, 20);
	c = parse("250-x\r\n250 LIMITS RCPTMAX=x MAILMAX=-1\r\n");
	ck_assert_uint_eq(c.rcpt_max, 0);
	ck_assert_uint_eq(c.mail_max, 0);
}
END_TEST

/* B-110: nothing is left of what was known before. */
START_TEST(resets)
{
	struct caps c = parse("250-x\r\n250-DSN\r\n250 SIZE 5\r\n");
	struct str in = STR("250 x\r\n");
	struct reply r;

	reply_init(&r);
	ck_assert_int_eq(reply_feed(&r, &in), REPLY_READY);
	caps_parse(&c, &r);
	ck_assert(!c.dsn && !c.size_given);
	ck_assert_uint_eq(c.size, 0);
	reply_clear(&r);
}
END_TEST

Suite *
test_caps(void)
{
	Suite *s = suite_create("test_caps");
	TCase *t = tcase_create("caps");

	tcase_add_test(t, keywords);
	tcase_add_test(t, mechanisms);
	tcase_add_loop_test(t, size, 0, sizeof sizes / sizeof sizes[0]);
	tcase_add_test(t, limits);
	tcase_add_test(t, resets);
	suite_add_tcase(s, t);
	return s;
}
