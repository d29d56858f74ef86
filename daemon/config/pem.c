/* The armour of PEM files (RFC 7468): a wrong file is found when the configuration is read, and named. */
#include "config/pem.h"

#include <string.h>

static bool
has(struct str text, const char *words)
{
	return text.n > 0 && memmem(text.p, text.n, words, strlen(words)) != NULL;
}

static int
check_key(struct str text, struct why *why)
{
	if (has(text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
	    has(text, "Proc-Type: 4,ENCRYPTED"))
		return fail(why, "is encrypted, and nobody is there to type a "
		    "passphrase; decrypt it (openssl pkey)");
	if (has(text, "-----BEGIN ") && has(text, "PRIVATE KEY-----"))
		return 0;
	return fail(why, "has no private key in PEM (-----BEGIN PRIVATE "
	    "KEY-----); name the file that has");
}

int
pem_check(struct str text, bool is_key, struct why *why)
{
	if (is_key)
		return check_key(text, why);
	if (has(text, "-----BEGIN CERTIFICATE-----") ||
	    has(text, "-----BEGIN TRUSTED CERTIFICATE-----") ||
	    has(text, "-----BEGIN X509 CERTIFICATE-----"))
		return 0;
	return fail(why, "has no certificate in PEM (-----BEGIN "
	    "CERTIFICATE-----); name the file that has, or convert it "
	    "(openssl x509 -inform DER)");
}
