/* Certificates for the fake provider: a CA of its own, and leaves good and bad. */
#ifndef PROVIDER_CERT_H
#define PROVIDER_CERT_H

#include <openssl/ssl.h>

struct cert_ca {
	X509 *certificate;
	EVP_PKEY *key;
};

int cert_ca_init(struct cert_ca *ca);
void cert_ca_clear(struct cert_ca *ca);
int cert_ca_write(const struct cert_ca *ca, const char *file);	/* PEM */

/*
 * Puts a fresh key and a certificate for localhost, 127.0.0.1 and ::1 into ctx.  `kind': "good" (also
 * ""), "expired", "not-yet", "self" (signed by itself), "wrong-name", "cn-only" (localhost in the
 * subject alone), "nul-name" (localhost\0.evil.test), "wildcard" (*.localhost), "repeats"
 * (wrong-name, with the password for a subject), "repeats-behind" (the password at the end of the long
 * name of one more certificate).  -1: no such kind.
 */
int cert_install(const struct cert_ca *ca, const char *kind, SSL_CTX *ctx);

#endif
