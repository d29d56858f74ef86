/* Logins, end to end: every mechanism, tokens from an endpoint, and pauses that end when the secret's file changes. */
#include "e2e/world.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT "Subject: hello\r\nFrom: app@client.example\r\n\r\nbody\r\n"

static struct world w;
static unsigned token_port;

static void
setup(void)
{
	world_new(&w, PROVIDER_STARTTLS, NULL, PROVIDER_IMPLICIT, NULL, PROVIDER_STARTTLS, NULL);
}

static void
teardown(void)
{
	if (w.pid != 0)
		ck_assert_int_eq(world_stop(&w, SIGTERM), 0);
	world_free(&w);
}

static void
write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", w.dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fchmod(fileno(f), 0600);
	fputs(text, f);
	fclose(f);
}

/* It holds this, soon. */
static void
expect_file(const char *name, const char *text)
{
	char path[128], got[256] = "";
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", w.dir, name);
	for (unsigned i = 0; i < 1500 && strcmp(got, text) != 0; i++) {
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		ck_assert_ptr_nonnull(fgets(got, sizeof got, f));
		fclose(f);
		usleep(10000);
	}
	ck_assert_str_eq(got, text);
}

static void
submit(void)
{
	struct client *c = client_new(&w, w.l465, CLIENT_IMPLICIT);

	ck_assert(client_login(c));
	ck_assert_int_eq(client_mail(c, "app@client.example", "you@far.example", TEXT), 250);
	client_free(&c);
}

static unsigned
times(const char *what)
{
	char *said = provider_transcript(w.provider);
	unsigned n = 0;

	for (const char *p = said; (p = strstr(p, what)) != NULL; p++)
		n++;
	free(said);
	return n;
}

static void
expect_said(const char *what)
{
	char *said = provider_transcript(w.provider);

	ck_assert_msg(strstr(said, what) != NULL, "%s not in\n%s", what, said);
	free(said);
}

static bool
is_logged(const char *what)
{
	char *log = world_read_log(&w);
	bool found = strstr(log, what) != NULL;

	free(log);
	return found;
}

/* No secret of these tests, neither plain nor as a form or SASL has it (C-16). */
static void
expect_no_secrets(void)
{
	static const char *const secrets[] = { "provider-secret", "refresh-one", "refresh-two", "client-secret-x", "stale-token",
		"cHJvdmlkZXItc2VjcmV0" };
	char *log = world_read_log(&w);

	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
		ck_assert_msg(strstr(log, secrets[i]) == NULL, "%s in\n%s", secrets[i], log);
	free(log);
}

/* --- mechanisms ------------------------------------------------------------------------ */

static const struct {
	const char *auth, *mechs, *said;
} mechanisms[] = {
	{ "auto", "LOGIN CRAM-MD5 PLAIN XOAUTH2", "C: AUTH PLAIN " },
	{ "auto", "CRAM-MD5", "C: AUTH CRAM-MD5\n" },
	{ "auto", "XOAUTH2 LOGIN", "C: AUTH LOGIN\n" },
	{ "plain", "LOGIN PLAIN", "C: AUTH PLAIN " },
	{ "login", "LOGIN PLAIN", "C: AUTH LOGIN\n" },
	{ "cram-md5", "LOGIN PLAIN CRAM-MD5", "C: AUTH CRAM-MD5\n" },
	{ "xoauth2", "LOGIN PLAIN XOAUTH2", "C: AUTH XOAUTH2 " },
	{ "oauthbearer", "LOGIN PLAIN XOAUTH2 OAUTHBEARER", "C: AUTH OAUTHBEARER " },
};

START_TEST(each_mechanism_logs_in)	/* B-109 */
{
	char script[128], auth[64];

	snprintf(script, sizeof script, "mechs: %s", mechanisms[_i].mechs);
	w.p465 = provider_listen(w.provider, "127.0.0.1", w.p465, PROVIDER_IMPLICIT, script);
	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, script);
	snprintf(auth, sizeof auth, " auth = \"%s\"", mechanisms[_i].auth);
	world_configure(&w, auth, "");
	world_start(&w);
	submit();
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_str_eq(provider_message(w.provider, 0)->user, "apikey");
	expect_said(mechanisms[_i].said);
	expect_no_secrets();
}
END_TEST

/* --- tokens ----------------------------------------------------------------------------- */

static void
open_endpoint(const char *script)
{
	char all[1024];

	snprintf(all, sizeof all, "token: 1; %s", script);
	token_port = provider_listen(w.provider, "127.0.0.1", token_port, PROVIDER_IMPLICIT, all);
	ck_assert_uint_ne(token_port, 0);
}

