/*
 * The dialogues of an app with ports 587 and 465, word for word: what is listed, what is asked and answered before TLS, inside
 * it and at AUTH (PROTOCOL.md A.1 to A.3), and what a session still does after the worst.
 */
#include "listener_client.h"

#include "net/tls_private.h"

#include <netinet/tcp.h>

#define LISTS(starttls, auth) "250-mail.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n" starttls auth \
	"250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 HELP\r\n"
#define STARTTLS_LINE "250-STARTTLS\r\n"
#define AUTH_LINE "250-AUTH PLAIN LOGIN\r\n"

/* Has the reply its last line? */
static bool
is_whole(const struct buf *b)
{
	const char *line = b->data;

	for (const char *end; line != NULL && (end = strstr(line, "\r\n")) != NULL; line = end + 2)
		if (end - line >= 4 && line[3] == ' ')
			return end[2] == '\0';
	return false;
}

/* One command over the stream, and its reply. */
static const char *
ask(struct rig *r, const char *text)
{
	buf_cut(&r->heard, 0);
	rig_stream_say(r, text);
	while (!r->ended && (r->heard.len == 0 || !is_whole(&r->heard)))
		rig_turn(r);
	ck_assert_msg(r->heard.len > 0, "no answer to %s", text);
	(void)rig_codes(r);		/* its form */
	return r->heard.data;
}

static void
begin_tls(struct rig *r)
{
	ck_assert_str_eq(ask(r, "STARTTLS\r\n"), "220 2.0.0 ready\r\n");
	ck_assert_int_eq(stream_start_tls(r->stream, r->trust, "mail.example"), 0);
	rig_await(r, "SECURE");
}

static void
connect_to(struct rig *r, enum rig_port port)
{
	rig_connect_stream(r, port, port == RIG_IMPLICIT);
	rig_await(r, "220 mail.example ESMTP\r\n");
}

/* each port's greeting and list, to the octet. */
START_TEST(what_each_port_lists)
{
	struct rig r;

	rig_start_tls(&r, "");
	connect_to(&r, RIG_STARTTLS);
	ck_assert_str_eq(r.heard.data, "220 mail.example ESMTP\r\n");
	ck_assert_str_eq(ask(&r, HI), LISTS(STARTTLS_LINE, ""));
	ck_assert(strncmp(ask(&r, "STARTTLS now\r\n"), "501 5.5.4 ", 10) == 0);
	ck_assert(strncmp(ask(&r, "NOOP\r\n"), "250 2.0.0 ", 10) == 0);
	begin_tls(&r);
	ck_assert_str_eq(ask(&r, HI), LISTS("", AUTH_LINE));
	ck_assert_str_eq(ask(&r, "STARTTLS\r\n"), "503 5.5.1 TLS already active\r\n");
	connect_to(&r, RIG_IMPLICIT);
	ck_assert_str_eq(r.heard.data, "SECURE\r\n220 mail.example ESMTP\r\n");
	ck_assert_str_eq(ask(&r, HI), LISTS("", AUTH_LINE));
	ck_assert_str_eq(ask(&r, "STARTTLS\r\n"), "503 5.5.1 TLS already active\r\n");	/* */
	rig_stop(&r);
}
END_TEST

/* each version that is allowed. */
START_TEST(both_versions)
{
	struct rig r;

	rig_start_tls(&r, "");
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(r.trust->ctx, _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION), 1);
	ck_assert_int_eq(SSL_CTX_set_min_proto_version(r.trust->ctx, _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION), 1);
	connect_to(&r, RIG_STARTTLS);
	(void)ask(&r, HI);
	begin_tls(&r);
	ck_assert_str_eq(ask(&r, HI), LISTS("", AUTH_LINE));
	ck_assert_msg(strncmp(stream_cipher(r.stream), _i == 0 ? "TLSv1.2 " : "TLSv1.3 ", 8) == 0, "%s", stream_cipher(r.stream));
	rig_stop(&r);
}
END_TEST

