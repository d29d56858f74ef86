/*
 * Asks a token endpoint for an access token (RFC 6749): by a refresh token, or by a client's own credentials.  What
 * comes back is a stranger's: bounded, and in the end a token, a refusal, or "later", with a reason in words.
 */
#ifndef NET_OAUTH_H
#define NET_OAUTH_H

#include "base/buf.h"
#include "net/http.h"

enum { OAUTH_TOKEN_MAX = 8 * 1024 };	/* octets of a token; a JWT has 1 to 3 KB */

struct oauth_request {			/* all of it is copied, and wiped */
	const char *url, *client_id;
	const char *client_secret;	/* NULL or "": none */
	const char *refresh_token;	/* NULL: client_credentials */
	const char *scope;		/* "": not said */
	struct tls *tls;
	struct veil *veil;		/* what else is not to come back in words; NULL: nothing.  Shared, not copied */
	int64_t timeout_ms;		/* 0: HTTP_DEFAULT_MS */
};

enum oauth_result {
	OAUTH_TOKEN,
	OAUTH_REFUSED,	/* the operator must do something: a new refresh token, another client… */
	OAUTH_LATER	/* down, busy, or not understandable */
};

struct oauth_answer {
	enum oauth_result result;
	const char *access;	/* TOKEN; printable ASCII; borrowed until fn returns */
	const char *refresh;	/* TOKEN: to be used from now on; NULL: the old one stays */
	int64_t expires_s;	/* TOKEN: from now; 0: not said */
	int64_t retry_after_s;	/* LATER; 0: not said */
	const char *words;	/* else: why */
};

typedef void (*oauth_fn)(void *arg, const struct oauth_answer *a);

struct oauth;

/* As http_start and http_free. */
struct oauth *oauth_start(struct loop *l, struct dns *d, const struct oauth_request *r, oauth_fn fn, void *arg);
void oauth_free(struct oauth **o);

/* The two halves of it, without I/O. */
void oauth_form(struct buf *out, const struct oauth_request *r);

struct oauth_reading {		/* what oauth_read made of an answer */
	struct oauth_answer answer;
	char *access, *refresh;
	struct why why;
};
/* Its words repeat nothing of r's secrets and veil, nor of the tokens in the answer (C-16).  Ends with oauth_reading_clear. */
void oauth_read(struct oauth_reading *out, const struct http_answer *a, const struct oauth_request *r);
void oauth_reading_clear(struct oauth_reading *out);

#endif
