/* Logging in: the dialogue by the catalogue (PROTOCOL.md A.3), passwords that change, delays, and
 * what the log may say. */
#include "listener_client.h"

#include <time.h>

#define OPEN IN "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
#define HEAD "From: a@b.example\r\nDate: x\r\nMessage-ID: <x>\r\n"

/* --- A.3 ---------------------------------------------------------------- */

#define BAD " 535/5.7.8"

static const struct rig_case auth[] = {
	{ "A-051", SAY(HI "AUTH PLAIN AHUAcA==\r\n"), C_IN, 0 },
	{ "A-052", SAY(HI "AUTH PLAIN\r\nAHUAcA==\r\n"), "220 250 334 235/2.7.0", 0 },
	{ "A-053", SAY(HI "AUTH PLAIN =\r\nNOOP\r\n"), "220 250" BAD " 250/2.0.0", 0 },
	{ "A-054", SAY(HI "AUTH LOGIN\r\ndQ==\r\ncA==\r\n" MAIL),
	    "220 250 334 334 235/2.7.0 250/2.1.0", 0 },
	{ "A-054 initial", SAY(HI "AUTH LOGIN dQ==\r\ncA==\r\n"), "220 250 334 235/2.7.0", 0 },
	{ "A-055", SAY(HI "AUTH PLAIN AHUAd3Jvbmc=\r\nAUTH PLAIN AG5vYm9keQBw\r\n" MAIL), "220 250"
	    BAD BAD " 530/5.7.0", 0 },
	{ "A-057", SAY(HI "AUTH PLAIN\r\n*\r\nAUTH LOGIN\r\ndQ==\r\n*\r\nAUTH LOGIN\r\n*\r\n"
	    "AUTH PLAIN AHUAcA==\r\n"),
	    "220 250 334 501/5.7.0 334 334 501/5.7.0 334 501/5.7.0 235/2.7.0", 0 },
	{ "A-058", SAY(HI "AUTH PLAIN\r\n!!!!\r\nAUTH PLAIN\r\n=AAA\r\nAUTH PLAIN\r\nAAA=BBB\r\n"
	    "AUTH PLAIN\r\nAAAAA\r\n"
	    "AUTH PLAIN\r\nAAA A\r\nAUTH LOGIN !\r\nNOOP\r\n"),
	    "220 250 334 501/5.5.2 334 501/5.5.2 334 501/5.5.2 334 501/5.5.2 334 501/5.5.2 501/5.5.2 250/2.0.0", 0 },
	{ "A-058 NUL", SAY(HI "AUTH PLAIN\r\nAAAA\0\r\nNOOP\r\n"), "220 250 334 501/5.5.2", 0 },
	{ "A-059", SAY(HI "AUTH KERBEROS_V9\r\nAUTH CRAM-MD5\r\n"),
	    "220 250 504/5.5.4 504/5.5.4", 0 },
	{ "A-060", SAY(HI "AUTH\r\nAUTH \r\n"), "220 250 501/5.5.4 501/5.5.4", 0 },
	{ "A-062", SAY(IN "AUTH PLAIN AHUAcA==\r\nAUTH FOO\r\n"), C_IN " 503/5.5.1 503/5.5.1", 0 },
	{ "A-062 in a transaction", SAY(IN MAIL "AUTH PLAIN AHUAcA==\r\n" RCPT), C_M " 503/5.5.1 250/2.1.5", 0 },
	{ "A-064", SAY(HI MAIL RCPT "DATA\r\n"), "220 250 530/5.7.0 530/5.7.0 530/5.7.0", 0 },
	{ "0.1 order", SAY(HI "MAIL\r\nMAIL FROM:<a@@b>\r\nMAIL FROM:<a@b> FOO=1\r\nDATA x\r\n"),
	    "220 250 501/5.5.4 501/5.1.7 530/5.7.0 501/5.5.4", 0 },
	{ "A-066", SAY(HI "AUTH PLAIN AHUAd3Jvbmc=\r\nAUTH PLAIN AHUAd3Jvbmc=\r\n"
	    "AUTH PLAIN AHUAd3Jvbmc=\r\nAUTH PLAIN AHUAcA==\r\nNOOP\r\n"),
	    "220 250" BAD BAD BAD " 421/4.7.0", 0 },
	/* bob\0alice\0pw; u\0u\0p */
	{ "A-068", SAY(HI "AUTH PLAIN Ym9iAGFsaWNlAHB3\r\nAUTH PLAIN dQB1AHA=\r\n"), "220 250"
	    BAD " 235/2.7.0", 0 },
	/* "\0u\r\0p", "\0u\0p\0" */
	{ "A-069", SAY(HI "AUTH PLAIN AHUNAHA=\r\nAUTH PLAIN AHUAcAA=\r\nAUTH PLAIN AAAAAA==\r\n"),
	    "220 250" BAD BAD BAD, 0 },
	/* LOGIN with "u\0x", an empty name, an empty password */
	{ "A-069 LOGIN", SAY(HI "AUTH LOGIN dQB4\r\ncA==\r\nAUTH LOGIN =\r\ncA==\r\n"
	    "AUTH LOGIN dQ==\r\n\r\n"),
	    "220 250 334" BAD " 334" BAD " 334" BAD, 0 },
	{ "A-070", SAY(HI "AUTH PLAIN AHUAcA==\r\n" MAIL), C_M, 0 },
	{ "A-071", SAY(IN "MAIL FROM:<a@b.example> AUTH=<>\r\nRSET\r\n"
	    "MAIL FROM:<a@b.example> AUTH=e+3Dmc2@x.example\r\nRSET\r\n"
	    "MAIL FROM:<a@b.example> AUTH=a+zz\r\n"),
	    C_IN " 250/2.1.0 250/2.0.0 250/2.1.0 250/2.0.0 501/5.5.4", 0 },
};

