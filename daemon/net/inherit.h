/*
 * Listening sockets that were opened by who started us (sd_listen_fds(3)): systemd keeps them over a restart, so that
 * clients wait instead of being refused.  Found by their address, never by their order or name.
 */
#ifndef NET_INHERIT_H
#define NET_INHERIT_H

#include <stdbool.h>
#include <sys/un.h>

#include "base/why.h"

enum { INHERIT_MAX = 64 };

struct inherited {
	int fd;				/* -1: taken */
	bool is_unix;
	char address[sizeof ((struct sockaddr_un *)0)->sun_path + 1];	/* "127.0.0.1:587", "[::1]:465", a path */
};

struct inherit {
	struct inherited socket[INHERIT_MAX];
	unsigned n;
};

/* Before any descriptor is opened: what else was left open by who started us is neither ours nor the daemon's user's. */
void inherit_close_others(void);

/*
 * What $LISTEN_FDS says was passed to this very process, close-on-exec and non-blocking from now on; the variables are
 * unset.  Nothing was: n is 0.  -1 and why: what was passed is no listening stream socket.
 */
int inherit_init(struct inherit *in, struct why *why) must_check;
bool inherit_has(const struct inherit *in, bool is_unix);	/* any of the kind, taken or not */
int inherit_take(struct inherit *in, const char *address);	/* the descriptor, now the caller's; -1: none */
const struct inherited *inherit_find_left(const struct inherit *in);	/* one that nobody took, or NULL */
void inherit_clear(struct inherit *in);		/* closes what was not taken */

#endif
