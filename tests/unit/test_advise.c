/* What `gatepost probe' finds out, against a fake provider: stage, reason and advice of each failure. */
#include "relay_rig.h"

#include "relay/advise.h"

Suite *test_advise(void);

static const struct {
	enum provider_mode mode;
	enum tls_mode tls;
	const char *script, *password;
	bool ok;
	enum probe_stage stage;
	int auth;
	const char *reason, *advice;
} rows[] = {
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "", NULL, true, PROBE_DONE, PROBE_AUTH_OK, "", "" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "", NULL, true, PROBE_DONE, PROBE_AUTH_OK, "", "" },
	{ PROVIDER_DROP, TLS_STARTTLS, "", NULL, false, PROBE_TCP, PROBE_AUTH_NOT_TRIED, "no answer to TCP in 1 s", "firewall on the way drops" },
	{ PROVIDER_REFUSE, TLS_STARTTLS, "", NULL, false, PROBE_TCP, PROBE_AUTH_NOT_TRIED, "connection refused", "rejected" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "connect: !reset", NULL, false, PROBE_BANNER, PROBE_AUTH_NOT_TRIED, "reset", "cut before the server spoke" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "connect: !reset", NULL, false, PROBE_TLS, PROBE_AUTH_NOT_TRIED, "reset", "no TLS comes" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "banner: 421 4.3.2 busy", NULL, false, PROBE_BANNER, PROBE_AUTH_NOT_TRIED, "421 4.3.2 busy", "said so before TLS" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "banner: 554 5.7.1 go away", NULL, false, PROBE_BANNER, PROBE_AUTH_NOT_TRIED, "554 5.7.1 go away", "does not accept this address" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "banner: 220 ****", NULL, false, PROBE_BANNER, PROBE_AUTH_NOT_TRIED, "masked", "rewrites SMTP" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "ehlo: 502 5.5.1 what", NULL, false, PROBE_STARTTLS, PROBE_AUTH_NOT_TRIED, "502 5.5.1 what", "implicit TLS gets past it" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "starttls: 454 4.7.0 no", NULL, false, PROBE_STARTTLS, PROBE_AUTH_NOT_TRIED, "454 4.7.0 no", "offered and then refused" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "max: 1.1", NULL, false, PROBE_TLS, PROBE_AUTH_NOT_TRIED, "no TLS version in common", "older than we accept" },
	{ PROVIDER_NONE, TLS_IMPLICIT, "", NULL, false, PROBE_TLS, PROBE_AUTH_NOT_TRIED, "does not speak TLS", "wants starttls" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "ehlo2: 550 5.7.1 your name", NULL, false, PROBE_EHLO, PROBE_AUTH_NOT_TRIED, "550 5.7.1 your name", "hostname" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "cert: not-yet", NULL, false, PROBE_TLS, PROBE_AUTH_NOT_TRIED, "not valid yet", "clock" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "connect: !close", NULL, false, PROBE_BANNER, PROBE_AUTH_NOT_TRIED, "closed before", "proxy" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "banner: !raw HTTP/1.1 302 Found|", NULL, false, PROBE_BANNER, PROBE_AUTH_NOT_TRIED, "web server", "captive portal" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "strip: 1", NULL, false, PROBE_STARTTLS, PROBE_AUTH_NOT_TRIED, "STARTTLS is not offered", "middlebox takes it out" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "starttls: !inject 250 x|", NULL, false, PROBE_STARTTLS, PROBE_AUTH_NOT_TRIED, "put in", "attack" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "cert: wrong-name", NULL, false, PROBE_TLS, PROBE_AUTH_NOT_TRIED, "for other names", "intercepted" },
	{ PROVIDER_STARTTLS, TLS_STARTTLS, "cert: expired", NULL, false, PROBE_TLS, PROBE_AUTH_NOT_TRIED, "has expired", "clock" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "cert: self", NULL, false, PROBE_TLS, PROBE_AUTH_NOT_TRIED, "self-signed", "tls_ca" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "ehlo2: 421 4.7.0 slow", NULL, false, PROBE_EHLO, PROBE_AUTH_NOT_TRIED, "421 4.7.0 slow", "later" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "mechs: NTLM", NULL, false, PROBE_AUTH, PROBE_AUTH_NOT_TRIED, "no way to log in", "check `auth'" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "mechs:", NULL, false, PROBE_AUTH, PROBE_AUTH_NOT_TRIED, "it offers no login at all", "No login was offered on port" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "", "wrong", false, PROBE_AUTH, PROBE_AUTH_REFUSED, "535 5.7.8", "Wrong user name or password" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "auth: 454 4.7.0 later", NULL, false, PROBE_AUTH, PROBE_AUTH_NOT_TRIED, "454 4.7.0", "Wait" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "auth: 334 bW9yZQ==", NULL, false, PROBE_AUTH, PROBE_AUTH_NOT_TRIED, "did not follow the login's protocol", "it is not known" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "auth: !raw nonsense|", NULL, false, PROBE_AUTH, PROBE_AUTH_NOT_TRIED, "at login: ", "it is not known" },
	{ PROVIDER_IMPLICIT, TLS_IMPLICIT, "auth: !close", NULL, false, PROBE_AUTH, PROBE_AUTH_NOT_TRIED, "lost the connection at login", "did not answer our login" },
};

