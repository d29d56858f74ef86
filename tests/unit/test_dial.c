/*
 * The race and the login, against a fake provider: every row of PROTOCOL.md B.2 before MAIL.  Most rows are a chain of two
 * ports: the first has the fault, the second is well.
 */
#include "relay_rig.h"

Suite *test_dial(void);

#define GOOD { PROVIDER_STARTTLS, TLS_STARTTLS, NULL }
#define ST(script) { PROVIDER_STARTTLS, TLS_STARTTLS, script }
#define IM(script) { PROVIDER_IMPLICIT, TLS_IMPLICIT, script }

enum { NONE = -1, FIRST, SECOND };	/* the winner */

struct row {
	const char *name;
	struct { enum provider_mode mode; enum tls_mode tls; const char *script; } port[3];
	unsigned nport;
	enum opened opened;
	int winner;
	int heard;		/* of the first port; -1: nothing yet */
	const char *reason;	/* is in it, or in the outcome if nothing was heard */
	unsigned auths;		/* AUTH commands in all */
	enum auth_method auth;
	const char *config;
	const char *password;	/* NULL: the right one */
};

#define NEXT(n, p, h, r) { .name = n, .port = { p, GOOD }, .nport = 2, .opened = OPENED_UP, .winner = SECOND, \
	.heard = h, .reason = r, .auths = 1 }
#define ALONE(n, p, o, h, r, a) { .name = n, .port = { p }, .nport = 1, .opened = o, .winner = FIRST, \
	.heard = h, .reason = r, .auths = a }
#define LOGIN(n, a, m) { .name = n, .port = { ST("mechs: " m) }, .nport = 1, .opened = OPENED_UP, .winner = FIRST, \
	.heard = HEARD_UP, .reason = "", .auths = 1, .auth = a }
#define P(...) __VA_ARGS__

