/* One request from anybody, taken apart and bounded.  Pure.  Private to the room. */
#ifndef WEB_DEMAND_H
#define WEB_DEMAND_H

#include <stdbool.h>

#include "base/str.h"

enum { DEMAND_MAX = 8 * 1024 };	/* octets of its head; it has no body */

enum demand_path { DEMAND_PAGE, DEMAND_METRICS, DEMAND_HEALTH, DEMAND_PATHS };

struct demand {
	bool head;		/* HEAD: the answer goes without its body */
	enum demand_path path;
	int status;		/* 200, or why it is refused */
	const char *why;
};

/* Which Host: fields are ours, so that a foreign page whose name was turned to our address (DNS rebinding) reads nothing. */
struct demand_hosts {
	const char *listen;	/* "127.0.0.1:9587" */
	const char *hostname;
};

/* `input' from the connection's first octet on.  False: its head is not complete yet. */
bool demand_parse(struct demand *d, struct str input, const struct demand_hosts *hosts);

/* localhost and loopback addresses; the address that is listened on, and where that is every address, any literal (only
 * names can be rebound); the hostname where others than loopback are served.  With or without a port: there are tunnels. */
bool demand_is_ours(struct str host, const struct demand_hosts *hosts);

#endif
