/*
 * One HTTP request: for tokens and for alerts.  https with the server's name verified, or plain http to this machine
 * alone; a request and one bounded answer, then the connection ends.  Redirects are not followed, and nothing is sent twice.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdint.h>

#include "base/str.h"
#include "base/why.h"
#include "net/dns.h"
#include "net/http_reply.h"
#include "net/loop.h"
#include "net/tls.h"

struct http;

enum { HTTP_DEFAULT_MS = 10 * 1000 };

/* All of it is copied; the copies of the body are wiped. */
struct http_request {
	const char *url;		/* GET, or POST if there is a content_type */
	const char *content_type;
	struct str body;
	int64_t timeout_ms;		/* for all of it, names included; 0: HTTP_DEFAULT_MS */
	struct tls *tls;		/* a client's context, for https; a reference is taken */
};

struct http_answer {
	int status;			/* 200…; 0: there is no answer, and why says so */
	struct str body;		/* lives until fn returns or http_free */
	int64_t retry_after_s;		/* 0: not said */
	const char *why;		/* for people; "" if there is an answer */
};

typedef void (*http_fn)(void *arg, const struct http_answer *a);

/* fn is called once, from the loop and never from inside this call, also for a URL that cannot be used. */
struct http *http_start(struct loop *l, struct dns *d, const struct http_request *r, http_fn fn, void *arg);

/* By its owner, who has to: before the answer (fn is not called then), inside fn, or after. */
void http_free(struct http **h);

#endif
