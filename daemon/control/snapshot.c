/* Documents made from what the queue and the route know; nothing is kept, nothing is changed. */
#include "control/snapshot.h"

#include "base/clock.h"
#include "base/count.h"
#include "base/ident.h"
#include "control/control.h"

#include <stdlib.h>
#include <string.h>

json_t *
snapshot_text(const char *text)
{
	struct buf safe = { 0 };
	json_t *v = json_string(text == NULL ? "" : text);

	if (v != NULL)
		return v;
	str_safe(&safe, str_of(text), true);
	buf_putc(&safe, '\0');
	v = json_string(safe.data);
	buf_clear(&safe);
	return v;
}

static json_int_t
since_s(int64_t wall_s, int64_t since_wall_s)
{
	return since_wall_s > 0 && wall_s > since_wall_s ? wall_s - since_wall_s : 0;
}

/* 0: nothing is planned, or it is due. */
static json_int_t
seconds_until(int64_t now_ms, int64_t at_ms)
{
	return at_ms > now_ms ? (at_ms - now_ms + 999) / 1000 : 0;
}

static json_t *
candidate(uint16_t port, enum tls_mode tls, const char *address)
{
	return json_pack("{s:i, s:s, s:o}", "port", (int)port, "tls", tls_mode_name(tls),
	    "address", snapshot_text(address));
}

static void
describe(json_t *c, enum door_state state, const char *reason, json_int_t since, json_int_t retry)
{
	json_object_set_new(c, "state", json_string(door_state_name(state)));
	json_object_set_new(c, "reason", snapshot_text(reason));
	json_object_set_new(c, "since_s", json_integer(since));
	json_object_set_new(c, "retry_in_s", json_integer(retry));
}

/* A door's own recheck, or where the upstream as a whole is down the next race, which tries them all. */
static int64_t
next_try_at(const struct door *d, const struct gate *gate)
{
	return d->recheck_at_ms == 0 && gate->state == GATE_DOWN ? gate->retry_at_ms : d->recheck_at_ms;
}

/* Before the first look-up there are no doors yet: the chain stands for them. */
static json_t *
candidates(const struct route *route, const struct upstream *settings, const struct gate *gate, int64_t now_ms,
    int64_t wall_s)
{
	json_t *list = json_array();
	const struct door *d;
	json_t *c;

	for (unsigned n = 0; route != NULL && (d = route_find(route, n)) != NULL; n++) {
		c = candidate(d->at.port, d->at.tls, d->at.address);
		describe(c, d->state, d->reason, since_s(wall_s, d->since_wall_s),
		    seconds_until(now_ms, next_try_at(d, gate)));
		json_array_append_new(list, c);
	}
	if (json_array_size(list) > 0 || settings == NULL)
		return list;
	for (unsigned n = 0; n < settings->nchain; n++) {
		c = candidate(settings->chain[n].port, settings->chain[n].tls, "");
		describe(c, DOOR_UNKNOWN, "", 0, 0);
		json_array_append_new(list, c);
	}
	return list;
}

json_t *
snapshot_upstream(const struct queue_upstream *u, const struct upstream *settings, int64_t now_ms, int64_t wall_s)
{
	json_t *active = json_null(), *doc;

	if (u->has_active)
		active = json_sprintf("%u/%s", (unsigned)u->active.port, tls_mode_name(u->active.tls));
	doc = json_pack("{s:o, s:o, s:s, s:o, s:I, s:o, s:I, s:o}",
	    "name", snapshot_text(u->name),
	    "host", snapshot_text(u->host),
	    "state", gate_state_name(u->gate->state),
	    "reason", snapshot_text(u->reason),
	    "connections", (json_int_t)u->connections,
	    "active", active,
	    "quota_left", (json_int_t)u->quota_left,
	    "candidates", candidates(u->route, settings, u->gate, now_ms, wall_s));
	if (u->capture != NULL && u->capture[0] != '\0')	/* only where there is something to tell */
		json_object_set_new(doc, "capture", snapshot_text(u->capture));
	return doc;
}

static json_t *
upstreams(struct queue *q)
{
	const struct config *config = queue_get_config(q);
	json_t *list = json_array();
	struct queue_upstream u;

	for (unsigned n = 0; queue_find_upstream(q, n, &u); n++) {
		const struct upstream *settings = NULL;

		for (unsigned i = 0; i < config->nupstream; i++)
			if (strcmp(config->upstream[i].name, u.name) == 0)
				settings = &config->upstream[i];
		json_array_append_new(list, snapshot_upstream(&u, settings, clock_now_ms(), clock_wall_s()));
	}
	return list;
}

json_t *
snapshot_status(struct queue *q, int64_t uptime_s)
{
	struct queue_totals t;
	struct why what;
	json_t *queue, *counters, *doc;

	queue_get_totals(q, &t);
	queue = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
	    "messages", (json_int_t)t.messages,
	    "recipients", (json_int_t)t.recipients,
	    "active", (json_int_t)t.active,
	    "deferred", (json_int_t)t.deferred,
	    "held", (json_int_t)t.held,
	    "bytes", (json_int_t)t.bytes,
	    "oldest_s", (json_int_t)t.oldest_s);
	counters = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}",
	    "accepted", (json_int_t)count_get(COUNT_ACCEPTED),
	    "relayed", (json_int_t)count_get(COUNT_RELAYED),
	    "deferred", (json_int_t)count_get(COUNT_DEFERRED),
	    "bounced", (json_int_t)count_get(COUNT_BOUNCED),
	    "duplicates_possible", (json_int_t)count_get(COUNT_DUPLICATES_POSSIBLE),
	    "auth_failures", (json_int_t)count_get(COUNT_AUTH_FAILURES));
	if (t.damaged > 0)	/* only where there is something to tell: see CONTRACT.md 3 */
		json_object_set_new(queue, "damaged", json_integer((json_int_t)t.damaged));
	doc = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o}",
	    "version", VERSION,
	    "uptime_s", (json_int_t)uptime_s,
	    "hostname", snapshot_text(queue_get_config(q)->hostname),
	    "queue", queue, "counters", counters, "upstreams", upstreams(q));
	if (renewal_is_due(queue_get_config(q), &what))
		json_object_set_new(doc, "certificate", snapshot_text(what.text));
	return doc;
}

