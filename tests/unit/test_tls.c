/* TLS: what verifies and what does not, what the server refuses, STARTTLS, and data
 * through it.  The other end is a stream too, or OpenSSL by hand. */
#include "net/tls.h"

#include "net/tls_private.h"
#include "support_net.h"
#include "support_certs.h"

#include <malloc.h>

static struct loop *l;
static struct end client, server;
static int fd[2];
static struct tls *cs, *ss;	/* contexts of the client and the server */
static struct cert root, leaf;
static struct why why;

static void
setup(void)
{
	l = loop_new("test");
	memset(&client, 0, sizeof client);
	memset(&server, 0, sizeof server);
	fd[0] = fd[1] = -1;
	cert_dir_open();
	root = cert_make(&(struct cert_spec){ .cn = "Test Root", .ca = true }, NULL);
	leaf = cert_make(&(struct cert_spec){ .cn = "mail", .san = "DNS:mail.test" }, &root);
}

static void
teardown(void)
{
	end_clear(&client);
	end_clear(&server);
	loop_turn(l, false);
	tls_unref(&cs);
	tls_unref(&ss);
	cert_clear(&leaf);
	cert_clear(&root);
	loop_free(&l);
	cert_dir_remove();
}

static struct tls *
server_context(const struct cert *const *chain, const char *id)
{
	struct tls *t = NULL;
	const char *cert = cert_write("cert.pem", chain);
	const char *key = cert_write_key("key.pem", chain[0], NULL);

	ck_assert_msg(tls_server(&t, cert, key, TLS_1_2, id, &why) == 0, "%s", why.text);
	return t;
}

static struct tls *
client_context(const struct cert *trusted, bool verify)
{
	struct tls *t = NULL;
	const char *ca = cert_write("ca.pem", (const struct cert *[]){ trusted, NULL });

	ck_assert_msg(tls_client(&t, ca, verify, TLS_1_2, &why) == 0, "%s", why.text);
	return t;
}

static void
good_contexts(void)
{
	ss = server_context((const struct cert *[]){ &leaf, NULL }, "a");
	cs = client_context(&root, true);
}

static void
open_streams(void)
{
	end_pair(SOCK_STREAM, fd);
	client.s = stream_accept(l, fd[0], end_on, &client);
	server.s = stream_accept(l, fd[1], end_on, &server);
}

static void
start_both(const char *name)
{
	open_streams();
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
	ck_assert_int_eq(stream_start_tls(client.s, cs, name), 0);
	ck_assert_str_eq(client.diary, "");
}

static void
shake_hands(void)
{
	good_contexts();
	start_both("mail.test");
	UNTIL(l, end_has(&client, 'S') && end_has(&server, 'S'));
}

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

