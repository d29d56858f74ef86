/* The bytes of a session at the fake provider: blocking, buffered, and ended in each of the ways there are. */
#include "provider/inner.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void
bytes_nap(int ms)
{
	nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

void
bytes_flush(struct conn *c)
{
	char ms[16], dribble[8];
	bool slow = provider_setting(c->port, "dribble", dribble, sizeof dribble);
	size_t done = 0;

	if (c->out.n == 0)
		return;
	if (provider_setting(c->port, "latency", ms, sizeof ms))
		bytes_nap(atoi(ms));
	while (done < c->out.n) {
		size_t piece = slow ? 1 : c->out.n - done;
		ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, c->out.p + done, (int)piece) : write(c->fd, c->out.p + done, piece);

		if (slow)
			bytes_nap(1);
		if (n <= 0) {
			c->dead = true;
			break;
		}
		done += (size_t)n;
	}
	c->out.n = 0;
}

static bool
bytes_more(struct conn *c)
{
	ssize_t n;

	bytes_flush(c);
	if (c->dead)
		return false;
	n = c->ssl != NULL ? SSL_read(c->ssl, c->in, sizeof c->in) : read(c->fd, c->in, sizeof c->in);
	if (n <= 0) {
		c->dead = true;
		return false;
	}
	c->at = 0;
	c->end = (size_t)n;
	c->flight++;
	return true;
}

int
bytes_next(struct conn *c)
{
	if (c->at == c->end && !bytes_more(c))
		return -1;
	return (unsigned char)c->in[c->at++];
}

void
bytes_end(struct conn *c)
{
	struct timeval brief = { 0, 300000 };

	bytes_flush(c);
	c->dead = true;
	shutdown(c->fd, SHUT_WR);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &brief, sizeof brief);
	while (read(c->fd, c->in, sizeof c->in) > 0)
		continue;
}

void
bytes_reset(struct conn *c)
{
	struct linger now = { 1, 0 };

	bytes_flush(c);
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	c->dead = true;
}

void
bytes_ignore(struct conn *c)
{
	while (bytes_more(c))
		continue;
}
