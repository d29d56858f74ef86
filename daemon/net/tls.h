/*
 * TLS contexts, through OpenSSL: the only room that knows it (with base/digest).
 * A context is constant once made, reference counted, and shared by threads.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/veil.h"
#include "base/why.h"

struct tls;

enum tls_version { TLS_1_2, TLS_1_3 };

/*
 * Server side: certificate chain and key (PEM).  No tickets across listeners (the
 * context's own id), no renegotiation, no compression, no early data; ALPN: none or
 * one that has "smtp" (A-040…A-047).
 */
int tls_server(struct tls **out, const char *certificate, const char *key,
    enum tls_version min, const char *id, struct why *why) must_check;

/*
 * Client side: ca_file "" = the system's store.  An empty or unreadable ca_file is
 * an error (B-126).  verify false: nothing is verified.
 */
int tls_client(struct tls **out, const char *ca_file, bool verify,
    enum tls_version min, struct why *why) must_check;

struct tls *tls_ref(struct tls *t);
void tls_unref(struct tls **t);

struct tls_certificate {
	char subject[256], issuer[256];
	int64_t not_after_wall_s;
	bool has_name;		/* the name asked for is in it */
	char chain[512];	/* subjects of what the server sent with it, "; " between them; "": nothing */
};

/* First certificate of a PEM file; name may be NULL. */
int tls_read_certificate(const char *file, const char *name,
    struct tls_certificate *out, struct why *why) must_check;

/*
 * The local CA (CONTRACT.md 2): in dir (0700, made if missing) ca.pem, cert.pem,
 * key.pem (0600).  Critical name constraints, path length 0, ten years, EC P-256, the
 * CA's key never written and wiped after it has signed.  Written under temporary names
 * and renamed, key first.  `renew' replaces what is there; otherwise existing files are
 * kept.  *made says whether new ones were made.
 */
int tls_local_ca(const char *dir, const char *hostname, bool renew, bool *made,
    struct why *why) must_check;

/*
 * One of its files, whole, and its certificate, for whoever looks on, root too: nothing that the owner of dir could put in
 * its place leads elsewhere or makes us wait.  -1: errno is set, ENOENT where there is none.
 */
int tls_read_local(const char *dir, const char *name, struct buf *out, struct why *why) must_check;
int tls_local_certificate(const char *dir, const char *name, struct tls_certificate *out, struct why *why) must_check;

#endif