/* what HELP names is known, and beyond the minimum of RFC 5321 4.5.1 listed by EHLO; what is not named is not known. */
START_TEST(verbs_are_listed)
{
	static const char minimum[] = " EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY ";
	static const char *const foreign[] = { "EXPN x\r\n", "ETRN x\r\n", "TURN\r\n", "SEND x\r\n", "FOO\r\n", "XCLIENT x\r\n" };
	char listed[2048], verb[16], command[32], word[24];
	const char *reply;
	struct str names;
	struct buf help = { 0 };
	struct rig r;

	rig_start_tls(&r, "");
	connect_to(&r, RIG_STARTTLS);
	snprintf(listed, sizeof listed, "%s", ask(&r, HI));
	begin_tls(&r);
	strncat(listed, ask(&r, HI), sizeof listed - strlen(listed) - 1);
	buf_puts(&help, ask(&r, "HELP\r\n"));
	ck_assert(strncmp(help.data, "214 2.0.0 ", 10) == 0);
	names = str_trim((struct str){ help.data + 10, help.len - 12 });
	for (struct str name; str_split(&names, ' ', &name);) {
		snprintf(verb, sizeof verb, "%.*s", (int)name.n, name.p);
		snprintf(command, sizeof command, "%s\r\n", verb);
		reply = ask(&r, command);
		ck_assert_msg(strncmp(reply, "500", 3) != 0 && strncmp(reply, "502", 3) != 0, "%s: %s", verb, reply);
		snprintf(word, sizeof word, " %s ", verb);
		snprintf(command, sizeof command, "250-%s", verb);
		if (strstr(minimum, word) == NULL && strcmp(verb, "HELP") != 0)
			ck_assert_msg(strstr(listed, command) != NULL, "%s is not listed", verb);
	}
	ck_assert_ptr_nonnull(strstr(listed, "250 HELP\r\n"));
	connect_to(&r, RIG_IMPLICIT);
	for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
		snprintf(verb, sizeof verb, "%.*s", (int)strcspn(foreign[i], " \r"), foreign[i]);
		ck_assert_msg(strstr(listed, verb) == NULL && strstr(help.data, verb) == NULL, "%s is listed", verb);
		reply = ask(&r, foreign[i]);
		ck_assert_msg(strncmp(reply, "50", 2) == 0, "%s: %s", verb, reply);
	}
	buf_clear(&help);
	rig_stop(&r);
}
END_TEST