static bool
is_open(const struct recipient *r)
{
	return r->state == RCPT_WAITING || r->state == RCPT_OUT;
}

static json_t *
open_recipients(const struct envelope *e)
{
	json_t *list = json_array();
	bool all = e != NULL && envelope_open(e) == 0;

	for (unsigned i = 0; e != NULL && i < e->nrcpt; i++)
		if (all || is_open(&e->rcpt[i]))
			json_array_append_new(list, snapshot_text(e->rcpt[i].address));
	return list;
}

json_t *
snapshot_message(const struct queue_message *m)
{
	const struct envelope *e = m->envelope;
	char id[IDENT_TEXT];

	ident_print(id, m->id);
	return json_pack("{s:s, s:o, s:o, s:I, s:I, s:s, s:I, s:I, s:o}",
	    "id", id,
	    "from", snapshot_text(e == NULL ? "" : e->sender),
	    "to", open_recipients(e),
	    "size", (json_int_t)m->size,
	    "age_s", (json_int_t)m->age_s,
	    "state", message_state_name(m->state),
	    "attempts", (json_int_t)m->attempts,
	    "next_attempt_s", (json_int_t)m->next_attempt_s,
	    "reason", snapshot_text(m->reason));
}

static const char *const rcpt_words[] = {
	[RCPT_WAITING] = "waiting", [RCPT_OUT] = "being sent", [RCPT_SENT] = "relayed", [RCPT_FAILED] = "failed",
};
_Static_assert(sizeof rcpt_words / sizeof rcpt_words[0] == RCPT_STATES, "a word for each state");

static json_t *
recipient(const struct recipient *r)
{
	return json_pack("{s:o, s:s, s:i, s:o, s:o}",
	    "address", snapshot_text(r->address),
	    "state", rcpt_words[r->state],
	    "code", (int)r->last.code,
	    "status", snapshot_text(r->last.status),
	    "text", snapshot_text(r->last.text));
}

json_t *
snapshot_details(const struct queue_message *m)
{
	const struct envelope *e = m->envelope;
	json_t *doc = snapshot_message(m), *list = json_array();

	for (unsigned i = 0; e != NULL && i < e->nrcpt; i++)
		json_array_append_new(list, recipient(&e->rcpt[i]));
	json_object_set_new(doc, "user", snapshot_text(e == NULL ? "" : e->user));
	json_object_set_new(doc, "arrived_s", json_integer(e == NULL ? 0 : e->arrived_wall_s));
	json_object_set_new(doc, "bounce", json_boolean(e != NULL && e->is_bounce));
	json_object_set_new(doc, "envid", snapshot_text(e == NULL ? NULL : e->envid));
	json_object_set_new(doc, "readable", json_boolean(e != NULL));
	json_object_set_new(doc, "recipients", list);
	return doc;
}

json_t *
snapshot_event(const struct queue_event *e)
{
	json_t *doc = json_pack("{s:I, s:o}", "time_ms", (json_int_t)e->wall_ms, "event", snapshot_text(e->event));
	char notice[IDENT_TEXT];

	switch (e->kind) {
	case EVENT_ACCEPTED:
		json_object_update_new(doc, json_pack("{s:o, s:o, s:b, s:I, s:i}", "from", snapshot_text(e->who),
		    "user", snapshot_text(e->user), "bounce", e->own, "size", (json_int_t)e->size,
		    "recipients", (int)e->recipients));
		break;
	case EVENT_ATTEMPT:
		json_object_update_new(doc, json_pack("{s:o, s:o, s:i, s:s, s:o, s:i, s:o, s:o, s:b, s:I}",
		    "to", snapshot_text(e->who), "upstream", snapshot_text(e->upstream), "port", (int)e->port,
		    "tls", tls_mode_name(e->tls), "address", snapshot_text(e->address), "code", (int)e->code,
		    "status", snapshot_text(e->status), "text", snapshot_text(e->text), "maybe_delivered", e->maybe,
		    "took_ms", (json_int_t)e->took_ms));
		break;
	case EVENT_NOTICE:
		ident_print(notice, e->notice);
		json_object_update_new(doc, json_pack("{s:o, s:s}", "to", snapshot_text(e->who), "notice", notice));
		break;
	default:
		if (e->who[0] != '\0')
			json_object_set_new(doc, "to", snapshot_text(e->who));
		json_object_set_new(doc, "text", snapshot_text(e->text));
	}
	return doc;
}

json_t *
snapshot_queued(const struct queue_message *m)
{
	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:o}", "time_ms", (json_int_t)(clock_wall_us() / 1000),
	    "event", "queued", "state", message_state_name(m->state), "attempts", (json_int_t)m->attempts,
	    "next_attempt_s", (json_int_t)m->next_attempt_s, "reason", snapshot_text(m->reason));
}
