/* TLS contexts: what verifies and what does not, and which files they are made of. */
#include "net/tls.h"

#include "support_tls.h"

/* --- verification ------------------------------------------------------------------ */

enum issuer { BY_ROOT, BY_STRANGER, BY_ITSELF, BY_HIDDEN, BY_INTERMEDIATE, BY_CONSTRAINED, BY_TEN };

#define OTHER "certificate is for other names"
#define NUL_DNS "mail.test\0.evil"

static const struct verify_case {
	const char *what, *asked;
	enum issuer issuer;
	struct cert_spec spec;
	const char *why;	/* NULL: it verifies */
} cases[] = {
	{ "good", "mail.test", BY_ROOT, { .san = "DNS:mail.test" }, NULL },
	{ "case", "MAIL.Test", BY_ROOT, { .san = "DNS:mail.test" }, NULL },
	{ "final dot", "mail.test.", BY_ROOT, { .san = "DNS:mail.test" }, NULL },
	{ "second name", "mail.test", BY_ROOT, { .san = "DNS:x.test,DNS:mail.test" }, NULL },
	{ "expired", "mail.test", BY_ROOT, { .san = "DNS:mail.test", .from_days = -9, .to_days = -1 },
	    "certificate has expired" },
	{ "not yet", "mail.test", BY_ROOT, { .san = "DNS:mail.test", .from_days = 2, .to_days = 3 },
	    "certificate is not valid yet" },
	{ "self-signed", "mail.test", BY_ITSELF, { .san = "DNS:mail.test" }, "certificate is self-signed" },
	{ "unknown issuer", "mail.test", BY_STRANGER, { .san = "DNS:mail.test" },
	    "certificate's issuer is not known here" },
	{ "wrong name", "mail.test", BY_ROOT, { .san = "DNS:other.test" }, OTHER },
	{ "suffix", "mail.test", BY_ROOT, { .san = "DNS:xmail.test,DNS:mail.test.evil" }, OTHER },
	{ "CN alone", "mail.test", BY_ROOT, { .cn = "mail.test" }, OTHER },
	{ "CN beside", "mail.test", BY_ROOT, { .cn = "mail.test", .san = "DNS:other.test" }, OTHER },
	{ "SRV-ID alone", "mail.test", BY_ROOT, { .san = "otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_submissions.mail.test" }, OTHER },
	{ "NUL in name", "mail.test", BY_ROOT,
	    { .raw_dns = NUL_DNS, .raw_dns_len = sizeof NUL_DNS - 1 }, OTHER },
	{ "wildcard", "smtp.mail.test", BY_ROOT, { .san = "DNS:*.mail.test" }, NULL },
	{ "wildcard itself", "mail.test", BY_ROOT, { .san = "DNS:*.mail.test" }, OTHER },
	{ "wildcard of two", "a.b.mail.test", BY_ROOT, { .san = "DNS:*.mail.test" }, OTHER },
	{ "part of a label", "smtp.mail.test", BY_ROOT, { .san = "DNS:s*.mail.test" }, OTHER },
	{ "wildcard inside", "a.smtp.mail.test", BY_ROOT, { .san = "DNS:a.*.mail.test" }, OTHER },
	{ "IPv4", "127.0.0.1", BY_ROOT, { .san = "IP:127.0.0.1" }, NULL },
	{ "IPv6", "::1", BY_ROOT, { .san = "IP:::1" }, NULL },
	{ "other IPv4", "127.0.0.1", BY_ROOT, { .san = "IP:127.0.0.2" }, OTHER },
	{ "IPv4 as a name", "127.0.0.1", BY_ROOT, { .san = "DNS:127.0.0.1" }, OTHER },
	{ "IPv4 in CN", "127.0.0.1", BY_ROOT, { .cn = "127.0.0.1" }, OTHER },
	{ "intermediate", "mail.test", BY_INTERMEDIATE, { .san = "DNS:mail.test" }, NULL },
	{ "no intermediate", "mail.test", BY_HIDDEN, { .san = "DNS:mail.test" },
	    "certificate's issuer is not known here" },
	{ "constrained", "mail.test", BY_CONSTRAINED, { .san = "DNS:mail.test" },
	    "certificate's issuer may not vouch for this name" },
	{ "ten deep", "mail.test", BY_TEN, { .san = "DNS:mail.test" }, NULL },
	{ "SHA-1", "mail.test", BY_ROOT, { .san = "DNS:mail.test", .sha1 = true },
	    "certificate is signed with a weak digest" },
	{ "RSA 1024", "mail.test", BY_ROOT, { .san = "DNS:mail.test", .key = CERT_RSA_1024 },
	    "certificate's key is too short" },
	{ "RSA 2048", "mail.test", BY_ROOT, { .san = "DNS:mail.test", .key = CERT_RSA_2048 }, NULL },
	{ "Ed25519", "mail.test", BY_ROOT, { .san = "DNS:mail.test", .key = CERT_ED25519 }, NULL },
	{ "for clients", "mail.test", BY_ROOT, { .san = "DNS:mail.test", .usage = "clientAuth" },
	    "certificate is not one for servers" },
	{ "no name asked", "", BY_ROOT, { .san = "DNS:mail.test" }, "no valid name to verify" },
};

