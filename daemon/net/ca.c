/*
 * The local CA: one certificate that apps on this machine can trust, and one for the
 * server.  The CA can vouch for this machine's own names alone, and its key is gone
 * once it has signed: nobody who reads these files can make another certificate.
 */
#include "base/buf.h"
#include "base/ident.h"
#include "base/mem.h"
#include "net/tls_private.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DAYS = 3652,			/* ten years */
	SKEW_S = 24 * 60 * 60,		/* for clocks that are behind ours */
	NAME_MAX_OCTETS = 64		/* of a commonName (RFC 5280 A.1) */
};

/* What is made, in the order in which it takes its place. */
enum { KEY, CERT, CA, FILES };

static const char *const names[FILES] = { "key.pem", "cert.pem", "ca.pem" };
static const mode_t modes[FILES] = { 0600, 0644, 0644 };

/* --- certificates -------------------------------------------------------------------- */

static bool
is_hostname(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && strchr("-._", name[i]) == NULL)
			return false;
	return n > 0 && n <= 253;
}

static bool
add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool
set_serial(X509 *x)
{
	unsigned char random[16];
	BIGNUM *bn;
	bool ok;

	ident_random(random, sizeof random);
	random[0] = (random[0] & 0x7f) | 0x40;	/* positive, of full length */
	bn = BN_bin2bn(random, sizeof random, NULL);
	ok = bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x)) != NULL;
	BN_free(bn);
	return ok;
}

static bool
set_subject(X509 *x, const char *prefix, const char *name)
{
	X509_NAME *subject = X509_get_subject_name(x);
	char text[NAME_MAX_OCTETS + 1];

	snprintf(text, sizeof text, "%s%s", prefix, name);
	return X509_NAME_add_entry_by_NID(subject, NID_organizationName, MBSTRING_UTF8,
	    (const unsigned char *)"gatepost", -1, -1, 0) == 1 &&
	    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)text, -1, -1, 0) == 1;
}

static X509 *
certificate_new(EVP_PKEY *key, const char *prefix, const char *name)
{
	X509 *x = X509_new();

	if (x != NULL && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	    set_subject(x, prefix, name) && X509_set_pubkey(x, key) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -SKEW_S) != NULL &&
	    X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) != NULL)
		return x;
	X509_free(x);
	return NULL;
}

static X509 *
make_ca(EVP_PKEY *key, const char *hostname)
{
	X509 *x = certificate_new(key, "gatepost local CA of ", hostname);
	struct buf may = { 0 };
	bool ok;

	buf_printf(&may, "critical,permitted;DNS:localhost,permitted;DNS:%s,"
	    "permitted;IP:127.0.0.0/255.0.0.0,"
	    "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", hostname);
	ok = x != NULL && X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
	    add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
	    add_extension(x, x, NID_key_usage, "critical,keyCertSign") &&
	    add_extension(x, x, NID_name_constraints, may.data) &&
	    add_extension(x, x, NID_subject_key_identifier, "hash") &&
	    X509_sign(x, key, EVP_sha256()) > 0;
	buf_clear(&may);
	if (ok)
		return x;
	X509_free(x);
	return NULL;
}

