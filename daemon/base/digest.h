/* Digests, through OpenSSL. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

void digest_hmac_md5(unsigned char out[16], struct str key, struct str data);
void digest_hmac_sha256(unsigned char out[32], struct str key, struct str data);
void digest_sha256(unsigned char out[32], struct str data);
/* Nobody without the key can choose a text that has a certain number. */
uint64_t digest_number(const unsigned char key[32], struct str text);
bool digest_equal(const void *a, const void *b, size_t n);	/* constant time */

#endif