START_TEST(certificates)	/* B-120, B-121, B-122, B-127, C-05 */
{
	const struct verify_case *c = &cases[_i];
	struct cert_spec spec = c->spec;
	struct tls_certificate seen;
	struct cert shown;
	int sent;

	if (spec.cn == NULL)
		spec.cn = "x";
	good_contexts();
	shown = cert_make(&spec, issuer_of(c, &sent));
	show_certificate(ss, &shown, sent);
	start_both(c->asked);
	stream_write(client.s, "AUTH", 4);
	if (c->why == NULL) {
		UNTIL(l, server.got.len == 4);
		ck_assert_str_eq(client.diary, "SR");
		ck_assert_int_eq(stream_peer_certificate(client.s, &seen), 0);
		ck_assert(seen.has_name);
	} else {
		UNTIL(l, end_has(&client, 'F'));
		ck_assert_str_eq(client.diary, "F");
		ck_assert_int_eq(stream_fault(client.s), FAULT_CERTIFICATE);
		ck_assert_msg(strncmp(stream_why(client.s), c->why, strlen(c->why)) == 0,
		    "%s: %s", c->what, stream_why(client.s));
		ck_assert(!stream_is_secure(client.s));
		if (*c->asked != '\0')	/* what was wrong with it can be looked at */
			ck_assert_int_eq(stream_peer_certificate(client.s, &seen), 0);
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

	ss = server_context((const struct cert *[]){ &bad, NULL }, "a");
	cs = client_context(&root, false);
	start_both("mail.test");
	UNTIL(l, end_has(&client, 'S'));
	ck_assert_int_eq(stream_peer_certificate(client.s, &seen), 0);
	ck_assert(!seen.has_name);
	ck_assert_str_eq(seen.subject, "CN=x");
	cert_clear(&bad);
}
END_TEST

START_TEST(pinned_certificate_that_is_no_root)
{
	ss = server_context((const struct cert *[]){ &leaf, NULL }, "a");
	cs = client_context(&leaf, true);
	start_both(_i == 0 ? "mail.test" : "other.test");
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
	ss = server_context((const struct cert *[]){ &leaf, NULL }, "a");
	start_both("mail.test");
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

	good_contexts();
	SSL_CTX_set_tlsext_servername_callback(ss->ctx, on_sni);
	start_both(asked[_i]);
	UNTIL(l, end_has(&server, 'S') || end_has(&server, 'F'));
	ck_assert_str_eq(sni, sent[_i]);
}
END_TEST

START_TEST(server_learns_why_its_certificate_is_refused)
{
	struct cert other = cert_make(&(struct cert_spec){ .cn = "Other", .ca = true }, NULL);

	ss = server_context((const struct cert *[]){ &leaf, NULL }, "a");
	cs = client_context(&other, true);
	start_both("mail.test");
	UNTIL(l, end_has(&server, 'F'));
	ck_assert_int_eq(stream_fault(server.s), FAULT_TLS);
	ck_assert_str_eq(stream_why(server.s), "peer does not trust our certificate's issuer");
	cert_clear(&other);
}
END_TEST

/* --- the server against OpenSSL by hand ------------------------------------------- */

static SSL_CTX *hand_ctx;
static SSL *hand;

static void
hand_setup(void)
{
	setup();
	good_contexts();
	hand_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(hand_ctx, 0);
	hand = NULL;
}

static void
hand_teardown(void)
{
	SSL_free(hand);
	SSL_CTX_free(hand_ctx);
	if (fd[0] >= 0)
		close(fd[0]);
	teardown();
}

static void
hand_open(void)
{
	end_pair(SOCK_STREAM, fd);
	server.s = stream_accept(l, fd[1], end_on, &server);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
	hand = SSL_new(hand_ctx);
	SSL_set_fd(hand, fd[0]);
	SSL_set_connect_state(hand);
}

/* 1, or what went wrong. */
static int
hand_shake(void)
{
	int64_t start = clock_now_ms();

	for (;;) {
		int r = SSL_do_handshake(hand);
		int e = SSL_get_error(hand, r);

		if (r == 1 || (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE))
			return r == 1 ? 1 : -e;
		loop_turn(l, false);
		ck_assert_int_lt(clock_now_ms(), start + 5000);
	}
}

static void
hand_close(void)
{
	SSL_shutdown(hand);	/* without it the session counts as bad */
	SSL_free(hand);
	hand = NULL;
	close(fd[0]);
	fd[0] = -1;
	UNTIL(l, server.s == NULL || end_has(&server, 'C') || end_has(&server, 'F'));
	end_clear(&server);
	memset(&server, 0, sizeof server);
}

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

START_TEST(close_says_so)		/* */
{
	char got[64] = "";
	int64_t start = clock_now_ms();
	int r;

	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	UNTIL(l, end_has(&server, 'S'));
	stream_write(server.s, "221 bye\r\n", 9);
	if (_i == 0)
		stream_close(&server.s);
	else
		stream_finish(&server.s, 1000);
	r = SSL_read(hand, got, sizeof got - 1);
	ck_assert_str_eq(got, "221 bye\r\n");
	while ((r = SSL_read(hand, got, sizeof got)) < 0 && clock_now_ms() < start + 5000)
		loop_turn(l, false);
	ck_assert_int_eq(SSL_get_error(hand, r), SSL_ERROR_ZERO_RETURN);
	ck_assert_int_eq(recv(fd[0], got, 1, 0), 0);	/* and FIN */
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
	struct tls *other = server_context((const struct cert *[]){ &leaf, NULL }, "b");
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

START_TEST(not_tls_at_all)		/* */
{
	static const char *const said[] = { "NOOP\r\nNOOP\r\n", "GET / HTTP/1.0\r\n\r\n" };
	static const char *const words[] = { "peer does not speak TLS here", "peer speaks HTTP" };
	char got[64];
	ssize_t n;

	hand_open();
	end_send(fd[0], said[_i]);
	UNTIL(l, end_has(&server, 'F'));
	ck_assert_int_eq(stream_fault(server.s), FAULT_TLS);
	ck_assert_str_eq(stream_why(server.s), words[_i]);
	n = recv(fd[0], got, sizeof got, MSG_DONTWAIT);
	ck_assert(n <= 0 || got[0] == 0x15);	/* an alert at most, never a reply */
}
END_TEST

START_TEST(gone_during_the_handshake)
{
	hand_open();
	loop_turn(l, false);
	(void)SSL_do_handshake(hand);
	close(fd[0]);
	fd[0] = -1;
	UNTIL(l, end_has(&server, 'F'));
	ck_assert(stream_fault(server.s) == FAULT_CLOSED || stream_fault(server.s) == FAULT_RESET);
}
END_TEST

START_TEST(replies_leave_in_one_record)
{
	char got[64];
	int r;

	hand_open();
	ck_assert_int_eq(hand_shake(), 1);
	UNTIL(l, end_has(&server, 'S'));
	stream_write(server.s, "250-a\r\n", 7);
	stream_write(server.s, "250 b\r\n", 7);
	loop_turn(l, false);
	do	/* the ticket comes first */
		r = SSL_read(hand, got, sizeof got);
	while (r < 0 && SSL_get_error(hand, r) == SSL_ERROR_WANT_READ);
	ck_assert_int_eq(r, 14);
}
END_TEST

/* --- stream to stream ---------------------------------------------------------------- */

START_TEST(what_was_agreed)
{
	struct tls_certificate seen;

	open_streams();
	ck_assert_ptr_null(stream_cipher(client.s));
	ck_assert_int_eq(stream_peer_certificate(client.s, &seen), -1);
	end_clear(&client);
	end_clear(&server);
	shake_hands();
	ck_assert(stream_is_secure(client.s) && stream_is_secure(server.s));
	ck_assert_str_eq(stream_cipher(client.s), "TLSv1.3 TLS_AES_256_GCM_SHA384");
	ck_assert_int_eq(stream_peer_certificate(client.s, &seen), 0);
	ck_assert_str_eq(seen.subject, "CN=mail");
	ck_assert_str_eq(seen.issuer, "CN=Test Root");
	ck_assert_int_eq(stream_peer_certificate(server.s, &seen), -1);
	ck_assert_int_eq(stream_fault(client.s), FAULT_NONE);
	ck_assert_str_eq(stream_why(client.s), "");
}
END_TEST

static void
answer_starttls(struct end *e)
{
	struct str in = stream_input(e->s);

	if (!str_is(in, "STARTTLS\r\n"))
		return;
	stream_consume(e->s, in.n);
	stream_write(e->s, "220 go\r\n", 8);
	ck_assert_int_eq(stream_start_tls(e->s, ss, NULL), 0);
	e->on_data = NULL;
}

static void
follow_starttls(struct end *e)
{
	struct str in = stream_input(e->s);

	ck_assert(str_is(in, "220 go\r\n"));
	stream_consume(e->s, in.n);
	e->on_data = NULL;
	ck_assert_int_eq(stream_start_tls(e->s, cs, "mail.test"), 0);
	stream_write(e->s, "EHLO x\r\n", 8);	/* goes out encrypted, after the handshake */
}

START_TEST(starttls)
{
	good_contexts();
	open_streams();
	server.on_data = answer_starttls;
	client.on_data = follow_starttls;
	stream_write(client.s, "STARTTLS\r\n", 10);
	UNTIL(l, server.got.len == 8);
	ck_assert_str_eq(server.got.data, "EHLO x\r\n");
	ck_assert_str_eq(client.diary, "RDSR");
	ck_assert_int_eq(server.diary[0], 'D');
	ck_assert(end_has(&server, 'S'));
}
END_TEST

static void
take_first_line(struct end *e)
{
	struct str in = stream_input(e->s);
	const char *nl = memchr(in.p, '\n', in.n);

	ck_assert_ptr_nonnull(nl);
	stream_consume(e->s, (size_t)(nl + 1 - in.p));
	ck_assert_int_eq(stream_start_tls(e->s, ss, NULL), -1);
	ck_assert(!stream_is_secure(e->s));
	stream_close(&e->s);
}

START_TEST(nothing_may_be_buffered_at_the_switch)	/* C-02, C-03, A-035, B-014 */
{
	good_contexts();
	open_streams();
	server.on_data = take_first_line;
	end_send(fd[0], "STARTTLS\r\nNOOP\r\n");
	UNTIL(l, server.s == NULL);
}
END_TEST

START_TEST(nothing_may_be_kept_at_the_switch)	/* C-02 */
{
	good_contexts();
	open_streams();
	server.leave = 1;
	end_send(fd[0], "x");
	UNTIL(l, server.data == 1);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), -1);
	stream_consume(server.s, 1);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), 0);
	ck_assert_int_eq(stream_start_tls(server.s, ss, NULL), -1);
}
END_TEST

