/* For tests of net: waiting without sleeping, ends of connections that keep a diary. */
#ifndef UNIT_SUPPORT_NET_H
#define UNIT_SUPPORT_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/stream.h"

#include <check.h>	/* last: it defines fail() */

static inline void
support_on_late(void *arg)
{
	*(bool *)arg = true;
}

/* Turns the loop until cond holds; fails after fifteen seconds. */
#define UNTIL(l, cond)                                                         \
	do {                                                                   \
		struct timer guard_;                                           \
		bool late_ = false, met_;                                      \
		timer_init(&guard_, support_on_late, &late_);                  \
		loop_timer(l, &guard_, clock_now_ms() + 15000);                 \
		while (!(met_ = (cond)) && !late_)                             \
			loop_turn(l, true);                                    \
		loop_cancel(l, &guard_);                                       \
		ck_assert_msg(met_, "waited in vain for %s", #cond);           \
	} while (0)

/* One end of a connection.  The diary has a letter for each event: Up, Secure, Data,
 * dRained, Closed, Timeout, Failed. */
struct end {
	struct stream *s;
	struct buf got;
	char diary[512];
	size_t entries;
	int data;			/* calls of STREAM_DATA */
	size_t leave;			/* octets of input that are not consumed */
	void (*on_data)(struct end *e);	/* instead of consuming */
	char close_at;			/* the letter at which the stream is closed */
	char pause_at;
};

static inline bool
end_has(const struct end *e, char letter)
{
	return strchr(e->diary, letter) != NULL;
}

static inline void
end_on(void *arg, struct stream *s, enum stream_event ev)
{
	struct end *e = arg;
	char letter = "USDRCTF"[ev];
	struct str in = stream_input(s);

	ck_assert_ptr_eq(e->s, s);
	if (e->entries + 1 < sizeof e->diary &&
	    (e->entries == 0 || e->diary[e->entries - 1] != letter))
		e->diary[e->entries++] = letter;
	if (letter == e->close_at) {
		stream_close(&e->s);
		return;
	}
	if (letter == e->pause_at)
		stream_pause(s);
	if (ev != STREAM_DATA)
		return;
	e->data++;
	if (e->on_data != NULL) {
		e->on_data(e);
	} else if (in.n > e->leave) {
		buf_put(&e->got, in.p, in.n - e->leave);
		stream_consume(s, in.n - e->leave);
	}
}

static inline void
end_clear(struct end *e)
{
	stream_close(&e->s);
	buf_clear(&e->got);
}

static inline void
end_pair(int type, int fd[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
}

/* A listening socket on a free port of 127.0.0.1. */
static inline int
end_listen(struct sockaddr_in *sin)
{
	socklen_t len = sizeof *sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(sin, 0, sizeof *sin);
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)sin, sizeof *sin), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)sin, &len), 0);
	return fd;
}

/* Both ends of a TCP connection; fd[0] does not block. */
static inline void
end_tcp(int fd[2])
{
	struct sockaddr_in sin;
	int listening = end_listen(&sin);

	fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd[1], (struct sockaddr *)&sin, sizeof sin), 0);
	fd[0] = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(fd[0], 0);
	close(listening);
}

static inline void
end_send(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
}

#endif
