/* smtp/line: what is a line, what is none, and what may not be said at all. */
#include "unit/bytes.h"

#include <string.h>

#include "smtp/line.h"

Suite *test_line(void);

/* `want' has each line in brackets, ~ for one too long, ! for the end of it all. */
static const struct {
	struct str in;
	size_t max;
	const char *want;
} cases[] = {
	{ STR(""), 20, "" },
	{ STR("EHLO x\r\n"), 20, "[EHLO x]" },
	{ STR("\r\n\r\n"), 20, "[][]" },			/* */
	{ STR("NOOP\r\nRSET\r\nQU"), 20, "[NOOP][RSET]" },	/* */
	{ STR("a\tb\xff \x01\r\n"), 20, "[a\tb\xff \x01]" },
	{ STR("12345678\r\nx\r\n"), 10, "[12345678][x]" },	/* the limit itself */
	{ STR("123456789\r\nx\r\n"), 10, "~[x]" },
	{ STR("1234567890123456789012345678901234567890\r\nx\r\n"), 10, "~[x]" },
	{ STR("NOOP\nx\r\n"), 20, "!" },			/* D1 */
	{ STR("NOOP\rx\r\n"), 20, "!" },
	{ STR("NOOP\r\r\n"), 20, "!" },
	{ STR("NO\0OP\r\n"), 20, "!" },
	{ STR("\0"), 20, "!" },					/* */
	{ STR("\n"), 20, "!" },
	{ STR("QUIT\r\n\n"), 20, "[QUIT]!" },
	{ STR("123456789012\0\r\n"), 10, "!" },
	{ STR("123456789012\n"), 10, "!" },
	{ STR("123456789012\r3\r\n"), 10, "!" },
	{ STR("\x16\x03\x01\x02\0\x01"), 20, "!" },		/* */
};
enum { CASES = sizeof cases / sizeof cases[0] };

START_TEST(lines)
{
	struct bytes b = { cases[_i / BYTES_STEPS].in,
	    bytes_steps[_i % BYTES_STEPS], NULL };
	struct buf got = { 0 };
	struct str piece, line;
	struct line l;
	bool over = false;

	line_init(&l, cases[_i / BYTES_STEPS].max);
	while (!over && bytes_next(&b, &piece)) {
		enum line_result r;

		while ((r = line_feed(&l, &piece, &line)) != LINE_MORE && !over) {
			if (r == LINE_READY) {
				buf_putc(&got, '[');
				buf_putstr(&got, line);
				buf_putc(&got, ']');
			} else
				buf_putc(&got, r == LINE_TOO_LONG ? '~' : '!');
			over = r == LINE_BAD;
		}
		ck_assert(over || piece.n == 0);
	}
	bytes_eq(buf_str(&got), str_of(cases[_i / BYTES_STEPS].want));
	line_clear(&l);
	buf_clear(&got);
	free(b.piece);
}
END_TEST

/* C-14: a line without end costs no more than the limit, and an idle session nothing. */
START_TEST(memory)
{
	static const char text[1000] = { [0 ... 999] = 'x' };
	struct str in, line;
	struct line l;

	line_init(&l, 2048);
	for (int i = 0; i < 1000; i++) {
		in = (struct str){ text, sizeof text };
		ck_assert_int_eq(line_feed(&l, &in, &line), LINE_MORE);
		ck_assert_uint_le(l.part.cap, 4096);
	}
	in = STR("\r\nNOO");
	ck_assert_int_eq(line_feed(&l, &in, &line), LINE_TOO_LONG);
	ck_assert_int_eq(line_feed(&l, &in, &line), LINE_MORE);
	in = STR("P\r\n");
	ck_assert_int_eq(line_feed(&l, &in, &line), LINE_READY);
	bytes_eq(line, STR("NOOP"));
	ck_assert_int_eq(line_feed(&l, &in, &line), LINE_MORE);
	ck_assert_ptr_null(l.part.data);
	line_clear(&l);
}
END_TEST

/* An AUTH response may be longer than a command. */
START_TEST(limit_moves)
{
	struct str in = STR("123456789\r\n123456789\r\n"), line;
	struct line l;

	line_init(&l, 10);
	ck_assert_int_eq(line_feed(&l, &in, &line), LINE_TOO_LONG);
	l.max = 11;
	ck_assert_int_eq(line_feed(&l, &in, &line), LINE_READY);
	bytes_eq(line, STR("123456789"));
	line_clear(&l);
}
END_TEST

Suite *
test_line(void)
{
	Suite *s = suite_create("test_line");
	TCase *t = tcase_create("line");

	tcase_add_loop_test(t, lines, 0, CASES * BYTES_STEPS);
	tcase_add_test(t, memory);
	tcase_add_test(t, limit_moves);
	suite_add_tcase(s, t);
	return s;
}