static const struct row rows[] = {
	NEXT("B-003 refused", P({ PROVIDER_REFUSE, TLS_STARTTLS, NULL }), HEARD_BLOCKED, "connection refused"),
	NEXT("B-003 reset", P(ST("connect: !reset")), HEARD_BLOCKED, "reset"),
	NEXT("B-006 closed", P(ST("connect: !close")), HEARD_BLOCKED, "closed before the banner"),
	NEXT("B-007 421", P(ST("banner: 421 4.3.2 busy")), HEARD_BUSY, "greeted with 421 4.3.2 busy"),
	NEXT("B-008 554", P(ST("banner: 554 go away")), HEARD_BLOCKED, "greeted with 554 go away"),
	NEXT("B-009 HTTP", P(ST("banner: !raw HTTP/1.1 400 Bad Request|")), HEARD_BLOCKED, "web server"),
	NEXT("B-009 a page", P(ST("banner: !raw <html>login</html>|")), HEARD_BLOCKED, "web page"),
	NEXT("B-009 SSH", P(ST("banner: !raw SSH-2.0-OpenSSH_9.2|")), HEARD_BLOCKED, "SSH"),
	NEXT("B-009 IMAP", P(ST("banner: !raw * OK ready|")), HEARD_BLOCKED, "IMAP"),
	NEXT("B-009 POP3", P(ST("banner: !raw +OK ready|")), HEARD_BLOCKED, "POP3"),
	NEXT("B-009 PIX", P(ST("banner: 220 ****************")), HEARD_BLOCKED, "masked"),
	NEXT("B-009 PIX, no space", P(ST("banner: !raw 220*****************|")), HEARD_BLOCKED, "masked"),
	NEXT("B-009 noise", P(ST("banner: !raw ciao|")), HEARD_BLOCKED, "not SMTP: ciao"),
	NEXT("B-103 bare LF", P(ST("banner: !raw 220 hi\n")), HEARD_BLOCKED, "not SMTP"),
	NEXT("B-010 EHLO 500", P(ST("ehlo: 500 what")), HEARD_UNSAFE, "EHLO is answered 500 what"),
	NEXT("B-010 EHLO 550", P(ST("ehlo: 550 no")), HEARD_UNSAFE, "EHLO is answered 550"),
	NEXT("B-011 EHLO 421", P(ST("ehlo: !last 421 later")), HEARD_BUSY, "EHLO is answered 421"),
	NEXT("EHLO, closed", P(ST("ehlo: !close")), HEARD_BLOCKED, "closed instead of an answer to EHLO"),
	NEXT("B-012 stripped", P(ST("strip: 1")), HEARD_UNSAFE, "STARTTLS is not offered"),
	NEXT("B-012 XXXXXXXA", P(ST("ehlo: 250-x|250-XXXXXXXA|250 HELP")), HEARD_UNSAFE, "STARTTLS is not offered"),
	NEXT("B-012 STARTXXX", P(ST("ehlo: 250-x|250-STARTXXX|250 HELP")), HEARD_UNSAFE, "STARTTLS is not offered"),
	NEXT("B-109 in the domain", P(ST("ehlo: 250 starttls.example")), HEARD_UNSAFE, "STARTTLS is not offered"),
	NEXT("B-102 differing codes", P(ST("ehlo: 250-x|500 y")), HEARD_UNSAFE, "nonsense"),
	NEXT("B-013 454", P(ST("starttls: 454 4.7.0 not now")), HEARD_UNSAFE, "STARTTLS is refused: 454"),
	NEXT("B-013 500", P(ST("starttls: 500 what")), HEARD_UNSAFE, "STARTTLS is refused: 500"),
	NEXT("B-013 250", P(ST("starttls: 250 fine")), HEARD_UNSAFE, "STARTTLS is refused: 250"),
	NEXT("B-013 closed", P(ST("starttls: !close")), HEARD_UNSAFE, "closed instead"),
	NEXT("B-014 injected, C-03", P(ST("starttls: !inject 250-AUTH PLAIN|250 ok|")), HEARD_UNSAFE, "put in"),
	NEXT("B-014 injected 421", P(ST("starttls: !inject 421 bye|")), HEARD_UNSAFE, "put in"),
	NEXT("B-014 half a line", P(ST("starttls: !inject 25")), HEARD_UNSAFE, "put in"),
	NEXT("B-015 cut", P(ST("tls: !close")), HEARD_UNSAFE, "closed in the TLS handshake"),
	NEXT("B-015 reset", P(ST("tls: !reset")), HEARD_UNSAFE, "reset"),
	NEXT("B-015 noise", P(IM("tls: !raw 220 hello from plain text|")), HEARD_UNSAFE, "TLS failed"),
	NEXT("B-015 cut, implicit", P(IM("tls: !close")), HEARD_BLOCKED, "closed in the TLS handshake"),
	NEXT("B-016 expired", P(ST("cert: expired")), HEARD_UNSAFE, "the certificate has expired"),
	NEXT("B-016 not yet valid", P(ST("cert: not-yet")), HEARD_UNSAFE, "not valid yet"),
	NEXT("B-016 self-signed", P(IM("cert: self")), HEARD_UNSAFE, "self-signed"),
	NEXT("B-016 wrong name", P(ST("cert: wrong-name")), HEARD_UNSAFE, "for other names (CN"),
	NEXT("B-120 CN only", P(IM("cert: cn-only")), HEARD_UNSAFE, "for other names"),
	NEXT("B-122 wildcard", P(ST("cert: wildcard")), HEARD_UNSAFE, "for other names"),
	NEXT("B-127 NUL in the name", P(ST("cert: nul-name")), HEARD_UNSAFE, "certificate"),
	NEXT("B-006 closed, inside", P(IM("banner: !close")), HEARD_BLOCKED, "closed before the banner"),
	NEXT("B-017 550", P(ST("ehlo2: 550 5.7.1 who are you")), HEARD_UNSAFE, "550 5.7.1"),
	NEXT("B-106 surplus", P(ST("ehlo2: !inject 250 again|")), HEARD_BLOCKED, "more than it was asked"),
	NEXT("B-018 no AUTH", P(ST("mechs:")), HEARD_UNSAFE, "no login at all"),
	NEXT("B-018 foreign AUTH", P(ST("mechs: NTLM GSSAPI")), HEARD_UNSAFE, "no way to log in"),
	{ .name = "B-018 twice", .port = { ST("mechs:"), ST("mechs:"), GOOD }, .nport = 3,
	  .opened = OPENED_LOGIN_REFUSED, .winner = NONE, .heard = HEARD_UNSAFE, .reason = "no login at all" },
	{ .name = "B-017 twice", .port = { ST("ehlo2: 550 a"), ST("ehlo2: 550 b") }, .nport = 2,
	  .opened = OPENED_LOGIN_REFUSED, .winner = NONE, .heard = HEARD_UNSAFE, .reason = "550 a" },
	/* inside TLS busy is busy everywhere: no ladder */
	{ .name = "B-007 inside", .port = { IM("banner: 421 4.7.0 too many"), GOOD }, .nport = 2,
	  .opened = OPENED_BUSY, .winner = FIRST, .heard = HEARD_BUSY, .reason = "421 4.7.0 too many" },
	{ .name = "B-008 inside", .port = { IM("banner: 554 5.3.2 no"), GOOD }, .nport = 2,
	  .opened = OPENED_BUSY, .winner = FIRST, .heard = HEARD_BUSY, .reason = "554 5.3.2" },
	{ .name = "B-017 421", .port = { ST("ehlo2: 421 4.7.0 slow"), GOOD }, .nport = 2,
	  .opened = OPENED_BUSY, .winner = FIRST, .heard = HEARD_BUSY, .reason = "421 4.7.0 slow" },
	/* a refused login is refused on every port */
	{ .name = "B-019 535", .port = { GOOD, GOOD }, .nport = 2, .opened = OPENED_LOGIN_REFUSED, .winner = FIRST,
	  .heard = HEARD_UP, .reason = "", .auths = 1, .password = "wrong" },
	ALONE("B-019 530", P(ST("auth: 530 5.7.0 no")), OPENED_LOGIN_REFUSED, HEARD_UP, "", 1),
	ALONE("B-019 534", P(ST("auth: 534 5.7.9 no")), OPENED_LOGIN_REFUSED, HEARD_UP, "", 1),
	ALONE("B-019 538", P(ST("auth: 538 5.7.11 no")), OPENED_LOGIN_REFUSED, HEARD_UP, "", 1),
	ALONE("B-019 550", P(ST("auth: 550 5.7.1 no")), OPENED_LOGIN_REFUSED, HEARD_UP, "", 1),
	ALONE("B-020 432", P(ST("auth: 432 4.7.12 change it")), OPENED_LOGIN_REFUSED, HEARD_UP, "", 1),
	ALONE("B-021 454", P(ST("auth: 454 4.7.0 too many logins")), OPENED_LOGIN_LATER, HEARD_UP, "", 1),
	ALONE("B-021 421", P(ST("auth: !last 421 4.7.0 bye")), OPENED_LOGIN_LATER, HEARD_UP, "", 1),
	ALONE("B-021 451", P(ST("auth: 451 4.3.0 hm")), OPENED_LOGIN_LATER, HEARD_UP, "", 1),
	ALONE("B-022 504, then LOGIN", P(ST("auth/PLAIN: 504 5.5.4 no")), OPENED_UP, HEARD_UP, "", 2),
	ALONE("B-022 504 twice", P(ST("auth: 504 5.5.4 no")), OPENED_LOGIN_REFUSED, HEARD_UP, "", 2),
	ALONE("B-023 334 for 235", P(ST("auth: 334 ;cancel: 501 5.7.0 x")), OPENED_LOGIN_LATER, HEARD_UP, "", 1),
	ALONE("B-023 3xx", P(ST("auth: 354 go")), OPENED_LOGIN_LATER, HEARD_UP, "", 1),
	ALONE("B-024 lost", P(ST("auth: !close")), OPENED_LOGIN_LATER, HEARD_UP, "", 1),
	{ .name = "B-023 not base 64", .port = { ST("mechs: CRAM-MD5;auth: 334 !!!") }, .nport = 1, .opened = OPENED_LOGIN_LATER,
	  .winner = FIRST, .heard = HEARD_UP, .reason = "", .auths = 1 },
	LOGIN("PLAIN", AUTH_PLAIN, "PLAIN LOGIN"),
	LOGIN("LOGIN", AUTH_LOGIN, "PLAIN LOGIN"),
	LOGIN("CRAM-MD5", AUTH_CRAM_MD5, "PLAIN CRAM-MD5"),
	LOGIN("XOAUTH2", AUTH_XOAUTH2, "PLAIN XOAUTH2"),
	LOGIN("OAUTHBEARER", AUTH_OAUTHBEARER, "OAUTHBEARER"),
	LOGIN("auto takes what there is", AUTH_AUTO, "GSSAPI CRAM-MD5"),
	{ .name = "XOAUTH2 refused", .port = { ST("mechs: XOAUTH2") }, .nport = 1, .opened = OPENED_LOGIN_REFUSED,
	  .winner = FIRST, .heard = HEARD_UP, .reason = "", .auths = 1, .auth = AUTH_XOAUTH2, .password = "wrong" },
	{ .name = "OAUTHBEARER refused", .port = { ST("mechs: OAUTHBEARER") }, .nport = 1, .opened = OPENED_LOGIN_REFUSED,
	  .winner = FIRST, .heard = HEARD_UP, .reason = "", .auths = 1, .auth = AUTH_OAUTHBEARER, .password = "wrong" },
	{ .name = "tls_min", .port = { ST("max: 1.2") }, .nport = 1, .opened = OPENED_ALL_FAILED, .winner = NONE,
	  .heard = HEARD_UNSAFE, .reason = "TLS failed", .config = "tls_min_version = \"1.3\"" },
	{ .name = "plain, loopback", .port = { { PROVIDER_NONE, TLS_NONE, NULL } }, .nport = 1, .opened = OPENED_UP,
	  .winner = FIRST, .heard = HEARD_UP, .reason = "", .auths = 1 },
	{ .name = "all failed, certificate", .port = { ST("connect: !close"), ST("cert: expired") }, .nport = 2,
	  .opened = OPENED_ALL_FAILED, .winner = NONE, .heard = HEARD_BLOCKED, .reason = "closed" },
	ALONE("implicit", P(IM(NULL)), OPENED_UP, HEARD_UP, "", 1),
};

