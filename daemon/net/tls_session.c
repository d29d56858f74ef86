/*
 * One TLS connection.  OpenSSL reads and writes the socket itself; what it says
 * about failures is turned into words here that a person can act on.
 */
#include "net/tls_session.h"

#include "base/mem.h"
#include "net/tls_private.h"
#include "net/wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_session {
	SSL *ssl;
	struct tls *context;
	char *name;		/* NULL on the server's side */
	X509 *refused;		/* the certificate that did not verify */
	enum stream_fault fault; /* FAULT_NONE: it works */
	const char *why;
	unsigned idle_talk;	/* records of the peer since the handshake that brought no data */
	bool dry, ended;	/* the last read wanted more octets, or met the end */
};

/* A ticket or two, new keys every few gigabytes, the end. */
enum { IDLE_TALK_MAX = 100 };

static const struct {
	long result;
	const char *words;
} refusals[] = {
	{ X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for other names" },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for other names" },
	{ X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired" },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "certificate is not valid yet" },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate is self-signed" },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate's issuer is not trusted here" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate's issuer is not known here, "
	    "or the server does not send its intermediate certificate" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate's issuer is not known "
	    "here, or the server does not send its intermediate certificate" },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate's issuer is not known here" },
	{ X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate's issuer has another key than the one that is trusted here" },
	{ X509_V_ERR_EE_KEY_TOO_SMALL, "certificate's key is too short" },
	{ X509_V_ERR_CA_KEY_TOO_SMALL, "key of the certificate's issuer is too short" },
	{ X509_V_ERR_CA_MD_TOO_WEAK, "certificate is signed with a weak digest" },
	{ X509_V_ERR_INVALID_PURPOSE, "certificate is not one for servers" },
	{ X509_V_ERR_INVALID_CA, "certificate's issuer is no CA" },
	{ X509_V_ERR_PERMITTED_VIOLATION, "certificate's issuer may not vouch for this name" },
	{ X509_V_ERR_EXCLUDED_VIOLATION, "certificate's issuer may not vouch for this name" },
	{ X509_V_ERR_PATH_LENGTH_EXCEEDED, "certificate chain is longer than its CA allows" },
	{ X509_V_ERR_CERT_CHAIN_TOO_LONG, "certificate chain is too long" },
};

static const struct {
	int reason;
	const char *words;
} reasons[] = {
	{ SSL_R_WRONG_VERSION_NUMBER, "peer does not speak TLS here" },
	{ SSL_R_HTTP_REQUEST, "peer speaks HTTP" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, "peer does not speak TLS here" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, "no TLS version in common" },
	{ SSL_R_VERSION_TOO_LOW, "no TLS version in common" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "no TLS version in common" },
	{ SSL_R_NO_SHARED_CIPHER, "no TLS cipher in common" },
	{ SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY, "no TLS cipher in common" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "peer refused the TLS handshake" },
	{ SSL_R_NO_APPLICATION_PROTOCOL, "no application protocol (ALPN) in common" },
	{ SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, "no application protocol (ALPN) in common" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, "peer does not trust our certificate's issuer" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "peer does not accept our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "peer does not accept our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "peer says that our certificate has expired" },
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "peer wants a client certificate" },
	{ SSL_R_TLSV1_UNRECOGNIZED_NAME, "peer does not know the name asked for" },
	{ SSL_R_DH_KEY_TOO_SMALL, "peer's Diffie-Hellman key is too short" },
};

static int
broken(struct tls_session *s, enum stream_fault fault, const char *why)
{
	s->fault = fault;
	s->why = why;
	ERR_clear_error();
	return TLS_BROKEN;
}

static int
refused(struct tls_session *s)
{
	long result = SSL_get_verify_result(s->ssl);

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (refusals[i].result == result)
			return broken(s, FAULT_CERTIFICATE, refusals[i].words);
	return broken(s, FAULT_CERTIFICATE, X509_verify_cert_error_string(result));
}

static int
tls_failed(struct tls_session *s)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;

	/* A signature that is wrong leaves other reasons before that one. */
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED || s->refused != NULL)
		return refused(s);
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].reason == reason)
			return broken(s, FAULT_TLS, reasons[i].words);
	return broken(s, FAULT_TLS, tls_reason());
}

/* What a call that gave r means: 0 at the peer's end, or one of TLS_… */
static int
meaning(struct tls_session *s, int r, int error)
{
	const char *why;

	if (s->idle_talk >= IDLE_TALK_MAX)
		return broken(s, FAULT_TLS, "peer changes keys again and again, and says nothing");
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (error == 0)
			return 0;
		s->fault = wire_explain(error, &why);
		return broken(s, s->fault, why);
	default:
		return tls_failed(s);
	}
}

/* Keeps the certificate that does not verify, for those who ask what is wrong. */
static int
on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store,
	    SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *s = SSL_get_app_data(ssl);
	X509 *x = X509_STORE_CTX_get0_cert(store);

	if (!ok && s->refused == NULL && x != NULL && X509_up_ref(x))
		s->refused = x;
	return ok;
}

static bool
is_data(int type, const unsigned char *p, size_t n)
{
	if (type == SSL3_RT_HEADER)	/* where TLS 1.3 hides the type it says application data */
		return n > 0 && p[0] == SSL3_RT_APPLICATION_DATA;
	return type != SSL3_RT_INNER_CONTENT_TYPE || (n > 0 && p[0] == SSL3_RT_APPLICATION_DATA);
}

/*
 * OpenSSL reads on while records come that bring no data: new keys, refused renegotiations.  As fast as a peer may make them it would
 * never return, so who sends many loses the socket; the call that is under way then fails.
 */
