/* Identifiers: they grow whatever the clock does, and read back. */
#include "base/ident.h"

#include "base/clock.h"

#include <check.h>
#include <string.h>

START_TEST(grows)
{
	uint64_t last = 0, first;

	clock_fake(0, 1000);
	first = ident_next(&last);
	ck_assert_uint_eq(first, 1000000000);
	ck_assert_uint_eq(last, first);
	ck_assert_uint_eq(ident_next(&last), first + 1);
	clock_fake(0, 500);	/* the clock jumps back */
	ck_assert_uint_eq(ident_next(&last), first + 2);
	clock_fake(0, 2000);
	ck_assert_uint_eq(ident_next(&last), 2000000000);
	clock_fake(0, -2000);
	last = 0;
	ck_assert_uint_eq(ident_next(&last), 1);
}
END_TEST

static const struct {
	uint64_t id;	/* 0: refused */
	const char *text, *printed;
} idents[] = {
	{ 1, "0000000000001", "0000000000001" },
	{ 31, "000000000000Z", "000000000000Z" },
	{ UINT64_MAX, "FZZZZZZZZZZZZ", "FZZZZZZZZZZZZ" },
	{ UINT64_MAX, "fzzzzzzzzzzzz", "FZZZZZZZZZZZZ" },
	{ 33, "ooOO0000000IL", "0000000000011" },
	{ UINT64_C(0x0123456789abcdef), "028T5CY4TQKFF", "028T5CY4TQKFF" },
	{ 0, "0000000000000", NULL },
	{ 0, "G000000000000", NULL },
	{ 0, "000000000000U", NULL },
	{ 0, "000000000000-", NULL },
	{ 0, "00000000000 1", NULL },
	{ 0, "\xff" "000000000001", NULL },
	{ 0, "000000000001", NULL },
	{ 0, "00000000000001", NULL },
	{ 0, "", NULL },
};

START_TEST(reads)
{
	uint64_t id = 0;
	char text[IDENT_TEXT];
	bool ok = ident_parse(str_of(idents[_i].text), &id);

	ck_assert_int_eq(ok, idents[_i].id != 0);
	ck_assert_uint_eq(id, idents[_i].id);
	if (idents[_i].printed != NULL) {
		ident_print(text, id);
		ck_assert_str_eq(text, idents[_i].printed);
	}
}
END_TEST

START_TEST(reads_back)
{
	char text[IDENT_TEXT], before[IDENT_TEXT] = "";

	for (unsigned i = 0; i < 2000; i++) {
		uint64_t id = 1 + i * UINT64_C(9223372036854775), back;

		ident_print(text, id);
		ck_assert_uint_eq(strlen(text), IDENT_TEXT - 1);
		ck_assert(ident_parse(str_of(text), &back));
		ck_assert_uint_eq(back, id);
		ck_assert_int_gt(strcmp(text, before), 0); /* sorts by age */
		strncpy(before, text, sizeof before);
	}
}
END_TEST

START_TEST(random_bytes)
{
	unsigned char bytes[1000] = { 0 };
	unsigned zeros = 0;

	ident_random(bytes, 0);
	ck_assert_uint_eq(bytes[0], 0);
	ident_random(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		zeros += bytes[i] == 0;
	ck_assert_uint_lt(zeros, 100);
}
END_TEST

Suite *test_ident(void);
Suite *
test_ident(void)
{
	Suite *s = suite_create("test_ident");
	TCase *tc = tcase_create("ident");

	tcase_add_test(tc, grows);
	tcase_add_loop_test(tc, reads, 0, sizeof idents / sizeof idents[0]);
	tcase_add_test(tc, reads_back);
	tcase_add_test(tc, random_bytes);
	suite_add_tcase(s, tc);
	return s;
}
