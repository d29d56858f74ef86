/* smtp/reply: every rule of PROTOCOL.md B.3, and what we write ourselves. */
#include "unit/bytes.h"

#include <string.h>

#include "smtp/reply.h"

Suite *test_reply(void);

static const struct {
	struct str in;
	int code;			/* 0: more is wanted; -1: bad */
	const char *status, *text, *rest;
	unsigned lines;
} cases[] = {
	{ STR("250 ok\r\n"), 250, "", "ok", "", 1 },		/* B-100 */
	{ STR("250\r\n"), 250, "", "", "", 1 },
	{ STR("250 \r\n"), 250, "", "", "", 1 },
	{ STR("451\r\n"), 451, "", "", "", 1 },
	{ STR("299 x\r\n"), 299, "", "x", "", 1 },
	{ STR("599 x\r\n"), 599, "", "x", "", 1 },
	{ STR("334 VXNlcm5hbWU6\r\n"), 334, "", "VXNlcm5hbWU6", "", 1 },
	{ STR("250-a\r\n250-\r\n250 b\r\n"), 250, "", "a\n\nb", "", 3 },
	{ STR("250-a\r\n250\r\n"), 250, "", "a\n", "", 2 },
	{ STR("250 ok\r\n250 again\r\n"), 250, "", "ok", "250 again\r\n", 1 }, /* B-106 */
	{ STR("250 2.1.5 x\r\n"), 250, "2.1.5", "2.1.5 x", "", 1 }, /* B-107 */
	{ STR("550 5.123.456 x\r\n"), 550, "5.123.456", "5.123.456 x", "", 1 },
	{ STR("550-5.1.1 x\r\n550 5.7.1 y\r\n"), 550, "5.1.1", "5.1.1 x\n5.7.1 y", "", 2 },
	{ STR("550-x\r\n550 5.7.1 y\r\n"), 550, "", "x\n5.7.1 y", "", 2 },
	{ STR("550 5.7.1\r\n"), 550, "5.7.1", "5.7.1", "", 1 },
	{ STR("550 2.1.5 x\r\n"), 550, "", "2.1.5 x", "", 1 },
	{ STR("354 3.0.0 x\r\n"), 354, "", "3.0.0 x", "", 1 },
	{ STR("550 5.1234.1 x\r\n"), 550, "", "5.1234.1 x", "", 1 },
	{ STR("550 5.1 x\r\n"), 550, "", "5.1 x", "", 1 },
	{ STR("550 5..1 x\r\n"), 550, "", "5..1 x", "", 1 },
	{ STR("550 5.1.1x\r\n"), 550, "", "5.1.1x", "", 1 },
	{ STR("550 5.1.1.1 x\r\n"), 550, "", "5.1.1.1 x", "", 1 },
	{ STR("550 a\x1b]0;x\x07\xff\r\n"), 550, "", "a\x1b]0;x\x07\xff", "", 1 },
	{ STR(""), 0, "", "", "", 0 },
	{ STR("250-a\r\n250 b\r"), 0, "", "", "", 0 },
	{ STR("22X\r\n"), -1, "", "", "", 0 },			/* B-101 */
	{ STR("220OK\r\n"), -1, "", "", "", 0 },
	{ STR("699 x\r\n"), -1, "", "", "", 0 },
	{ STR("100 x\r\n"), -1, "", "", "", 0 },
	{ STR("2200 x\r\n"), -1, "", "", "", 0 },
	{ STR("25 x\r\n"), -1, "", "", "", 0 },
	{ STR("5\r\n"), -1, "", "", "", 0 },
	{ STR("\r\n"), -1, "", "", "", 0 },
	{ STR(" 250 x\r\n"), -1, "", "", "", 0 },
	{ STR("HTTP/1.1 400 Bad Request\r\n"), -1, "", "", "", 0 }, /* B-009 */
	{ STR("SSH-2.0-x\r\n"), -1, "", "", "", 0 },
	{ STR("* OK\r\n"), -1, "", "", "", 0 },
	{ STR("220*************\r\n"), -1, "", "", "", 0 },
	{ STR("250-a\r\n500 b\r\n"), -1, "", "", "", 0 },	/* B-102 */
	{ STR("250-a\r\n251 b\r\n"), -1, "", "", "", 0 },
	{ STR("250-a\r\n250-b\r\n500 c\r\n"), -1, "", "", "", 0 },
	{ STR("250 ok\n"), -1, "", "", "", 0 },			/* B-103 */
	{ STR("250-a\n250 b\r\n"), -1, "", "", "", 0 },
	{ STR("250 o\rk\r\n"), -1, "", "", "", 0 },
	{ STR("250 ok\r\r\n"), -1, "", "", "", 0 },
	{ STR("250 o\0k\r\n"), -1, "", "", "", 0 },
	{ STR("\x15\x03\x01\0\2"), -1, "", "", "", 0 },		/* a TLS alert */
};
enum { CASES = sizeof cases / sizeof cases[0] };