static struct cert between[10];

/* Whoever signs for the case; *sent says how many of `between' the server sends. */
static const struct cert *
issuer_of(const struct verify_case *c, int *sent)
{
	struct cert_spec ca = { .cn = "Between", .ca = true };
	int n = c->issuer == BY_TEN ? 10 : 1;

	*sent = 0;
	if (c->issuer == BY_ROOT || c->issuer == BY_ITSELF)
		return c->issuer == BY_ROOT ? &root : NULL;
	if (c->issuer == BY_CONSTRAINED)
		ca.constraints = "critical,permitted;DNS:allowed.test";
	for (int i = 0; i < n; i++) {
		char name[8] = { 'C', 'A', (char)('0' + i) };

		ca.cn = name;
		between[i] = cert_make(&ca, c->issuer == BY_STRANGER ? NULL :
		    i == 0 ? &root : &between[i - 1]);
	}
	*sent = c->issuer == BY_HIDDEN || c->issuer == BY_STRANGER ? 0 : n;
	return &between[n - 1];
}

/* What tls_server would refuse (RSA 1024) must be shown to the client too, and alone. */
static void
show_certificate(struct tls *t, const struct cert *c, int sent)
{
	SSL_CTX_free(t->ctx);
	t->ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_security_level(t->ctx, 0);
	ck_assert_int_eq(SSL_CTX_use_certificate(t->ctx, c->x), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(t->ctx, c->key), 1);
	while (sent-- > 0)
		ck_assert_int_eq(SSL_CTX_add1_chain_cert(t->ctx, between[sent].x), 1);
}

START_TEST(certificates)	/* B-120, B-121, B-122, B-123 (weak keys and digests), B-127, C-05 */
{
	const struct verify_case *c = &cases[_i];
	struct cert_spec spec = c->spec;
	struct tls_certificate seen;
	struct cert shown;
	int sent;

	if (spec.cn == NULL)
		spec.cn = "x";
	rig_good_contexts();
	shown = cert_make(&spec, issuer_of(c, &sent));
	show_certificate(ss, &shown, sent);
	rig_start_both(c->asked);
	stream_write(client.s, "AUTH", 4);
	if (c->why == NULL) {
		UNTIL(l, server.got.len == 4);
		ck_assert_str_eq(client.diary, "SR");
		ck_assert_int_eq(stream_peer_certificate(client.s, NULL, &seen), 0);
		ck_assert(seen.has_name);
	} else {
		UNTIL(l, end_has(&client, 'F'));
		ck_assert_str_eq(client.diary, "F");
		ck_assert_int_eq(stream_fault(client.s), FAULT_CERTIFICATE);
		ck_assert_msg(strncmp(stream_why(client.s), c->why, strlen(c->why)) == 0,
		    "%s: %s", c->what, stream_why(client.s));
		ck_assert(!stream_is_secure(client.s));
		if (*c->asked != '\0')	/* what was wrong with it can be looked at */
			ck_assert_int_eq(stream_peer_certificate(client.s, NULL, &seen), 0);
		end_clear(&client);
		UNTIL(l, end_has(&server, 'F'));
		ck_assert_uint_eq(server.got.len, 0);
	}
	cert_clear(&shown);
	for (int i = 0; i < 10; i++)
		cert_clear(&between[i]);
}
END_TEST