static void
fill(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_putc(b, (char)(i * 7 % 251));
}

static void
check(const struct buf *b, size_t n)
{
	ck_assert_uint_eq(b->len, n);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)b->data[i] != i * 7 % 251)
			ck_abort_msg("octet %zu", i);
}

START_TEST(much_data_both_ways)
{
	enum { SIZE = 2000000 };

	shake_hands();
	fill(stream_output(client.s), SIZE);
	fill(stream_output(server.s), SIZE);
	stream_flush(client.s);
	stream_flush(server.s);
	UNTIL(l, client.got.len == SIZE && server.got.len == SIZE);
	check(&client.got, SIZE);
	check(&server.got, SIZE);
	ck_assert(end_has(&client, 'R') && end_has(&server, 'R'));
}
END_TEST

START_TEST(pause_with_records_under_way)
{
	enum { SIZE = 400000 };

	shake_hands();
	server.pause_at = 'D';
	server.leave = 5;
	fill(stream_output(client.s), SIZE);
	stream_flush(client.s);
	for (int i = 0; server.got.len < SIZE - 5 && i < 1000; i++) {
		int data = server.data;

		UNTIL(l, server.data > data);
		for (int j = 0; j < 3; j++)
			loop_turn(l, false);
		ck_assert_int_eq(server.data, data + 1);
		stream_resume(server.s);
	}
	server.leave = 0;
	server.pause_at = 0;
	stream_resume(server.s);
	UNTIL(l, server.got.len == SIZE);
	check(&server.got, SIZE);
}
END_TEST