static void
configure_tokens(const char *auth, const char *grant)
{
	char text[1024], path[128], out[512], *conf, *line;
	FILE *f;
	size_t n;

	setenv("SSL_CERT_FILE", provider_ca(w.provider), 1);	/* what the system trusts */
	write_file("refresh", "refresh-one\n");
	write_file("client", "client-secret-x\n");
	snprintf(text, sizeof text, " auth = \"%s\"\n oauth2 { token_url = \"https://127.0.0.1:%u/token\" client_id = \"me@app\" %s"
	    " client_secret_file = \"client\" scope = \"https://mail/ x\" }", auth, token_port, grant);
	world_configure(&w, "", "");	/* makes the users, too */
	world_configure(&w, text, "log { level = \"debug\" }");	/* expect_no_secrets reads it */
	/* a password beside it is refused: the world's goes */
	snprintf(path, sizeof path, "%s/gatepost.conf", w.dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	conf = calloc(1, 8192);
	n = fread(conf, 1, 8191, f);
	fclose(f);
	ck_assert_uint_gt(n, 0);
	ck_assert_int_ne(world_run(&w, out, sizeof out, NULL, "check"), 0);
	ck_assert_msg(strstr(out, "oauth2: there is password_file already") != NULL, "%s", out);
	line = strstr(conf, " password_file = \"secret\"\n");
	ck_assert_ptr_nonnull(line);
	memset(line, ' ', strlen(" password_file = \"secret\""));
	f = fopen(path, "w");
	fputs(conf, f);
	fclose(f);
	free(conf);
}

static void
configure_refresh(const char *auth)
{
	configure_tokens(auth, "refresh_token_file = \"refresh\"");
}

static void
offer(const char *mechs)
{
	char script[256];

	snprintf(script, sizeof script, "mechs: %s", mechs);
	w.p587 = provider_listen(w.provider, "127.0.0.1", w.p587, PROVIDER_STARTTLS, script);
}

#define STALE "200 {\"access_token\":\"stale-token\",\"token_type\":\"Bearer\",\"expires_in\":3600}"

static const struct {
	const char *auth, *said;
	bool client;
} grants[] = {
	{ "auto", "C: AUTH XOAUTH2 ", false },
	{ "xoauth2", "C: AUTH XOAUTH2 ", true },
	{ "oauthbearer", "C: AUTH OAUTHBEARER ", false },
};

START_TEST(a_token_logs_in_and_is_kept)
{
	offer("PLAIN LOGIN XOAUTH2 OAUTHBEARER");
	open_endpoint("");
	if (grants[_i].client)
		configure_tokens(grants[_i].auth, "grant = \"client_credentials\"");
	else
		configure_refresh(grants[_i].auth);
	world_start(&w);
	submit();
	ck_assert(provider_wait(w.provider, 1, 30000));
	expect_said(grants[_i].client ?
	    "C: grant_type=client_credentials&client_id=me%40app&client_secret=client-secret-x&scope=https%3A%2F%2Fmail%2F+x\n" :
	    "C: grant_type=refresh_token&client_id=me%40app&client_secret=client-secret-x&refresh_token=refresh-one&scope=");
	expect_said(grants[_i].said);
	ck_assert_uint_eq(times("C: AUTH PLAIN"), 0);
	kill(w.pid, SIGHUP);		/* new settings: new connections, and what was cached is asked for again */
	ck_assert(world_wait_log(&w, "event=reloaded", 30000));
	submit();
	ck_assert(provider_wait(w.provider, 2, 30000));
	submit();
	ck_assert(provider_wait(w.provider, 3, 30000));
	ck_assert_uint_le(times("C: grant_type="), 2);
	expect_no_secrets();
}
END_TEST

START_TEST(a_refused_token_is_renewed_once)	/* B-019 */
{
	offer("XOAUTH2 PLAIN");
	open_endpoint("grant#1: " STALE);
	configure_refresh("auto");
	world_start(&w);
	submit();
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_uint_eq(times("C: grant_type="), 2);
	ck_assert_uint_eq(times("C: AUTH XOAUTH2"), 2);
	ck_assert(!is_logged("state=auth_failed"));
	expect_no_secrets();
}
END_TEST

START_TEST(no_token_that_serves_pauses_the_upstream)	/* B-019: no other port, no password, no bounce */
{
	offer("XOAUTH2 PLAIN LOGIN");
	open_endpoint(_i == 0 ? "grant: " STALE : "grant#1: " STALE "; grant: 200 {\"access_token\":\"other-token\",\"expires_in\":60}");
	configure_refresh("auto");
	world_start(&w);
	submit();
	ck_assert(world_wait_log(&w, "state=auth_failed", 30000));
	ck_assert(is_logged("authentication failed"));
	ck_assert_uint_eq(times("C: grant_type="), 2);
	ck_assert_uint_eq(times("C: AUTH XOAUTH2"), _i == 0 ? 1 : 2);	/* the same one is not shown twice */
	ck_assert_uint_eq(times("C: AUTH PLAIN"), 0);
	ck_assert_uint_eq(times("C: AUTH LOGIN"), 0);
	ck_assert_uint_eq(provider_connections(w.provider, w.p465), 0);
	ck_assert_uint_eq(provider_count(w.provider), 0);
	/* `retry' asks again at once */
	open_endpoint("");
	ck_assert_int_eq(world_run(&w, (char[4096]){ 0 }, 4096, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	expect_no_secrets();
}
END_TEST

START_TEST(a_revoked_refresh_token_pauses_until_its_file_changes)	/* B-019 */
{
	char out[4096], from[128], to[128];

	offer("XOAUTH2");
	open_endpoint("grant/refresh-one: 400 {\"error\":\"invalid_grant\",\"error_description\":\"refresh-one was revoked\"}");
	configure_refresh("xoauth2");
	world_start(&w);
	submit();
	ck_assert(world_wait_log(&w, "state=auth_failed", 30000));
	ck_assert(is_logged("invalid_grant"));
	ck_assert_uint_eq(times("C: AUTH"), 0);
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert_msg(strstr(out, "auth_failed") != NULL && strstr(out, "invalid_grant") != NULL, "%s", out);
	if (_i == 0) {
		write_file("refresh", "refresh-two\n");
	} else {		/* renamed over */
		write_file("new", "refresh-two\n");
		snprintf(from, sizeof from, "%s/new", w.dir);
		snprintf(to, sizeof to, "%s/refresh", w.dir);
		ck_assert_int_eq(rename(from, to), 0);
	}
	ck_assert(provider_wait(w.provider, 1, 30000));
	expect_no_secrets();
}
END_TEST

START_TEST(a_new_refresh_token_is_kept)
{
	offer("XOAUTH2");
	open_endpoint("grant#1/refresh-one: 200 {\"access_token\":\"provider-secret\",\"expires_in\":3600,\"refresh_token\":\"refresh-two\"}; "
	    "grant/refresh-one: 400 {\"error\":\"invalid_grant\"}");
	configure_refresh("xoauth2");
	world_start(&w);
	submit();
	ck_assert(provider_wait(w.provider, 1, 30000));
	expect_file("refresh", "refresh-two\n");
	kill(w.pid, SIGHUP);
	ck_assert(world_wait_log(&w, "event=reloaded", 30000));
	submit();
	ck_assert(provider_wait(w.provider, 2, 30000));
	expect_said("refresh_token=refresh-two");
	ck_assert(!is_logged("auth_failed"));
	expect_no_secrets();
}
END_TEST

/* What is wrong with the endpoint is "later", and said. */
static const struct {
	const char *script, *reason;
} later[] = {
	{ "grant: 503 busy", "the token endpoint answers 503" },
	{ "grant: 200 <html>", "200 without a token" },
	{ "grant: !close", "closed the connection without an answer" },
	{ "cert: wrong-name", "certificate is for other names" },
	{ "cert: expired", "certificate has expired" },
	{ "grant: !raw HTTP/1.1 302 Go|Location: https://elsewhere/|Content-Length: 0||", "answers 302" },
};

START_TEST(an_endpoint_that_fails_is_down_not_refused)	/* B-126, B-127 for the endpoint */
{
	offer("XOAUTH2 PLAIN");
	open_endpoint(later[_i].script);
	configure_refresh("auto");
	world_start(&w);
	submit();
	ck_assert(world_wait_log(&w, "state=down", 30000));
	ck_assert_msg(is_logged(later[_i].reason), "%s", later[_i].reason);
	ck_assert(!is_logged("state=auth_failed"));
	ck_assert_uint_eq(times("C: AUTH"), 0);
	if (strncmp(later[_i].script, "cert", 4) == 0)
		ck_assert_uint_eq(times("C: grant_type="), 0);	/* nobody saw the refresh token */
	open_endpoint("");
	ck_assert_int_eq(world_run(&w, (char[4096]){ 0 }, 4096, NULL, "retry --all"), 0);
	ck_assert(provider_wait(w.provider, 1, 30000));
	expect_no_secrets();
}
END_TEST

START_TEST(tokens_need_a_mechanism)	/* B-018: never the password's */
{
	offer("PLAIN LOGIN CRAM-MD5");
	w.p465 = provider_listen(w.provider, "127.0.0.1", w.p465, PROVIDER_IMPLICIT, "mechs: PLAIN");
	open_endpoint("");
	configure_refresh("auto");
	world_start(&w);
	submit();
	ck_assert(world_wait_log(&w, "state=auth_failed", 30000));
	ck_assert_uint_eq(times("C: AUTH"), 0);
	ck_assert_uint_eq(provider_count(w.provider), 0);
}
END_TEST

START_TEST(the_other_mechanism_for_tokens_not_one_for_passwords)	/* B-022 */
{
	offer("PLAIN XOAUTH2 OAUTHBEARER; auth/XOAUTH2: 504 5.5.4 no");
	open_endpoint("");
	configure_refresh("auto");
	world_start(&w);
	submit();
	ck_assert(provider_wait(w.provider, 1, 30000));
	expect_said("C: AUTH OAUTHBEARER ");
	ck_assert_uint_eq(times("C: AUTH PLAIN"), 0);
	expect_no_secrets();
}
END_TEST

/* --- passwords --------------------------------------------------------------------------- */

START_TEST(a_changed_password_file_ends_the_pause)	/* B-019 */
{
	char from[128], to[128];

	world_configure(&w, "", "");
	write_file("secret", "wrong\n");
	world_start(&w);
	submit();
	ck_assert(world_wait_log(&w, "state=auth_failed", 30000));
	ck_assert_uint_eq(times("C: AUTH"), 1);
	if (_i == 0) {
		write_file("secret", "provider-secret\n");
	} else {
		write_file("new", "provider-secret\n");
		snprintf(from, sizeof from, "%s/new", w.dir);
		snprintf(to, sizeof to, "%s/secret", w.dir);
		ck_assert_int_eq(rename(from, to), 0);
	}
	ck_assert(provider_wait(w.provider, 1, 30000));
	ck_assert_uint_eq(times("C: AUTH"), 2);
	expect_no_secrets();
}
END_TEST

START_TEST(the_same_wrong_password_is_not_tried_again)	/* B-019: a touched file is no new one */
{
	char out[4096];

	world_configure(&w, "", "");
	write_file("secret", "wrong\n");
	world_start(&w);
	submit();
	ck_assert(world_wait_log(&w, "state=auth_failed", 30000));
	write_file("secret", "wrong\n");
	write_file("other", "x\n");
	write_file("secret", "");		/* and an empty one is none */
	ck_assert(world_wait_log(&w, "event=secret_unreadable", 30000));
	ck_assert_int_eq(world_run(&w, out, sizeof out, NULL, "status --json"), 0);
	ck_assert(strstr(out, "auth_failed") != NULL);
	ck_assert_uint_eq(times("C: AUTH"), 1);
	write_file("secret", "provider-secret\n");
	ck_assert(provider_wait(w.provider, 1, 30000));
}
END_TEST

#define N(a) (sizeof a / sizeof a[0])

Suite *logins_suite(void);

Suite *
logins_suite(void)
{
	Suite *s = suite_create("logins");
	TCase *t = tcase_create("logins");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, each_mechanism_logs_in, 0, N(mechanisms));
	tcase_add_loop_test(t, a_token_logs_in_and_is_kept, 0, N(grants));
	tcase_add_test(t, a_refused_token_is_renewed_once);
	tcase_add_loop_test(t, no_token_that_serves_pauses_the_upstream, 0, 2);
	tcase_add_loop_test(t, a_revoked_refresh_token_pauses_until_its_file_changes, 0, 2);
	tcase_add_test(t, a_new_refresh_token_is_kept);
	tcase_add_loop_test(t, an_endpoint_that_fails_is_down_not_refused, 0, N(later));
	tcase_add_test(t, tokens_need_a_mechanism);
	tcase_add_test(t, the_other_mechanism_for_tokens_not_one_for_passwords);
	tcase_add_loop_test(t, a_changed_password_file_ends_the_pause, 0, 2);
	tcase_add_test(t, the_same_wrong_password_is_not_tried_again);
	suite_add_tcase(s, t);
	return s;
}