/* The words that the contract fixes. */
static const struct {
	enum rig_port port;
	const char *before, *say, *reply;
} words[] = {
	{ RIG_STARTTLS, HI, MAIL, "530 5.7.0 Must issue a STARTTLS command first\r\n" },		/* */
	{ RIG_STARTTLS, HI, RCPT, "530 5.7.0 Must issue a STARTTLS command first\r\n" },
	{ RIG_STARTTLS, HI, "DATA\r\n", "530 5.7.0 Must issue a STARTTLS command first\r\n" },
	{ RIG_STARTTLS, HI, "VRFY x\r\n", "530 5.7.0 Must issue a STARTTLS command first\r\n" },
	{ RIG_STARTTLS, HI, "AUTH PLAIN AHUAcA==\r\n", "530 5.7.0 Must issue a STARTTLS command first\r\n" },	/* */
	{ RIG_TRUSTED, HI, "AUTH PLAIN AHUAcA==\r\n", "538 5.7.11 encryption is required to log in\r\n" },	/* */
	{ RIG_IMPLICIT, HI, MAIL, "530 5.7.0 Authentication required\r\n" },				/* */
	{ RIG_IMPLICIT, HI, RCPT, "530 5.7.0 Authentication required\r\n" },
	{ RIG_IMPLICIT, HI, "DATA\r\n", "530 5.7.0 Authentication required\r\n" },
	{ RIG_IMPLICIT, HI, "AUTH PLAIN\r\n", "334 \r\n" },						/* */
	{ RIG_IMPLICIT, HI, "AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n" },					/* */
	{ RIG_IMPLICIT, HI "AUTH LOGIN\r\n", "dQ==\r\n", "334 UGFzc3dvcmQ6\r\n" },
	{ RIG_IMPLICIT, HI, "AUTH LOGIN dQ==\r\n", "334 UGFzc3dvcmQ6\r\n" },
	{ RIG_IMPLICIT, HI "AUTH PLAIN\r\n", "*\r\n", "501 5.7.0 cancelled\r\n" },			/* */
	{ RIG_IMPLICIT, HI, "AUTH CRAM-MD5 dSBwCg==\r\n", "504 5.5.4 this mechanism is not offered\r\n" },	/* */
	{ RIG_IMPLICIT, HI, "AUTH SCRAM-SHA-256 biwsbj11\r\n", "504 5.5.4 this mechanism is not offered\r\n" },
	{ RIG_IMPLICIT, IN, "MAIL FROM:<a@b> REQUIRETLS\r\n", "555 5.5.4 unknown parameter\r\n" },	/* */
	{ RIG_IMPLICIT, IN MAIL, RCPT, "250 2.1.5 ok\r\n" },						/* */
	{ RIG_IMPLICIT, IN MAIL RCPT, "BDAT 0 LAST\r\n", "502 5.5.1 not implemented\r\n" },		/* */
	{ RIG_IMPLICIT, "", MAIL, "503 5.5.1 send EHLO first\r\n" },					/* */
};

START_TEST(word_for_word)
{
	struct rig r;

	rig_start_tls(&r, "");
	connect_to(&r, words[_i].port);
	for (const char *at = words[_i].before, *end; (end = strstr(at, "\r\n")) != NULL; at = end + 2) {
		char line[80];

		snprintf(line, sizeof line, "%.*s", (int)(end + 2 - at), at);
		(void)ask(&r, line);
	}
	ck_assert_str_eq(ask(&r, words[_i].say), words[_i].reply);
	rig_stop(&r);
}
END_TEST

/* on both ports RSET is taken in each state, before TLS, inside it and before the login too, and what is not of a transaction
 * stays. */
START_TEST(reset_in_every_state)
{
	static const char ok[] = "250 2.0.0 ok\r\n";
	struct rig r;

	rig_start_tls(&r, "");
	connect_to(&r, _i == 0 ? RIG_STARTTLS : RIG_IMPLICIT);
	ck_assert_str_eq(ask(&r, "RSET\r\n"), ok);			/* S0, or T0 */
	if (_i == 0) {
		(void)ask(&r, HI);
		ck_assert_str_eq(ask(&r, "RSET\r\n"), ok);		/* S1 */
		begin_tls(&r);
		ck_assert_str_eq(ask(&r, "RSET\r\n"), ok);		/* T0 */
	}
	(void)ask(&r, HI);
	ck_assert_str_eq(ask(&r, "RSET\r\n"), ok);			/* T1 */
	ck_assert(strncmp(ask(&r, "AUTH PLAIN AHUAcA==\r\n"), "235 2.7.0 ", 10) == 0);
	ck_assert_str_eq(ask(&r, "RSET\r\n"), ok);			/* A1 */
	ck_assert(strncmp(ask(&r, MAIL), "250 2.1.0 ", 10) == 0);
	ck_assert_str_eq(ask(&r, "RSET\r\n"), ok);			/* M1 */
	ck_assert(strncmp(ask(&r, RCPT), "503 5.5.1 ", 10) == 0);
	ck_assert(strncmp(ask(&r, MAIL), "250 2.1.0 ", 10) == 0);
	ck_assert(strncmp(ask(&r, RCPT), "250 2.1.5 ", 10) == 0);
	ck_assert_str_eq(ask(&r, "RSET\r\n"), ok);			/* R1 */
	ck_assert(strncmp(ask(&r, "DATA\r\n"), "503 5.5.1 ", 10) == 0);
	ck_assert_str_eq(ask(&r, "NOOP\r\n"), ok);
	rig_stop(&r);
}
END_TEST