START_TEST(a_race)
{
	const struct row *row = &rows[_i];
	struct open *o;
	struct rig r;
	unsigned verdicts = row->winner == SECOND || row->winner == NONE ? 2 : 1;
	const struct heard_memo *h;

	rig_open(&r, "me", row->config != NULL ? row->config : "race_delay = \"1m\"");	/* the next when one has failed, on slow machines too */
	r.config->upstream[0].auth = row->auth;
	for (unsigned i = 0; i < row->nport; i++)
		rig_port(&r, row->port[i].mode, row->port[i].tls, row->port[i].script);
	rig_post_open(&r, 3, row->password != NULL ? row->password : "secret");
	rig_wait_opened(&r);
	o = r.opened;
	rig_wait(&r, &r.nheard, verdicts < row->nport ? verdicts : row->nport);
	ck_assert_msg(o->result == row->opened, "%s: %d, %s", row->name, o->result,
	    o->outcome.text != NULL ? o->outcome.text : "");
	if (row->winner != NONE)
		ck_assert_msg(o->winner.port == r.candidate[row->winner].port, "%s: port %u", row->name, o->winner.port);
	h = rig_find_heard(&r, r.candidate[0].port);
	ck_assert_ptr_nonnull(h);
	ck_assert_msg((int)h->heard == row->heard, "%s: heard %d, %s", row->name, h->heard, h->reason);
	ck_assert_msg(strstr(h->reason, row->reason) != NULL, "%s: reason: %s", row->name, h->reason);
	ck_assert_msg(provider_said(r.provider, "AUTH") == row->auths, "%s: %u AUTH", row->name,
	    provider_said(r.provider, "AUTH"));
	ck_assert_msg(provider_complaints(r.provider) == 0, "%s: %s", row->name, provider_transcript(r.provider));
	ck_assert(o->result == OPENED_UP || o->outcome.text != NULL);
	ck_assert(o->result == OPENED_UP || o->outcome.status[0] != '\0');
	rig_close(&r);
}
END_TEST