START_TEST(a_probe)
{
	struct probe_result out[8];
	struct upstream *u;
	struct why why;
	struct rig r;
	int n;

	rig_open(&r, "me", "connect_timeout = \"1s\" tls_name = \"localhost\"");
	rig_port(&r, rows[_i].mode, rows[_i].tls, rows[_i].script);
	u = &r.config->upstream[0];
	u->nchain = 1;
	u->chain[0] = (struct chain_entry){ r.candidate[0].port, rows[_i].tls };
	free(u->host);
	u->host = mem_text("127.0.0.1");
	if (rows[_i].password != NULL) {
		free(u->password);
		u->password = mem_text(rows[_i].password);
	}
	n = relay_probe(r.config, u, &(struct probe_secret){ .secret = u->password }, out, 8, &why);
	ck_assert_int_eq(n, 1);
	ck_assert_msg(out[0].ok == rows[_i].ok, "%s", out[0].reason);
	ck_assert_msg(out[0].stage == rows[_i].stage, "stage %d: %s", out[0].stage, out[0].reason);
	ck_assert_int_eq((int)out[0].auth, rows[_i].auth);
	ck_assert_msg(strstr(out[0].reason, rows[_i].reason) != NULL, "%s", out[0].reason);
	ck_assert_msg(strstr(out[0].advice, rows[_i].advice) != NULL, "%s", out[0].advice);
	ck_assert((*out[0].advice == '\0') == rows[_i].ok);
	ck_assert(out[0].has_certificate == (rows[_i].stage > PROBE_TLS || strstr(rows[_i].script, "cert:") != NULL));
	ck_assert((*out[0].tls_version != '\0') == (rows[_i].stage > PROBE_TLS));
	ck_assert_uint_gt(out[0].nstep, 1);
	ck_assert_int_eq(out[0].step[0].stage, PROBE_NAME);
	if (!out[0].ok)
		ck_assert_int_eq(out[0].step[out[0].nstep - 1].stage, rows[_i].stage);
	ck_assert_uint_eq(provider_said(r.provider, "MAIL"), 0);
	ck_assert_uint_le(provider_said(r.provider, "AUTH"), 1);
	rig_close(&r);
}
END_TEST

