/*
 * The client's end of an SMTP conversation: commands out, replies in.  Every command passes one function that
 * refuses what would break the framing (C-17), and replies are counted against what was asked, so that a server
 * that says more than that is noticed (B-106).
 */
#ifndef RELAY_EXCHANGE_H
#define RELAY_EXCHANGE_H

#include "base/veil.h"
#include "net/stream.h"
#include "route/route.h"
#include "smtp/reply.h"

enum exchange_event {
	EXCHANGE_UP,	/* connected; a banner is owed */
	EXCHANGE_SECURE,
	EXCHANGE_REPLY,	/* x->reply answers the oldest command not answered yet */
	EXCHANGE_UNASKED,	/* x->reply answers nothing: "421 …" of a server that goes away */
	EXCHANGE_DRAINED,
	EXCHANGE_BAD,	/* not SMTP, or more than was asked for; x->bad says what.  Close it. */
	EXCHANGE_LOST,	/* the link has gone: stream_fault and stream_why */
	EXCHANGE_TIMEOUT
};

struct exchange;
typedef void (*exchange_fn)(void *arg, struct exchange *x, enum exchange_event ev);

struct exchange {
	struct loop *loop;
	struct stream *stream;	/* NULL: closed */
	struct reply reply;
	unsigned owed;		/* replies that must still come */
	const char *bad;
	bool surplus;		/* BAD because of what follows x->reply (stream_input), which is whole */
	char head[48];		/* how the newest reply begins, raw: to tell what else it may be */
	size_t head_octets;
	int verbatim;		/* a reply with this code is for the program alone, and is as the server said it; 0: none */
	/* private */
	struct veil *veil;
	char name[80];
	exchange_fn fn;
	void *arg;
};

struct exchange *exchange_connect(struct loop *l, const struct candidate *c, const char *source, exchange_fn fn, void *arg);
void exchange_give(struct exchange *x, exchange_fn fn, void *arg);

/* Closes at once; exchange_quit says QUIT before, if nothing is under way.  Both may be called from inside the callback. */
void exchange_close(struct exchange **x);
void exchange_quit(struct exchange **x);

/* A command, CRLF added.  -1 and nothing said: a control character in it. */
int exchange_say(struct exchange *x, const char *fmt, ...) like_printf(2, 3) must_check;

/* For secrets: `bytes' must be safe (base 64); the log sees `shown' instead. */
void exchange_say_secret(struct exchange *x, const char *shown, struct str bytes);

/* From now on no reply shows what is in it, even if the server repeats it (C-16).  Takes a reference; NULL: nothing is hidden. */
void exchange_hide(struct exchange *x, struct veil *v);
int exchange_certificate(const struct exchange *x, struct tls_certificate *out);	/* stream_peer_certificate; the same is hidden */
/* What is in `head', in words; the same is hidden. */
void exchange_quote_head(const struct exchange *x, struct buf *out);

void exchange_expect(struct exchange *x);	/* one more reply: the end of data has been written */
void exchange_deadline(struct exchange *x, int64_t in_ms);	/* EXCHANGE_TIMEOUT; 0: none */

/* "550 5.1.1 no such user", made safe and cut: for people. */
void exchange_quote(const struct reply *r, char *out, size_t size);

#endif
