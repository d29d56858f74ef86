/*
 * The orderly end of a connection.  A socket that is closed with input unread makes
 * the kernel send a reset, which may destroy our last reply on the peer's side:
 * so what still comes is read and dropped until the peer has ended too.  Whoever makes many wait for him makes the oldest end at once.
 */
#include "net/farewell.h"

#include "base/mem.h"
#include "net/loop_private.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

struct farewell {
	struct loop *loop;
	struct wire wire;
	struct buf out;
	size_t sent;
	struct event rd, wr;
	struct timer timer;
	struct turn_job evict;
	bool ended, shut, over;
};

static void
release(void *obj)
{
	struct farewell *f = obj;

	wire_clear(&f->wire);
	buf_clear(&f->out);
	free(f);
}

static void
end(void *arg)
{
	struct farewell *f = arg;

	if (f->over)
		return;
	f->over = true;
	event_del(&f->rd);
	event_del(&f->wr);
	loop_cancel(f->loop, &f->timer);
	loop_forget_job(&f->evict);
	wire_close(&f->wire);
	loop_bury(f->loop, f, release);
}

static void
push(struct farewell *f)
{
	while (f->sent < f->out.len) {
		ssize_t n = wire_write(&f->wire, f->out.data + f->sent,
		    f->out.len - f->sent);

		if (n == WIRE_BROKEN) {
			end(f);
			return;
		}
		if (n < 0)
			return;
		f->sent += (size_t)n;
	}
	event_del(&f->wr);
	buf_clear(&f->out);
	f->sent = 0;
	wire_shut(&f->wire);
	f->shut = true;
	if (f->ended)
		end(f);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct farewell *f = arg;

	(void)fd, (void)what;
	loop_awake(f->loop);
	push(f);
}

/* One read a turn, of the bare socket: only its end matters. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct farewell *f = arg;
	struct wire bare = { .fd = fd };
	char *scratch = loop_scratch(f->loop);
	ssize_t n;

	(void)what;
	loop_awake(f->loop);
	n = wire_read(&bare, scratch, LOOP_SCRATCH);
	if (n > 0)
		explicit_bzero(scratch, (size_t)n);	/* a password may be in it */
	if (n > 0 || n == WIRE_WANTS_READ)
		return;
	f->ended = true;
	event_del(&f->rd);
	if (n == WIRE_BROKEN || f->shut)
		end(f);
}

void
farewell_start(struct loop *l, struct wire *w, struct buf *out, size_t sent,
    bool ended, int64_t limit_ms)
{
	struct farewell *f = mem_zero(sizeof *f);

	f->loop = l;
	f->wire = *w;
	f->out = *out;
	f->sent = sent;
	f->ended = ended;
	*w = (struct wire){ .fd = -1 };
	*out = (struct buf){ 0 };
	event_assign(&f->rd, loop_base(l), f->wire.fd, EV_READ | EV_PERSIST,
	    on_readable, f);
	event_assign(&f->wr, loop_base(l), f->wire.fd, EV_WRITE | EV_PERSIST,
	    on_writable, f);
	timer_init(&f->timer, end, f);
	loop_timer(l, &f->timer, loop_now_ms(l) + limit_ms);
	loop_at_free(l, &f->evict, end, f);
	push(f);
	if (f->over)
		return;
	if ((!f->ended && event_add(&f->rd, NULL) < 0) ||
	    (!f->shut && event_add(&f->wr, NULL) < 0))
		bug("farewell: cannot watch descriptor %d", f->wire.fd);
}
