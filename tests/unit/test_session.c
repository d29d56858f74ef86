/* The life of sessions: TLS, time, limits, passwords that change, drain, and whoever leaves early
 * (PROTOCOL.md A.1 to A.3, C-21, C-25; CONTRACT.md 3). */
#include "listener_rig.h"

#include <pwd.h>

#include "base/count.h"

#define HI "EHLO x\r\n"
#define IN HI "AUTH PLAIN AHUAcA==\r\n"
#define OPEN IN "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
#define HEAD "From: a@b.example\r\nDate: x\r\nMessage-ID: <x>\r\n"

/* Turns until nothing more happens, at the present time. */
static void
settle(struct rig *r)
{
	for (int i = 0; i < 12; i++)
		rig_turn(r, 0);
}

static void
pass(struct rig *r, int64_t ms)
{
	clock_fake_add(ms);
	settle(r);
}

static void
say(struct rig *r, const char *text)
{
	rig_say(r, text, strlen(text), 0);
	settle(r);
}

static int64_t
sessions(void)
{
	return count_get(COUNT_SESSIONS);
}

/* --- TLS ------------------------------------------------------------------------------- */

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
	rig_stream_say(&r, "AUTH PLAIN AHUAcA==\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhello\r\n.\r\n");
	rig_await(&r, "250 2.0.0 queued as ");
	ck_assert(strncmp(r.prefix.data, "Received: from good.example ([127.0.0.1])\r\n\tby mail.example with ESMTPSA id ", 76) == 0);
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
	say(&r, HI "STARTTLS\r\n");
	rig_await(&r, "220 2.0.0");
	buf_cut(&r.heard, 0);
	say(&r, "NOOP\r\n");
	rig_finish(&r);
	ck_assert(r.heard.len == 0 || r.heard.data[0] < '2' || r.heard.data[0] > '5');
	rig_connect(&r, RIG_IMPLICIT);
	settle(&r);
	ck_assert_uint_eq(r.heard.len, 0);
	say(&r, HI);
	rig_finish(&r);
	ck_assert(r.heard.len == 0 || r.heard.data[0] < '2' || r.heard.data[0] > '5');
	ck_assert_int_eq(sessions(), 0);
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
	ck_assert(strstr(r.heard.data, "250-AUTH PLAIN LOGIN\r\n") != NULL && strstr(r.heard.data, "STARTTLS") == NULL);
	rig_stop(&r);
}
END_TEST

/* */
START_TEST(test_slow_handshake)
{
	struct rig r;

	rig_start_tls(&r, "");
	rig_connect(&r, RIG_IMPLICIT);
	settle(&r);
	for (int i = 0; i < 5; i++) {
		say(&r, &"\x16\x03\x01\x01\x02"[i]);
		pass(&r, 11 * 1000);
	}
	ck_assert(!r.ended);
	pass(&r, 6 * 1000);
	ck_assert(r.ended);
	ck_assert_int_eq(sessions(), 0);
	rig_stop(&r);
}
END_TEST

/* --- time --------------------------------------------------------------------------------- */

/* five minutes for a command, however it dribbles in (C-21). */
START_TEST(test_idle)
{
	struct rig r;

	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	say(&r, HI);
	pass(&r, 299 * 1000);
	say(&r, "NOOP\r\n");
	pass(&r, 290 * 1000);
	say(&r, "NO");
	ck_assert(!r.ended);
	pass(&r, 11 * 1000);
	ck_assert(r.ended);
	ck_assert_str_eq(rig_codes(&r), "220 250 250/2.0.0 421/4.4.2");
	ck_assert(strstr(r.heard.data, "421 4.4.2 mail.example timeout\r\n") != NULL);
	ck_assert_int_eq(sessions(), 0);
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
	say(&r, OPEN HEAD "\r\n");
	rig_await(&r, "354");
	pass(&r, 590 * 1000);
	rig_say(&r, kilobyte, sizeof kilobyte, 0);
	settle(&r);
	for (int i = 0; i < 59; i++) {
		rig_say(&r, "x", 1, 0);
		pass(&r, 10 * 1000);
	}
	ck_assert(!r.ended);
	pass(&r, 11 * 1000);
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
	say(&r, OPEN HEAD "\r\n.\r\nNOOP\r\n");
	rig_await(&r, "354");
	for (int i = 0; i < 20; i++)
		pass(&r, 100 * 1000);
	ck_assert(!r.ended && r.held != NULL);
	rig_release(&r);
	rig_finish(&r);
	ck_assert_str_eq(rig_codes(&r), "220 250 235/2.7.0 250/2.1.0 250/2.1.5 354 250/2.0.0 250/2.0.0");
	rig_stop(&r);
}
END_TEST