static X509 *
make_leaf(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *hostname)
{
	X509 *x = certificate_new(key, "", hostname);
	struct buf san = { 0 };
	bool ok;

	buf_puts(&san, "DNS:localhost,IP:127.0.0.1,IP:::1");
	if (strcasecmp(hostname, "localhost") != 0)
		buf_printf(&san, ",DNS:%s", hostname);
	ok = x != NULL && X509_set_issuer_name(x, X509_get_subject_name(ca)) == 1 &&
	    add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(x, ca, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(x, ca, NID_ext_key_usage, "serverAuth") &&
	    add_extension(x, ca, NID_subject_alt_name, san.data) &&
	    add_extension(x, ca, NID_subject_key_identifier, "hash") &&
	    add_extension(x, ca, NID_authority_key_identifier, "keyid:always") &&
	    X509_sign(x, ca_key, EVP_sha256()) > 0;
	buf_clear(&san);
	if (ok)
		return x;
	X509_free(x);
	return NULL;
}

/* --- files ------------------------------------------------------------------------------ */

static int
write_file(int dir, const char *name, mode_t mode, BIO *pem, struct why *why)
{
	char *p = NULL;
	long n = BIO_get_mem_data(pem, &p);
	int fd;

	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return fail(why, "%s: %s", name, strerror(errno));
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return fail(why, "%s: %s", name, strerror(errno));
	if (write(fd, p, (size_t)n) != n || fsync(fd) < 0) {
		fail(why, "cannot write %s: %s", name, strerror(errno));
		close(fd);
		return -1;
	}
	close(fd);
	return 0;
}

/* All under temporary names first, then the key: a crash between the renames leaves
 * files that do not match, and the next start makes new ones. */
static int
write_files(int dir, BIO *const pem[FILES], struct why *why)
{
	char temporary[32];

	for (int i = 0; i < FILES; i++) {
		snprintf(temporary, sizeof temporary, "%s.new", names[i]);
		if (write_file(dir, temporary, modes[i], pem[i], why) < 0)
			return -1;
	}
	for (int i = 0; i < FILES; i++) {
		snprintf(temporary, sizeof temporary, "%s.new", names[i]);
		if (renameat(dir, temporary, dir, names[i]) < 0)
			return fail(why, "cannot rename %s: %s", temporary, strerror(errno));
	}
	if (fsync(dir) < 0)
		return fail(why, "cannot sync: %s", strerror(errno));
	return 0;
}

/* 0: *out is the file, or NULL if there is none. */
static int
open_pem(int dir, const char *name, struct buf *text, BIO **out, struct why *why)
{
	struct why inner;

	*out = NULL;
	if (tls_read_file(dir, name, true, text, &inner) < 0)
		return errno == ENOENT ? 0 : fail(why, "%s: %s", name, inner.text);
	*out = BIO_new_mem_buf(text->data, (int)text->len);
	if (*out == NULL)
		bug("ca: cannot read %s", name);
	return 0;
}

static bool
match(BIO *const pem[FILES])
{
	EVP_PKEY *key = PEM_read_bio_PrivateKey(pem[KEY], NULL, tls_no_password, NULL);
	X509 *cert = PEM_read_bio_X509(pem[CERT], NULL, NULL, NULL);
	X509 *ca = PEM_read_bio_X509(pem[CA], NULL, NULL, NULL);
	bool ok = key != NULL && cert != NULL && ca != NULL &&
	    X509_check_private_key(cert, key) == 1 &&
	    X509_verify(cert, X509_get0_pubkey(ca)) == 1;

	EVP_PKEY_free(key);
	X509_free(cert);
	X509_free(ca);
	ERR_clear_error();
	return ok;
}

/* 1 if dir holds a whole set: a key, its certificate, and the CA that signed it; 0 if
 * not.  What cannot be read is not replaced: -1. */
static int
has_set(int dir, struct why *why)
{
	struct buf text[FILES] = { 0 };
	BIO *pem[FILES] = { NULL };
	bool all = true;
	int r = 0;

	for (int i = 0; r == 0 && i < FILES; i++) {
		r = open_pem(dir, names[i], &text[i], &pem[i], why);
		all = all && pem[i] != NULL;
	}
	if (r == 0)
		r = all && match(pem);
	for (int i = 0; i < FILES; i++) {
		BIO_free(pem[i]);
		buf_wipe(&text[i]);
	}
	return r;
}

/* --- all together ------------------------------------------------------------------------ */

static int
make_set(int dir, const char *hostname, struct why *why)
{
	/* The key's PEM lies in memory that BIO_free wipes. */
	BIO *pem[FILES] = { BIO_new(BIO_s_secmem()), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()) };
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = ca_key != NULL ? make_ca(ca_key, hostname) : NULL;
	X509 *leaf = ca != NULL && key != NULL ?
	    make_leaf(key, ca, ca_key, hostname) : NULL;
	int r = -1;

	EVP_PKEY_free(ca_key);		/* wiped by OpenSSL; never written */
	if (leaf != NULL && pem[KEY] != NULL && pem[CERT] != NULL && pem[CA] != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(pem[KEY], key, NULL, NULL, 0, NULL, NULL) == 1 &&
	    PEM_write_bio_X509(pem[CERT], leaf) == 1 &&
	    PEM_write_bio_X509(pem[CA], ca) == 1)
		r = write_files(dir, pem, why);
	else
		fail(why, "cannot make a certificate: %s", tls_reason());
	X509_free(ca);
	X509_free(leaf);
	EVP_PKEY_free(key);
	for (int i = 0; i < FILES; i++)
		BIO_free(pem[i]);
	return r;
}

int
tls_local_ca(const char *dir, const char *hostname, bool renew, bool *made, struct why *why)
{
	struct why inner = { "" };
	int fd, r;

	*made = false;
	if (!is_hostname(hostname))
		return fail(why, "hostname \"%s\" cannot stand in a certificate", hostname);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return fail(why, "cannot make %s: %s", dir, strerror(errno));
	fd = tls_open_local(dir, why);
	if (fd < 0)
		return -1;
	ERR_clear_error();
	r = renew ? 0 : has_set(fd, &inner);
	if (r == 0) {
		r = make_set(fd, hostname, &inner);
		*made = r == 0;
	}
	close(fd);
	return r >= 0 ? 0 : fail(why, "%s: %s", dir, inner.text);
}
