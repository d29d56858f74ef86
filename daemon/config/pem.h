/* Is a file what its option says?  Only its armour is looked at: what is in it, OpenSSL reads later. */
#ifndef CONFIG_PEM_H
#define CONFIG_PEM_H

#include <stdbool.h>

#include "base/str.h"
#include "base/why.h"

enum { PEM_BYTES_MAX = 4 << 20 };

/* A certificate at least, or a private key that needs no passphrase.  -1: the reason, without the file's name. */
int pem_check(struct str text, bool is_key, struct why *why) must_check;

#endif
