/* How octets become commands and content: in whatever pieces they come, over TLS too, and however the link goes in the end. */
#include "listener_client.h"

#define OPEN IN MAIL RCPT "DATA\r\n"
#define C_OPEN C_R " 354"
#define HEAD "From: a@b.example\r\nDate: x\r\nMessage-ID: <x>\r\n\r\n"

/* a command is one when its CRLF has come, and not before. */
START_TEST(test_before_crlf)
{
	static const char *const pieces[] = { "EHL", "O x", "\r", "\n" };
	struct rig r;

	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_await(&r, "220");
	for (int i = 0; i < 4; i++) {
		ck_assert_str_eq(rig_codes(&r), "220");
		rig_say_text(&r, pieces[i]);
		rig_pass(&r, 2000);
	}
	ck_assert_str_eq(rig_codes(&r), "220 250");
	rig_stop(&r);
}
END_TEST

/* each octet in a TLS record of its own, or all in one; the end of data is seen once. */
START_TEST(test_records)
{
	static const char said[] = HI "AUTH PLAIN AHUAcA==\r\n" MAIL RCPT "DATA\r\n" HEAD "..\r\n.x\r\n \r\n.\r\nNOOP\r\n"
	    MAIL RCPT "DATA\r\n.\r\nNOOP\r\nRSET\r\nQUIT\r\n";
	struct rig r;

	rig_start_tls(&r, "");
	rig_connect_stream(&r, RIG_IMPLICIT, true);
	rig_await(&r, "SECURE\r\n");
	rig_await(&r, "220");
	buf_cut(&r.heard, 0);
	if (_i == 0) {
		rig_stream_say(&r, said);
	} else {
		for (size_t i = 0; i < sizeof said - 1; i++) {
			char octet[2] = { said[i], '\0' };

			rig_stream_say(&r, octet);
			loop_turn(r.loop, false);
		}
	}
	rig_await(&r, "221 2.0.0");
	ck_assert_str_eq(rig_codes(&r), "250 235/2.7.0 250/2.1.0 250/2.1.5" C_KEPT " 250/2.0.0 250/2.1.0 250/2.1.5" C_KEPT
	    " 250/2.0.0 250/2.0.0 221/2.0.0");
	ck_assert_uint_eq(r.kept, 2);
	ck_assert_ptr_nonnull(strstr(r.mail.data, "\r\n\r\n.\r\nx\r\n \r\n"));
	rig_stop(&r);
}
END_TEST

/* no line of content is too long. */
START_TEST(test_long_lines)
{
	static const size_t octets[] = { 998, 999, 4096, 65536, 1 << 20 };
	struct buf say = { 0 }, want = { 0 };
	struct rig r;

	rig_begin(&r, "", true);
	buf_puts(&want, HEAD);
	for (size_t i = 0; i < octets[_i]; i++)
		buf_putc(&want, (char)('a' + i % 26));
	buf_puts(&want, "\r\n");
	buf_puts(&say, OPEN);
	buf_putstr(&say, buf_str(&want));
	buf_puts(&say, ".\r\nNOOP\r\n");
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert_str_eq(rig_codes(&r), C_R C_KEPT " 250/2.0.0");
	ck_assert_uint_eq(r.content.len + r.blob, want.len);
	if (r.blob == 0)
		ck_assert_mem_eq(r.content.data, want.data, want.len);
	buf_clear(&say);
	buf_clear(&want);
	rig_stop(&r);
}
END_TEST

/* a reset, wherever it comes, and a TLS link that is cut without its farewell. */
static const char *const unfinished[] = { "", HEAD, HEAD "text", HEAD "text\r\n", HEAD "text\r\n.", HEAD "text\r\n.\r" };

START_TEST(test_cut_off)
{
	struct linger abrupt = { 1, 0 };
	struct rig r;

	rig_start_tls(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN);
	rig_await(&r, "354");
	rig_say_text(&r, unfinished[_i]);
	ck_assert_int_eq(rig_sessions(), 1);
	setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &abrupt, sizeof abrupt);
	rig_hang_up(&r);
	rig_settle(&r);
	ck_assert_int_eq(rig_sessions(), 0);

	rig_connect_stream(&r, RIG_IMPLICIT, true);
	rig_await(&r, "220");
	rig_stream_say(&r, OPEN);
	rig_await(&r, "354");
	rig_stream_say(&r, unfinished[_i]);
	rig_settle(&r);
	ck_assert_int_eq(shutdown(stream_fd(r.stream), SHUT_RDWR), 0);
	rig_settle(&r);
	ck_assert_int_eq(rig_sessions(), 0);
	ck_assert_uint_eq(r.kept, 0);
	ck_assert_uint_eq(r.mail.len, 0);
	rig_stop(&r);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

Suite *test_intake(void);

Suite *
test_intake(void)
{
	Suite *s = suite_create("test_intake");
	TCase *t = tcase_create("pieces");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_before_crlf);
	tcase_add_loop_test(t, test_records, 0, 2);
	tcase_add_loop_test(t, test_long_lines, 0, 5);
	tcase_add_loop_test(t, test_cut_off, 0, COUNT(unfinished));
	suite_add_tcase(s, t);
	return s;
}