/* C-21: when there is little room left, strangers are given ten seconds. */
START_TEST(test_stress)
{
	struct rig r;

	rig_start(&r, "limits { connections = 1 }\n");
	rig_connect(&r, RIG_PLAIN);
	say(&r, HI);
	pass(&r, 11 * 1000);
	ck_assert(r.ended);
	rig_connect(&r, RIG_PLAIN);
	say(&r, IN);
	rig_await(&r, "235");
	pass(&r, 60 * 1000);
	ck_assert(!r.ended);
	rig_stop(&r);
}
END_TEST

/* --- limits ----------------------------------------------------------------------------------- */

/* */
START_TEST(test_connections)
{
	int first, second;
	struct rig r;

	rig_start(&r, "limits { connections = 2 }\n");
	rig_connect(&r, RIG_PLAIN);
	say(&r, HI);
	first = r.fd;
	r.fd = -1;
	rig_connect(&r, RIG_PLAIN);
	say(&r, HI);
	second = r.fd;
	r.fd = -1;
	rig_connect(&r, RIG_PLAIN);
	rig_finish(&r);
	ck_assert_str_eq(r.heard.data, "421 4.7.0 mail.example too many connections\r\n");
	rig_connect(&r, RIG_IMPLICIT);	/* nothing plain where TLS is expected */
	rig_finish(&r);
	ck_assert_uint_eq(r.heard.len, 0);
	close(first);
	settle(&r);
	rig_connect(&r, RIG_PLAIN);
	say(&r, "NOOP\r\n");
	ck_assert_str_eq(rig_codes(&r), "220 250/2.0.0");
	close(second);
	rig_stop(&r);
}
END_TEST

/* An idle session costs little (DESIGN.md 9; C-14). */
START_TEST(test_size)
{
	ck_assert_uint_le(sizeof(struct session), 640);
}
END_TEST

/* --- passwords ---------------------------------------------------------------------------------- */

static const char *
codes_of(struct rig *r, const char *text)
{
	rig_play_n(r, RIG_PLAIN, text, strlen(text), 0);
	return rig_codes(r);
}

#define LOGIN(b64) HI "AUTH PLAIN " b64 "\r\n"
#define OLD LOGIN("AHUAcA==")	/* u, p */
#define NEW LOGIN("AHUAcXE=")	/* u, qq */

/* What passwd changed counts at once, also where the old one was right a moment ago. */
START_TEST(test_new_password)
{
	static const char *const changed[] = { "u", "qq", "" };
	char path[128];
	struct buf log = { 0 };
	struct rig r;

	rig_start(&r, "");
	rig_log_begin(&r);
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	ck_assert_str_eq(codes_of(&r, NEW), "220 250 535/5.7.8");
	rig_users(&r, changed, 3);
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 535/5.7.8");
	ck_assert_str_eq(codes_of(&r, NEW), "220 250 235/2.7.0");
	/* the file is there, and cannot be read; then it is gone; then it is back. */
	snprintf(path, sizeof path, "%s/users", r.dir);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_str_eq(codes_of(&r, NEW), "220 250 454/4.7.0");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_str_eq(codes_of(&r, NEW), "220 250 454/4.7.0");
	ck_assert_int_eq(rmdir(path), 0);
	rig_users(&r, changed, 3);
	ck_assert_str_eq(codes_of(&r, NEW), "220 250 235/2.7.0");
	rig_log_end(&r, &log);
	ck_assert(strstr(log.data, "event=users_unreadable") != NULL);
	buf_clear(&log);
	rig_stop(&r);
}
END_TEST