TABLE(auth, RIG_PLAIN, "")

/* 12288 octets are a response, more is not, and ends the dialogue only. */
START_TEST(test_long_response)
{
	static const struct { int octets; const char *codes; } cases[] = {
		{ 12286, "220 250 334 501/5.5.2 250/2.0.0" }, { 12287, "220 250 334 500/5.5.6 250/2.0.0" },
		{ 1 << 20, "220 250 334 500/5.5.6 250/2.0.0" },
	};
	struct buf b = { 0 };
	struct rig r;

	rig_start(&r, "");
	buf_puts(&b, "EHLO x\r\nAUTH PLAIN\r\n");
	for (int i = 0; i < cases[_i].octets; i++)	/* not a multiple of 4: not base 64 */
		buf_putc(&b, 'A');
	buf_puts(&b, "\r\nNOOP\r\n");
	rig_play_n(&r, RIG_PLAIN, b.data, b.len, 0);
	ck_assert_str_eq(rig_codes(&r), cases[_i].codes);
	buf_clear(&b);
	rig_stop(&r);
}
END_TEST

/* --- passwords ---------------------------------------------------------- */

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
		HI "AUTH PLAIN dQBjYW5hcnk=\r\n",	/* u\0canary: a NUL is missing */
		HI "AUTH PLAIN AGNhbmFyeQB1\r\n",	/* \0canary\0u: the wrong way round, and so here: */
		HI "AUTH LOGIN\r\nY2FuYXJ5\r\ndQ==\r\nAUTH LOGIN Y2FuYXJ5\r\n\r\n",
		HI "AUTH LOGIN dQ==\r\n\r\n",
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
		ck_assert_msg(log.data[i] == '\n' ? strncmp(log.data + i + 1, "event=", 6) == 0 ||
		    i + 1 == log.len :
		    log.data[i] >= ' ' && log.data[i] < 0x7f, "%s", log.data + i);
	ck_assert(strstr(log.data, "event=auth_failed level=warning") != NULL && strstr(log.data,
	    "user=u address=127.0.0.1") != NULL);
	ck_assert(strstr(log.data, "Z reason=malformed address=127.0.0.1") != NULL);
	ck_assert(strstr(log.data, "Z reason=\"unknown user\" address=127.0.0.1") != NULL);
	ck_assert(strstr(log.data, "event=tls_unexpected") != NULL);
	ck_assert(strstr(log.data, "event=bare_newline level=warning") != NULL && strstr(log.data,
	    "found=LF") != NULL);
	buf_clear(&log);
	rig_stop(&r);
}
END_TEST

/* Good credentials are remembered for an hour after their last use, and nothing else is. */
START_TEST(test_memory)
{
	struct rig r;

	rig_start(&r, "");
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	listener_stop_helper();
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	clock_fake_add(59 * 60 * 1000);
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	clock_fake_add(59 * 60 * 1000);
	ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	clock_fake_add(60 * 60 * 1000);
	rig_connect(&r, RIG_PLAIN);
	rig_await(&r, "220");
	rig_say(&r, OLD, strlen(OLD), 0);
	rig_await(&r, "250 ");
	rig_settle(&r);
	ck_assert_ptr_null(strstr(r.heard.data, "235"));
	listener_start_helper();
	rig_await(&r, "235");
	rig_stop(&r);
}
END_TEST

/* How long it takes until it is refused, for a client that waits. */
static int64_t
refused_after_ms(struct rig *r, const char *text)
{
	int64_t began_at_ms = clock_now_ms(), took_ms;

	rig_connect(r, RIG_PLAIN);
	rig_say_text(r, text);
	rig_await(r, "535 5.7.8");
	took_ms = clock_now_ms() - began_at_ms;
	rig_hang_up(r);
	return took_ms;
}

static int64_t
real_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Refused after that, or later if this machine took so long over hashes that twice two of them come later. */
static void
expect_refusal(struct rig *r, const char *text, int64_t after_ms, int64_t began_at_ms)
{
	int64_t took_ms = refused_after_ms(r, text), late_ms = 4 * (real_ms() - began_at_ms) + 250;

	ck_assert_int_ge(took_ms, after_ms);
	ck_assert_int_le(took_ms, late_ms > after_ms ? late_ms : after_ms);
}

/* the delay doubles by account, for one that does not exist alike, and a success forgives. */
START_TEST(test_delays)
{
	static const char *const wrong[] = { LOGIN("AHUAcXE="), LOGIN("AG5vYm9keQBw") };
	int64_t began_at_ms = real_ms();
	struct rig r;

	rig_start(&r, "");
	for (int i = 0; i < 4; i++)
		expect_refusal(&r, wrong[_i], 500 << i, began_at_ms);
	if (_i == 0) {
		ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
		expect_refusal(&r, wrong[0], 500, began_at_ms);
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
		while (rig_sessions() > 0)
			rig_turn(&r);
		ck_assert_str_eq(codes_of(&r, OLD), "220 250 235/2.7.0");
	}
	rig_stop(&r);
}
END_TEST

Suite *test_auth(void);

Suite *
test_auth(void)
{
	Suite *s = suite_create("test_auth");
	TCase *t = tcase_create("logins");

	tcase_set_timeout(t, 60);
	LOOP(auth);
	tcase_add_loop_test(t, test_long_response, 0, 3);
	tcase_add_test(t, test_new_password);
	tcase_add_test(t, test_log);
	tcase_add_test(t, test_memory);
	tcase_add_loop_test(t, test_delays, 0, 2);
	tcase_add_loop_test(t, test_gone_meanwhile, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
