/* SASL: the bytes of each mechanism (RFC 4616, 4954, 2195, 7628). */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include "base/buf.h"

/* Server: decoded PLAIN message; slices into it.  -1: malformed, and all are empty. */
int sasl_plain_parse(struct str message, struct str *authzid, struct str *user,
    struct str *password) must_check;

/* Client: each appends raw (not yet base 64) bytes. */
void sasl_plain(struct buf *out, const char *user, const char *password);
void sasl_cram_md5(struct buf *out, const char *user, const char *password, struct str challenge);
void sasl_xoauth2(struct buf *out, const char *user, const char *token);
void sasl_oauthbearer(struct buf *out, const char *user, const char *host, unsigned port, const char *token);

#endif