START_TEST(nothing_is_verified_where_that_is_asked)	/* B-125 */
{
	struct cert bad = cert_make(&(struct cert_spec){ .cn = "x", .to_days = -1, .from_days = -2 }, NULL);
	struct tls_certificate seen;

	ss = rig_server_context((const struct cert *[]){ &bad, NULL }, "a");
	cs = rig_client_context(&root, false);
	rig_start_both("mail.test");
	UNTIL(l, end_has(&client, 'S'));
	ck_assert_int_eq(stream_peer_certificate(client.s, NULL, &seen), 0);
	ck_assert(!seen.has_name);
	ck_assert_str_eq(seen.subject, "CN=x");
	cert_clear(&bad);
}
END_TEST

/* A secret in a name, wherever the name is cut: in its middle, in that of an escape, behind it, or before (C-16). */
START_TEST(names_are_hidden_before_they_are_cut)
{
	static const char secret[] = "s3cret,w\xc3\xb6rd,and\xc3\xa4ny-more";
	struct cert_spec spec = { .cn = "mail", .san = "DNS:mail.test" }, far = { .ca = true };
	struct veil *v = veil_new();
	struct tls_certificate seen;
	char name[400] = { 0 };
	struct cert shown;

	memset(name, 'x', 218 + (size_t)_i);
	memcpy(name + 218 + _i, secret, sizeof secret);
	far.cn = name;
	veil_add(v, secret);
	rig_good_contexts();
	between[0] = cert_make(&far, &root);
	between[1] = cert_make(&(struct cert_spec){ .cn = "y" }, &root);
	name[0] = 'z';
	spec.cn = name;
	shown = cert_make(&spec, &between[0]);
	show_certificate(ss, &shown, 2);
	rig_start_both("mail.test");
	UNTIL(l, end_has(&client, 'S'));
	ck_assert_int_eq(stream_peer_certificate(client.s, v, &seen), 0);
	ck_assert_str_eq(seen.subject, "***");
	ck_assert_str_eq(seen.issuer, "***");
	ck_assert_str_eq(seen.chain, "CN=y; ***");
	ck_assert_int_eq(stream_peer_certificate(client.s, NULL, &seen), 0);
	ck_assert_uint_eq(strlen(seen.subject), sizeof seen.subject - 1);
	ck_assert(strncmp(seen.chain, "CN=y; CN=xxx", 12) == 0);
	veil_unref(&v);
	cert_clear(&shown);
	cert_clear(&between[0]);
	cert_clear(&between[1]);
}
END_TEST

START_TEST(pinned_certificate_that_is_no_root)
{
	ss = rig_server_context((const struct cert *[]){ &leaf, NULL }, "a");
	cs = rig_client_context(&leaf, true);
	rig_start_both(_i == 0 ? "mail.test" : "other.test");
	if (_i == 0) {
		UNTIL(l, end_has(&client, 'S'));
	} else {	/* the name counts all the same */
		UNTIL(l, end_has(&client, 'F'));
		ck_assert_str_eq(stream_why(client.s), OTHER);
	}
}
END_TEST

