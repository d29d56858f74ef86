/*
 * An upstream's name becomes addresses.  While DNS fails the last good ones serve, after a restart too; where it
 * hangs, they serve the sooner.
 */
#include "queue/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	PATIENCE_MS = 10 * 1000,	/* with DNS, where there is nothing else (B.1) */
	PATIENCE_KNOWN_MS = 2 * 1000	/* where the last good addresses are known */
};

/* Mail sent to one of our own listeners would come back for ever (B-139). */
static bool
leads_to_us(struct gateway *g, const struct dns_answer *a)
{
	char reason[200];

	for (unsigned i = 0; i < a->n; i++)
		for (unsigned k = 0; k < g->settings->nchain; k++)
			if (config_is_own(g->queue->config, a->address[i].text, g->settings->chain[k].port)) {
				snprintf(reason, sizeof reason, "%s port %u is a listener of gatepost itself: correct host or chain",
				    a->address[i].text, g->settings->chain[k].port);
				gateway_tell(g, GATE_EV_ALL_FAILED, reason, 0);
				return true;
			}
	return false;
}

/* `result' DNS_OK with `why' "": there was no answer in time. */
static void
print_reason(char *out, size_t size, const char *host, enum dns_result result, const char *why)
{
	if (result == DNS_NO_SUCH_NAME)
		snprintf(out, size, "DNS knows no address of %.80s (%.50s): check host", host, why);
	else if (result == DNS_FAILED)
		snprintf(out, size, "DNS fails for %.80s (%.50s): check this machine's name servers", host, why);
	else
		snprintf(out, size, "DNS does not answer for %.80s: check this machine's name servers", host);
}

static void
not_found(struct gateway *g, enum dns_result result, const char *why)
{
	char reason[200];

	print_reason(reason, sizeof reason, g->settings->host, result, why);
	if (!route_has_addresses(g->route, clock_wall_s())) {
		gateway_tell(g, GATE_EV_ALL_FAILED, reason, 0);
		return;
	}
	if (!g->name_failed)
		log_event(LOG_WARNING, "name_failed", log_text("upstream", g->name), log_text("reason", reason),
		    log_text("advice", "the last known addresses serve"));
	g->name_failed = true;
	g->found(g);
}

static void
on_addresses(void *arg, const struct dns_answer *a)
{
	struct gateway *g = arg;
	const char *address[DNS_ADDRESSES_MAX];

	g->resolving = false;
	loop_cancel(g->queue->loop, &g->patience);
	if (g->settings == NULL || g->queue->draining)
		return;
	if (g->settings->capture[0] != '\0') {	/* a reload came between */
		g->found(g);
		return;
	}
	if (strcmp(g->asked, g->settings->host) != 0) {
		names_ask(g, g->found);
		return;
	}
	if (a->result != DNS_OK) {
		not_found(g, a->result, a->why);
		return;
	}
	if (leads_to_us(g, a))
		return;
	for (unsigned i = 0; i < a->n; i++)
		address[i] = a->address[i].text;
	if (route_addresses(g->route, address, a->n, clock_wall_s())) {
		g->queue->memory_changed = true;
		store_soon(g->queue);
	}
	g->name_failed = false;
	g->found(g);
}

static void
on_patience(void *arg)
{
	struct gateway *g = arg;

	g->resolving = false;
	dns_forget(g->queue->dns, g);	/* whoever asks next waits for the same answer, or has it at once */
	if (g->settings == NULL || g->queue->draining)
		return;
	if (g->settings->capture[0] != '\0')
		g->found(g);
	else
		not_found(g, DNS_OK, "");
}

void
names_init(struct gateway *g)
{
	timer_init(&g->patience, on_patience, g);
}

void
names_ask(struct gateway *g, void (*fn)(struct gateway *g))
{
	bool known = route_has_addresses(g->route, clock_wall_s());

	g->resolving = true;
	g->found = fn;
	free(g->asked);
	g->asked = mem_text(g->settings->host);
	dns_resolve(g->queue->dns, g->asked, on_addresses, g);
	loop_timer(g->queue->loop, &g->patience, loop_now_ms(g->queue->loop) + (known ? PATIENCE_KNOWN_MS : PATIENCE_MS));
}

void
names_clear(struct gateway *g)
{
	loop_cancel(g->queue->loop, &g->patience);
	free(g->asked);
}
