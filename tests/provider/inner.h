/* What the files of the fake provider share. */
#ifndef PROVIDER_INNER_H
#define PROVIDER_INNER_H

#include <pthread.h>

#include "provider/cert.h"
#include "provider/provider.h"

enum { RULES_MAX = 32, PORTS_MAX = 64, FILLERS = 8 };

struct rule {
	char stage[16], match[64];
	unsigned nth;		/* 0: every one */
	unsigned seen;
	char action[512];
};

struct port {
	struct provider *provider;
	unsigned number;
	enum provider_mode mode;
	struct rule rule[RULES_MAX];
	unsigned nrule;
	SSL_CTX *tls;
	int fd;			/* listening; -1 */
	int filler[FILLERS];	/* DROP: what fills the backlog */
	pthread_t thread;
	bool running, stopping;
	unsigned connections;
};

struct text {			/* grows */
	char *p;
	size_t n, cap;
};

struct conn {
	struct provider *provider;
	struct port *port;
	struct conn *next;
	unsigned number, flight;
	int fd;
	SSL *ssl;
	pthread_t thread;
	char in[16384];
	size_t at, end;
	struct text out;
	char inject[512];	/* goes out with the next reply */
	bool dead;
	/* the session */
	bool greeted, secure, logged_in;
	char user[64];
	struct provider_message *now;	/* the transaction, NULL: none */
	struct text body;
	bool chunking;			/* BDAT has begun */
};

struct provider {
	struct provider_options options;
	struct cert_ca ca;
	char ca_file[256];
	bool ca_temporary;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct port *port[PORTS_MAX];
	unsigned nport;
	struct conn *conn;
	unsigned nconn;
	struct provider_message **message;
	unsigned nmessage;
	struct text transcript;
	unsigned complaints;
};

void text_put(struct text *t, const void *p, size_t n);
void text_puts(struct text *t, const char *s);
void text_clear(struct text *t);

/* The action of the first rule that fits, copied into out; false: none.  Counts the stage. */
bool provider_rule(struct conn *c, const char *stage, const char *arg, char *out, size_t size);
bool provider_setting(struct port *port, const char *name, char *out, size_t size);
void provider_note(struct conn *c, char who, const char *line);	/* 'C', 'S', '!' */
void provider_store(struct conn *c);	/* takes c->now and c->body */

void port_stop(struct port *port);	/* ends its connections too; the struct stays: transcripts name it */
void port_free(struct port *port);

void bytes_nap(int ms);
void bytes_flush(struct conn *c);	/* after the port's latency */
int bytes_next(struct conn *c);		/* -1: the connection is over */
void bytes_end(struct conn *c);		/* so that the peer reads all that was said, then an end (not a reset) */
void bytes_reset(struct conn *c);
void bytes_ignore(struct conn *c);	/* until the peer ends */

void *talk_run(void *conn);		/* the thread of a connection */

/* talk, for auth: */
bool talk_line(struct conn *c, char *line, size_t size);	/* false: the connection is over */
/* The rule's answer at this stage, or the usual one (NULL: nothing).  Returns the code that was said; 0: none, and
 * the connection may be dead. */
int talk_answer(struct conn *c, const char *stage, const char *arg, const char *usual);
int talk_perform(struct conn *c, const char *action, const char *usual);	/* the same, the rule being known */

void auth_run(struct conn *c, char *args);
bool token_run(struct conn *c);		/* false: the port is not for tokens */

#endif
