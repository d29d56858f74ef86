/* HMAC: the vectors of RFC 2202, RFC 4231 and RFC 2195 (CRAM-MD5). */
#include "base/digest.h"

#include "base/buf.h"

#include <check.h>
#include <string.h>

static const struct {
	const char *key, *data, *md5, *sha256;
} vectors[] = {
	{ "Jefe", "what do ya want for nothing?",
	    "750c783e6ab0b503eaa86e310a5db738",
	    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "tanstaaftanstaaf",
	    "<1896.697170952@postoffice.reston.mci.net>",
	    "b913a602c7eda7a495b4e6e7334d3890", NULL },
	{ "", "", "74e6f7298a9c2d168935f58c001bad88",
	    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
};

static void
check_hex(const unsigned char *got, size_t n, const char *want)
{
	struct buf hex = { 0 };

	for (size_t i = 0; i < n; i++)
		buf_printf(&hex, "%02x", got[i]);
	ck_assert_str_eq(hex.data, want);
	buf_clear(&hex);
}

/* FIPS 180-4's example. */
START_TEST(sha256)
{
	unsigned char out[32];

	digest_sha256(out, STR("abc"));
	check_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(hmac)
{
	struct str key = str_of(vectors[_i].key), data = str_of(vectors[_i].data);
	unsigned char out[32];

	digest_hmac_md5(out, key, data);
	check_hex(out, 16, vectors[_i].md5);
	digest_hmac_sha256(out, key, data);
	if (vectors[_i].sha256 != NULL)
		check_hex(out, 32, vectors[_i].sha256);
}
END_TEST

START_TEST(long_key)	/* RFC 2202 test 6, RFC 4231 test 6: longer than a block */
{
	char key[131];
	unsigned char out[32];
	struct str data =
	    STR("Test Using Larger Than Block-Size Key - Hash Key First");

	memset(key, 0xaa, sizeof key);
	digest_hmac_md5(out, (struct str){ key, 80 }, data);
	check_hex(out, 16, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
	digest_hmac_sha256(out, (struct str){ key, sizeof key }, data);
	check_hex(out, 32,
	    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}
END_TEST

START_TEST(equal)
{
	ck_assert(digest_equal("abc", "abc", 3));
	ck_assert(!digest_equal("abc", "abd", 3));
	ck_assert(digest_equal("abc", "abd", 2));
	ck_assert(digest_equal("a", "b", 0));
}
END_TEST

Suite *test_digest(void);
Suite *
test_digest(void)
{
	Suite *s = suite_create("test_digest");
	TCase *tc = tcase_create("digest");

	tcase_add_test(tc, sha256);
	tcase_add_loop_test(tc, hmac, 0, sizeof vectors / sizeof vectors[0]);
	tcase_add_test(tc, long_key);
	tcase_add_test(tc, equal);
	suite_add_tcase(s, tc);
	return s;
}
