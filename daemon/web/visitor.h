/* One connection: a request, an answer, the end.  Private to the room. */
#ifndef WEB_VISITOR_H
#define WEB_VISITOR_H

#include "base/list.h"
#include "net/stream.h"
#include "web/demand.h"

enum {
	VISITORS_MAX = 32,
	VISITOR_MS = 10 * 1000		/* from its first to its last octet */
};

struct visitor;

/* What the visitors of one listening socket share. */
struct visitor_host {
	struct loop *loop;
	struct demand_hosts hosts;
	struct node visitors;		/* all of them */
	unsigned n;
	/* A good request has come: visitor_answer now, or later. */
	void (*on_demand)(void *arg, struct visitor *v);
	void *arg;
};

struct visitor {
	struct node node;
	struct visitor_host *host;
	struct stream *stream;
	enum { VISITOR_READING, VISITOR_WAITING, VISITOR_WRITING } state;
	struct demand demand;
};

void visitor_host_init(struct visitor_host *h, struct loop *l);
void visitor_host_clear(struct visitor_host *h);	/* ends them all */

void visitor_new(struct visitor_host *h, int fd);	/* takes fd; beyond the limit it is told so and goes */

/* Once, for each that on_demand gave.  `policy': a Content-Security-Policy for this page, or NULL. */
void visitor_answer(struct visitor *v, int status, const char *type, const char *policy, struct str body);

#endif
