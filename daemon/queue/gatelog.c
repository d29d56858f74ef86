/* What the log says of upstreams and their ports, and how loudly. */
#include "queue/private.h"

#include <string.h>

/* Somebody answers, and not as our provider would: waiting for a better network will not mend that (B-008, B-016). */
static bool
is_answered_wrongly(const struct gateway *g)
{
	static const char refused[] = "greeted with 5";
	const struct door *d;

	for (unsigned n = 0; (d = route_find(g->route, n)) != NULL; n++)
		if (d->state == DOOR_UNSAFE ||
		    (d->state == DOOR_BLOCKED && strncmp(d->reason, refused, strlen(refused)) == 0))
			return true;
	return false;
}

static enum log_level
gate_level(const struct gateway *g)
{
	switch (g->gate.state) {
	case GATE_AUTH_FAILED:
		return LOG_ERROR;
	case GATE_DOWN:
		return is_answered_wrongly(g) ? LOG_ERROR : LOG_WARNING;
	default:
		return gate_is_closed(&g->gate) ? LOG_WARNING : LOG_INFO;
	}
}

void
gatelog_gate(const struct gateway *g)
{
	enum gate_state state = g->gate.state;
	char reason[280];

	pacing_print_reason(g, reason, sizeof reason);
	log_event(gate_level(g), "upstream", log_text("upstream", g->name), log_text("state", gate_state_name(state)),
	    log_text("reason", reason[0] != '\0' ? reason : NULL),
	    log_text("advice", state == GATE_AUTH_FAILED ?
	    "check username and password; mail waits, and `systemctl reload gatepost' tries again at once" : NULL));
}

void
gatelog_port(const struct gateway *g, const struct candidate *c)
{
	const struct door *d = route_find_candidate(g->route, c);

	if (d == NULL)
		return;
	log_event(d->state == DOOR_UP || d->state == DOOR_UNKNOWN ? LOG_INFO : LOG_WARNING, "port",
	    log_text("upstream", g->name), log_num("port", c->port), log_text("tls", tls_mode_name(c->tls)),
	    log_text("address", c->address), log_text("state", door_state_name(d->state)),
	    log_text("reason", d->reason[0] != '\0' ? d->reason : NULL));
}