START_TEST(last_data_and_the_end_in_one_flight)
{
	shake_hands();
	stream_write(client.s, "QUIT", 4);
	stream_close(&client.s);
	UNTIL(l, end_has(&server, 'C'));
	ck_assert_str_eq(server.got.data, "QUIT");
	ck_assert_int_eq(stream_fault(server.s), FAULT_CLOSED);
}
END_TEST

START_TEST(end_without_close_notify)
{
	shake_hands();
	shutdown(fd[0], SHUT_RDWR);
	UNTIL(l, end_has(&server, 'C'));
}
END_TEST

START_TEST(half_closed_by_the_peer)
{
	shake_hands();
	stream_write(client.s, "last", 4);
	UNTIL(l, server.got.len == 4);
	shutdown(fd[0], SHUT_WR);
	UNTIL(l, end_has(&server, 'C'));
	stream_write(server.s, "250 ok", 6);
	stream_finish(&server.s, 1000);
	UNTIL(l, client.got.len == 6 && end_has(&client, 'C'));
}
END_TEST

START_TEST(finish_sends_all)
{
	enum { SIZE = 1000000 };

	shake_hands();
	stream_pause(client.s);
	fill(stream_output(server.s), SIZE);
	stream_finish(&server.s, 5000);
	for (int i = 0; i < 3; i++)
		loop_turn(l, false);
	stream_resume(client.s);
	UNTIL(l, end_has(&client, 'C'));
	check(&client.got, SIZE);
	ck_assert_str_eq(server.diary, "S");
}
END_TEST

