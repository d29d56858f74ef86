/*
 * A world for end-to-end tests: the real program in a directory of its own, a fake provider, and a client that speaks
 * SMTP over real sockets and TLS.  Each test has its own; everything it started ends with it.
 */
#ifndef E2E_WORLD_H
#define E2E_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "provider/provider.h"

struct world {
	char dir[64], log[96];
	struct provider *provider;
	unsigned p587, p465, p2525;	/* the provider's ports */
	unsigned l587, l465, l2525;	/* gatepost's */
	pid_t pid;			/* of gatepost, 0: not running */
	int pass[8];			/* sockets that it inherits, as from systemd */
	unsigned npass;
	bool is_json;			/* its log is */
};

/* Provider with these modes (script NULL: none), user apikey, password provider-secret; nothing is started. */
void world_new(struct world *w, enum provider_mode m587, const char *script587, enum provider_mode m465,
    const char *script465, enum provider_mode m2525, const char *script2525);
/*
 * Writes the configuration: `upstream' goes into the upstream section, `rest' stands before it.  Unless `upstream' has its own
 * race_delay, a port is tried when the one before it has failed, and connect_timeout is 1 s.
 */
void world_configure(struct world *w, const char *upstream, const char *rest);
void world_start(struct world *w);		/* and waits until it has started */
bool world_try_start(struct world *w);		/* false: it ended instead; world_stop(w, 0) has the status */
int world_stop(struct world *w, int sig);	/* exit status, or -signal */
void world_free(struct world *w);
unsigned world_free_port(void);			/* on 127.0.0.1, to listen on */

char *world_read_log(const struct world *w);	/* caller frees */
bool world_wait_log(const struct world *w, const char *text, int ms);

/* Runs `gatepost ARGS' in the world's directory (--state is added); output (both channels) to out. */
int world_run(const struct world *w, char *out, size_t size, const char *input, const char *args);

/* --- the client ------------------------------------------------------------ */

struct client;

enum client_tls { CLIENT_PLAIN, CLIENT_STARTTLS, CLIENT_IMPLICIT };

/* Connects, reads the greeting, says EHLO, starts TLS as told (verified against the local CA). */
struct client *client_new(struct world *w, unsigned port, enum client_tls tls);
void client_free(struct client **c);
/* Sends the bytes, as they are; reads one whole reply; returns its code, 0 when the link ended. */
int client_ask(struct client *c, const char *bytes);
int client_send(struct client *c, const char *bytes, size_t n);	/* 0, or -1: the link ended */
int client_reply(struct client *c);
const char *client_text(const struct client *c);	/* the last reply, all its lines */
bool client_login(struct client *c);			/* app / app-secret */
/* MAIL, RCPT, DATA, the text (CRLF lines, unstuffed is fine if no line begins with a dot); the last reply's code. */
int client_mail(struct client *c, const char *from, const char *to, const char *text);
/* "queued as ID" of the last reply, or "". */
const char *client_id(const struct client *c);

#endif
