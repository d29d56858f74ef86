/* The life of sessions: TLS, time, limits, the submit socket, drain, and whoever leaves early
 * (PROTOCOL.md A.1, A.2, C-21; CONTRACT.md 3, 6). */
#include "listener_client.h"

#include <pwd.h>

#define OPEN IN "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
#define HEAD "From: a@b.example\r\nDate: x\r\nMessage-ID: <x>\r\n"

/* --- TLS ---------------------------------------------------------------- */

static void
secure(struct rig *r)
{
	rig_stream_say(r, "EHLO evil.example\r\n");
	rig_await(r, "250 HELP\r\n");
	ck_assert(strstr(r->heard.data, "250-STARTTLS\r\n") != NULL);
	ck_assert(strstr(r->heard.data, "AUTH") == NULL);	/* */
	rig_stream_say(r, "STARTTLS\r\n");
	rig_await(r, "220 2.0.0");
	ck_assert_int_eq(stream_start_tls(r->stream, r->trust, "mail.example"), 0);
	rig_await(r, "SECURE");
	buf_cut(&r->heard, 0);
}

/* */
START_TEST(test_starttls)
{
	struct rig r;

	rig_start_tls(&r, "");
	rig_connect_stream(&r, RIG_STARTTLS, false);
	secure(&r);
	rig_stream_say(&r, "MAIL FROM:<a@b>\r\n");
	rig_await(&r, "503 5.5.1 send EHLO first\r\n");
	rig_stream_say(&r, "EHLO good.example\r\n");
	rig_await(&r, "250 HELP\r\n");
	ck_assert(strstr(r.heard.data, "STARTTLS") == NULL);
	ck_assert(strstr(r.heard.data, "250-AUTH PLAIN LOGIN\r\n") != NULL);
	rig_stream_say(&r, "STARTTLS\r\n");
	rig_await(&r, "503 5.5.1 TLS already active\r\n");
	rig_stream_say(&r, "AUTH PLAIN AHUAcA==\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
	    "hello\r\n.\r\n");
	rig_await(&r, "250 2.0.0 queued as ");
	ck_assert(strncmp(r.prefix.data, "Received: from good.example ([127.0.0.1])\r\n"
	    "\tby mail.example with ESMTPSA id ", 76) == 0);
	ck_assert(strstr(r.prefix.data, "TLS_") != NULL && strstr(r.prefix.data, "evil") == NULL);
	rig_stream_say(&r, "QUIT\r\n");
	rig_await(&r, "221 2.0.0 bye\r\n");
	while (!r.ended)
		loop_turn(r.loop, false);
	ck_assert(!r.failed);
	rig_stop(&r);
}
END_TEST

/* what follows STARTTLS in its flight is never obeyed. */
START_TEST(test_injection)
{
	struct rig r;

	rig_start_tls(&r, "");
	rig_play_n(&r, RIG_STARTTLS, SAY(HI "STARTTLS\r\nNOOP\r\n"), 0);
	ck_assert_str_eq(rig_codes(&r), "220 250 554/5.5.1");
	rig_stop(&r);
}
END_TEST

/* plain text where TLS should be gets no reply of SMTP; A-002: and no greeting before it. */
START_TEST(test_plain_instead)
{
	struct rig r;

	rig_start_tls(&r, "");
	rig_connect(&r, RIG_STARTTLS);
	rig_say_text(&r, HI "STARTTLS\r\n");
	rig_await(&r, "220 2.0.0");
	buf_cut(&r.heard, 0);
	rig_say_text(&r, "NOOP\r\n");
	rig_finish(&r);
	ck_assert(r.heard.len == 0 || r.heard.data[0] < '2' || r.heard.data[0] > '5');
	rig_connect(&r, RIG_IMPLICIT);
	rig_settle(&r);
	ck_assert_uint_eq(r.heard.len, 0);
	rig_say_text(&r, HI);
	rig_finish(&r);
	ck_assert(r.heard.len == 0 || r.heard.data[0] < '2' || r.heard.data[0] > '5');
	ck_assert_int_eq(rig_sessions(), 0);
	rig_stop(&r);
}
END_TEST

