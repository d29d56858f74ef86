/*
 * The listeners: N threads that talk to apps, and one helper that checks passwords.  They speak
 * SMTP (RFC 6409), hand whole messages to the queue, and answer with what it says.  They decide nothing
 * about delivery and never write the log of the spool.  The room's one door.
 */
#ifndef LISTENER_LISTENER_H
#define LISTENER_LISTENER_H

#include "memo/memo.h"

/* A bound, listening socket and what is spoken on it. */
struct listener_socket {
	int fd;
	const char *name;		/* "127.0.0.1:587"; matches config.listen[].address; "submit" for submit_socket */
	bool is_submit;			/* unix: peer known by its uid, no AUTH */
};

struct listener;	/* one thread's worth */

struct listener_options {
	struct config *config;		/* a reference is taken */
	struct users *users;		/* may be NULL: no users file */
	struct tls *tls;		/* may be NULL when no listener needs it */
	const struct listener_socket *socket;
	unsigned nsocket;
	unsigned index, count;		/* this thread among how many; limits.connections counts over all */
	unsigned descriptors;		/* sessions, over all threads, that there are descriptors for; 0: enough */
	struct channel *queue;		/* SUBMIT goes there */
	struct channel *main;		/* DRAINED goes there */
	struct spool_blobs *blobs;
};

/* Prepares one listener on its own loop; nothing runs before loop_run. */
struct listener *listener_new(struct loop *l, const struct listener_options *o);
struct channel *listener_get_channel(struct listener *l);	/* VERDICT, LIMITS, CONFIG, DRAIN, STOP */
void listener_free(struct listener **l);

/* The helper thread that checks passwords, shared by all listeners; start before, stop after them. */
void listener_start_helper(void);
void listener_stop_helper(void);

#endif