START_TEST(replies)
{
	int i = _i / BYTES_STEPS, got = 0;
	struct bytes b = { cases[i].in, bytes_steps[_i % BYTES_STEPS], NULL };
	struct buf rest = { 0 };
	struct str piece;
	struct reply r;

	reply_init(&r);
	while (bytes_next(&b, &piece)) {
		if (got == 0)
			switch (reply_feed(&r, &piece)) {
			case REPLY_MORE:
				ck_assert_uint_eq(piece.n, 0);
				break;
			case REPLY_READY:
				got = r.code;
				break;
			case REPLY_BAD:
				got = -1;
				ck_assert_ptr_nonnull(r.bad);
				ck_assert_int_eq(reply_feed(&r, &piece), REPLY_BAD);
			}
		if (got != 0)
			buf_putstr(&rest, piece);
	}
	ck_assert_int_eq(got, cases[i].code);
	if (got > 0) {
		ck_assert_str_eq(r.status, cases[i].status);
		bytes_eq(buf_str(&r.text), str_of(cases[i].text));
		bytes_eq(buf_str(&rest), str_of(cases[i].rest));
		ck_assert_uint_eq(r.lines, cases[i].lines);
	}
	reply_clear(&r);
	buf_clear(&rest);
}
END_TEST

/* One reply after the other, nothing left over from the one before (B-107). */
START_TEST(reset)
{
	struct str in = STR("550-5.1.1 a\r\n550 b\r\n250 c\r\n"), line;
	struct reply r;

	reply_init(&r);
	ck_assert_int_eq(reply_feed(&r, &in), REPLY_READY);
	ck_assert(reply_line(&r, 1, &line));
	bytes_eq(line, STR("b"));
	ck_assert(!reply_line(&r, 2, &line));
	reply_reset(&r);
	ck_assert_int_eq(reply_feed(&r, &in), REPLY_READY);
	ck_assert_int_eq(r.code, 250);
	ck_assert_str_eq(r.status, "");
	ck_assert(reply_line(&r, 0, &line));
	bytes_eq(line, STR("c"));
	ck_assert(!reply_line(&r, 1, &line));
	reply_clear(&r);
}
END_TEST

/* Feeds `line' up to `times' times; at which it was refused, 0 if never. */
static unsigned
refused_at(struct str line, unsigned times)
{
	struct reply r;
	unsigned n = 0;
	bool bad = false;

	reply_init(&r);
	while (n < times && !bad) {
		struct str in = line;

		bad = reply_feed(&r, &in) == REPLY_BAD;
		n++;
		ck_assert_uint_le(r.text.len + r.line.len,
		    REPLY_BYTES_MAX + REPLY_LINE_MAX);
	}
	reply_clear(&r);
	return bad ? n : 0;
}

/* B-104: a line that is too long is refused wherever in the reply it stands, as soon as it is. */
START_TEST(late_line)
{
	struct buf line = { 0 };
	struct reply r;

	for (unsigned before = 0; before < 8; before++) {
		buf_cut(&line, 0);
		for (unsigned i = 0; i < before; i++)
			buf_puts(&line, "250-x\r\n");
		buf_puts(&line, "250 ");
		for (unsigned i = 4; i < REPLY_LINE_MAX - 2; i++)
			buf_putc(&line, 'x');
		for (unsigned more = 0; more < 2; more++) {
			struct str in = buf_str(&line);

			reply_init(&r);
			ck_assert_int_eq(reply_feed(&r, &in), more == 0 ? REPLY_MORE : REPLY_BAD);
			reply_clear(&r);
			buf_putc(&line, 'x');
		}
	}
	buf_clear(&line);
}
END_TEST