/* */
START_TEST(test_implicit)
{
	struct rig r;

	rig_start_tls(&r, "");
	rig_connect_stream(&r, RIG_IMPLICIT, true);
	rig_await(&r, "220 mail.example ESMTP\r\n");
	rig_stream_say(&r, HI);
	rig_await(&r, "250 HELP\r\n");
	ck_assert(strstr(r.heard.data, "250-AUTH PLAIN LOGIN\r\n") != NULL && strstr(r.heard.data,
	    "STARTTLS") == NULL);
	rig_stop(&r);
}
END_TEST

/* */
START_TEST(test_slow_handshake)
{
	struct rig r;

	rig_start_tls(&r, "");
	rig_connect(&r, RIG_IMPLICIT);
	rig_settle(&r);
	for (int i = 0; i < 5; i++) {
		rig_say_text(&r, &"\x16\x03\x01\x01\x02"[i]);
		rig_pass(&r, 11 * 1000);
	}
	ck_assert(!r.ended);
	rig_pass(&r, 6 * 1000);
	ck_assert(r.ended);
	ck_assert_int_eq(rig_sessions(), 0);
	rig_stop(&r);
}
END_TEST

/* --- time --------------------------------------------------------------- */

/* five minutes for a command, however it dribbles in (C-21). */
START_TEST(test_idle)
{
	struct rig r;

	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, HI);
	rig_pass(&r, 299 * 1000);
	rig_say_text(&r, "NOOP\r\n");
	rig_pass(&r, 290 * 1000);
	rig_say_text(&r, "NO");
	ck_assert(!r.ended);
	rig_pass(&r, 11 * 1000);
	ck_assert(r.ended);
	ck_assert_str_eq(rig_codes(&r), "220 250 250/2.0.0 421/4.4.2");
	ck_assert(strstr(r.heard.data, "421 4.4.2 mail.example timeout\r\n") != NULL);
	ck_assert_int_eq(rig_sessions(), 0);
	rig_stop(&r);
}
END_TEST

/* Ten minutes from the last progress, and an octet now and then is none. */
START_TEST(test_slow_content)
{
	char kilobyte[1100];
	struct rig r;

	memset(kilobyte, 'x', sizeof kilobyte);
	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD "\r\n");
	rig_await(&r, "354");
	rig_pass(&r, 590 * 1000);
	rig_say(&r, kilobyte, sizeof kilobyte, 0);
	rig_settle(&r);
	for (int i = 0; i < 59; i++) {
		rig_say(&r, "x", 1, 0);
		rig_pass(&r, 10 * 1000);
	}
	ck_assert(!r.ended);
	rig_pass(&r, 11 * 1000);
	ck_assert(r.ended);
	ck_assert(strstr(r.heard.data, "421 4.4.2") != NULL);
	ck_assert_uint_eq(r.kept, 0);
	rig_stop(&r);
}
END_TEST

/* The verdict may take its time: no timeout while we are the ones who owe. */
START_TEST(test_slow_verdict)
{
	struct rig r;

	rig_start(&r, "");
	r.hold = true;
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD "\r\n.\r\nNOOP\r\n");
	rig_await(&r, "354");
	for (int i = 0; i < 20; i++)
		rig_pass(&r, 100 * 1000);
	ck_assert(!r.ended && r.held != NULL);
	rig_release(&r);
	rig_finish(&r);
	ck_assert_str_eq(rig_codes(&r),
	    "220 250 235/2.7.0 250/2.1.0 250/2.1.5 354 250/2.0.0 250/2.0.0");
	rig_stop(&r);
}
END_TEST

/* C-21: when there is little room left, strangers are given ten seconds. */
START_TEST(test_stress)
{
	struct rig r;

	rig_start(&r, "limits { connections = 1 }\n");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, HI);
	rig_pass(&r, 9900);
	ck_assert(!r.ended);
	rig_pass(&r, 1100);
	ck_assert(r.ended);
	ck_assert_str_eq(rig_codes(&r), "220 250 421/4.4.2");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, IN);
	rig_await(&r, "235");
	rig_pass(&r, 60 * 1000);
	ck_assert(!r.ended);
	rig_stop(&r);
}
END_TEST

/* --- limits ------------------------------------------------------------- */

