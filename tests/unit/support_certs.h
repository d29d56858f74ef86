/* For tests of TLS: certificates of every kind, good and bad, in a folder of their own. */
#ifndef UNIT_SUPPORT_CERTS_H
#define UNIT_SUPPORT_CERTS_H

#include <ftw.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

enum cert_key { CERT_P256, CERT_RSA_2048, CERT_RSA_1024, CERT_ED25519 };

struct cert {
	X509 *x;
	EVP_PKEY *key;
};

/* Zero and NULL are the usual: P-256, SHA-256, valid from yesterday to tomorrow. */
struct cert_spec {
	const char *cn, *san;
	int from_days, to_days;
	bool ca, sha1;
	const char *constraints, *usage;
	enum cert_key key;
	const char *raw_dns;		/* a dNSName with a NUL in it */
	size_t raw_dns_len;
};

static inline EVP_PKEY *
cert_key_new(enum cert_key kind)
{
	switch (kind) {
	case CERT_RSA_2048:
		return EVP_RSA_gen(2048);
	case CERT_RSA_1024:
		return EVP_RSA_gen(1024);
	case CERT_ED25519:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	default:
		return EVP_EC_gen("P-256");
	}
}

static inline void
cert_extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	if (value == NULL)
		return;
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_msg(ext != NULL, "extension %s", value);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
}

static inline void
cert_add_raw_dns(X509 *x, const char *dns, size_t len)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	ASN1_STRING_set(text, dns, (int)len);
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, name);
	ck_assert_int_eq(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0), 1);
	GENERAL_NAMES_free(names);
}

/* issuer NULL: signs itself. */
static inline struct cert
cert_make(const struct cert_spec *c, const struct cert *issuer)
{
	static long serial;
	struct cert out = { X509_new(), cert_key_new(c->key) };
	const struct cert *by = issuer != NULL ? issuer : &out;
	X509_NAME *subject = X509_get_subject_name(out.x);

	ck_assert_ptr_nonnull(out.key);
	X509_set_version(out.x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(out.x), ++serial);
	X509_NAME_add_entry_by_txt(subject, "CN", strlen(c->cn) > 64 ? V_ASN1_UTF8STRING : MBSTRING_ASC,
	    (const unsigned char *)c->cn, -1, -1, 0);
	X509_set_issuer_name(out.x, X509_get_subject_name(by->x));
	X509_time_adj_ex(X509_getm_notBefore(out.x), c->from_days != 0 ? c->from_days : -1, 0, NULL);
	X509_time_adj_ex(X509_getm_notAfter(out.x), c->to_days != 0 ? c->to_days : 1, 0, NULL);
	X509_set_pubkey(out.x, out.key);
	cert_extend(out.x, by->x, NID_basic_constraints, c->ca ? "critical,CA:TRUE" : "CA:FALSE");
	cert_extend(out.x, by->x, NID_subject_alt_name, c->san);
	cert_extend(out.x, by->x, NID_name_constraints, c->constraints);
	cert_extend(out.x, by->x, NID_ext_key_usage, c->usage);
	if (c->raw_dns != NULL)
		cert_add_raw_dns(out.x, c->raw_dns, c->raw_dns_len);
	ck_assert_int_gt(X509_sign(out.x, by->key, EVP_PKEY_is_a(by->key, "ED25519") ? NULL :
	    c->sha1 ? EVP_sha1() : EVP_sha256()), 0);
	return out;
}

static inline void
cert_clear(struct cert *c)
{
	X509_free(c->x);
	EVP_PKEY_free(c->key);
	*c = (struct cert){ 0 };
}

/* --- files ----------------------------------------------------------------- */

static char cert_dir[64];

static inline void
cert_dir_open(void)
{
	strcpy(cert_dir, "/tmp/gatepost-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(cert_dir));
}

static inline int
cert_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	return remove(path);
}

static inline void
cert_dir_remove(void)
{
	nftw(cert_dir, cert_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a file in the folder; four of them live at a time. */
static inline const char *
cert_path(const char *name)
{
	static char path[4][128];
	static unsigned at;

	at = (at + 1) % 4;
	snprintf(path[at], sizeof path[at], "%s/%s", cert_dir, name);
	return path[at];
}

/* The certificates of a chain in one file. */
static inline const char *
cert_write(const char *name, const struct cert *const *chain)
{
	const char *path = cert_path(name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	for (; *chain != NULL; chain++)
		PEM_write_X509(f, (*chain)->x);
	fclose(f);
	return path;
}

static inline const char *
cert_write_key(const char *name, const struct cert *c, const char *password)
{
	const char *path = cert_path(name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	PEM_write_PrivateKey(f, c->key, password != NULL ? EVP_aes_128_cbc() : NULL,
	    (const unsigned char *)password, password != NULL ? (int)strlen(password) : 0, NULL, NULL);
	fclose(f);
	return path;
}

static inline const char *
cert_write_text(const char *name, const char *text)
{
	const char *path = cert_path(name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	return path;
}

#endif
