/*
 * The machine's network has changed: what the old one did to ports says nothing any more, connections over it are not to
 * be trusted, and what was down is tried again at once.
 */
#include "queue/private.h"

#include "net/links.h"

static void
on_changed(void *arg)
{
	queue_network_changed(arg);
}

void
queue_watch_network(struct queue *q)
{
	struct why why;

	q->links = links_start(q->loop, on_changed, q, &why);
	if (q->links == NULL)
		log_event(LOG_WARNING, "network_unwatched", log_text("reason", why.text), log_text("advice",
		    "an upstream that is down is tried again by its timer alone; a unit's RestrictAddressFamilies= needs AF_NETLINK"));
}

void
queue_network_changed(struct queue *q)
{
	if (q->draining)
		return;
	log_event(LOG_INFO, "network_changed");
	q->network_at_ms = loop_now_ms(q->loop);
	q->memory_changed = true;
	store_soon(q);
	dns_refresh(q->dns);
	for (unsigned i = 0; i < q->ngateway; i++) {
		struct gateway *g = q->gateway[i];

		route_forget(g->route);
		lane_abandon(g);
		gateway_tell(g, GATE_EV_NETWORK, "", 0);
	}
}

/* It began before the change; a race that was cancelled has none. */
bool
network_is_old(const struct queue *q, const struct heard_memo *m)
{
	return loop_now_ms(q->loop) - m->took_ms < q->network_at_ms;
}

void
network_stop(struct queue *q)
{
	links_stop(&q->links);
}
