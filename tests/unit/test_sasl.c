/* smtp/sasl: the RFCs' own examples, and malformed messages. */
#include "unit/bytes.h"

#include "smtp/sasl.h"

Suite *test_sasl(void);

#define LONG_255 \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"0123456789012345678901234567890123456789012345678901234567890123" \
	"012345678901234567890123456789012345678901234567890123456789012"

static const struct {
	struct str in;
	const char *user, *password;	/* NULL: refused */
} plain[] = {
	{ STR("\0u\0p"), "u", "p" },				/* */
	{ STR("u\0u\0p"), "u", "p" },				/* */
	{ STR("\0j\xc3\xb6@x\0p\xff \x01"), "j\xc3\xb6@x", "p\xff \x01" },
	{ STR("\0" LONG_255 "\0p"), LONG_255, "p" },
	{ STR("bob\0alice\0pw"), NULL, NULL },			/* */
	{ STR(""), NULL, NULL },				/* */
	{ STR("\0"), NULL, NULL },
	{ STR("\0\0"), NULL, NULL },				/* A-069 from here */
	{ STR("\0u\0"), NULL, NULL },
	{ STR("\0\0p"), NULL, NULL },
	{ STR("\0u"), NULL, NULL },
	{ STR("u"), NULL, NULL },
	{ STR("\0u\0p\0"), NULL, NULL },
	{ STR("\0u\0p\0x"), NULL, NULL },
	{ STR("\0u\r\0p"), NULL, NULL },
	{ STR("\0u\nx\0p"), NULL, NULL },
	{ STR("\0u\x7f\0p"), NULL, NULL },
	{ STR("\0u\xff\0p"), NULL, NULL },
	{ STR("\0x" LONG_255 "\0p"), NULL, NULL },
};

START_TEST(plain_parse)
{
	char *heap = mem_copy(plain[_i].in.p, plain[_i].in.n + 1);
	struct str in = { heap, plain[_i].in.n }, authzid, user, password;
	int result = sasl_plain_parse(in, &authzid, &user, &password);

	ck_assert_int_eq(result, plain[_i].user != NULL ? 0 : -1);
	if (result == 0) {
		bytes_eq(user, str_of(plain[_i].user));
		bytes_eq(password, str_of(plain[_i].password));
	} else {	/* what stands in its place may be the password */
		ck_assert_uint_eq(authzid.n + user.n + password.n, 0);
	}
	free(heap);
}
END_TEST

/* What we say as a client is what we understand as a server. */
START_TEST(plain_round)
{
	struct buf b = { 0 };
	struct str authzid, user, password;

	sasl_plain(&b, "tim", "tanstaaftanstaaf");
	bytes_eq(buf_str(&b), STR("\0tim\0tanstaaftanstaaf"));	/* RFC 4616 4 */
	ck_assert_int_eq(sasl_plain_parse(buf_str(&b), &authzid, &user, &password), 0);
	bytes_eq(user, STR("tim"));
	buf_clear(&b);
}
END_TEST

START_TEST(cram_md5)	/* RFC 2195 2 */
{
	struct buf b = { 0 };

	sasl_cram_md5(&b, "tim", "tanstaaftanstaaf",
	    STR("<1896.697170952@postoffice.reston.mci.net>"));
	bytes_eq(buf_str(&b), STR("tim b913a602c7eda7a495b4e6e7334d3890"));
	buf_clear(&b);
}
END_TEST

START_TEST(bearer)	/* RFC 7628 4.1 */
{
	struct buf b = { 0 };

	sasl_oauthbearer(&b, "user@example.com", "server.example.com", 143, "vF9dft4qmT==");
	bytes_eq(buf_str(&b), STR("n,a=user@example.com,\001host=server.example.com"
	    "\001port=143\001auth=Bearer vF9dft4qmT==\001\001"));
	buf_cut(&b, 0);
	sasl_oauthbearer(&b, "a,b=c", "h", 1, "t");
	bytes_eq(buf_str(&b), STR("n,a=a=2Cb=3Dc,\001host=h\001port=1"
	    "\001auth=Bearer t\001\001"));
	buf_cut(&b, 0);
	sasl_xoauth2(&b, "someuser@example.com", "vF9dft4qmT==");
	bytes_eq(buf_str(&b),
	    STR("user=someuser@example.com\001auth=Bearer vF9dft4qmT==\001\001"));
	buf_clear(&b);
}
END_TEST

Suite *
test_sasl(void)
{
	Suite *s = suite_create("test_sasl");
	TCase *t = tcase_create("sasl");

	tcase_add_loop_test(t, plain_parse, 0, sizeof plain / sizeof plain[0]);
	tcase_add_test(t, plain_round);
	tcase_add_test(t, cram_md5);
	tcase_add_test(t, bearer);
	suite_add_tcase(s, t);
	return s;
}
