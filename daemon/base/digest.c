/* Digests: the only file outside net that knows OpenSSL. */
#include "base/digest.h"

#include "base/why.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static void
hmac(const EVP_MD *md, unsigned char *out, unsigned size, struct str key,
    struct str data)
{
	unsigned n = 0;

	if (md == NULL || key.n > INT_MAX ||
	    HMAC(md, key.p, (int)key.n, (const unsigned char *)data.p, data.n,
	    out, &n) == NULL || n != size)
		bug("no HMAC of %u bytes", size);
}

void
digest_hmac_md5(unsigned char out[16], struct str key, struct str data)
{
	hmac(EVP_md5(), out, 16, key, data);
}

void
digest_hmac_sha256(unsigned char out[32], struct str key, struct str data)
{
	hmac(EVP_sha256(), out, 32, key, data);
}

void
digest_sha256(unsigned char out[32], struct str data)
{
	if (EVP_Digest(data.p, data.n, out, NULL, EVP_sha256(), NULL) != 1)
		bug("no SHA-256");
}

uint64_t
digest_number(const unsigned char key[32], struct str text)
{
	unsigned char mac[32];
	uint64_t number;

	digest_hmac_sha256(mac, (struct str){ (const char *)key, 32 }, text);
	memcpy(&number, mac, sizeof number);
	return number;
}

bool
digest_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