static void
on_record(int is_sent, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
	struct tls_session *s = arg;

	(void)version;
	if (is_sent || !SSL_is_init_finished(ssl) || is_data(type, p, n))
		return;
	if (++s->idle_talk == IDLE_TALK_MAX)
		BIO_set_fd(SSL_get_rbio(ssl), -1, BIO_NOCLOSE);
}

/* RFC 7817 3, RFC 9525: names in subjectAltName alone, wildcards of whole labels. */
static bool
set_name(struct tls_session *s)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	size_t n = strlen(s->name);

	if (tls_is_literal(s->name))
		return X509_VERIFY_PARAM_set1_ip_asc(param, s->name) == 1;
	if (n > 0 && s->name[n - 1] == '.')
		s->name[--n] = '\0';
	SSL_set_hostflags(s->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	/* An empty name would switch the check off. */
	return n > 0 && SSL_set1_host(s->ssl, s->name) == 1 &&
	    SSL_set_tlsext_host_name(s->ssl, s->name) == 1;
}

struct tls_session *
tls_session_new(struct tls *t, int fd, const char *name)
{
	struct tls_session *s = mem_zero(sizeof *s);
	unsigned char id[TLS_ID_OCTETS];

	ERR_clear_error();
	s->context = tls_ref(t);
	s->ssl = SSL_new(t->ctx);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, fd) != 1)
		bug("tls: no session: %s", tls_reason());
	SSL_set_app_data(s->ssl, s);
	SSL_set_msg_callback(s->ssl, on_record);
	SSL_set_msg_callback_arg(s->ssl, s);
	if (!t->is_client) {
		if (name != NULL) {
			tls_hash_id(name, id);
			SSL_set_session_id_context(s->ssl, id, sizeof id);
		}
		SSL_set_accept_state(s->ssl);
		return s;
	}
	SSL_set_connect_state(s->ssl);
	if (t->verify)
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER, on_verify);
	s->name = mem_text(name != NULL ? name : "");
	if (!set_name(s))
		broken(s, FAULT_CERTIFICATE, "no valid name to verify");
	return s;
}

void
tls_session_free(struct tls_session **sp)
{
	struct tls_session *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	SSL_free(s->ssl);
	X509_free(s->refused);
	tls_unref(&s->context);
	free(s->name);
	free(s);
}

int
tls_session_shake(struct tls_session *s)
{
	int r;

	if (s->fault != FAULT_NONE)
		return TLS_BROKEN;
	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(s->ssl);
	if (r != 1) {
		r = meaning(s, r, errno);
		return r != 0 ? r : broken(s, FAULT_CLOSED,
		    "connection closed during the TLS handshake");
	}
	/* Once more, so that no mistake elsewhere can switch it off (B-126). */
	if (s->context->verify && (SSL_get0_peer_certificate(s->ssl) == NULL ||
	    SSL_get_verify_result(s->ssl) != X509_V_OK))
		return refused(s);
	return 0;
}

static ssize_t
read_some(struct tls_session *s, void *p, size_t n)
{
	size_t got = 0, k;

	do {
		int r;

		ERR_clear_error();
		errno = 0;
		r = SSL_read_ex(s->ssl, (char *)p + got, n - got, &k);
		s->dry = false;
		if (r != 1) {
			r = meaning(s, r, errno);
			s->dry = r == TLS_WANTS_READ;
			s->ended = r == 0;
			/* After data an end or a failure waits for the next call. */
			return got > 0 ? (ssize_t)got : r;
		}
		got += k;
	} while (got < n && SSL_has_pending(s->ssl));
	return (ssize_t)got;
}

ssize_t
tls_session_read(struct tls_session *s, void *p, size_t n)
{
	ssize_t r;

	if (s->fault != FAULT_NONE || s->ended)
		return s->ended ? 0 : TLS_BROKEN;
	r = read_some(s, p, n);
	/* SSL_MODE_RELEASE_BUFFERS forgets some; this keeps what is in use. */
	SSL_free_buffers(s->ssl);
	return r;
}

ssize_t
tls_session_write(struct tls_session *s, const void *p, size_t n)
{
	size_t sent;
	const char *why;
	int r;

	if (s->fault != FAULT_NONE)
		return TLS_BROKEN;
	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(s->ssl, p, n, &sent);
	if (r == 1)
		return (ssize_t)sent;
	r = meaning(s, r, errno);
	if (r != 0)
		return r;
	s->fault = wire_explain(EPIPE, &why);
	return broken(s, s->fault, why);
}

bool
tls_session_has_pending(const struct tls_session *s)
{
	return s->fault != FAULT_NONE || s->ended ||
	    (!s->dry && SSL_has_pending(s->ssl));
}

void
tls_session_shut(struct tls_session *s)
{
	if (s->fault != FAULT_NONE || !SSL_is_init_finished(s->ssl))
		return;
	ERR_clear_error();
	SSL_shutdown(s->ssl);
	ERR_clear_error();
}

enum stream_fault
tls_session_fault(const struct tls_session *s)
{
	return s->fault;
}

const char *
tls_session_why(const struct tls_session *s)
{
	return s->why;
}

const char *
tls_session_cipher(const struct tls_session *s)
{
	static _Thread_local char text[80];

	snprintf(text, sizeof text, "%s %s", SSL_get_version(s->ssl),
	    SSL_get_cipher_name(s->ssl));
	return text;
}

int
tls_session_peer(const struct tls_session *s, const struct veil *v, struct tls_certificate *out)
{
	X509 *x = s->refused != NULL ? s->refused :
	    SSL_get0_peer_certificate(s->ssl);

	if (x == NULL)
		return -1;
	tls_describe(x, s->name, v, out);
	tls_describe_chain(SSL_get_peer_cert_chain(s->ssl), v, out);
	return 0;
}
