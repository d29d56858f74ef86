/*
 * TLS contexts: which versions, ciphers and certificates we speak with.  Nothing
 * here can be talked out of verifying: a client context without certificates to
 * trust is an error, not a context.
 */
#include "net/tls.h"

#include "base/mem.h"
#include "net/tls_private.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* TLS 1.2 with forward secrecy and no CBC-only relics; 1.3 has none to refuse. */
static const char server_ciphers[] =
    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!SHA1:!PSK";
static const char client_ciphers[] = "HIGH:!aNULL:!eNULL:!PSK:!SRP:!DSS:!3DES";

int	/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL's type */
tls_no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf, (void)size, (void)writing, (void)arg;
	return -1;
}

const char *
tls_reason(void)
{
	unsigned long e = ERR_get_error();
	const char *words = ERR_SYSTEM_ERROR(e) ?
	    strerrordesc_np(ERR_GET_REASON(e)) : ERR_reason_error_string(e);

	ERR_clear_error();
	return words != NULL ? words : "unknown TLS error";
}

static struct tls *
tls_new(const SSL_METHOD *method, enum tls_version min)
{
	struct tls *t = mem_zero(sizeof *t);

	ERR_clear_error();
	t->ctx = SSL_CTX_new(method);
	if (t->ctx == NULL)
		bug("tls: no context: %s", tls_reason());
	atomic_init(&t->refs, 1);
	SSL_CTX_set_security_level(t->ctx, 2);
	SSL_CTX_set_min_proto_version(t->ctx,
	    min == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
	/* SMTP frames its own messages, so a missing close_notify is an end like
	 * any other. */
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION |
	    SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
	    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(t->ctx, 1);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(t->ctx, tls_no_password);
	return t;
}

struct tls *
tls_ref(struct tls *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
tls_unref(struct tls **tp)
{
	struct tls *t = *tp;

	if (t == NULL)
		return;
	*tp = NULL;
	if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) > 1)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

/* --- the server's side -------------------------------------------------------- */

/* A client that names protocols must name ours (A-042, ALPACA). */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen,
    const unsigned char *in, unsigned inlen, void *arg)
{
	static const unsigned char smtp[] = "\4smtp";

	(void)ssl, (void)arg;
	if (SSL_select_next_proto((unsigned char **)out, outlen, smtp,
	    sizeof smtp - 1, in, inlen) == OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_OK;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void
tls_hash_id(const char *id, unsigned char hash[TLS_ID_OCTETS])
{
	unsigned n = TLS_ID_OCTETS;

	if (EVP_Digest(id, strlen(id), hash, &n, EVP_sha256(), NULL) != 1)
		bug("tls: no SHA-256: %s", tls_reason());
}

static void
set_session_id(SSL_CTX *ctx, const char *id)
{
	unsigned char hash[TLS_ID_OCTETS];

	tls_hash_id(id, hash);
	SSL_CTX_set_session_id_context(ctx, hash, sizeof hash);
}

int
tls_server(struct tls **out, const char *certificate, const char *key,
    enum tls_version min, const char *id, struct why *why)
{
	struct tls *t = tls_new(TLS_server_method(), min);

	SSL_CTX_set_options(t->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_max_early_data(t->ctx, 0);
	SSL_CTX_set_num_tickets(t->ctx, 1);
	SSL_CTX_set_alpn_select_cb(t->ctx, on_alpn, NULL);
	set_session_id(t->ctx, id);
	if (SSL_CTX_set_cipher_list(t->ctx, server_ciphers) != 1) {
		fail(why, "TLS ciphers: %s", tls_reason());
		goto fail;
	}
	if (SSL_CTX_use_certificate_chain_file(t->ctx, certificate) != 1) {
		fail(why, "certificate %s: %s", certificate, tls_reason());
		goto fail;
	}
	if (SSL_CTX_use_PrivateKey_file(t->ctx, key, SSL_FILETYPE_PEM) != 1) {
		fail(why, "key %s: %s", key, tls_reason());
		goto fail;
	}
	if (SSL_CTX_check_private_key(t->ctx) != 1) {	/* also where their kinds differ */
		fail(why, "key %s does not belong to the certificate %s", key, certificate);
		goto fail;
	}
	*out = t;
	return 0;
fail:
	tls_unref(&t);
	return -1;
}

/* --- the client's side -------------------------------------------------------- */

static bool
folder_has_files(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	bool any = false;

	if (dir == NULL)
		return false;
	while (!any && (e = readdir(dir)) != NULL)	/* NOLINT(concurrency-mt-unsafe): a DIR of its own */
		any = e->d_name[0] != '.';
	closedir(dir);
	return any;
}

static bool
system_has_store(void)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment once there are threads */
	const char *file = getenv(X509_get_default_cert_file_env());
	/* NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *dir = getenv(X509_get_default_cert_dir_env());

	return access(file != NULL ? file : X509_get_default_cert_file(), R_OK) == 0 ||
	    folder_has_files(dir != NULL ? dir : X509_get_default_cert_dir());
}

static int
load_trust(struct tls *t, const char *ca_file, struct why *why)
{
	if (*ca_file == '\0') {
		if (!system_has_store() ||
		    SSL_CTX_set_default_verify_paths(t->ctx) != 1)
			return fail(why, "this system has no CA certificates in %s: "
			    "install ca-certificates", X509_get_default_cert_dir());
		return 0;
	}
	if (SSL_CTX_load_verify_file(t->ctx, ca_file) != 1)
		return fail(why, "CA file %s: %s", ca_file, tls_reason());
	/* What the operator named is trusted, be it a root, an intermediate or the
	 * server's own certificate. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(t->ctx),
	    X509_V_FLAG_PARTIAL_CHAIN);
	return 0;
}

int
tls_client(struct tls **out, const char *ca_file, bool verify,
    enum tls_version min, struct why *why)
{
	struct tls *t = tls_new(TLS_client_method(), min);

	t->is_client = true;
	t->verify = verify;
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_TICKET);	/* we never resume (B-124) */
	if (SSL_CTX_set_cipher_list(t->ctx, client_ciphers) != 1) {
		fail(why, "TLS ciphers: %s", tls_reason());
		goto fail;
	}
	if (verify && load_trust(t, ca_file, why) < 0)
		goto fail;
	*out = t;
	return 0;
fail:
	tls_unref(&t);
	return -1;
}

/* --- certificates -------------------------------------------------------------- */

bool
tls_is_literal(const char *name)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, name, addr) == 1 ||
	    inet_pton(AF_INET6, name, addr) == 1;
}