/* right ones are not looked at either: nobody is logged in, no failure counted, nothing of them in the log. */
START_TEST(credentials_before_tls)
{
	int64_t failures = count_get(COUNT_AUTH_FAILURES);
	struct buf log = { 0 };
	struct rig r;

	rig_start_tls(&r, "");
	log_open(LOG_DEBUG, LOG_LOGFMT);
	rig_log_begin(&r);
	connect_to(&r, RIG_STARTTLS);
	(void)ask(&r, HI);
	for (int i = 0; i < 5; i++)	/* more than auth_failures */
		ck_assert(strncmp(ask(&r, "AUTH PLAIN AHUAcA==\r\n"), "530 5.7.0 ", 10) == 0);
	begin_tls(&r);
	(void)ask(&r, HI);
	ck_assert_str_eq(ask(&r, MAIL), "530 5.7.0 Authentication required\r\n");
	ck_assert(strncmp(ask(&r, "AUTH PLAIN AHUAcA==\r\n"), "235 2.7.0 ", 10) == 0);
	rig_log_end(&r, &log);
	log_open(LOG_ERROR, LOG_LOGFMT);
	ck_assert_int_eq(count_get(COUNT_AUTH_FAILURES), failures);
	ck_assert_ptr_null(strstr(log.data, "AHUAcA"));
	ck_assert_ptr_null(strstr(log.data, "auth_failed"));
	buf_clear(&log);
	rig_stop(&r);
}
END_TEST

/* who is trusted needs no login; in the middle of a transaction none begins, and it stays nobody's. */
START_TEST(no_login_in_a_transaction)
{
	struct rig r;

	rig_start_tls(&r, "");
	connect_to(&r, RIG_TRUSTED);
	(void)ask(&r, HI);
	begin_tls(&r);
	ck_assert_str_eq(ask(&r, HI), LISTS("", AUTH_LINE));
	(void)ask(&r, MAIL);
	ck_assert_str_eq(ask(&r, "AUTH PLAIN AHUAcA==\r\n"), "503 5.5.1 not during a transaction\r\n");
	ck_assert_str_eq(ask(&r, "AUTH LOGIN\r\n"), "503 5.5.1 not during a transaction\r\n");
	ck_assert(strncmp(ask(&r, RCPT), "250 2.1.5 ", 10) == 0);
	ck_assert(strncmp(ask(&r, "AUTH PLAIN AHUAcA==\r\n"), "503 5.5.1 ", 10) == 0);
	ck_assert(strncmp(ask(&r, "DATA\r\n"), "354 ", 4) == 0);
	ck_assert(strncmp(ask(&r, TEXT), "250 2.0.0 queued as ", 20) == 0);
	ck_assert(strncmp(r.mail.data, "<a@b.example> <c@d.example>\n", 28) == 0);	/* no user before it */
	ck_assert(strncmp(ask(&r, "AUTH PLAIN AHUAcA==\r\n"), "235 2.7.0 ", 10) == 0);
	rig_stop(&r);
}
END_TEST

/* wrong, unknown, disabled: the same reply after the same delay. */
START_TEST(failures_look_the_same)
{
	static const char *const tries[] = {	/* u wrong; nobody p; locked p; star p */
		"AUTH PLAIN AHUAd3Jvbmc=\r\n", "AUTH PLAIN AG5vYm9keQBw\r\n", "AUTH PLAIN AGxvY2tlZABw\r\n", "AUTH PLAIN AHN0YXIAcA==\r\n"
	};
	char path[128], line[256];
	int64_t began_at_ms;
	struct rig r;

	rig_start_tls(&r, "");
	snprintf(line, sizeof line, "locked:!%s:\nstar:*:\nu:%s:\n", crypt("p", "$6$rounds=1000$saltsalt$"), "*");
	rig_write(&r, "users", line, path, sizeof path);
	for (int i = 0; i < 4; i++) {
		connect_to(&r, RIG_IMPLICIT);
		(void)ask(&r, HI);
		began_at_ms = clock_now_ms();
		ck_assert_str_eq(ask(&r, tries[i]), "535 5.7.8 authentication failed\r\n");
		ck_assert_int_eq(clock_now_ms() - began_at_ms, 500);
	}
	rig_stop(&r);
}
END_TEST

