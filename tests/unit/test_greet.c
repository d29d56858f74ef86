/*
 * One candidate's way to EHLO inside TLS, and what all of them together come to: the numbers of PROTOCOL.md B.2 and B.4 that
 * test_dial's chains of two do not show.
 */
#include "relay_rig.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

Suite *test_greet(void);

static void
turn_for_ms(struct rig *r, int ms)
{
	for (; ms > 0; ms -= 5) {
		loop_turn(r->loop, false);
		usleep(5000);
	}
}

/* --- what cannot be connected to ------------------------------------------------ */

/* B-003: no route there: the next, at once.  (The kernel has none to the limited broadcast address.) */
START_TEST(no_route)
{
	int64_t began;
	struct rig r;

	rig_open(&r, "me", "race_delay = \"5s\" connect_timeout = \"8s\"");
	r.candidate[r.ncandidate++] = (struct candidate){ .address = "255.255.255.255", .port = 587, .tls = TLS_STARTTLS };
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	began = clock_now_ms();
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	ck_assert_int_lt(clock_now_ms() - began, 4000);
	ck_assert_uint_eq(r.opened->winner.port, r.candidate[1].port);
	ck_assert_int_eq(rig_find_heard(&r, 587)->heard, HEARD_BLOCKED);
	ck_assert_str_eq(rig_find_heard(&r, 587)->reason, "network is unreachable");
	rig_close(&r);
}
END_TEST

/* This thread's connect() fails so from now on, as a firewall of this machine has it. */
static bool
forbid_connect(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = sizeof code / sizeof code[0], .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

/* B-004: a local firewall blocks a port, as any other does: the next one is tried; no descriptors, no ports, no memory are our
 * own fault, and condemn none. */
static const struct { int error; enum heard heard; enum opened opened; } local[] = {
	{ EPERM, HEARD_BLOCKED, OPENED_ALL_FAILED }, { EACCES, HEARD_BLOCKED, OPENED_ALL_FAILED },
	{ EHOSTUNREACH, HEARD_BLOCKED, OPENED_ALL_FAILED }, { ENETUNREACH, HEARD_BLOCKED, OPENED_ALL_FAILED },	/* B-003 */
	{ EADDRNOTAVAIL, HEARD_LOCAL, OPENED_LOCAL }, { ENOBUFS, HEARD_LOCAL, OPENED_LOCAL }, { EMFILE, HEARD_LOCAL, OPENED_LOCAL },
};

START_TEST(connect_fails)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	if (!forbid_connect(local[_i].error)) {
		fprintf(stderr, "test_greet: connect_fails skipped, no seccomp here\n");
		rig_close(&r);
		return;
	}
	ck_assert_int_eq(rig_race(&r, 1)->result, local[_i].opened);
	rig_wait(&r, &r.nheard, 2);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(r.heard[i]->heard, local[_i].heard);
	ck_assert_uint_eq(provider_connections(r.provider, 0), 0);
	rig_close(&r);
}
END_TEST

/* --- all of them ------------------------------------------------------------------ */

#define ST(script) { PROVIDER_STARTTLS, TLS_STARTTLS, script }
#define IM(script) { PROVIDER_IMPLICIT, TLS_IMPLICIT, script }

static const struct row {
	const char *name;
	struct { enum provider_mode mode; enum tls_mode tls; const char *script; } port[2];
	enum opened opened;
	const char *status, *words;	/* of what is told; the second is in it */
} rows[] = {
	{ "B-007 everywhere", { ST("banner: 421 4.3.2 busy"), ST("banner: 450 hm") }, OPENED_ALL_FAILED, "4.4.1", "421 4.3.2 busy" },
	{ "B-008 everywhere", { ST("banner: 554 no"), ST("banner: 521 no") }, OPENED_ALL_FAILED, "4.4.1", "554 no" },
	{ "B-009 TLS where plain is due", { ST("banner: !raw \x15\x03\x01|"), ST("banner: !raw \x15\x03\x03|") }, OPENED_ALL_FAILED, "4.4.1",
	  "it answers in TLS" },
	{ "B-010 501, 502", { ST("ehlo: 501 a"), ST("ehlo: 502 b") }, OPENED_ALL_FAILED, "4.4.1", "EHLO is answered 501 a" },
	{ "B-010 504, 500", { ST("ehlo: 504 a"), ST("ehlo: 500 b") }, OPENED_ALL_FAILED, "4.4.1", "EHLO is answered 504 a" },
	{ "B-010 inside, with a password", { IM("ehlo2: 502 a"), IM("ehlo2: 500 b") }, OPENED_LOGIN_REFUSED, "4.7.0", "502 a" },
	{ "B-011 everywhere", { ST("ehlo: 421 later"), ST("ehlo: 450 later") }, OPENED_ALL_FAILED, "4.4.1", "421 later" },
	{ "B-012 everywhere", { ST("strip: 1"), ST("strip: 1") }, OPENED_ALL_FAILED, "4.4.1", "STARTTLS is not offered" },
	{ "B-013 everywhere", { ST("starttls: 454 4.7.0 a"), ST("starttls: 501 b") }, OPENED_ALL_FAILED, "4.4.1", "STARTTLS is refused: 454" },
	{ "B-016 everywhere", { ST("cert: expired"), IM("cert: wrong-name") }, OPENED_ALL_FAILED, "4.7.5", "the certificate has expired" },
	{ "B-016 says more", { ST("connect: !close"), IM("cert: self") }, OPENED_ALL_FAILED, "4.7.5", "self-signed" },
	{ "B-018 everywhere", { ST("mechs:"), IM("mechs: GSSAPI") }, OPENED_LOGIN_REFUSED, "4.7.0", "it offers no login at all" },
	{ "B-123 TLS 1.1", { ST("max: 1.1"), IM("max: 1.1") }, OPENED_ALL_FAILED, "4.4.1", "no TLS version in common" },
};

