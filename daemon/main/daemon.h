/* The running daemon: what there is of it, and how it starts and ends. */
#ifndef MAIN_DAEMON_H
#define MAIN_DAEMON_H

#include <pthread.h>

#include "config/config.h"
#include "control/control.h"
#include "errand/errand.h"
#include "listener/listener.h"
#include "memo/memo.h"
#include "net/loop.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "web/web.h"

enum { THREADS_MAX = 64, SOCKETS_MAX = 64 };

struct part {			/* a thread and its loop */
	struct loop *loop;
	pthread_t thread;
	bool running;
};

struct daemon {
	struct config_options options;
	struct config *config;
	struct users *users;
	struct tls *tls;
	struct loop *loop;		/* main's own: signals, timers, DRAINED */
	struct channel *channel;

	struct listener_socket socket[SOCKETS_MAX];
	bool is_inherited[SOCKETS_MAX];	/* of the socket: passed by who started us, and theirs to close and unlink */
	unsigned nsocket;
	int control_fd;
	int landlock;			/* its ABI; 0: not confined */
	struct names writable;		/* directories, as of the start; "/" without Landlock */
	int metrics_fd;			/* -1: nothing is served */
	int errand_fd;			/* to the helper that runs commands; -1: given to the queue */

	struct part queue_part, web_part, listener_part[THREADS_MAX], relay_part[THREADS_MAX];
	struct queue *queue;
	struct control *control;
	struct web *web;		/* NULL: metrics.listen is empty */
	struct listener *listener[THREADS_MAX];
	struct relay *relay[THREADS_MAX];
	unsigned nlistener, nrelay;
};

int daemon_load(struct daemon *d, struct why *why) must_check;	/* config, logs its warnings */
int daemon_load_users(const struct config *c, struct users **out, struct why *why) must_check;
int daemon_load_tls(const struct config *c, struct tls **out, struct why *why) must_check; /* NULL if none is needed */
int daemon_check_upstreams(const struct config *c, struct why *why) must_check; /* what their TLS needs is there */
void daemon_warn(const struct config *c);	/* logs what needs the operator soon; at start and reload */
int daemon_bind(struct daemon *d, struct why *why) must_check;	/* all sockets, or takes those passed to us; may need root */
void daemon_shut(struct daemon *d);		/* new clients are refused from now on, or wait for the next daemon */
int daemon_build(struct daemon *d, struct why *why) must_check;	/* spool, rooms; no thread yet */
void daemon_start(struct daemon *d);
void daemon_join(struct daemon *d);		/* after every loop was told to stop */
void daemon_free(struct daemon *d);

/* supervise.c: from started to ended; returns the exit status. */
int supervise_run(struct daemon *d);

/* sandbox.c, in this order; without root, or with user "", only the spool's directory is made */
int sandbox_check(const struct config *c, struct why *why) must_check;	/* config.user exists, where it matters */
int sandbox_prepare(const struct config *c, struct why *why) must_check; /* directories, with their owner */
int sandbox_bind_unix(const struct config *c, const char *path, unsigned mode, struct why *why) must_check; /* accept_bind_unix */
int sandbox_give(const struct config *c, struct why *why) must_check;	/* the bound sockets, to theirs */
int sandbox_enter(const struct config *c, struct why *why) must_check;	/* drops to config.user, no new privileges */

/* confine.c: the plan, then servant_fork, for commands are not bound by it, then in. */
void confine_plan(struct daemon *d);	/* as the user that it will be: finds writable */
int confine_enter(struct daemon *d, struct why *why) must_check;
int confine_check(const struct daemon *d, const struct config *fresh, struct why *why) must_check; /* may a reload take it? */
void confine_clear(struct daemon *d);

/* notify.c: systemd's datagram (sd_notify(3)); nothing where $NOTIFY_SOCKET is not set. */
void notify_send(const char *text);

int run_main(int argc, char **argv);	/* run.c: `gatepost run' */

#endif