/* As stream verifies; a final dot is no part of the name. */
static bool
has_name(X509 *x, const char *name)
{
	size_t n = strlen(name);

	if (tls_is_literal(name))
		return X509_check_ip_asc(x, name, 0) == 1;
	if (n > 0 && name[n - 1] == '.')
		n--;
	return n > 0 && X509_check_host(x, name, n,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

/* Hidden while it is whole: of a secret that is cut nobody could tell. */
static void
put_name(struct buf *out, const X509_NAME *name, const struct veil *v)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct buf text = { 0 };
	char *p = NULL;
	long n;

	/* XN_FLAG_RFC2253 escapes control characters and all but ASCII. */
	if (bio == NULL || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
		bug("tls: cannot print a name: %s", tls_reason());
	n = BIO_get_mem_data(bio, &p);
	buf_put(&text, p, (size_t)n);
	veil_hide_name(v, &text);
	buf_putstr(out, buf_str(&text));
	buf_wipe(&text);
	BIO_free(bio);
}

static void
fit_name(char *out, size_t size, const X509_NAME *name, const struct veil *v)
{
	struct buf text = { 0 };

	put_name(&text, name, v);
	str_fit(out, size, buf_str(&text));
	buf_clear(&text);
}

void
tls_describe(X509 *x, const char *name, const struct veil *v, struct tls_certificate *out)
{
	struct tm tm;

	memset(out, 0, sizeof *out);
	fit_name(out->subject, sizeof out->subject, X509_get_subject_name(x), v);
	fit_name(out->issuer, sizeof out->issuer, X509_get_issuer_name(x), v);
	if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1)
		out->not_after_wall_s = timegm(&tm);
	out->has_name = name != NULL && has_name(x, name);
	ERR_clear_error();
}

/* What does not fit is cut. */
void
tls_describe_chain(STACK_OF(X509) *sent, const struct veil *v, struct tls_certificate *out)
{
	struct buf all = { 0 };

	for (int i = 1; i < sk_X509_num(sent) && all.len < sizeof out->chain; i++) {	/* -1 of NULL */
		if (i > 1)
			buf_puts(&all, "; ");
		put_name(&all, X509_get_subject_name(sk_X509_value(sent, i)), v);
	}
	str_fit(out->chain, sizeof out->chain, buf_str(&all));
	buf_clear(&all);
	ERR_clear_error();
}