/* All are tried; one logs in, the first that works. */
START_TEST(one_login)
{
	struct probe_result out[8];
	struct upstream *u;
	struct why why;
	struct rig r;

	rig_open(&r, "me", "chain = {\"1/starttls\", \"2/starttls\", \"3/implicit\"} tls_name = \"localhost\"");
	rig_port(&r, PROVIDER_REFUSE, TLS_STARTTLS, NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "banner: !delay 100");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	u = &r.config->upstream[0];
	free(u->host);
	u->host = mem_text("127.0.0.1");
	for (unsigned i = 0; i < 3; i++)
		u->chain[i].port = r.candidate[i].port;
	ck_assert_int_eq(relay_probe(r.config, u, &(struct probe_secret){ .secret = u->password }, out, 8, &why), 3);
	ck_assert(!out[0].ok && out[1].ok && out[2].ok);
	ck_assert(out[1].auth == PROBE_AUTH_OK && out[2].auth == PROBE_AUTH_NOT_TRIED);
	ck_assert_int_ge(out[1].ms, 100);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 1);
	rig_close(&r);
}
END_TEST

static void
use_chain(struct rig *r, struct upstream *u)
{
	free(u->host);
	u->host = mem_text("127.0.0.1");
	u->nchain = r->ncandidate;
	for (unsigned i = 0; i < r->ncandidate; i++)
		u->chain[i] = (struct chain_entry){ r->candidate[i].port, r->candidate[i].tls };
}

static int
probe_all(struct rig *r, struct probe_result out[8])
{
	struct upstream *u = &r->config->upstream[0];
	struct why why;

	use_chain(r, u);
	return relay_probe(r->config, u, &(struct probe_secret){ .secret = u->password }, out, 8, &why);
}

/* The first is dropped; the second's server does not wait as long as that: it is asked again, and logged in to once. */
START_TEST(a_connection_lost_while_others_are_tried)
{
	struct probe_result out[8];
	struct rig r;

	rig_open(&r, "me", "connect_timeout = \"1s\" tls_name = \"localhost\"");
	rig_port(&r, PROVIDER_DROP, TLS_STARTTLS, NULL);
	rig_port(&r, _i == 0 ? PROVIDER_STARTTLS : PROVIDER_IMPLICIT, _i == 0 ? TLS_STARTTLS : TLS_IMPLICIT,
	    "ehlo2#1: !last 250-hi|250 AUTH PLAIN");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(probe_all(&r, out), 3);
	ck_assert(!out[0].ok && out[2].ok);
	ck_assert_msg(out[1].ok && out[1].auth == PROBE_AUTH_OK && out[1].stage == PROBE_DONE, "%s", out[1].reason);
	ck_assert_int_eq(out[2].auth, PROBE_AUTH_NOT_TRIED);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 1);
	ck_assert_uint_eq(provider_connections(r.provider, r.candidate[1].port), 2);
	ck_assert_uint_eq(provider_complaints(r.provider), 0);
	rig_close(&r);
}
END_TEST

/* It cannot be reached again either: that is its verdict, and the next one logs in. */
START_TEST(a_connection_lost_for_good)
{
	struct probe_result out[8];
	struct rig r;

	rig_open(&r, "me", "connect_timeout = \"1s\" tls_name = \"localhost\"");
	rig_port(&r, PROVIDER_DROP, TLS_STARTTLS, NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, "ehlo2#1: !last 250-hi|250 AUTH PLAIN; banner#2: 554 5.7.1 enough");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(probe_all(&r, out), 3);
	ck_assert_int_eq(out[1].stage, PROBE_AUTH);
	ck_assert_msg(!out[1].ok && strstr(out[1].reason, "before the login, and then: greeted with 554 5.7.1 enough") != NULL, "%s",
	    out[1].reason);
	ck_assert_msg(out[2].ok && out[2].auth == PROBE_AUTH_OK, "%s", out[2].reason);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 1);
	rig_close(&r);
}
END_TEST

/* After AUTH was said a lost connection is no reason to say it again. */
START_TEST(never_two_logins)
{
	struct probe_result out[8];
	struct rig r;

	rig_open(&r, "me", "tls_name = \"localhost\"");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "auth: !close");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	ck_assert_int_eq(probe_all(&r, out), 2);
	ck_assert(!out[0].ok && out[1].ok && out[1].auth == PROBE_AUTH_NOT_TRIED);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 1);
	ck_assert_uint_eq(provider_connections(r.provider, 0), 2);
	rig_close(&r);
}
END_TEST

