/*
 * Messages between threads.  The list is spliced out under the lock and handled
 * outside of it; the eventfd is written once for all that gathers meanwhile.
 */
#include "net/channel.h"

#include "base/mem.h"
#include "net/loop_private.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct channel {
	struct loop *receiver;
	void (*on)(void *arg, struct link *l);
	void *arg;
	struct event event;
	int fd;
	pthread_mutex_t lock;
	struct link *first, **tail;	/* under the lock */
};

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd, (void)what;
	loop_awake(c->receiver);
	channel_drain(c);
}

struct channel *
channel_new(struct loop *receiver, void (*on)(void *arg, struct link *l), void *arg)
{
	struct channel *c = mem_zero(sizeof *c);

	c->receiver = receiver;
	c->on = on;
	c->arg = arg;
	c->tail = &c->first;
	pthread_mutex_init(&c->lock, NULL);
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd < 0)
		bug("channel: eventfd: %s", strerror(errno));
	/* Edge-triggered: each write is an event, and the counter is never read. */
	event_assign(&c->event, loop_base(receiver), c->fd,
	    EV_READ | EV_ET | EV_PERSIST, on_wake, c);
	if (event_add(&c->event, NULL) < 0)
		bug("channel: cannot watch descriptor %d", c->fd);
	return c;
}

void
channel_free(struct channel **cp)
{
	struct channel *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	event_del(&c->event);
	close(c->fd);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void
channel_post(struct channel *c, struct link *l)
{
	bool idle;

	l->next = NULL;
	pthread_mutex_lock(&c->lock);
	idle = c->first == NULL;
	*c->tail = l;
	c->tail = &l->next;
	pthread_mutex_unlock(&c->lock);
	if (idle)
		eventfd_write(c->fd, 1);
}

void
channel_drain(struct channel *c)
{
	struct link *l, *next;

	pthread_mutex_lock(&c->lock);
	l = c->first;
	c->first = NULL;
	c->tail = &c->first;
	pthread_mutex_unlock(&c->lock);
	for (; l != NULL; l = next) {
		next = l->next;		/* `on' owns l from here */
		c->on(c->arg, l);
	}
}