/* C-16, C-29, D1: what the log says, and what it never does. */
START_TEST(test_log)
{
	/* \0e\033[2J\0canary, then LOGIN: "ev\nil", "canary" */
	static const char *const dialogues[] = {
		HI "AUTH PLAIN AGUbWzJKAGNhbmFyeQ==\r\nAUTH LOGIN ZXYKaWw=\r\nY2FuYXJ5\r\n",
		HI "AUTH PLAIN AHUAY2FuYXJ5\r\n",
		HI "AUTH PLAIN\r\nY2FuYXJ5\r\nAUTH PLAIN\r\nY2FuYXJ5canary\r\n",
		"\x16\x03\x01\r\n", "EHLO \x1b[2Jx\r\n",
		OPEN HEAD "\r\nbare\nnewline\r\n.\r\n"
	};
	struct buf log = { 0 };
	struct rig r;

	rig_start(&r, "");
	log_open(LOG_DEBUG, LOG_LOGFMT);
	rig_log_begin(&r);
	for (size_t i = 0; i < sizeof dialogues / sizeof dialogues[0]; i++)
		(void)codes_of(&r, dialogues[i]);
	rig_log_end(&r, &log);
	ck_assert(strstr(log.data, "canary") == NULL && strstr(log.data, "Y2FuYXJ5") == NULL);
	for (size_t i = 0; i < log.len; i++)
		ck_assert_msg(log.data[i] == '\n' ? strncmp(log.data + i + 1, "event=", 6) == 0 || i + 1 == log.len :
		    log.data[i] >= ' ' && log.data[i] < 0x7f, "%s", log.data + i);
	ck_assert(strstr(log.data, "event=auth_failed level=warning") != NULL && strstr(log.data, "user=u address=127.0.0.1") != NULL);
	ck_assert(strstr(log.data, "event=tls_unexpected") != NULL);
	ck_assert(strstr(log.data, "event=bare_newline level=warning") != NULL && strstr(log.data, "found=LF") != NULL);
	buf_clear(&log);
	rig_stop(&r);
}
END_TEST

/* Good credentials are remembered for five minutes, and nothing else is. */
START_TEST(test_memory)
{
	struct rig r;

	rig_start(&r, "");
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	listener_stop_helper();
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	ck_assert_str_eq(codes_of(&r, NEW), "220 250 454/4.7.0");
	clock_fake_add(5 * 60 * 1000);
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 454/4.7.0");
	listener_start_helper();
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	rig_stop(&r);
}
END_TEST