/* A candidate that is slow but makes progress is not left behind. */
START_TEST(slow_but_living)
{
	struct rig r;

	rig_open(&r, "me", "race_delay = \"2s\"");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "latency: 700");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	ck_assert_uint_eq(r.opened->winner.port, r.candidate[0].port);
	ck_assert_uint_eq(provider_connections(r.provider, r.candidate[1].port), 0);
	rig_close(&r);
}
END_TEST

/* A port whose SYNs are dropped costs the head start, not the timeout; its verdict comes later. */
START_TEST(dropped)
{
	int64_t began = clock_now_ms();
	struct rig r;

	rig_open(&r, "me", "race_delay = \"50ms\" connect_timeout = \"10s\"");
	rig_port(&r, PROVIDER_DROP, TLS_STARTTLS, NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	ck_assert_int_lt(clock_now_ms() - began, 9000);
	ck_assert_uint_eq(r.opened->winner.port, r.candidate[1].port);
	ck_assert_ptr_null(rig_find_heard(&r, r.candidate[0].port));
	clock_fake(clock_now_ms() + 10 * 1000, clock_wall_s());
	rig_wait(&r, &r.nheard, 2);
	ck_assert_int_eq(rig_find_heard(&r, r.candidate[0].port)->heard, HEARD_BLOCKED);
	ck_assert_str_eq(rig_find_heard(&r, r.candidate[0].port)->reason, "no answer to TCP in 10 s");
	rig_close(&r);
}
END_TEST

/* IPv6 that goes nowhere: the same port over IPv4 comes race_delay later (RFC 8305); where there is no IPv6 at all, at once. */
START_TEST(six_goes_nowhere)
{
	enum provider_mode mode = _i == 0 ? PROVIDER_DROP : PROVIDER_REFUSE;
	int64_t began, took;
	unsigned port;
	struct rig r;

	rig_open(&r, "me", "race_delay = \"1s\" connect_timeout = \"10s\"");
	port = provider_listen(r.provider, "::1", 0, mode, NULL);
	if (port == 0) {
		fprintf(stderr, "test_dial: six_goes_nowhere skipped, this machine has no IPv6\n");
		rig_close(&r);
		return;
	}
	r.candidate[r.ncandidate++] = (struct candidate){ .address = "::1", .port = (uint16_t)port, .tls = TLS_STARTTLS };
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	began = clock_now_ms();
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	took = clock_now_ms() - began;
	ck_assert_uint_eq(r.opened->winner.port, r.candidate[1].port);
	ck_assert_msg(took < 9000, "%lld ms", (long long)took);
	ck_assert(mode == PROVIDER_REFUSE || took >= 990);
	if (mode == PROVIDER_DROP)
		clock_fake(clock_now_ms() + 10 * 1000, clock_wall_s());
	rig_wait(&r, &r.nheard, 2);
	ck_assert_int_eq(rig_find_heard(&r, port)->heard, HEARD_BLOCKED);
	ck_assert_uint_eq(provider_connections(r.provider, r.candidate[2].port), 0);
	rig_close(&r);
}
END_TEST

/* B-005, and the other silences of the short column. */
static const struct { const char *script; enum provider_mode mode; enum heard heard; const char *reason; } silences[] = {
	{ "connect: !silent", PROVIDER_STARTTLS, HEARD_BLOCKED, "no banner in 30 s" },
	{ "ehlo: !silent", PROVIDER_STARTTLS, HEARD_BLOCKED, "no answer to EHLO in 30 s" },
	{ "starttls: !silent", PROVIDER_STARTTLS, HEARD_UNSAFE, "no answer to STARTTLS in 30 s" },
	{ "tls: !silent", PROVIDER_STARTTLS, HEARD_UNSAFE, "no TLS handshake in 20 s" },
	{ "tls: !silent", PROVIDER_IMPLICIT, HEARD_BLOCKED, "no TLS handshake in 20 s" },
	{ "banner: !silent", PROVIDER_IMPLICIT, HEARD_BLOCKED, "no banner in 30 s" },
	{ "banner: !raw 220 half", PROVIDER_STARTTLS, HEARD_BLOCKED, "no banner in 30 s" },
};

START_TEST(a_silence)
{
	struct rig r;

	rig_open(&r, "me", "race_delay = \"1s\"");
	rig_port(&r, silences[_i].mode, silences[_i].mode == PROVIDER_IMPLICIT ? TLS_IMPLICIT : TLS_STARTTLS,
	    silences[_i].script);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	ck_assert_uint_eq(r.opened->winner.port, r.candidate[1].port);
	clock_fake(clock_now_ms() + 31 * 1000, clock_wall_s());
	rig_wait(&r, &r.nheard, 2);
	ck_assert_int_eq(rig_find_heard(&r, r.candidate[0].port)->heard, silences[_i].heard);
	ck_assert_str_eq(rig_find_heard(&r, r.candidate[0].port)->reason, silences[_i].reason);
	rig_close(&r);
}
END_TEST

/* The loser runs on to its own verdict, says QUIT, and never logs in. */
START_TEST(bystander)
{
	struct rig r;

	rig_open(&r, "me", "race_delay = \"20ms\"");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "banner: !delay 3000");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	ck_assert_uint_eq(r.opened->winner.port, r.candidate[1].port);
	rig_wait(&r, &r.nheard, 2);
	ck_assert_int_eq(rig_find_heard(&r, r.candidate[0].port)->heard, HEARD_UP);
	for (int i = 0; i < 1500 && provider_said(r.provider, "QUIT") == 0; i++) {
		loop_turn(r.loop, false);
		usleep(10000);
	}
	ck_assert_uint_eq(provider_said(r.provider, "QUIT"), 1);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 1);
	rig_close(&r);
}
END_TEST