static const char *const bad_trust[] = { "", "not a certificate\n",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", NULL };

START_TEST(no_trust_no_context)		/* B-126 */
{
	const char *path = cert_path("missing.pem");

	if (bad_trust[_i] != NULL)
		path = cert_write_text("empty.pem", bad_trust[_i]);
	ck_assert_int_eq(tls_client(&cs, path, true, TLS_1_2, &why), -1);
	ck_assert_ptr_null(cs);
	ck_assert_msg(strstr(why.text, path) != NULL, "%s", why.text);
}
END_TEST

START_TEST(system_without_certificates)	/* B-126 */
{
	setenv("SSL_CERT_FILE", cert_path("none.pem"), 1);
	setenv("SSL_CERT_DIR", cert_dir, 1);
	ck_assert_int_eq(tls_client(&cs, "", true, TLS_1_2, &why), -1);
	ck_assert_msg(strstr(why.text, "ca-certificates") != NULL, "%s", why.text);
	setenv("SSL_CERT_FILE", cert_write("root.pem", (const struct cert *[]){ &root, NULL }), 1);
	ck_assert_int_eq(tls_client(&cs, "", true, TLS_1_2, &why), 0);
	ss = rig_server_context((const struct cert *[]){ &leaf, NULL }, "a");
	rig_start_both("mail.test");
	UNTIL(l, end_has(&client, 'S'));
	unsetenv("SSL_CERT_FILE");
	unsetenv("SSL_CERT_DIR");
}
END_TEST

static char sni[64];

static int
on_sni(SSL *ssl, int *alert, void *arg)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert, (void)arg;
	snprintf(sni, sizeof sni, "%s", name != NULL ? name : "none");
	return SSL_TLSEXT_ERR_NOACK;
}

START_TEST(sni_is_the_name_and_never_an_address)	/* B-123, A-043 */
{
	static const char *const asked[] = { "mail.test", "mail.test.", "127.0.0.1", "::1" };
	static const char *const sent[] = { "mail.test", "mail.test", "none", "none" };

	rig_good_contexts();
	SSL_CTX_set_tlsext_servername_callback(ss->ctx, on_sni);
	rig_start_both(asked[_i]);
	UNTIL(l, end_has(&server, 'S') || end_has(&server, 'F'));
	ck_assert_str_eq(sni, sent[_i]);
}
END_TEST

START_TEST(server_learns_why_its_certificate_is_refused)
{
	struct cert other = cert_make(&(struct cert_spec){ .cn = "Other", .ca = true }, NULL);

	ss = rig_server_context((const struct cert *[]){ &leaf, NULL }, "a");
	cs = rig_client_context(&other, true);
	rig_start_both("mail.test");
	UNTIL(l, end_has(&server, 'F'));
	ck_assert_int_eq(stream_fault(server.s), FAULT_TLS);
	ck_assert_str_eq(stream_why(server.s), "peer does not trust our certificate's issuer");
	cert_clear(&other);
}
END_TEST

/* --- what the server asks of its clients ------------------------------------------- */

static const struct weak {
	int max;
	const char *ciphers, *why;
} weak[] = {
	{ TLS1_1_VERSION, "ALL:@SECLEVEL=0", "no TLS version in common" },
	{ TLS1_VERSION, "ALL:@SECLEVEL=0", "no TLS version in common" },
	{ TLS1_2_VERSION, "ALL:!kECDHE:@SECLEVEL=0", "no TLS cipher in common" },
	{ TLS1_2_VERSION, "eNULL:@SECLEVEL=0", "no TLS cipher in common" },
	{ TLS1_2_VERSION, "aNULL:@SECLEVEL=0", "no TLS cipher in common" },
};

START_TEST(weak_clients_are_refused)	/* */
{
	SSL_CTX_set_min_proto_version(hand_ctx, 0);
	SSL_CTX_set_max_proto_version(hand_ctx, weak[_i].max);
	ck_assert_int_eq(SSL_CTX_set_cipher_list(hand_ctx, weak[_i].ciphers), 1);
	hand_open();
	ck_assert_int_eq(hand_shake(), -SSL_ERROR_SSL);
	UNTIL(l, end_has(&server, 'F'));
	ck_assert_int_eq(stream_fault(server.s), FAULT_TLS);
	ck_assert_str_eq(stream_why(server.s), weak[_i].why);
}
END_TEST

