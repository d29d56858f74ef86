/* Base 64 (RFC 4648 4), strict: no white space, right padding, zero pad bits. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"

void base64_put(struct buf *out, const void *p, size_t n);

/* Appends the decoded bytes; false (and nothing appended) if s is not base 64. */
bool base64_take(struct buf *out, struct str s) must_check;

#endif
