/* A stream, and a socket without one at its other end. */
#ifndef UNIT_BARE_PAIR_H
#define UNIT_BARE_PAIR_H

#include "support_net.h"

static struct loop *l;
static struct end a, b;
static int fd[2];

static void
setup(void)
{
	l = loop_new("test");
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	fd[0] = fd[1] = -1;
}

static void
teardown(void)
{
	end_clear(&a);
	end_clear(&b);
	if (fd[1] >= 0)
		close(fd[1]);
	loop_free(&l);
}

/* a is a stream, fd[1] the bare other end. */
static void
open_pair(int type)
{
	end_pair(type, fd);
	a.s = stream_accept(l, fd[0], end_on, &a);
}

#endif
