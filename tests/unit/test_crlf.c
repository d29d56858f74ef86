/* Lines of this system into lines of mail: whole and in trickles. */
#include "mail/crlf.h"

#include "unit/bytes.h"

#define CR16 "\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r"
#define SP16 "                "

static const struct {
	bool dot_ends;
	struct str in;
	const char *out;
	bool ended, nul, has_8bit;
} cases[] = {
	{ true, STR(""), "", false, false, false },
	{ true, STR("a\nb\n"), "a\r\nb\r\n", false, false, false },
	{ true, STR("a\r\nb\r\n"), "a\r\nb\r\n", false, false, false },
	{ true, STR("a\r\r\n\r\r\n"), "a\r\n\r\n", false, false, false },
	{ true, STR("a\rb\n\rc"), "a b\r\n c\r\n", false, false, false },	/* C-01 */
	{ true, STR("a\r"), "a\r\n", false, false, false },
	{ true, STR("a\r\r.\r\nb"), "a  .\r\nb\r\n", false, false, false },
	{ true, STR("a" CR16 "\nb"), "a\r\nb\r\n", false, false, false },
	{ true, STR("a" CR16 "\r\r\nb"), "a" SP16 " \r\nb\r\n", false, false, false },
	{ true, STR("a\n.\nb\n"), "a\r\n", true, false, false },
	{ true, STR(".\n"), "", true, false, false },
	{ true, STR("a\n.\r\nb\n"), "a\r\n", true, false, false },
	{ true, STR("a\n."), "a\r\n", false, false, false },
	{ true, STR("a\n..\n.b\nc.\n"), "a\r\n..\r\n.b\r\nc.\r\n", false, false, false },
	{ true, STR("a\n.\rb\n"), "a\r\n. b\r\n", false, false, false },
	{ false, STR("a\n.\nb"), "a\r\n.\r\nb\r\n", false, false, false },
	{ true, STR("a\0b\n"), NULL, false, true, false },
	{ true, STR("\xc3\xa9\n"), "\xc3\xa9\r\n", false, false, true },
};

START_TEST(converts)
{
	for (unsigned step = 0; step < BYTES_STEPS; step++) {
		struct bytes b = { cases[_i].in, bytes_steps[step], NULL };
		struct buf out = { 0 };
		struct crlf c;
		struct str piece;
		bool ended = false;

		crlf_init(&c, cases[_i].dot_ends);
		while (bytes_next(&b, &piece))
			ended = ended || crlf_feed(&c, piece, &out);
		if (!ended)
			crlf_end(&c, &out);
		ck_assert_int_eq(ended, cases[_i].ended);
		ck_assert_int_eq(c.nul, cases[_i].nul);
		ck_assert_int_eq(c.has_8bit, cases[_i].has_8bit);
		if (cases[_i].out != NULL)
			bytes_eq(buf_str(&out), str_of(cases[_i].out));
		buf_clear(&out);
	}
}
END_TEST

Suite *test_crlf(void);

Suite *
test_crlf(void)
{
	Suite *s = suite_create("test_crlf");
	TCase *t = tcase_create("crlf");

	tcase_add_loop_test(t, converts, 0, sizeof cases / sizeof cases[0]);
	suite_add_tcase(s, t);
	return s;
}
