/*
 * Conditions worth an alert, from what the queue knows anyway: nothing else has to remember to raise one.  An upstream's
 * two lie with its gateway, the others here.
 */
#include "queue/private.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/count.h"
#include "base/ident.h"
#include "base/mem.h"
#include "queue/herald.h"

enum {
	WALK_MAX = 10000,			/* messages looked at for one that waits */
	MARGIN_LEAST = 16 * 1024 * 1024		/* octets above min_free that are "nearly full" */
};

struct alerts {
	struct herald *herald;
	struct alarm bounced, waiting, held, disk, damaged;
	uint64_t nbounced, nheld, ndamaged;	/* as last seen */
};

struct news {
	const char *event;
	enum alarm_news what;
	const char *upstream;	/* NULL: about all */
	uint64_t count;		/* 0: none */
};

static void
put_time(char out[32])
{
	time_t now = (time_t)clock_wall_s();
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void
tell(struct queue *q, const struct news *n, const char *text)
{
	json_t *doc;
	char time[32], safe[512], *json;

	if (n->what == ALARM_NOTHING)
		return;
	put_time(time);
	str_fit(safe, sizeof safe, str_of(text));
	doc = json_pack("{s:s, s:s, s:s, s:s}", "event", n->event, "state", n->what == ALARM_ENDS ? "over" : "raised",
	    "time", time, "hostname", q->config->hostname);
	if (n->upstream != NULL)
		json_object_set_new(doc, "upstream", json_string(n->upstream));
	if (n->count > 0)
		json_object_set_new(doc, "count", json_integer((json_int_t)n->count));
	json_object_set_new(doc, "text", json_string(safe));
	json = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (json == NULL)
		bug("alert %s has no JSON", n->event);
	log_event(LOG_INFO, "alert", log_text("what", n->event), log_text("state", n->what == ALARM_ENDS ? "over" : "raised"),
	    log_text("upstream", n->upstream));
	herald_tell(q->alerts->herald, json);
	free(json);
}

/* It is over when it has not been so for a minute, or for `after' if that is less. */
static enum alarm_news
level(const struct queue *q, struct alarm *a, bool is, int64_t after_ms)
{
	int64_t after = q->config->alert.after_ms;

	return alarm_level(a, is, after_ms, after < ALARM_MINUTE_MS ? after : ALARM_MINUTE_MS, loop_now_ms(q->loop));
}

/* --- upstreams ------------------------------------------------------------------------ */

static void
look_at_upstream(struct queue *q, struct gateway *g)
{
	struct news n = { .upstream = g->name };
	bool known = g->settings != NULL, refused;
	char text[400];

	n.event = "upstream_down";
	n.what = level(q, &g->down, known && g->gate.state == GATE_DOWN, q->config->alert.after_ms);
	if (n.what == ALARM_ENDS)
		snprintf(text, sizeof text, "upstream %s can be reached again", g->name);
	else
		snprintf(text, sizeof text, "upstream %s cannot be used: %s", g->name, g->gate.reason);
	tell(q, &n, text);

	/* Being down meanwhile says nothing of the password. */
	refused = g->gate.state == GATE_AUTH_FAILED || (alarm_is_raised(&g->login) && g->gate.state == GATE_DOWN);
	n.event = "credentials_refused";
	n.what = level(q, &g->login, known && refused, 0);
	if (n.what == ALARM_ENDS)
		snprintf(text, sizeof text, "upstream %s no longer refuses the login", g->name);
	else
		snprintf(text, sizeof text, "upstream %s refuses the login: %s", g->name, g->gate.reason);
	tell(q, &n, text);
}

/* --- messages --------------------------------------------------------------------------- */

static void
look_at_bounces(struct queue *q)
{
	struct alerts *a = q->alerts;
	struct news n = { .event = "bounced" };
	uint64_t all = (uint64_t)count_get(COUNT_BOUNCED);
	char text[128];

	n.what = alarm_count(&a->bounced, all - a->nbounced, false, q->config->alert.after_ms, loop_now_ms(q->loop), &n.count);
	a->nbounced = all;
	if (n.what == ALARM_ENDS)
		snprintf(text, sizeof text, "no further recipients were given up");
	else
		snprintf(text, sizeof text, "%" PRIu64 " recipient%s refused or given up", n.count, n.count == 1 ? " was" : "s were");
	tell(q, &n, text);
}

/* On the queue's clock, which time in hold and refused logins do not move. */
static bool
has_waited(const struct queue *q, uint64_t *oldest)
{
	int64_t now_s = retry_clock_s(q);
	const struct entry *e;

	*oldest = 0;
	for (unsigned i = 0; i < WALK_MAX && (e = order_next(&q->order, *oldest)) != NULL; i++) {
		*oldest = e->item.id;
		if (e->state == ENTRY_HELD || e->state == ENTRY_SYNCING)
			continue;
		if ((now_s - (int64_t)e->arrived_queue_s) * 1000 >= q->config->alert.after_ms)
			return true;
		if (!e->shifted)
			return false;	/* and so are those behind it */
	}
	return false;
}

static void
look_at_waiting(struct queue *q)
{
	struct news n = { .event = "message_waiting" };
	char text[160], id[IDENT_TEXT], span[32];
	uint64_t oldest;
	bool is = has_waited(q, &oldest);

	n.what = level(q, &q->alerts->waiting, is, 0);
	clock_print_span(span, sizeof span, q->config->alert.after_ms);
	if (n.what == ALARM_ENDS) {
		snprintf(text, sizeof text, "no message has waited for %s or more", span);
	} else {
		ident_print(id, oldest);
		snprintf(text, sizeof text, "message %s has waited for %s or more; `gatepost queue' tells why", id, span);
	}
	tell(q, &n, text);
}

static void
look_at_held(struct queue *q)
{
	struct alerts *a = q->alerts;
	struct news n = { .event = "message_held" };
	uint64_t more = q->nkept > a->nheld ? q->nkept - a->nheld : 0;
	char text[160];

	n.what = alarm_count(&a->held, more, q->nkept > 0, 0, loop_now_ms(q->loop), &n.count);
	a->nheld = q->nkept;
	if (n.what == ALARM_ENDS)
		snprintf(text, sizeof text, "no message is held for a decision any more");
	else
		snprintf(text, sizeof text, "%" PRIu64 " message%s held, with nobody left to notify; `gatepost queue --held' lists them",
		    n.count, n.count == 1 ? " is" : "s are");
	tell(q, &n, text);
}

/* --- the disk ------------------------------------------------------------------------------ */

static void
look_at_disk(struct queue *q)
{
	struct alarm *a = &q->alerts->disk;
	struct news n = { .event = "disk_low" };
	uint64_t margin = q->config->limits.min_free > MARGIN_LEAST ? q->config->limits.min_free : MARGIN_LEAST;
	bool low;

	if (alarm_is_raised(a))		/* not back and forth at the mark */
		margin += margin / 4;
	low = !q->limits.room || !spool_has_room(q->spool, margin);
	n.what = level(q, a, low, 0);
	tell(q, &n, n.what == ALARM_ENDS ? "there is room for mail again" :
	    q->limits.room ? "the spool's disk is nearly full: soon mail will be refused" :
	    "the spool's disk or spool_size is full: mail is refused");
}

static void
look_at_damage(struct queue *q)
{
	struct alerts *a = q->alerts;
	struct news n = { .event = "spool_damaged" };
	char text[160];

	n.what = alarm_count(&a->damaged, q->totals.damaged - a->ndamaged, true, 0, loop_now_ms(q->loop), &n.count);
	a->ndamaged = q->totals.damaged;
	snprintf(text, sizeof text, "%" PRIu64 " damaged record%s set aside in spool_dir/damaged; `gatepost spool check' lists them",
	    n.count, n.count == 1 ? " was" : "s were");
	tell(q, &n, text);
}

/* --- from outside ----------------------------------------------------------------------------- */

void
alert_second(struct queue *q)
{
	if (!herald_has_hearers(q->alerts->herald))
		return;
	for (unsigned i = 0; i < q->ngateway; i++)
		look_at_upstream(q, q->gateway[i]);
	look_at_bounces(q);
	look_at_waiting(q);
	look_at_held(q);
	look_at_disk(q);
	look_at_damage(q);
}

/* For a hearer who has just come, what is so begins now; what happened before is past. */
static void
forget(struct queue *q)
{
	struct herald *h = q->alerts->herald;

	for (unsigned i = 0; i < q->ngateway; i++)
		q->gateway[i]->down = q->gateway[i]->login = (struct alarm){ 0 };
	*q->alerts = (struct alerts){ .herald = h, .nbounced = (uint64_t)count_get(COUNT_BOUNCED) };
}

void
alert_configure(struct queue *q)
{
	bool heard = herald_has_hearers(q->alerts->herald);

	herald_configure(q->alerts->herald, q->config);
	if (!heard)
		forget(q);
}

void
alert_start(struct queue *q)
{
	q->alerts = mem_zero(sizeof *q->alerts);
	q->alerts->herald = herald_start(q->loop, q->dns, q->errands);
	alert_configure(q);
}

void
alert_stop(struct queue *q)
{
	if (q->alerts == NULL)
		return;
	herald_stop(&q->alerts->herald);
	free(q->alerts);
	q->alerts = NULL;
}
