/* CRC-32C: published values, and both ways of computing it agree. */
#include "base/crc32c.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint32_t
of(const char *text)
{
	return crc32c(0, text, strlen(text));
}

START_TEST(known)	/* RFC 3720 B.4 and the usual check value */
{
	unsigned char b[32];

	ck_assert_uint_eq(of(""), 0);
	ck_assert_uint_eq(of("123456789"), 0xe3069283);
	memset(b, 0, sizeof b);
	ck_assert_uint_eq(crc32c(0, b, sizeof b), 0x8a9136aa);
	memset(b, 0xff, sizeof b);
	ck_assert_uint_eq(crc32c(0, b, sizeof b), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = i;
	ck_assert_uint_eq(crc32c(0, b, sizeof b), 0x46dd794e);
	ck_assert_uint_eq(crc32c_plain(0, b, sizeof b), 0x46dd794e);
}
END_TEST

static unsigned char *
some_bytes(size_t n)
{
	unsigned char *p = malloc(n);
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = x >> 24;
	}
	return p;
}

START_TEST(both_agree)
{
	enum { SIZE = 10000 };
	unsigned char *p = some_bytes(SIZE + 8);

	for (size_t n = 0; n < SIZE; n += n < 100 ? 1 : 97)
		for (size_t at = 0; at < 8; at += 3)
			ck_assert_uint_eq(crc32c(7, p + at, n),
			    crc32c_plain(7, p + at, n));
	free(p);
}
END_TEST

START_TEST(in_pieces)
{
	enum { SIZE = 9000 };
	unsigned char *p = some_bytes(SIZE);
	uint32_t whole = crc32c(0, p, SIZE);

	for (size_t cut = 0; cut <= SIZE; cut += 61) {
		uint32_t crc = crc32c(0, p, cut);

		ck_assert_uint_eq(crc32c(crc, p + cut, SIZE - cut), whole);
		crc = crc32c_plain(0, p, cut);
		ck_assert_uint_eq(crc32c_plain(crc, p + cut, SIZE - cut), whole);
	}
	free(p);
}
END_TEST

Suite *test_crc32c(void);
Suite *
test_crc32c(void)
{
	Suite *s = suite_create("test_crc32c");
	TCase *tc = tcase_create("crc32c");

	tcase_add_test(tc, known);
	tcase_add_test(tc, both_agree);
	tcase_add_test(tc, in_pieces);
	suite_add_tcase(s, tc);
	return s;
}