/* who is there already is not disturbed by those who are turned away. */
START_TEST(turned_away)
{
	struct stream *first;
	struct rig r;

	rig_start_tls(&r, "limits { connections = 1 }\n");
	connect_to(&r, RIG_PLAIN);
	(void)ask(&r, HI);
	ck_assert(strncmp(ask(&r, "AUTH PLAIN AHUAcA==\r\n"), "235 ", 4) == 0);	/* a stranger would give way */
	clock_fake_add(1000);	/* nobody was let in while one was logging in */
	first = r.stream;
	r.stream = NULL;
	for (int i = 0; i < 3; i++) {
		rig_connect(&r, RIG_PLAIN);
		rig_finish(&r);
		ck_assert_str_eq(r.heard.data, "421 4.7.0 mail.example too many connections\r\n");
	}
	rig_hang_up(&r);
	r.stream = first;
	ck_assert(strncmp(ask(&r, "MAIL FROM:<a@b.example>\r\n"), "250 ", 4) == 0);
	rig_stop(&r);
}
END_TEST

/* a name of 255 octets is one, of 256 none; what is refused leaves the one before it. */
START_TEST(names_that_are_none)
{
	static const char *const bad[] = { "EHLO a b<script>\r\n", "HELO \x01x\r\n", "EHLO \xff\r\n", "EHLO\r\n" };
	struct buf say = { 0 };
	struct rig r;

	rig_start_tls(&r, "");
	connect_to(&r, RIG_IMPLICIT);
	for (size_t n = 255; n <= 256; n++) {
		buf_cut(&say, 0);
		buf_puts(&say, "EHLO ");
		for (size_t i = 0; i < n; i++)
			buf_putc(&say, i % 60 == 59 ? '.' : 'x');
		buf_puts(&say, "\r\n");
		ck_assert(strncmp(ask(&r, say.data), n == 255 ? "250-mail" : "501 5.5.4 ", 8) == 0);
	}
	(void)ask(&r, "EHLO good.example\r\n");
	(void)ask(&r, "AUTH PLAIN AHUAcA==\r\n");
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ck_assert(strncmp(ask(&r, bad[i]), "501 5.5.4 ", 10) == 0);
	ck_assert(strncmp(ask(&r, say.data), "501 5.5.4 ", 10) == 0);
	(void)ask(&r, MAIL);
	(void)ask(&r, RCPT);
	(void)ask(&r, "DATA\r\n");
	ck_assert(strncmp(ask(&r, TEXT), "250 2.0.0 ", 10) == 0);
	ck_assert(strncmp(r.prefix.data, "Received: from good.example (", 29) == 0);
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* A-181, C-16: whatever a client says, it does not come back to it. */
START_TEST(nothing_is_echoed)
{
	static const char *const says[] = {
		"CANARY x\r\n", "EHLO CANARY<\r\n", "HELO CANARY x\r\n", "NOOP CANARY\r\n", "HELP CANARY\r\n", "VRFY CANARY\r\n",
		"EXPN CANARY\r\n", "RSET CANARY\r\n", "AUTH CANARY\r\n", "AUTH PLAIN CANARY\r\n", "MAIL CANARY\r\n",
		"MAIL FROM:<CANARY@@b>\r\n", "MAIL FROM:<CANARY@b> CANARY=1\r\n", "MAIL FROM:<CANARY@b> SIZE=CANARY\r\n",
		"RCPT TO:<CANARY@>\r\n", "RCPT TO:<CANARY> CANARY\r\n", "AUTH PLAIN AENBTkFSWQBDQU5BUlk=\r\n",
	};
	struct rig r;

	rig_start_tls(&r, "limits { errors = 100 }\n");
	connect_to(&r, RIG_IMPLICIT);
	for (unsigned round = 0; round < 4; round++) {	/* in S0, T1, A1 and M1 */
		for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
			const char *reply = ask(&r, says[i]);

			ck_assert_msg(strcasestr(reply, "canary") == NULL && strstr(reply, "AENBTk") == NULL, "%s", reply);
			if (strncmp(reply, "334", 3) == 0)
				(void)ask(&r, "*\r\n");
		}
		(void)ask(&r, round == 0 ? HI : round == 1 ? "AUTH PLAIN AHUAcA==\r\n" : MAIL);
	}
	rig_stop(&r);
}
END_TEST