START_TEST(tls_1_3_can_be_demanded)
{
	tls_unref(&ss);
	ck_assert_int_eq(tls_server(&ss, cert_path("cert.pem"), cert_path("key.pem"),
	    TLS_1_3, "a", &why), 0);
	SSL_CTX_set_max_proto_version(hand_ctx, TLS1_2_VERSION);
	hand_open();
	ck_assert_int_eq(hand_shake(), -SSL_ERROR_SSL);
}
END_TEST

START_TEST(no_renegotiation)		/* */
{
	SSL_CTX_set_max_proto_version(hand_ctx, TLS1_2_VERSION);
	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	ck_assert_int_eq(SSL_get_current_compression(hand) == NULL, 1);
	ck_assert_int_eq(SSL_renegotiate(hand), 1);
	ck_assert_int_lt(hand_shake(), 0);
}
END_TEST

static const struct alpn {
	const char *offer;
	unsigned len;
	bool ok;
} alpn[] = {
	{ "\2h2", 3, false },
	{ "\10http/1.1\2h2", 12, false },
	{ "\4smtp", 5, true },
	{ "\2h2\4smtp", 8, true },
};

START_TEST(alpn_must_have_smtp)		/* A-042, C-23 */
{
	const unsigned char *chosen;
	unsigned n;

	SSL_CTX_set_alpn_protos(hand_ctx, (const unsigned char *)alpn[_i].offer, alpn[_i].len);
	hand_open();
	ck_assert_int_eq(hand_shake() == 1, alpn[_i].ok);
	if (alpn[_i].ok) {
		SSL_get0_alpn_selected(hand, &chosen, &n);
		ck_assert_uint_eq(n, 4);
		ck_assert_mem_eq(chosen, "smtp", 4);
		return;
	}
	UNTIL(l, end_has(&server, 'F'));
	ck_assert_str_eq(stream_why(server.s), "no application protocol (ALPN) in common");
}
END_TEST

START_TEST(odd_server_names_get_the_certificate)	/* A-043, C-08 */
{
	static const char *const odd[] = { "unknown.test", "${run{touch /tmp/x}}", "a\\" };

	hand_open();
	SSL_set_tlsext_host_name(hand, odd[_i]);
	ck_assert_int_eq(hand_shake(), 1);
}
END_TEST

static SSL_SESSION *ticket;

static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket);
	ticket = session;
	return 1;
}

