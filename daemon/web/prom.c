/*
 * The metrics in Prometheus's text format, made from a status document.  One table for what is a number of the document;
 * names are part of what users rely on (docs/man/gatepost.1).
 */
#include "web/prom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/count.h"

static const struct metric {
	const char *name, *kind, *help;
	const char *section, *member;	/* in the status document; NULL: the counter */
	enum count_id count;
} metrics[] = {
	{ "gatepost_accepted_total", "counter", "Messages that apps were told are queued.", "counters", "accepted", 0 },
	{ "gatepost_relayed_total", "counter", "Recipients that a provider has taken.", "counters", "relayed", 0 },
	{ "gatepost_deferred_total", "counter", "Attempts for a recipient that ended in a later one.", "counters", "deferred", 0 },
	{ "gatepost_bounced_total", "counter", "Recipients that failed for good.", "counters", "bounced", 0 },
	{ "gatepost_duplicates_possible_total", "counter",
	  "Links lost between the end of a message and its reply.", "counters", "duplicates_possible", 0 },
	{ "gatepost_auth_failures_total", "counter", "Refused logins of local apps.", "counters", "auth_failures", 0 },
	{ "gatepost_accept_errors_total", "counter",
	  "Connections that could not be accepted for want of descriptors.", NULL, NULL, COUNT_ACCEPT_ERRORS },
	{ "gatepost_syncs_total", "counter", "Batches of records synced to the disk.", NULL, NULL, COUNT_SYNCS },
	{ "gatepost_sessions", "gauge", "Connections of local apps that are open.", NULL, NULL, COUNT_SESSIONS },
	{ "gatepost_queue_recipients", "gauge", "Recipients that have not come to their end.", "queue", "recipients", 0 },
	{ "gatepost_queue_bytes", "gauge", "Size of the messages in the queue.", "queue", "bytes", 0 },
	{ "gatepost_queue_oldest_seconds", "gauge", "Age of the oldest message in the queue.", "queue", "oldest_s", 0 },
	{ "gatepost_damaged", "gauge", "Records of the spool that are set aside as damaged.", "queue", "damaged", 0 },
};

static const char *const upstream_states[] = { "up", "down", "auth_failed", "paused", "unknown", NULL };
static const char *const candidate_states[] = { "up", "blocked", "unsafe", "unknown", NULL };
static const char *const message_states[] = { "active", "deferred", "held", NULL };

static int64_t
number(const json_t *doc, const char *name)
{
	return json_integer_value(json_object_get(doc, name));
}

static const char *
text(const json_t *doc, const char *name)
{
	const char *t = json_string_value(json_object_get(doc, name));

	return t != NULL ? t : "";
}

static void
head(struct buf *out, const char *name, const char *kind, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void
label(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s%s=\"", out->data[out->len - 1] == '{' ? "" : ",", name);
	for (; *value != '\0'; value++)
		if (*value == '\n')
			buf_puts(out, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_printf(out, "\\%c", *value);
		else
			buf_putc(out, *value);
	buf_putc(out, '"');
}

static void
end(struct buf *out, int64_t value)
{
	buf_printf(out, "} %" PRId64 "\n", value);
}

static void
put_table(struct buf *out, const json_t *status)
{
	for (const struct metric *m = metrics; m < metrics + sizeof metrics / sizeof metrics[0]; m++) {
		head(out, m->name, m->kind, m->help);
		buf_printf(out, "%s %" PRId64 "\n", m->name, m->section == NULL ? count_get(m->count) :
		    number(json_object_get(status, m->section), m->member));
	}
}

static void
put_messages(struct buf *out, const json_t *queue)
{
	head(out, "gatepost_queue_messages", "gauge", "Messages in the queue, by state.");
	for (const char *const *s = message_states; *s != NULL; s++) {
		buf_puts(out, "gatepost_queue_messages{");
		label(out, "state", *s);
		end(out, number(queue, *s));
	}
}

static void
put_upstream_number(struct buf *out, const json_t *upstreams, const char *name, const char *member, const char *help)
{
	const json_t *u;
	size_t i;

	head(out, name, "gauge", help);
	json_array_foreach((json_t *)upstreams, i, u) {
		if (number(u, member) < 0)	/* no quota */
			continue;
		buf_printf(out, "%s{", name);
		label(out, "upstream", text(u, "name"));
		end(out, number(u, member));
	}
}

/* One line for each state, of which one is 1: a change is seen, and no number has to be looked up. */
static void
put_upstream_states(struct buf *out, const json_t *upstreams)
{
	const json_t *u;
	size_t i;

	head(out, "gatepost_upstream_state", "gauge", "1 for the state that the upstream is in, 0 for the others.");
	json_array_foreach((json_t *)upstreams, i, u)
		for (const char *const *s = upstream_states; *s != NULL; s++) {
			buf_puts(out, "gatepost_upstream_state{");
			label(out, "upstream", text(u, "name"));
			label(out, "state", *s);
			end(out, strcmp(*s, text(u, "state")) == 0);
		}
}

static void
put_candidate(struct buf *out, const char *upstream, const json_t *c)
{
	char port[8];

	snprintf(port, sizeof port, "%u", (unsigned)number(c, "port") % 65536);
	for (const char *const *s = candidate_states; *s != NULL; s++) {
		buf_puts(out, "gatepost_candidate_state{");
		label(out, "upstream", upstream);
		label(out, "port", port);
		label(out, "tls", text(c, "tls"));
		label(out, "address", text(c, "address"));
		label(out, "state", *s);
		end(out, strcmp(*s, text(c, "state")) == 0);
	}
}

static void
put_candidates(struct buf *out, const json_t *upstreams)
{
	const json_t *u, *c;
	size_t i, n;

	head(out, "gatepost_candidate_state", "gauge",
	    "1 for the state that a port of the upstream is in at an address, 0 for the others.");
	json_array_foreach((json_t *)upstreams, i, u)
		json_array_foreach(json_object_get(u, "candidates"), n, c)
			put_candidate(out, text(u, "name"), c);
}

void
prom_put(struct buf *out, const json_t *status, int64_t started_wall_s)
{
	const json_t *upstreams = json_object_get(status, "upstreams");

	head(out, "gatepost_build_info", "gauge", "Always 1; the version is in its label.");
	buf_puts(out, "gatepost_build_info{");
	label(out, "version", text(status, "version"));
	end(out, 1);
	head(out, "gatepost_start_time_seconds", "gauge", "When the daemon was started, in seconds since 1970.");
	buf_printf(out, "gatepost_start_time_seconds %" PRId64 "\n", started_wall_s);
	put_table(out, status);
	put_messages(out, json_object_get(status, "queue"));
	put_upstream_states(out, upstreams);
	put_upstream_number(out, upstreams, "gatepost_upstream_connections", "connections", "Connections to the upstream.");
	put_upstream_number(out, upstreams, "gatepost_upstream_quota_left", "quota_left",
	    "What the upstream's quota of 24 hours still allows; only where there is one.");
	put_candidates(out, upstreams);
}
