/*
 * Names to addresses by getaddrinfo in a helper thread (nsswitch, /etc/hosts and
 * systemd-resolved count); answers come to the loop that asked.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/loop.h"

enum { DNS_ADDRESSES_MAX = 16 };

struct dns_address {
	struct sockaddr_storage sa;	/* port 0 */
	socklen_t len;
	char text[48];			/* "192.0.2.1", "2001:db8::1" */
};

enum dns_result { DNS_OK, DNS_NO_SUCH_NAME, DNS_FAILED };

struct dns_answer {
	enum dns_result result;
	const char *why;		/* gai_strerror's words, "" if DNS_OK */
	struct dns_address address[DNS_ADDRESSES_MAX];	/* families interleaved, the
				 * system's first choice first (RFC 8305 4) */
	unsigned n;
};

struct dns;

struct dns *dns_start(struct loop *l);
void dns_stop(struct dns **d);	/* questions under way are dropped; waits for nobody */

/* Answers from the loop, never from inside the call; a literal needs no helper.
 * Cached 60 s.  `answer' lives until fn returns. */
void dns_resolve(struct dns *d, const char *host, void (*fn)(void *arg, const struct dns_answer *answer), void *arg);

/* The network is another one: what is kept is not answered any more. */
void dns_refresh(struct dns *d);

/* Whoever asked with this arg is not told. */
void dns_forget(struct dns *d, const void *arg);

#endif