START_TEST(all_fail)
{
	const struct row *row = &rows[_i];
	struct rig r;

	rig_open(&r, "me", NULL);
	for (unsigned i = 0; i < 2; i++)
		rig_port(&r, row->port[i].mode, row->port[i].tls, row->port[i].script);
	ck_assert_msg(rig_race(&r, 1)->result == row->opened, "%s: %d", row->name, r.opened->result);
	ck_assert_int_eq(r.opened->outcome.kind, OUTCOME_DEFER);	/* nothing of it bounces mail */
	ck_assert_msg(strcmp(r.opened->outcome.status, row->status) == 0, "%s: %s", row->name, r.opened->outcome.status);
	ck_assert_msg(strstr(r.opened->outcome.text, row->words) != NULL, "%s: %s", row->name, r.opened->outcome.text);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 0);
	ck_assert_uint_eq(provider_said(r.provider, "MAIL"), 0);
	ck_assert_uint_eq(provider_said(r.provider, "HELO"), 0);
	ck_assert_msg(provider_complaints(r.provider) == 0, "%s", provider_transcript(r.provider));
	rig_close(&r);
}
END_TEST

/* B-138: after 421, or what is no SMTP, there is nobody to say QUIT to. */
START_TEST(no_quit)
{
	static const char *const scripts[] = { "banner: 421 4.3.2 busy", "ehlo: 421 bye", "banner: !raw ciao|", "ehlo: !raw what|",
		"starttls: !inject 250 ok|", "ehlo2: 421 4.3.2 bye" };
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, scripts[_i]);
	ck_assert_int_ne(rig_race(&r, 1)->result, OPENED_UP);
	turn_for_ms(&r, 100);
	ck_assert_uint_eq(provider_said(r.provider, "QUIT"), 0);
	rig_close(&r);
}
END_TEST

/* B-139: a provider on this very machine greets with our own name, and is none of ourselves for that. */
START_TEST(our_own_name)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "banner: 220 relay.example.org ESMTP");
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	rig_close(&r);
}
END_TEST

/* B-111: a SIZE that is none limits nothing, and is told of. */
START_TEST(a_size_that_is_none)
{
	static const struct { const char *script; uint64_t size; bool odd; } sizes[] = {
		{ "caps: SIZE lots", 0, true }, { "caps: SIZE 9223372036854775808", 0, true }, { "caps: SIZE -1", 0, true },
		{ "caps: SIZE", 0, false }, { "caps: SIZE 0", 0, false }, { "caps: SIZE 77", 77, false },
	};
	char log[4096] = "", name[64] = "/tmp/greet-log.XXXXXX";
	int fd = mkstemp(name), before = dup(STDERR_FILENO);
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, sizes[_i].script);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	log_flush();
	dup2(before, STDERR_FILENO);
	ck_assert_int_ge(pread(fd, log, sizeof log - 1, 0), 0);
	ck_assert_uint_eq(r.opened->caps.size, sizes[_i].size);
	ck_assert_msg((strstr(log, "event=size_ignored level=warning ") != NULL) == sizes[_i].odd, "%s", log);
	unlink(name);
	close(fd);
	close(before);
	rig_close(&r);
}
END_TEST

/* --- whose name it must be --------------------------------------------------------- */