/* Both complete in one turn: the one that stands first in the chain wins, though its answer came second. */
START_TEST(tie)
{
	struct rig r;

	rig_open(&r, "me", "race_delay = \"20ms\"");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "ehlo2: !delay 3000");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "ehlo2: !delay 2500");
	rig_post_open(&r, 1, "secret");
	while (provider_said(r.provider, "EHLO") < 4) {	/* the next event may be the answer: that one is not to be waited for */
		loop_turn(r.loop, false);
		usleep(1000);
	}
	usleep(4000000);	/* both answers are in the kernel */
	rig_wait_opened(&r);
	ck_assert_uint_eq(r.opened->winner.port, r.candidate[0].port);
	rig_wait(&r, &r.nheard, 2);
	rig_close(&r);
}
END_TEST

/* B-138: who is turned away still says QUIT. */
START_TEST(quits)
{
	static const char *const scripts[] = { "banner: 451 later", "ehlo: 500 what", "strip: 1", "starttls: 454 no", "ehlo2: 550 no" };
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, scripts[_i]);
	ck_assert_int_ne(rig_race(&r, 1)->result, OPENED_UP);
	for (int i = 0; i < 3000 && provider_said(r.provider, "QUIT") == 0; i++) {
		loop_turn(r.loop, false);
		usleep(5000);
	}
	ck_assert_uint_eq(provider_said(r.provider, "QUIT"), 1);
	rig_close(&r);
}
END_TEST