/* */
START_TEST(test_connections)
{
	struct rig r;
	int first;

	rig_start(&r, "limits { connections = 1 }\n");
	rig_connect(&r, RIG_TRUSTED);	/* strangers would give way: test_crowd.c */
	rig_say_text(&r, HI);
	first = r.fd;
	r.fd = -1;
	rig_connect(&r, RIG_PLAIN);
	rig_finish(&r);
	ck_assert_str_eq(r.heard.data, "421 4.7.0 mail.example too many connections\r\n");
	rig_connect(&r, RIG_IMPLICIT);	/* nothing plain where TLS is expected */
	rig_finish(&r);
	ck_assert_uint_eq(r.heard.len, 0);
	close(first);
	rig_settle(&r);
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, "NOOP\r\n");
	ck_assert_str_eq(rig_codes(&r), "220 250/2.0.0");
	rig_stop(&r);
}
END_TEST

/* An idle session costs little (DESIGN.md 9; C-14). */
START_TEST(test_size)
{
	ck_assert_uint_le(sizeof(struct session), 640);
}
END_TEST

/* --- the submit socket -------------------------------------------------- */

START_TEST(test_submit)
{
	const char *name = getpwuid(getuid())->pw_name;
	const char *bound[] = { name, "p", "only@a.example" };
	struct buf want = { 0 };
	struct rig r;

	rig_start(&r, "");
	rig_play_n(&r, RIG_SUBMIT, SAY(HI "AUTH PLAIN AHUAcA==\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\n"
	    "RCPT TO:<c@d>\r\nDATA\r\n" HEAD "\r\n.\r\n"), 0);
	ck_assert_str_eq(rig_codes(&r),
	    "220 250 503/5.5.1 502/5.5.1 250/2.1.0 250/2.1.5 354 250/2.0.0");
	ck_assert(strstr(r.heard.data, "AUTH PLAIN") == NULL);
	buf_printf(&want, "%s<a@b> <c@d>\n", name);
	ck_assert(strncmp(r.mail.data, want.data, want.len) == 0);
	ck_assert(strstr(r.prefix.data, "by mail.example with ESMTPA id ") != NULL);
	rig_users(&r, bound, 3);
	rig_play_n(&r, RIG_SUBMIT, SAY(HI "MAIL FROM:<a@b>\r\nMAIL FROM:<only@a.example>\r\n"), 0);
	ck_assert_str_eq(rig_codes(&r), "220 250 550/5.7.1 250/2.1.0");
	buf_clear(&want);
	rig_stop(&r);
}
END_TEST

/* --- comings and goings ------------------------------------------------- */

static void
post(struct rig *r, enum memo_kind kind)
{
	memo_post(listener_get_channel(r->listener), memo_new(kind, sizeof(struct memo)));
	loop_turn(r->loop, false);
}

/* idle sessions end at once; content and verdicts are waited for; then DRAINED, once. */
START_TEST(test_drain)
{
	int idle, waiting;
	struct rig r;

	rig_start(&r, "");
	r.hold = true;
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD "\r\n.\r\n");
	rig_await(&r, "354");
	waiting = r.fd;
	r.fd = -1;
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, HI);
	idle = r.fd;
	r.fd = -1;
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD "\r\n");
	rig_await(&r, "354");
	while (r.held == NULL)
		rig_turn(&r);
	post(&r, MEMO_DRAIN);
	ck_assert_int_eq(rig_sessions(), 2);
	ck_assert_uint_eq(r.drained, 0);
	rig_release(&r);
	r.hold = false;
	rig_settle(&r);
	ck_assert_int_eq(rig_sessions(), 1);
	rig_say_text(&r, "x\r\n.\r\n");
	rig_finish(&r);
	ck_assert_str_eq(strstr(rig_codes(&r), "354"), "354 250/2.0.0 421/4.3.2");
	rig_settle(&r);
	ck_assert_uint_eq(r.drained, 1);
	r.fd = waiting;
	r.ended = false;
	buf_cut(&r.heard, 0);
	rig_finish(&r);
	ck_assert(strstr(r.heard.data, "250 2.0.0 queued as ") != NULL && strstr(r.heard.data,
	    "\r\n421 4.3.2 ") != NULL);
	close(waiting);
	r.fd = idle;
	r.ended = false;
	buf_cut(&r.heard, 0);
	rig_finish(&r);
	ck_assert(strstr(r.heard.data, "421 4.3.2 mail.example shutting down\r\n") != NULL);
	rig_stop(&r);
}
END_TEST