/* B-121: the configured host's, or tls_name's; never the address's.  The provider's certificate is for localhost. */
static const struct { const char *config, *cert; enum opened opened; } names[] = {
	{ "tls_name = \"localhost\"", "", OPENED_UP },
	{ "tls_name = \"provider.example\"", "", OPENED_ALL_FAILED },
	{ NULL, "cert: wrong-name", OPENED_ALL_FAILED },
};

START_TEST(the_configured_name)
{
	struct rig r;

	rig_open(&r, "me", names[_i].config);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, names[_i].cert);
	ck_assert_int_eq(rig_race(&r, 1)->result, names[_i].opened);
	if (names[_i].opened != OPENED_UP) {
		rig_wait(&r, &r.nheard, 1);
		ck_assert_msg(strstr(r.heard[0]->reason, "for other names") != NULL, "%s", r.heard[0]->reason);
		ck_assert_uint_eq(provider_said(r.provider, "EHLO"), 0);
	}
	rig_close(&r);
}
END_TEST

/* B-125: without verification every connection says so in the log. */
START_TEST(a_warning_each_time)
{
	char log[8192] = "", name[64] = "/tmp/greet-log.XXXXXX";
	int fd = mkstemp(name), before = dup(STDERR_FILENO);
	unsigned n = 0;
	struct rig r;

	rig_open(&r, "me", "tls_verify = false");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, "cert: self");
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	for (uint32_t lane = 1; lane <= 3; lane++)
		ck_assert_int_eq(rig_race(&r, lane)->result, OPENED_UP);
	log_flush();
	dup2(before, STDERR_FILENO);
	ck_assert_int_gt(pread(fd, log, sizeof log - 1, 0), 0);
	for (const char *p = log; (p = strstr(p, "event=tls_unverified level=warning ")) != NULL; p++)
		n++;
	ck_assert_msg(n == 3, "%s", log);
	unlink(name);
	close(fd);
	close(before);
	rig_close(&r);
}
END_TEST

/* --- login ---------------------------------------------------------------------------- */

/* B-023: who makes no sense is told "*", and neither QUIT nor another mechanism follows a login that never ended. */
static const char *const senseless[] = {
	"mechs: PLAIN;auth: 334 ;cancel: 501 5.7.0 x", "mechs: CRAM-MD5;auth: 334 !!!;cancel: 501 5.7.0 x",
	"mechs: LOGIN;auth2#2: 334 !!!;cancel: 501 5.7.0 x", "mechs: LOGIN;auth: 334 !!!;cancel: 501 5.7.0 x",
};

START_TEST(login_without_sense)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, senseless[_i]);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_LOGIN_LATER);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 1);
	ck_assert_msg(provider_said(r.provider, "*") == 1, "%s", provider_transcript(r.provider));
	ck_assert_uint_eq(provider_connections(r.provider, r.candidate[1].port), 0);
	rig_close(&r);
}
END_TEST

/* C-16: a password that is a word of the protocol is hidden from people alone. */
static const struct { const char *password, *script; } protocol_words[] = {
	{ "STARTTLS", "auth: 535 5.7.8 no" }, { "plain", "mechs: PLAIN;auth: 535 5.7.8 no" },
	{ "secret", "mechs: CRAM-MD5;auth: 334 PHNlY3JldEB4Pg==" },
};

START_TEST(a_password_that_is_a_word_of_the_protocol)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, protocol_words[_i].script);
	rig_post_open(&r, 1, protocol_words[_i].password);
	rig_wait_opened(&r);
	ck_assert_int_eq(r.opened->result, OPENED_LOGIN_REFUSED);
	ck_assert_int_ge(r.opened->outcome.code, 500);	/* the server's word: it was logged in to */
	ck_assert_uint_eq(provider_said(r.provider, "*"), 0);
	rig_close(&r);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

Suite *
test_greet(void)
{
	Suite *s = suite_create("test_greet");
	TCase *t = tcase_create("greet");

	tcase_set_timeout(t, 20);
	tcase_add_test(t, no_route);
	tcase_add_loop_test(t, connect_fails, 0, COUNT(local));
	tcase_add_loop_test(t, all_fail, 0, COUNT(rows));
	tcase_add_loop_test(t, no_quit, 0, 6);
	tcase_add_test(t, our_own_name);
	tcase_add_loop_test(t, a_size_that_is_none, 0, 6);
	tcase_add_loop_test(t, the_configured_name, 0, COUNT(names));
	tcase_add_test(t, a_warning_each_time);
	tcase_add_loop_test(t, login_without_sense, 0, COUNT(senseless));
	tcase_add_loop_test(t, a_password_that_is_a_word_of_the_protocol, 0, COUNT(protocol_words));
	suite_add_tcase(s, t);
	return s;
}