/* B-104: what counts is the reply, not all that was said. */
START_TEST(each_reply)
{
	struct reply r;

	reply_init(&r);
	for (unsigned i = 0; i < 2 * REPLY_BYTES_MAX / 100; i++) {
		struct str in = STR("250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"
		    "250 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");

		ck_assert_int_eq(reply_feed(&r, &in), REPLY_READY);
		reply_reset(&r);
	}
	reply_clear(&r);
}
END_TEST

/* B-104: limits, and memory within them. */
START_TEST(limits)
{
	struct buf line = { 0 };

	ck_assert_uint_eq(refused_at(STR("250-x\r\n"), REPLY_LINES_MAX), 0);
	ck_assert_uint_eq(refused_at(STR("250-x\r\n"), 1000), REPLY_LINES_MAX + 1);
	ck_assert_uint_eq(refused_at(STR("xxxxxxxx"), 1000), REPLY_LINE_MAX / 8);
	buf_puts(&line, "250-");
	while (line.len < REPLY_LINE_MAX - 2)
		buf_putc(&line, 'x');
	buf_puts(&line, "\r\n");
	ck_assert_uint_eq(refused_at(buf_str(&line), 1), 0);
	ck_assert_uint_eq(refused_at(buf_str(&line), 1000),
	    REPLY_BYTES_MAX / REPLY_LINE_MAX + 1);
	buf_cut(&line, line.len - 2);
	buf_puts(&line, "x\r\n");
	ck_assert_uint_eq(refused_at(buf_str(&line), 1), 1);
	buf_clear(&line);
}
END_TEST

static const struct {
	int code;
	const char *status, *text, *want;
} puts_[] = {
	{ 250, "2.1.0", "ok", "250 2.1.0 ok\r\n" },
	{ 334, NULL, "", "334 \r\n" },				/* */
	{ 220, "", "host ESMTP", "220 host ESMTP\r\n" },
	{ 250, NULL, "host\nPIPELINING\nSIZE 5",
	    "250-host\r\n250-PIPELINING\r\n250 SIZE 5\r\n" },
	{ 550, "5.1.1", "a\nb", "550-5.1.1 a\r\n550 5.1.1 b\r\n" },
	{ 500, "5.5.2", "\x1b[1m\r\xc3\xb6", "500 5.5.2 \\x1B[1m\\x0D\\xC3\\xB6\r\n" }, /* */
};

START_TEST(writing)
{
	struct buf out = { 0 };

	reply_put(&out, puts_[_i].code, puts_[_i].status, puts_[_i].text);
	bytes_eq(buf_str(&out), str_of(puts_[_i].want));
	buf_clear(&out);
}
END_TEST

/* 512 octets a line. */
START_TEST(writing_long)
{
	char text[2000];
	struct buf out = { 0 };

	memset(text, 'x', sizeof text);
	text[999] = '\n';
	text[sizeof text - 1] = '\0';
	reply_put(&out, 500, "5.5.2", text);
	ck_assert_uint_eq(out.len, 1024);
	ck_assert_mem_eq(out.data + 510, "\r\n500 5.5.2 x", 13);
	ck_assert_mem_eq(out.data + 1022, "\r\n", 2);
	buf_clear(&out);
}
END_TEST

Suite *
test_reply(void)
{
	Suite *s = suite_create("test_reply");
	TCase *t = tcase_create("reply");

	tcase_add_loop_test(t, replies, 0, CASES * BYTES_STEPS);
	tcase_add_test(t, reset);
	tcase_add_test(t, limits);
	tcase_add_test(t, late_line);
	tcase_add_test(t, each_reply);
	tcase_add_loop_test(t, writing, 0, sizeof puts_ / sizeof puts_[0]);
	tcase_add_test(t, writing_long);
	suite_add_tcase(s, t);
	return s;
}