/* the delay doubles by account, for one that does not exist alike, and a success forgives. */
START_TEST(test_delays)
{
	static const char *const wrong[] = { LOGIN("AHUAcXE="), LOGIN("AG5vYm9keQBw") };
	int64_t began_at_ms, took_ms[4];
	struct rig r;

	rig_start(&r, "");
	for (int i = 0; i < 4; i++) {
		began_at_ms = clock_now_ms();
		ck_assert_str_eq(codes_of(&r, wrong[_i]), "220 250 535/5.7.8");
		took_ms[i] = clock_now_ms() - began_at_ms;
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_ge(took_ms[i], 500 << i);
	if (_i == 0) {	/* its hash is a cheap one: the false clock runs while the helper works */
		ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
		began_at_ms = clock_now_ms();
		ck_assert_str_eq(codes_of(&r, wrong[0]), "220 250 535/5.7.8");
		ck_assert_int_lt(clock_now_ms() - began_at_ms, 4000);
	}
	ck_assert_int_ge(count_get(COUNT_AUTH_FAILURES), 4);
	rig_stop(&r);
}
END_TEST

/* The client, or the listener, goes while the password is being checked. */
START_TEST(test_gone_meanwhile)
{
	struct rig r;

	rig_start(&r, "");
	rig_connect(&r, RIG_PLAIN);
	rig_await(&r, "220");
	rig_say(&r, OLD, strlen(OLD), 0);
	rig_hang_up(&r);
	if (_i == 0) {
		settle(&r);
		ck_assert_int_eq(sessions(), 0);
		ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	}
	rig_stop(&r);
}
END_TEST

/* --- the submit socket ------------------------------------------------------------------------------ */

START_TEST(test_submit)
{
	const char *name = getpwuid(getuid())->pw_name;
	const char *bound[] = { name, "p", "only@a.example" };
	struct buf want = { 0 };
	struct rig r;

	rig_start(&r, "");
	rig_play_n(&r, RIG_SUBMIT, SAY(HI "AUTH PLAIN AHUAcA==\r\nSTARTTLS\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" HEAD "\r\n.\r\n"), 0);
	ck_assert_str_eq(rig_codes(&r), "220 250 503/5.5.1 502/5.5.1 250/2.1.0 250/2.1.5 354 250/2.0.0");
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

/* --- comings and goings ------------------------------------------------------------------------------- */

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
	say(&r, OPEN HEAD "\r\n.\r\n");
	rig_await(&r, "354");
	waiting = r.fd;
	r.fd = -1;
	rig_connect(&r, RIG_PLAIN);
	say(&r, HI);
	idle = r.fd;
	r.fd = -1;
	rig_connect(&r, RIG_PLAIN);
	say(&r, OPEN HEAD "\r\n");
	rig_await(&r, "354");
	ck_assert(r.held != NULL);
	post(&r, MEMO_DRAIN);
	ck_assert_int_eq(sessions(), 2);
	ck_assert_uint_eq(r.drained, 0);
	rig_release(&r);
	r.hold = false;
	settle(&r);
	ck_assert_int_eq(sessions(), 1);
	say(&r, "x\r\n.\r\n");
	rig_finish(&r);
	ck_assert_str_eq(strstr(rig_codes(&r), "354"), "354 250/2.0.0 421/4.3.2");
	settle(&r);
	ck_assert_uint_eq(r.drained, 1);
	r.fd = waiting;
	r.ended = false;
	buf_cut(&r.heard, 0);
	rig_finish(&r);
	ck_assert(strstr(r.heard.data, "250 2.0.0 queued as ") != NULL && strstr(r.heard.data, "\r\n421 4.3.2 ") != NULL);
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
	say(&r, OPEN HEAD "\r\n");
	rig_await(&r, "354");
	post(&r, MEMO_DRAIN);
	say(&r, "bare\nnewline\r\n.\r\n");
	while (!r.ended)
		rig_turn(&r, 0);
	ck_assert_str_eq(strstr(rig_codes(&r), "354"), "354 554/5.6.0 421/4.3.2");
	settle(&r);
	ck_assert_uint_eq(r.drained, 1);
	rig_stop(&r);
}
END_TEST

START_TEST(test_drain_of_none)
{
	struct rig r;

	rig_start(&r, "");
	post(&r, MEMO_DRAIN);
	settle(&r);
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
	say(&r, OPEN HEAD "\r\n.\r\n");
	rig_await(&r, "354");
	ck_assert(r.held != NULL);
	/* A reset: even half-closed it would have been answered. */
	setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	rig_hang_up(&r);
	settle(&r);
	ck_assert_int_eq(sessions(), 0);
	rig_connect(&r, RIG_PLAIN);
	say(&r, HI);
	rig_release(&r);
	settle(&r);
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
	say(&r, HI);
	old = r.fd;
	r.fd = -1;
	config_unref(&r.config);
	rig_configure(&r, "limits { message_size = \"1K\" }\n");
	m = (struct config_memo *)memo_new(MEMO_CONFIG, sizeof *m);
	m->config = config_ref(r.config);
	memo_post(listener_get_channel(r.listener), &m->memo);
	loop_turn(r.loop, false);
	rig_connect(&r, RIG_PLAIN);
	say(&r, HI);
	ck_assert(strstr(r.heard.data, "250-SIZE 1024\r\n") != NULL);
	rig_hang_up(&r);
	r.fd = old;
	say(&r, HI);
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
	say(&r, OPEN HEAD);
	rig_await(&r, "354");
	listener_free(&r.listener);
	while (!r.ended)
		rig_listen(&r);
	ck_assert(strstr(r.heard.data, "421 4.3.2 mail.example shutting down\r\n") != NULL);
	rig_stop(&r);
}
END_TEST

Suite *test_session(void);

Suite *
test_session(void)
{
	Suite *s = suite_create("session");
	TCase *t = tcase_create("life");

	tcase_set_timeout(t, 30);
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
	tcase_add_test(t, test_new_password);
	tcase_add_test(t, test_log);
	tcase_add_test(t, test_memory);
	tcase_add_loop_test(t, test_delays, 0, 2);
	tcase_add_loop_test(t, test_gone_meanwhile, 0, 2);
	tcase_add_test(t, test_submit);
	tcase_add_test(t, test_drain);
	tcase_add_test(t, test_drain_of_refused);
	tcase_add_test(t, test_drain_of_none);
	tcase_add_test(t, test_left_early);
	tcase_add_test(t, test_reload);
	tcase_add_test(t, test_end);
	suite_add_tcase(s, t);
	return s;
}