/* B-110: what was said before TLS is forgotten. */
START_TEST(capabilities)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "plain-caps: DSN,SIZE 10,CHUNKING,PIPELINING;caps: 8BITMIME,SIZE 1000");
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	ck_assert(r.opened->caps.eightbit && !r.opened->caps.dsn && !r.opened->caps.chunking && !r.opened->caps.pipelining);
	ck_assert_uint_eq(r.opened->caps.size, 1000);
	rig_close(&r);
}
END_TEST

/* B-010: HELO will do where nobody has to log in. */
START_TEST(helo)
{
	struct rig r;

	rig_open(&r, NULL, NULL);
	r.config->upstream[0].auth = AUTH_NONE;
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, "ehlo2: 502 5.5.1 what");
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	ck_assert(!r.opened->caps.esmtp);
	ck_assert_uint_eq(provider_said(r.provider, "HELO relay.example.org"), 1);
	rig_close(&r);
}
END_TEST

/* B-114: a response that does not fit a line of 512 octets waits to be asked for. */
START_TEST(long_password)
{
	char password[500];
	struct rig r;

	memset(password, 'x', sizeof password);
	password[sizeof password - 1] = '\0';
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, NULL);
	rig_post_open(&r, 1, password);
	rig_wait_opened(&r);
	ck_assert_int_eq(r.opened->result, OPENED_LOGIN_REFUSED);
	ck_assert_int_eq(r.opened->outcome.code, 535);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH PLAIN"), 1);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH PLAIN "), 0);
	rig_close(&r);
}
END_TEST

