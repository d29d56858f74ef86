/*
 * One listener thread: its sockets, the sessions on them by handle, and the memos that reach it.
 */
#include "listener/listener.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/count.h"
#include "base/log.h"
#include "base/mem.h"
#include "listener/helper.h"
#include "listener/session.h"
#include "smtp/reply.h"

enum {
	NO_SLOT = UINT32_MAX,
	SEND_BUFFER = 32 * 1024,
	REFUSALS_LOGGED_MS = 10 * 1000	/* one line stands for all in so long */
};

/* --- handles --------------------------------------------------------------------------- */

static void
add_slots(struct listener *l)
{
	uint32_t n = l->nslot == 0 ? 16 : l->nslot * 2;

	l->slot = mem_resize(l->slot, n, sizeof *l->slot);
	for (uint32_t i = l->nslot; i < n; i++) {
		l->slot[i] = (struct slot){ .next_free = l->free_slot };
		l->free_slot = i;
	}
	l->nslot = n;
}

void
listener_add(struct listener *l, struct session *s)
{
	struct slot *slot;

	if (l->free_slot == NO_SLOT)
		add_slots(l);
	s->self.slot = l->free_slot;
	slot = &l->slot[s->self.slot];
	l->free_slot = slot->next_free;
	slot->session = s;
	s->self.generation = slot->generation;
	l->nsession++;
}

static void
say_drained(struct listener *l)
{
	if (!l->draining || l->drained || l->nsession > 0)
		return;
	l->drained = true;
	if (l->main != NULL)
		memo_post(l->main, memo_new(MEMO_DRAINED, sizeof(struct memo)));
}

void
listener_remove(struct listener *l, struct session *s)
{
	struct slot *slot = &l->slot[s->self.slot];

	slot->session = NULL;
	slot->generation++;
	slot->next_free = l->free_slot;
	l->free_slot = s->self.slot;
	l->nsession--;
	say_drained(l);
}

static struct session *
find(const struct listener *l, struct handle h)
{
	const struct slot *slot = h.slot < l->nslot ? &l->slot[h.slot] : NULL;

	return slot != NULL && slot->generation == h.generation ? slot->session : NULL;
}

/* --- who comes in ------------------------------------------------------------------------ */

static bool
is_plain_first(const struct port *p)
{
	return p->listen == NULL || p->listen->tls != TLS_IMPLICIT;
}

static void
put_full(const struct listener *l, struct buf *out)
{
	char text[REPLY_TEXT_MAX];

	snprintf(text, sizeof text, "%s too many connections", l->config->hostname);
	reply_put(out, 421, "4.7.0", text);
}

