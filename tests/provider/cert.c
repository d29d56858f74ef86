/* Certificates for the fake provider, made with OpenSSL as they are asked for. */
#include "provider/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { DAY = 24 * 60 * 60 };

static const struct kind {
	const char *name;
	const char *names;	/* subjectAltName, NULL: none */
	long from_s, to_s;
	int self;
} kinds[] = {
	{ "good", "DNS:localhost,IP:127.0.0.1,IP:::1", -DAY, 30 * DAY, 0 },
	{ "expired", "DNS:localhost,IP:127.0.0.1,IP:::1", -9 * DAY, -2 * DAY, 0 },
	{ "not-yet", "DNS:localhost,IP:127.0.0.1,IP:::1", 2 * DAY, 9 * DAY, 0 },
	{ "self", "DNS:localhost,IP:127.0.0.1,IP:::1", -DAY, 30 * DAY, 1 },
	{ "wrong-name", "DNS:portal.hotel.test,IP:192.0.2.1", -DAY, 30 * DAY, 0 },
	{ "cn-only", NULL, -DAY, 30 * DAY, 0 },
	{ "nul-name", "", -DAY, 30 * DAY, 0 },
	{ "wildcard", "DNS:*.localhost", -DAY, 30 * DAY, 0 },
	{ "repeats", "DNS:portal.hotel.test", -DAY, 30 * DAY, 0 },
	{ "repeats-behind", "DNS:portal.hotel.test", -DAY, 30 * DAY, 0 },
};

static X509 *
start(EVP_PKEY *key, const char *subject, long from_s, long to_s)
{
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	uint64_t serial = 1;

	(void)!getrandom(&serial, sizeof serial, 0);
	X509_set_version(x, 2);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(x), serial >> 1);
	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), to_s);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)subject, -1, -1, 0);
	X509_set_pubkey(x, key);
	return x;
}

static int
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX v;
	X509_EXTENSION *e;
	int ok;

	X509V3_set_ctx(&v, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &v, nid, value);
	if (e == NULL)
		return -1;
	ok = X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
	return ok ? 0 : -1;
}

/* A DNS name with a NUL inside, which no text form can express (B-127). */
static int
add_nul_name(X509 *x)
{
	static const char name[] = "localhost\0.evil.test";
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	int ok;

	ASN1_STRING_set(text, name, sizeof name - 1);
	GENERAL_NAME_set0_value(one, GEN_DNS, text);
	sk_GENERAL_NAME_push(all, one);
	ok = X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, 0);
	GENERAL_NAMES_free(all);
	return ok ? 0 : -1;
}

int
cert_ca_init(struct cert_ca *ca)
{
	ca->key = EVP_EC_gen("P-256");
	if (ca->key == NULL)
		return -1;
	ca->certificate = start(ca->key, "Fake provider's CA", -DAY, 365 * DAY);
	X509_set_issuer_name(ca->certificate, X509_get_subject_name(ca->certificate));
	if (extend(ca->certificate, ca->certificate, NID_basic_constraints, "critical,CA:TRUE") < 0 ||
	    extend(ca->certificate, ca->certificate, NID_key_usage, "critical,keyCertSign,cRLSign") < 0 ||
	    extend(ca->certificate, ca->certificate, NID_subject_key_identifier, "hash") < 0 ||
	    X509_sign(ca->certificate, ca->key, EVP_sha256()) == 0) {
		cert_ca_clear(ca);
		return -1;
	}
	return 0;
}

void
cert_ca_clear(struct cert_ca *ca)
{
	X509_free(ca->certificate);
	EVP_PKEY_free(ca->key);
	ca->certificate = NULL;
	ca->key = NULL;
}

int
cert_ca_write(const struct cert_ca *ca, const char *file)
{
	FILE *f = fopen(file, "w");
	int ok;

	if (f == NULL)
		return -1;
	ok = PEM_write_X509(f, ca->certificate);
	return fclose(f) == 0 && ok ? 0 : -1;
}

static X509 *
make(const struct cert_ca *ca, const struct kind *k, EVP_PKEY *key)
{
	X509 *x = start(key, strcmp(k->name, "repeats") == 0 ? "provider-secret, as it was told" :
	    k->names == NULL || k->self ? "localhost" : "fake.provider.test", k->from_s, k->to_s);
	X509 *issuer = k->self ? x : ca->certificate;
	int bad = 0;

	X509_set_issuer_name(x, X509_get_subject_name(issuer));
	if (k->names != NULL)
		bad = *k->names != '\0' ? extend(x, issuer, NID_subject_alt_name, k->names) : add_nul_name(x);
	if (bad < 0 || extend(x, issuer, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
	    extend(x, issuer, NID_ext_key_usage, "serverAuth") < 0 ||
	    X509_sign(x, k->self ? key : ca->key, EVP_sha256()) == 0) {
		X509_free(x);
		return NULL;
	}
	return x;
}

/* One more, which signs nothing: its name is long, and ends with the password. */
static int
add_another(SSL_CTX *ctx, EVP_PKEY *key)
{
	X509 *x = start(key, "", -DAY, DAY);
	X509_NAME *name = X509_get_subject_name(x);
	char subject[272];
	int ok;

	snprintf(subject, sizeof subject, "%0240d%s", 0, "provider-secret, as it was told");
	X509_NAME_delete_entry(name, 0);
	X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING, (unsigned char *)subject, -1, -1, 0);
	ok = X509_sign(x, key, EVP_sha256()) != 0 && SSL_CTX_add1_chain_cert(ctx, x) == 1;
	X509_free(x);
	return ok;
}

int
cert_install(const struct cert_ca *ca, const char *kind, SSL_CTX *ctx)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		EVP_PKEY *key;
		X509 *x;
		int ok;

		if (strcmp(kinds[i].name, *kind != '\0' ? kind : "good") != 0)
			continue;
		key = EVP_EC_gen("P-256");
		x = make(ca, &kinds[i], key);
		ok = x != NULL && SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
		    (strcmp(kind, "repeats-behind") != 0 || add_another(ctx, key));
		X509_free(x);
		EVP_PKEY_free(key);
		return ok ? 0 : -1;
	}
	return -1;
}