START_TEST(closing_inside_secure_or_failed)
{
	good_contexts();
	client.close_at = _i == 0 ? 'S' : 'F';
	start_both(_i == 0 ? "mail.test" : "other.test");
	UNTIL(l, client.s == NULL);
	UNTIL(l, end_has(&server, 'C') || end_has(&server, 'F'));
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
START_TEST(idle_sessions_are_small)
{
	enum { MANY = 50 };
	static struct end c[MANY], s[MANY];
	size_t before = 0, one;

	good_contexts();
	for (int i = 0; i < MANY; i++) {
		int pair[2];

		if (i == 2)
			before = mallinfo2().uordblks;
		end_pair(SOCK_STREAM, pair);
		c[i].s = stream_accept(l, pair[0], end_on, &c[i]);
		s[i].s = stream_accept(l, pair[1], end_on, &s[i]);
		ck_assert_int_eq(stream_start_tls(s[i].s, ss, NULL), 0);
		ck_assert_int_eq(stream_start_tls(c[i].s, cs, "mail.test"), 0);
		stream_write(c[i].s, "NOOP", 4);
		UNTIL(l, s[i].got.len == 4);
		stream_write(s[i].s, "250 ok", 6);
		UNTIL(l, c[i].got.len == 6);
	}
	one = (mallinfo2().uordblks - before) / (MANY - 2) / 2;
	ck_assert_msg(one < 20000, "%zu octets for an idle session", one);
	if (getenv("VERBOSE") != NULL)
		printf("%zu octets for an idle TLS stream\n", one);
	for (int i = 0; i < MANY; i++) {
		end_clear(&c[i]);
		end_clear(&s[i]);
	}
}
END_TEST
#endif

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

static void
add_server_tests(Suite *s)
{
	TCase *tc = tcase_create("server");

	tcase_add_checked_fixture(tc, hand_setup, hand_teardown);
	tcase_add_loop_test(tc, weak_clients_are_refused, 0, sizeof weak / sizeof weak[0]);
	tcase_add_test(tc, tls_1_3_can_be_demanded);
	tcase_add_test(tc, no_renegotiation);
	tcase_add_loop_test(tc, alpn_must_have_smtp, 0, sizeof alpn / sizeof alpn[0]);
	tcase_add_loop_test(tc, odd_server_names_get_the_certificate, 0, 3);
	tcase_add_loop_test(tc, close_says_so, 0, 2);
	tcase_add_loop_test(tc, tickets_stay_with_their_listener, 0, 2);
	tcase_add_loop_test(tc, not_tls_at_all, 0, 2);
	tcase_add_test(tc, gone_during_the_handshake);
	tcase_add_test(tc, replies_leave_in_one_record);
	suite_add_tcase(s, tc);
}

Suite *test_tls(void);
Suite *
test_tls(void)
{
	Suite *s = suite_create("test_tls");
	TCase *tc = tcase_create("tls");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, certificates, 0, sizeof cases / sizeof cases[0]);
	tcase_add_test(tc, nothing_is_verified_where_that_is_asked);
	tcase_add_loop_test(tc, pinned_certificate_that_is_no_root, 0, 2);
	tcase_add_loop_test(tc, no_trust_no_context, 0, sizeof bad_trust / sizeof bad_trust[0]);
	tcase_add_test(tc, system_without_certificates);
	tcase_add_loop_test(tc, sni_is_the_name_and_never_an_address, 0, 4);
	tcase_add_test(tc, server_learns_why_its_certificate_is_refused);
	tcase_add_test(tc, what_was_agreed);
	tcase_add_test(tc, starttls);
	tcase_add_test(tc, nothing_may_be_buffered_at_the_switch);
	tcase_add_test(tc, nothing_may_be_kept_at_the_switch);
	tcase_add_test(tc, much_data_both_ways);
	tcase_add_test(tc, pause_with_records_under_way);
	tcase_add_test(tc, last_data_and_the_end_in_one_flight);
	tcase_add_test(tc, end_without_close_notify);
	tcase_add_test(tc, half_closed_by_the_peer);
	tcase_add_test(tc, finish_sends_all);
	tcase_add_loop_test(tc, closing_inside_secure_or_failed, 0, 2);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	tcase_add_test(tc, idle_sessions_are_small);
#endif
	tcase_add_loop_test(tc, server_files_that_do_not_fit, 0, 5);
	tcase_add_test(tc, certificates_are_read);
	suite_add_tcase(s, tc);
	add_server_tests(s);
	return s;
}
