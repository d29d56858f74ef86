/* What a TLS context is, for the files of this room that speak to OpenSSL. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>

#include "net/tls.h"

struct tls {
	SSL_CTX *ctx;
	bool is_client, verify;
	atomic_uint refs;
};

/* Tickets of one listener must mean nothing to another: what OpenSSL compares, made of a name of any length. */
enum { TLS_ID_OCTETS = 32 };
void tls_hash_id(const char *id, unsigned char hash[TLS_ID_OCTETS]);

bool tls_is_literal(const char *name);		/* an IP address, not a DNS name */
void tls_describe(X509 *x, const char *name, const struct veil *v, struct tls_certificate *out);
void tls_describe_chain(STACK_OF(X509) *sent, const struct veil *v, struct tls_certificate *out);	/* sent NULL: nothing was */

/* Lets encrypted keys fail; without it OpenSSL would ask the terminal. */
int tls_no_password(char *buf, int size, int writing, void *arg);

/* Appends a regular file of at most 1 MB; is_ours: no link, and it belongs to who owns dir.  *why is without its name. */
int tls_read_file(int dir, const char *name, bool is_ours, struct buf *out, struct why *why) must_check;
int tls_open_local(const char *dir, struct why *why) must_check;	/* the local CA's directory */

/* The first reason in OpenSSL's queue, which is empty then. */
const char *tls_reason(void);

#endif