static void
turn_away(const struct port *p, int fd)
{
	struct listener *l = p->listener;
	int64_t now_ms = loop_now_ms(l->loop);

	if (is_plain_first(p)) {
		put_full(l, &l->out);
		(void)!send(fd, l->out.data, l->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
		buf_cut(&l->out, 0);
	}
	close(fd);
	if (l->refusal_logged_at_ms != 0 && now_ms - l->refusal_logged_at_ms < REFUSALS_LOGGED_MS)
		return;
	l->refusal_logged_at_ms = now_ms;
	log_event(LOG_WARNING, "connection_refused", log_text("listener", p->name),
	    log_text("reason", "as many sessions as limits.connections allows are open"),
	    log_num("connections", l->config->limits.connections));
}

static bool
may_accept(void *arg)
{
	const struct port *p = arg;

	return p->listener->draining || crowd_may_come(p->listener);
}

static void
on_accept(void *arg, int fd)
{
	struct port *p = arg;
	struct listener *l = p->listener;

	if (l->draining)
		close(fd);
	else if (!crowd_admit(l))
		turn_away(p, fd);
	else
		session_start(l, p, fd);
}

/* --- configuration ------------------------------------------------------------------------- */

static void
aim(struct listener *l, struct port *p)	/* at its section of the configuration */
{
	struct buf full = { 0 };

	p->listen = NULL;
	for (unsigned i = 0; i < l->config->nlisten && !p->is_submit; i++)
		if (strcmp(l->config->listen[i].address, p->name) == 0)
			p->listen = &l->config->listen[i];
	if (p->listen == NULL && !p->is_submit)
		bug("no listen section for %s", p->name);
	if (p->accept == NULL)
		return;
	put_full(l, &full);
	accept_say_full(p->accept, is_plain_first(p) ? full.data : NULL);
	buf_clear(&full);
}

static void
configure(struct listener *l, struct config_memo *m)
{
	config_unref(&l->config);
	l->config = m->config;
	tls_unref(&l->tls);
	l->tls = m->tls;
	logins_replace(&l->logins, m->users);
	for (unsigned i = 0; i < l->nport; i++)
		aim(l, &l->port[i]);
	memo_config_used(m);
}

/* --- memos ---------------------------------------------------------------------------------- */

static void
drain(struct listener *l)
{
	l->draining = true;
	for (unsigned i = 0; i < l->nport; i++)
		accept_stop(&l->port[i].accept);
	for (uint32_t i = 0; i < l->nslot; i++)
		if (l->slot[i].session != NULL)
			session_drain(l->slot[i].session);
	say_drained(l);
}

static void
on_memo(void *arg, struct link *link)
{
	struct listener *l = arg;
	struct memo *m = container_of(link, struct memo, link);
	struct submit *answered;
	struct session *s;

	switch (m->kind) {
	case MEMO_VERDICT:
		answered = container_of(m, struct submit, memo);
		s = find(l, answered->session);
		if (s != NULL)
			session_verdict(s, answered);
		memo_submit_free(&answered);
		return;
	case MEMO_LIMITS:
		memo_limits_clear(&l->limits);
		l->limits = *container_of(m, struct limits, memo);
		break;
	case MEMO_CONFIG:
		configure(l, container_of(m, struct config_memo, memo));
		return;
	case MEMO_DRAIN:
		drain(l);
		break;
	case MEMO_STOP:
		loop_stop(l->loop);
		break;
	default:
		bug("a listener got memo %d", m->kind);
	}
	free(m);
}

static void
on_checked(void *arg, struct link *link)
{
	struct listener *l = arg;
	struct check *c = container_of(link, struct check, link);
	struct session *s = find(l, c->session);

	if (s != NULL)
		auth_checked(s, c);
	helper_free_check(&c);
}

/* --- life ------------------------------------------------------------------------------------- */

struct listener *
listener_new(struct loop *loop, const struct listener_options *o)
{
	struct listener *l = mem_zero(sizeof *l);

	l->loop = loop;
	l->config = config_ref(o->config);
	l->tls = o->tls != NULL ? tls_ref(o->tls) : NULL;
	logins_init(&l->logins, o->users);
	l->channel = channel_new(loop, on_memo, l);
	l->checked = channel_new(loop, on_checked, l);
	l->queue = o->queue;
	l->main = o->main;
	l->blobs = o->blobs;
	l->free_slot = NO_SLOT;
	l->limits.room = true;		/* until the queue says otherwise */
	l->limits.free_octets = UINT64_MAX;
	l->descriptors = l->bearable = o->descriptors > 0 ? o->descriptors : UINT_MAX;
	l->accept_errors = count_get(COUNT_ACCEPT_ERRORS);
	list_init(&l->strangers);
	list_init(&l->known);
	timer_init(&l->sweep, crowd_on_sweep, l);
	l->nport = o->nsocket;
	l->port = mem_array(l->nport, sizeof *l->port);
	for (unsigned i = 0; i < l->nport; i++) {
		struct port *p = &l->port[i];

		p->listener = l;
		p->name = mem_text(o->socket[i].name);
		p->fd = o->socket[i].fd;
		p->is_submit = o->socket[i].is_submit;
		/* Replies are short: what one who reads none makes the kernel keep is bounded. */
		setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &(int){ SEND_BUFFER }, sizeof(int));
		p->accept = accept_start(loop, p->fd, on_accept, p);
		accept_ask(p->accept, may_accept);
		aim(l, p);
	}
	return l;
}

struct channel *
listener_get_channel(struct listener *l)
{
	return l->channel;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL)
		return;
	*lp = NULL;
	l->draining = l->drained = true;
	channel_drain(l->channel);	/* a 250 may be among what came last */
	for (uint32_t i = 0; i < l->nslot; i++)
		if (l->slot[i].session != NULL)
			session_stop(l->slot[i].session);
	loop_cancel(l->loop, &l->sweep);
	for (unsigned i = 0; i < l->nport; i++) {
		accept_stop(&l->port[i].accept);
		free(l->port[i].name);
	}
	helper_forget(l->checked);
	channel_drain(l->checked);
	channel_free(&l->checked);
	channel_free(&l->channel);
	logins_clear(&l->logins);
	tls_unref(&l->tls);
	config_unref(&l->config);
	memo_limits_clear(&l->limits);
	buf_clear(&l->out);
	buf_clear(&l->content);
	free(l->slot);
	free(l->port);
	free(l);
}

void
listener_start_helper(void)
{
	helper_start();
}

void
listener_stop_helper(void)
{
	helper_stop();
}