/* What comes after it in the chain is not waited for. */
START_TEST(the_best_logs_in_at_once)
{
	struct probe_result out[8];
	struct rig r;
	char *said, line[32];
	const char *ehlo;

	rig_open(&r, "me", "tls_name = \"localhost\"");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, NULL);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, "banner: !delay 1500");
	ck_assert_int_eq(probe_all(&r, out), 2);
	ck_assert(out[0].ok && out[0].auth == PROBE_AUTH_OK && out[1].ok && out[1].auth == PROBE_AUTH_NOT_TRIED);
	said = provider_transcript(r.provider);
	snprintf(line, sizeof line, "%u c", r.candidate[1].port);
	ehlo = strstr(said, line);
	ck_assert_msg(ehlo != NULL && strstr(said, "AUTH PLAIN") < ehlo, "%s", said);
	free(said);
	rig_close(&r);
}
END_TEST

/* The preset's own words, and none of ours. */
START_TEST(what_the_provider_wants)
{
	char provider[] = "acme", note[] = "the password is an API key", host[] = "smtp.gmail.com";
	struct upstream u = { .provider = provider, .note = note, .host = host };
	struct candidate c = { .port = 587 };
	char out[320];

	advise(out, sizeof out, TROUBLE_LOGIN_REFUSED, &u, &c);
	ck_assert_str_eq(out, "Wrong user name or password. For acme: the password is an API key.");
	u.note = NULL;
	advise(out, sizeof out, TROUBLE_LOGIN_REFUSED, &u, &c);
	ck_assert_ptr_nonnull(strstr(out, "app password"));
}
END_TEST

/* Without a secret no login is tried, on any port, and none is said to work. */
START_TEST(nothing_to_log_in_with)
{
	const struct probe_secret none = { .trouble = "password_command: it ended with status 1" };
	struct probe_result out[8];
	struct upstream *u;
	struct why why;
	struct rig r;

	rig_open(&r, "me", "chain = {\"1/starttls\", \"2/implicit\"} tls_name = \"localhost\"");
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	u = &r.config->upstream[0];
	free(u->host);
	u->host = mem_text("127.0.0.1");
	for (unsigned i = 0; i < 2; i++)
		u->chain[i].port = r.candidate[i].port;
	ck_assert_int_eq(relay_probe(r.config, u, &none, out, 8, &why), 2);
	ck_assert(!out[0].ok && out[0].stage == PROBE_AUTH && out[1].ok && out[1].auth == PROBE_AUTH_NOT_TRIED);
	ck_assert_str_eq(out[0].reason, none.trouble);
	ck_assert_msg(strstr(out[0].advice, "by hand") != NULL, "%s", out[0].advice);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 0);
	rig_close(&r);
}
END_TEST

START_TEST(no_such_name)
{
	struct probe_result out[8];
	struct upstream *u;
	struct why why;
	struct rig r;

	rig_open(&r, "me", NULL);
	u = &r.config->upstream[0];
	free(u->host);
	u->host = mem_text("no such name");	/* no DNS server is asked for this */
	ck_assert_int_eq(relay_probe(r.config, u, &(struct probe_secret){ .secret = u->password }, out, 8, &why), -1);
	ck_assert_msg(strstr(why.text, "does not resolve") != NULL, "%s", why.text);
	rig_close(&r);
}
END_TEST

Suite *
test_advise(void)
{
	Suite *s = suite_create("test_advise");
	TCase *t = tcase_create("rows");

	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, a_probe, 0, sizeof rows / sizeof rows[0]);
	tcase_add_test(t, one_login);
	tcase_add_loop_test(t, a_connection_lost_while_others_are_tried, 0, 2);
	tcase_add_test(t, a_connection_lost_for_good);
	tcase_add_test(t, never_two_logins);
	tcase_add_test(t, the_best_logs_in_at_once);
	tcase_add_test(t, no_such_name);
	tcase_add_test(t, what_the_provider_wants);
	tcase_add_test(t, nothing_to_log_in_with);
	suite_add_tcase(s, t);
	return s;
}
