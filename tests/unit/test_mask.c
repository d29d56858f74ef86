/* Providers' replies without the addresses in them. */
#include "control/mask.h"

#include <check.h>

#define A "[address]"

static const struct {
	const char *in, *out;
} cases[] = {
	{ "", "" },
	{ "421 4.7.0 try again later", "421 4.7.0 try again later" },
	{ "550 <bob.smith@far.example> is unknown", "550 <" A "> is unknown" },
	{ "unknown: other@x.example, sorry", "unknown: " A ", sorry" },
	{ "rcpt=bob%40far.example", A },
	{ "SRS0=x=bob=far.example=u@fwd.example refused", A " refused" },
	{ "bob.smith: no such user", A ": no such user" },
	{ "No mailbox BOB.SMITH here.", "No mailbox " A " here." },
	{ "user bob.smith.", "user " A "." },
	{ "bob.smithy is another", "bob.smithy is another" },
	{ "xbob.smith too", "xbob.smith too" },
	{ "/home/bob.smith/Maildir is full", "/home/" A "/Maildir is full" },
	{ "\"bob.smith@far.example\"", "\"" A "\"" },
	{ "<j\xc3\xb6rg@far.example>", "<" A ">" },
	{ "@", A },
	{ "451 \"quoted guy\"@defer.example is", "451 " A " is" },
	{ "<\"a\\\"b c\"@far.example>, so", "<" A ">, so" },
	{ "said \"no\" to \"a b\"@x.example.", "said \"no\" to " A },
	{ "5\" and \"a b\"@x", "5\" and " A },
	{ "\"a b\"%40x.example", A },
	{ "\"no\" is no address", "\"no\" is no address" },
	{ "\"never ends", "\"never ends" },
	{ "\"ends\\", "\"ends\\" },
	{ "\"", "\"" },
	{ "\"\"@x", A },
	{ "jane doe@far.example", A },
	{ "\"Jane Doe\" is away", "\"" A "\" is away" },
};

START_TEST(texts)
{
	const struct str known[] = { STR("bob.smith@far.example"), STR("bob.smith"), STR("jane doe") };
	struct buf b = { 0 }, want = { 0 };

	mask_put(&b, str_of(cases[_i].in), known, 3);
	buf_puts(&b, "|");
	buf_printf(&want, "%s|", cases[_i].out);
	ck_assert_str_eq(b.data, want.data);
	buf_clear(&b);
	buf_clear(&want);
}
END_TEST

Suite *test_mask(void);

Suite *
test_mask(void)
{
	Suite *s = suite_create("test_mask");
	TCase *t = tcase_create("mask");

	tcase_add_loop_test(t, texts, 0, sizeof cases / sizeof cases[0]);
	suite_add_tcase(s, t);
	return s;
}