/* C-16: neither the secret nor its base 64 comes into the log, even with debug. */
START_TEST(no_secrets)
{
	static const char *const never[] = { "secret", "AG1lAHNlY3JldA==", "c2VjcmV0" };
	char log[16384] = "", name[64] = "/tmp/relay-log.XXXXXX";
	int fd = mkstemp(name), before = dup(STDERR_FILENO);
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "auth/PLAIN: 504 no");
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	log_open(LOG_DEBUG, LOG_LOGFMT);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	log_flush();
	log_open(LOG_WARNING, LOG_LOGFMT);
	dup2(before, STDERR_FILENO);
	ck_assert_int_gt(pread(fd, log, sizeof log - 1, 0), 0);
	ck_assert_ptr_nonnull(strstr(log, "EHLO relay.example.org"));
	ck_assert_ptr_nonnull(strstr(log, "AUTH ***"));
	for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
		ck_assert_msg(strstr(log, never[i]) == NULL, "%s in %s", never[i], log);
	unlink(name);
	close(fd);
	rig_close(&r);
}
END_TEST

/* B-004: our own fault condemns no port. */
START_TEST(local_fault)
{
	struct rig r;

	rig_open(&r, "me", "source = \"192.0.2.1\"");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_LOCAL);
	rig_wait(&r, &r.nheard, 1);
	ck_assert_int_eq(r.heard[0]->heard, HEARD_LOCAL);
	rig_close(&r);
}
END_TEST

START_TEST(no_address)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_ALL_FAILED);
	ck_assert_uint_eq(r.nheard, 0);
	rig_close(&r);
}
END_TEST

START_TEST(cancelled)
{
	struct lane_memo *m = (struct lane_memo *)memo_new(_i == 0 ? MEMO_CLOSE : MEMO_DRAIN, sizeof *m);
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "connect: !silent");
	rig_post_open(&r, 9, "secret");
	while (provider_connections(r.provider, 0) == 0)
		loop_turn(r.loop, false);
	m->lane = 9;
	memo_post(relay_get_channel(r.relay), &m->memo);
	rig_wait_opened(&r);
	ck_assert_int_eq(r.opened->result, OPENED_CANCELLED);
	if (_i == 1) {
		rig_wait(&r, &r.ndrained, 1);
		memo_open_free(&r.opened);
		rig_post_open(&r, 10, "secret");	/* and nothing new from now on */
		rig_wait_opened(&r);
		ck_assert_int_eq(r.opened->result, OPENED_CANCELLED);
		r.ndrained = 0;
		relay_free(&r.relay);
		r.relay = relay_new(r.loop, r.queue, r.main);
	}
	rig_close(&r);
}
END_TEST

START_TEST(probe)
{
	static const struct { const char *script; enum heard heard; } probes[] = {
		{ NULL, HEARD_UP }, { "connect: !close", HEARD_BLOCKED }, { "strip: 1", HEARD_UNSAFE }
	};
	struct heard_memo *m = memo_heard_new(MEMO_PROBE);
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, probes[_i].script);
	m->upstream = 7;
	m->config = config_ref(r.config);
	m->settings = &r.config->upstream[0];
	m->tls = tls_ref(r.tls);
	m->candidate = r.candidate[0];
	memo_post(relay_get_channel(r.relay), &m->memo);
	rig_wait(&r, &r.nheard, 1);
	ck_assert_ptr_eq(r.heard[0], m);
	ck_assert_int_eq(m->memo.kind, MEMO_PROBE);
	ck_assert_int_eq(m->heard, probes[_i].heard);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 0);
	rig_close(&r);
}
END_TEST

Suite *
test_dial(void)
{
	Suite *s = suite_create("test_dial");
	TCase *t = tcase_create("rows");

	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, a_race, 0, sizeof rows / sizeof rows[0]);
	suite_add_tcase(s, t);
	t = tcase_create("time");
	tcase_set_timeout(t, 20);
	tcase_add_test(t, slow_but_living);
	tcase_add_test(t, dropped);
	tcase_add_loop_test(t, six_goes_nowhere, 0, 2);
	tcase_add_loop_test(t, a_silence, 0, sizeof silences / sizeof silences[0]);
	tcase_add_test(t, bystander);
	tcase_add_test(t, tie);
	suite_add_tcase(s, t);
	t = tcase_create("single");
	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, quits, 0, 5);
	tcase_add_test(t, capabilities);
	tcase_add_test(t, helo);
	tcase_add_test(t, long_password);
	tcase_add_test(t, no_secrets);
	tcase_add_test(t, local_fault);
	tcase_add_test(t, no_address);
	tcase_add_loop_test(t, cancelled, 0, 2);
	tcase_add_loop_test(t, probe, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