/* A client that resumes its session if it may; on 587 after STARTTLS.  Was it resumed? */
static bool
resumes(struct rig *r, enum rig_port port, SSL_CTX *ctx, SSL_SESSION **ticket)
{
	char got[512];
	bool resumed;
	SSL *ssl;

	rig_connect(r, port);
	if (port != RIG_IMPLICIT) {
		rig_say_text(r, HI "STARTTLS\r\n");
		rig_await(r, "220 2.0.0 ");
	}
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, r->fd);
	ck_assert_int_eq(fcntl(r->fd, F_SETFL, O_NONBLOCK), 0);
	setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (*ticket != NULL)
		ck_assert_int_eq(SSL_set_session(ssl, *ticket), 1);
	for (int i = 0; SSL_connect(ssl) != 1; i++) {
		ck_assert_int_lt(i, 2000);
		loop_turn(r->loop, false);
	}
	ck_assert_int_eq(SSL_write(ssl, "NOOP\r\n", 6), 6);
	for (int i = 0; SSL_read(ssl, got, sizeof got) <= 0; i++) {	/* the ticket comes with it */
		ck_assert_int_lt(i, 2000);
		loop_turn(r->loop, false);
	}
	resumed = SSL_session_reused(ssl);
	SSL_SESSION_free(*ticket);
	*ticket = SSL_get1_session(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	rig_hang_up(r);
	rig_settle(r);
	return resumed;
}

/* a ticket serves where it was given, and on no other port. */
START_TEST(tickets_stay_on_their_port)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_SESSION *ticket = NULL;
	struct rig r;

	SSL_CTX_set_max_proto_version(ctx, _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
	rig_start_tls(&r, "");
	ck_assert(!resumes(&r, RIG_IMPLICIT, ctx, &ticket));
	ck_assert(resumes(&r, RIG_IMPLICIT, ctx, &ticket));
	ck_assert(!resumes(&r, RIG_STARTTLS, ctx, &ticket));
	ck_assert(resumes(&r, RIG_STARTTLS, ctx, &ticket));
	ck_assert(!resumes(&r, RIG_TRUSTED, ctx, &ticket));
	SSL_SESSION_free(ticket);
	SSL_CTX_free(ctx);
	rig_stop(&r);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

Suite *story_submission(void);

Suite *
story_submission(void)
{
	Suite *s = suite_create("story_submission");
	TCase *t = tcase_create("dialogues");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_each_port_lists);
	tcase_add_loop_test(t, both_versions, 0, 2);
	tcase_add_test(t, verbs_are_listed);
	tcase_add_loop_test(t, word_for_word, 0, COUNT(words));
	tcase_add_loop_test(t, reset_in_every_state, 0, 2);
	tcase_add_test(t, credentials_before_tls);
	tcase_add_test(t, no_login_in_a_transaction);
	tcase_add_test(t, failures_look_the_same);
	tcase_add_test(t, turned_away);
	tcase_add_test(t, names_that_are_none);
	tcase_add_test(t, nothing_is_echoed);
	tcase_add_loop_test(t, tickets_stay_on_their_port, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