START_TEST(tickets_stay_with_their_listener)	/* */
{
	struct tls *other = rig_server_context((const struct cert *[]){ &leaf, NULL }, "b");
	char c;

	if (_i == 1)
		SSL_CTX_set_max_proto_version(hand_ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(hand_ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(hand_ctx, on_ticket);
	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	stream_write(server.s, "x", 1);
	UNTIL(l, SSL_read(hand, &c, 1) == 1);
	ck_assert_ptr_nonnull(ticket);
	ck_assert_uint_eq(SSL_SESSION_get_max_early_data(ticket), 0);
	hand_close();

	hand_open();		/* the same listener: resumed */
	SSL_set_session(hand, ticket);
	ck_assert_int_eq(hand_shake(), 1);
	ck_assert_int_eq(SSL_session_reused(hand), 1);
	hand_close();

	tls_unref(&ss);
	ss = other;
	hand_open();		/* another: not */
	SSL_set_session(hand, ticket);
	ck_assert_int_eq(hand_shake(), 1);
	ck_assert_int_eq(SSL_session_reused(hand), 0);
	SSL_SESSION_free(ticket);
	ticket = NULL;
}
END_TEST

/* --- contexts and certificates --------------------------------------------------------- */

START_TEST(server_files_that_do_not_fit)
{
	struct cert other = cert_make(&(struct cert_spec){ .cn = "o" }, NULL);
	const char *cert = cert_write("cert.pem", (const struct cert *[]){ &leaf, NULL });
	const char *missing = cert_path("missing.pem");
	const char *key = NULL;

	if (_i == 0)
		key = cert_write_key("key.pem", &other, NULL);
	else if (_i == 1)
		key = cert_write_key("key.pem", &leaf, "secret");
	else if (_i == 2)
		key = cert_write_text("key.pem", "nonsense");
	ck_assert_int_eq(tls_server(&ss, _i == 3 ? missing : cert, _i >= 3 ? missing : key,
	    TLS_1_2, "a", &why), -1);
	ck_assert_ptr_null(ss);
	ck_assert_msg(strstr(why.text, _i == 3 ? "missing.pem" : _i == 4 ? "missing.pem" : "key.pem") != NULL,
	    "%s", why.text);
	if (_i >= 3)
		ck_assert_msg(strstr(why.text, "No such file") != NULL, "%s", why.text);
	cert_clear(&other);
}
END_TEST

START_TEST(certificates_are_read)
{
	struct cert_spec spec = { .cn = "a,b\n", .san = "DNS:*.mail.test,IP:127.0.0.1", .to_days = 10 };
	struct cert c = cert_make(&spec, &root);
	const char *path = cert_write("c.pem", (const struct cert *[]){ &c, &root, NULL });
	struct tls_certificate out;

	ck_assert_int_eq(tls_read_certificate(path, "x.mail.test", &out, &why), 0);
	ck_assert_str_eq(out.subject, "CN=a\\,b\\0A");
	ck_assert_str_eq(out.issuer, "CN=Test Root");
	ck_assert(out.has_name);
	ck_assert_int_lt(llabs(out.not_after_wall_s - clock_wall_s() - 10 * 86400), 100);
	ck_assert_int_eq(tls_read_certificate(path, "127.0.0.1", &out, &why), 0);
	ck_assert(out.has_name);
	ck_assert_int_eq(tls_read_certificate(path, "mail.test", &out, &why), 0);
	ck_assert(!out.has_name);
	ck_assert_int_eq(tls_read_certificate(path, NULL, &out, &why), 0);
	ck_assert(!out.has_name);
	ck_assert_int_eq(tls_read_certificate(cert_path("none"), NULL, &out, &why), -1);
	ck_assert_msg(strstr(why.text, "No such file") != NULL, "%s", why.text);
	ck_assert_int_eq(tls_read_certificate(cert_write_text("t", "x"), NULL, &out, &why), -1);
	ck_assert_msg(strstr(why.text, "no certificate") != NULL, "%s", why.text);
	cert_clear(&c);
}
END_TEST

Suite *test_tls(void);
Suite *
test_tls(void)
{
	Suite *s = suite_create("test_tls");
	TCase *tc = tcase_create("tls");

	tcase_add_checked_fixture(tc, rig_setup, rig_teardown);
	tcase_add_loop_test(tc, certificates, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, nothing_is_verified_where_that_is_asked);
	tcase_add_loop_test(tc, names_are_hidden_before_they_are_cut, 0, 42);
	tcase_add_loop_test(tc, pinned_certificate_that_is_no_root, 0, 2);
	tcase_add_loop_test(tc, no_trust_no_context, 0, sizeof bad_trust / sizeof bad_trust[0]);
	tcase_add_test(tc, system_without_certificates);
	tcase_add_loop_test(tc, sni_is_the_name_and_never_an_address, 0, 4);
	tcase_add_test(tc, server_learns_why_its_certificate_is_refused);
	tcase_add_loop_test(tc, server_files_that_do_not_fit, 0, 5);
	tcase_add_test(tc, certificates_are_read);
	suite_add_tcase(s, tc);
	tc = tcase_create("server");
	tcase_add_checked_fixture(tc, hand_setup, hand_teardown);
	tcase_add_loop_test(tc, weak_clients_are_refused, 0, sizeof weak / sizeof weak[0]);
	tcase_add_test(tc, tls_1_3_can_be_demanded);
	tcase_add_test(tc, no_renegotiation);
	tcase_add_loop_test(tc, alpn_must_have_smtp, 0, sizeof alpn / sizeof alpn[0]);
	tcase_add_loop_test(tc, odd_server_names_get_the_certificate, 0, 3);
	tcase_add_loop_test(tc, tickets_stay_with_their_listener, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
