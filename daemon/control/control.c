/* The control socket's daemon side: lets peers in, up to a limit, and knows who they are. */
#include "control/control.h"

#include "base/log.h"
#include "base/mem.h"
#include "control/asker.h"
#include "control/caller.h"
#include "control/headline.h"
#include "control/look.h"
#include "control/reload.h"
#include "net/accept.h"
#include "net/channel.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CALLERS_MAX = 32,
	STRANGERS_MAX = 24	/* of these: operators must not be locked out by others */
};

struct control {
	struct caller_host host;
	struct accept *accept;
	struct channel *channel;
	gid_t operators;
	struct headline *headline;
};

#define FULL "{\"error\":\"too many connections to the control socket; try again\",\"exit\":75}\n"

static void
on_accept(void *arg, int fd)
{
	struct control *c = arg;
	struct asker asker;
	struct why why;

	if (asker_identify(&asker, fd, c->operators, &why) < 0) {
		log_event(LOG_WARNING, "control_refused", log_text("why", why.text));
		close(fd);
	} else if (c->host.ncaller >= CALLERS_MAX ||
	    (!asker.is_operator && c->host.nstranger >= STRANGERS_MAX)) {
		(void)!send(fd, FULL, sizeof FULL - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
	} else {
		caller_new(&c->host, fd, &asker);
	}
}

static void
on_memo(void *arg, struct link *link)
{
	struct control *c = arg;
	struct memo *m = container_of(link, struct memo, link);
	struct look *l = (struct look *)m;

	if (m->kind == MEMO_RELOADED) {
		reload_take(&c->host, (struct reload *)m);
		return;
	}
	look_answer(l, c->host.queue, (loop_now_ms(c->host.loop) - c->host.started_at_ms) / 1000);
	memo_post(l->back, &l->memo);
}

struct channel *
control_get_channel(struct control *c)
{
	return c->channel;
}

struct control *
control_start(struct loop *l, struct queue *q, int fd)
{
	struct control *c = mem_zero(sizeof *c);

	json_set_alloc_funcs(mem_alloc, free);	/* never NULL for want of memory */
	caller_host_init(&c->host, l, q);
	c->operators = asker_group();
	c->host.back = c->channel = channel_new(l, on_memo, c);
	c->accept = accept_start(l, fd, on_accept, c);
	return c;
}

void
control_tell(struct control *c, struct channel *main)
{
	c->host.main = main;
	c->headline = headline_start(c->host.loop, c->host.queue, main);
}

void
control_stop(struct control **c)
{
	if (*c == NULL)
		return;
	headline_stop(&(*c)->headline);
	accept_stop(&(*c)->accept);
	channel_drain((*c)->channel);
	channel_free(&(*c)->channel);
	caller_host_clear(&(*c)->host);
	free(*c);
	*c = NULL;
}