/* Content that is refused in the end is an end too. */
START_TEST(test_drain_of_refused)
{
	struct rig r;

	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD "\r\n");
	rig_await(&r, "354");
	post(&r, MEMO_DRAIN);
	rig_say_text(&r, "bare\nnewline\r\n.\r\n");
	while (!r.ended)
		rig_turn(&r);
	ck_assert_str_eq(strstr(rig_codes(&r), "354"), "354 554/5.6.0 421/4.3.2");
	rig_settle(&r);
	ck_assert_uint_eq(r.drained, 1);
	rig_stop(&r);
}
END_TEST

START_TEST(test_drain_of_none)
{
	struct rig r;

	rig_start(&r, "");
	post(&r, MEMO_DRAIN);
	rig_settle(&r);
	ck_assert_uint_eq(r.drained, 1);
	rig_stop(&r);
}
END_TEST

/* A verdict that finds nobody is no trouble, nor one that could find the next session in the same slot. */
START_TEST(test_left_early)
{
	struct rig r;

	rig_start(&r, "");
	r.hold = true;
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD "\r\n.\r\n");
	rig_await(&r, "354");
	while (r.held == NULL)
		rig_turn(&r);
	/* A reset: even half-closed it would have been answered. */
	setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	rig_hang_up(&r);
	rig_settle(&r);
	ck_assert_int_eq(rig_sessions(), 0);
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, HI);
	rig_release(&r);
	rig_settle(&r);
	ck_assert_str_eq(rig_codes(&r), "220 250");
	rig_stop(&r);
}
END_TEST

/* A reload is for new sessions. */
START_TEST(test_reload)
{
	struct config_memo *m;
	int old;
	struct rig r;

	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, HI);
	old = r.fd;
	r.fd = -1;
	config_unref(&r.config);
	rig_configure(&r, "limits { message_size = \"1K\" }\n");
	m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);
	m->config = config_ref(r.config);
	memo_post(listener_get_channel(r.listener), &m->memo);
	loop_turn(r.loop, false);
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, HI);
	ck_assert(strstr(r.heard.data, "250-SIZE 1024\r\n") != NULL);
	rig_hang_up(&r);
	r.fd = old;
	rig_say_text(&r, HI);
	ck_assert(strstr(r.heard.data, "250-SIZE 52428800\r\n") != NULL);
	rig_stop(&r);
}
END_TEST

/* The end of a listener is said to whoever is still there. */
START_TEST(test_end)
{
	struct rig r;

	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD);
	rig_await(&r, "354");
	listener_free(&r.listener);
	while (!r.ended)
		rig_listen(&r);
	ck_assert(strstr(r.heard.data, "421 4.3.2 mail.example shutting down\r\n") != NULL);
	rig_stop(&r);
}
END_TEST

/* a verdict that came too late for the loop is still told. */
START_TEST(test_end_with_verdict)
{
	struct rig r;

	rig_start(&r, "");
	r.hold = true;
	rig_connect(&r, RIG_PLAIN);
	rig_say_text(&r, OPEN HEAD "\r\n.\r\n");
	rig_await(&r, "354");
	while (r.held == NULL)
		rig_turn(&r);
	rig_release(&r);
	listener_free(&r.listener);
	while (!r.ended)
		rig_listen(&r);
	ck_assert_str_eq(strstr(rig_codes(&r), "354"), "354 250/2.0.0 421/4.3.2");
	rig_stop(&r);
}
END_TEST

Suite *test_session(void);

Suite *
test_session(void)
{
	Suite *s = suite_create("test_session");
	TCase *t = tcase_create("life");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_starttls);
	tcase_add_test(t, test_injection);
	tcase_add_test(t, test_plain_instead);
	tcase_add_test(t, test_implicit);
	tcase_add_test(t, test_slow_handshake);
	tcase_add_test(t, test_idle);
	tcase_add_test(t, test_slow_content);
	tcase_add_test(t, test_slow_verdict);
	tcase_add_test(t, test_stress);
	tcase_add_test(t, test_connections);
	tcase_add_test(t, test_size);
	tcase_add_test(t, test_submit);
	tcase_add_test(t, test_drain);
	tcase_add_test(t, test_drain_of_refused);
	tcase_add_test(t, test_drain_of_none);
	tcase_add_test(t, test_left_early);
	tcase_add_test(t, test_reload);
	tcase_add_test(t, test_end);
	tcase_add_test(t, test_end_with_verdict);
	suite_add_tcase(s, t);
	return s;
}
