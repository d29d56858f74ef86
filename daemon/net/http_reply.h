/*
 * Reads the answer to one HTTP/1.1 request that asked for "Connection: close": bounded, and strict
 * where a lenient reading could be made to mean two things (RFC 9112).  No I/O.
 */
#ifndef NET_HTTP_REPLY_H
#define NET_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
	HTTP_HEAD_MAX = 8 * 1024,	/* octets that are not the body: fields, interim answers, chunk lines */
	HTTP_BODY_MAX = 64 * 1024
};

enum http_state {
	HTTP_STATUS_LINE,
	HTTP_FIELDS,
	HTTP_BODY,		/* of known length */
	HTTP_BODY_TO_END,	/* until the peer closes */
	HTTP_CHUNK_LINE,
	HTTP_CHUNK,
	HTTP_CHUNK_END,		/* the line end behind a chunk */
	HTTP_TRAILERS,
	HTTP_DONE,
	HTTP_BAD		/* why says what is wrong */
};

struct http_reply {
	enum http_state state;
	int status;
	int64_t retry_after_s;		/* of Retry-After in seconds; 0: none */
	const char *why;
	struct buf body;		/* may hold secrets: http_reply_clear wipes it */
	struct buf line;
	size_t head_octets;
	uint64_t length, left;		/* of the body; of it or of this chunk still to come */
	bool has_length, chunked;
};

void http_reply_init(struct http_reply *r);
void http_reply_clear(struct http_reply *r);

/* Takes all of it; nothing more is wanted when the state is HTTP_DONE or HTTP_BAD. */
void http_reply_feed(struct http_reply *r, const char *p, size_t n);
void http_reply_end(struct http_reply *r);	/* the peer has closed */
void http_reply_fail(struct http_reply *r, const char *why);	/* the connection broke; why lives as long as r */

#endif
