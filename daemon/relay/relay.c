/*
 * One relay thread: its lanes, and the memos that make, use and end them.  A lane is a race first, then a
 * connection; what a lane's number stands for is gone when its CLOSED or its last REPORT has been posted.
 */
#include "relay/relay.h"

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "relay/capture.h"
#include "relay/client.h"
#include "relay/dial.h"

#include <stdlib.h>
#include <string.h>

struct lane {
	struct relay *relay;
	uint32_t number;
	struct client *client;
	struct capture *capture;	/* neither of the two: the race is still on */
};

struct race {
	struct node node;
	struct relay *relay;
	struct dial *dial;
};

struct relay {
	struct loop *loop;
	struct channel *channel, *queue, *main;
	struct map lanes;	/* by number + 1 */
	struct node races;
	struct turn_job check;
	bool draining, drained;
};

/* --- lanes ---------------------------------------------------------------------- */

static struct lane *
find_lane(const struct relay *r, uint32_t number)
{
	return map_find(&r->lanes, (uint64_t)number + 1);
}

static void
lane_free(struct lane *l)
{
	map_take(&l->relay->lanes, (uint64_t)l->number + 1);
	client_free(&l->client);
	capture_close(&l->capture);
	loop_bury(l->relay->loop, l, free);
}

static void
post_closed(struct relay *r, uint32_t number, bool refused)
{
	struct lane_memo *m = (struct lane_memo *)memo_new(MEMO_CLOSED, sizeof *m);

	m->lane = number;
	m->refused = refused;
	memo_post(r->queue, &m->memo);
}

static void
check_drained(void *arg)
{
	struct relay *r = arg;

	if (!r->draining || r->drained || r->lanes.n > 0)
		return;
	r->drained = true;
	memo_post(r->main, memo_new(MEMO_DRAINED, sizeof(struct memo)));
}

/* --- from the connections ---------------------------------------------------------- */

static void
on_report(void *arg, struct job *j)
{
	struct lane *l = arg;

	j->memo.kind = MEMO_REPORT;
	memo_post(l->relay->queue, &j->memo);
}

static void
on_client_over(void *arg, enum client_end how)
{
	struct lane *l = arg;
	struct relay *r = l->relay;

	if (how != CLIENT_REPORTED)
		post_closed(r, l->number, how == CLIENT_REFUSED);
	lane_free(l);
	loop_at_turn_end(r->loop, &r->check, check_drained, r);
}

/* --- from the races ------------------------------------------------------------------ */

static void
on_opened(void *arg, struct open *o, struct exchange *x)
{
	struct race *race = arg;
	struct relay *r = race->relay;
	struct lane *l = find_lane(r, o->lane);
	const struct client_owner owner = { l, on_report, on_client_over };

	if (x != NULL)
		l->client = client_new(x, o, &owner);
	else
		lane_free(l);
	o->memo.kind = MEMO_OPENED;
	memo_post(r->queue, &o->memo);
	loop_at_turn_end(r->loop, &r->check, check_drained, r);
}

static void
on_heard(void *arg, struct heard_memo *m)
{
	struct race *race = arg;

	memo_post(race->relay->queue, &m->memo);
}

static void
race_free(struct race *race)
{
	list_remove(&race->node);
	dial_free(&race->dial);
	loop_bury(race->relay->loop, race, free);
}

static void
on_race_over(void *arg, struct dial *d)
{
	(void)d;
	race_free(arg);
}

static struct race *
race_new(struct relay *r)
{
	struct race *race = mem_zero(sizeof *race);

	race->relay = r;
	list_put(&r->races, &race->node);
	return race;
}

static void
cancel_races(struct relay *r)
{
	list_each(n, &r->races) {
		struct race *race = container_of(n, struct race, node);

		dial_cancel(race->dial);
		race_free(race);
	}
}

/* --- memos ---------------------------------------------------------------------------- */

/* There is no race for a Maildir: it is there, or it is not. */
static void
open_capture(struct relay *r, struct lane *l, struct open *o)
{
	struct why why;

	if (capture_open(&l->capture, o, &why) == 0) {
		o->result = OPENED_UP;
		o->caps = (struct caps){ .esmtp = true, .eightbit = true, .utf8 = true };
	} else {
		o->result = OPENED_ALL_FAILED;
		outcome_set(&o->outcome, OUTCOME_DEFER, 0, "4.3.0", str_of(why.text));
		lane_free(l);
	}
	o->memo.kind = MEMO_OPENED;
	memo_post(r->queue, &o->memo);
}

static void
take_open(struct relay *r, struct open *o)
{
	struct lane *l;
	struct race *race;

	if (r->draining) {
		o->result = OPENED_CANCELLED;
		o->memo.kind = MEMO_OPENED;
		memo_post(r->queue, &o->memo);
		return;
	}
	l = mem_zero(sizeof *l);
	l->relay = r;
	l->number = o->lane;
	map_put(&r->lanes, (uint64_t)o->lane + 1, l);
	if (o->settings->capture[0] != '\0') {
		open_capture(r, l, o);
		return;
	}
	race = race_new(r);
	race->dial = dial_start(r->loop, o, &(struct dial_owner){ race, on_opened, on_heard, on_race_over });
}

static void
take_probe(struct relay *r, struct heard_memo *m)
{
	struct race *race;

	if (r->draining) {
		m->heard = HEARD_NOTHING;
		memo_post(r->queue, &m->memo);
		return;
	}
	race = race_new(r);
	race->dial = dial_probe(r->loop, m, &(struct dial_owner){ race, on_opened, on_heard, on_race_over });
}

/* The lane went while the job was on its way: nothing has been tried. */
static void
return_job(struct relay *r, struct job *j)
{
	for (unsigned i = 0; i < j->nrcpt; i++)
		outcome_set(&j->result[i], OUTCOME_AGAIN, 0, "4.4.2", STR("the connection had ended meanwhile"));
	j->upstream = UPSTREAM_LOST;
	j->untried = j->lane_lost = true;
	j->memo.kind = MEMO_REPORT;
	memo_post(r->queue, &j->memo);
}

static void
take_job(struct relay *r, struct job *j)
{
	struct lane *l = find_lane(r, j->lane);

	if (l == NULL || (l->client == NULL && l->capture == NULL) || r->draining) {
		return_job(r, j);
		return;
	}
	if (l->client != NULL) {
		client_put(l->client, j);
		return;
	}
	capture_deliver(l->capture, j);
	on_report(l, j);
}

static void
close_lane(struct relay *r, uint32_t number)
{
	struct lane *l = find_lane(r, number);

	if (l == NULL)
		return;
	if (l->client != NULL) {
		client_close(l->client);
		return;
	}
	if (l->capture != NULL) {
		post_closed(r, number, false);
		lane_free(l);
		return;
	}
	list_each(n, &r->races) {
		struct race *race = container_of(n, struct race, node);

		if (dial_is_for(race->dial, number)) {
			dial_cancel(race->dial);
			race_free(race);
			return;
		}
	}
}

/* Nothing is ever on its way there between two memos. */
static void
close_captures(struct relay *r)
{
	struct lane *l;
	size_t at = 0;
	uint64_t key;

	while ((l = map_next(&r->lanes, &at, &key)) != NULL)
		if (l->capture != NULL) {
			close_lane(r, l->number);
			at = 0;
		}
}

static void
drain(struct relay *r)
{
	struct lane *l;
	size_t at = 0;
	uint64_t key;

	r->draining = true;
	cancel_races(r);
	close_captures(r);
	while ((l = map_next(&r->lanes, &at, &key)) != NULL)
		client_close(l->client);
	loop_at_turn_end(r->loop, &r->check, check_drained, r);
}

static void
drop_config(struct config_memo *m)
{
	config_unref(&m->config);	/* each OPEN brings its own */
	users_unref(&m->users);
	tls_unref(&m->tls);
	free(m);
}

static void
on_memo(void *arg, struct link *link)
{
	struct relay *r = arg;
	struct memo *m = container_of(link, struct memo, link);

	switch (m->kind) {
	case MEMO_OPEN:
		take_open(r, (struct open *)m);
		return;
	case MEMO_PROBE:
		take_probe(r, (struct heard_memo *)m);
		return;
	case MEMO_JOB:
		take_job(r, (struct job *)m);
		return;
	case MEMO_CONFIG:
		drop_config((struct config_memo *)m);
		return;
	case MEMO_CLOSE:
		close_lane(r, ((struct lane_memo *)m)->lane);
		break;
	case MEMO_DRAIN:
		drain(r);
		break;
	case MEMO_STOP:
		loop_stop(r->loop);
		break;
	default:
		bug("relay: memo %d is not for us", m->kind);
	}
	free(m);
}

/* --- life ---------------------------------------------------------------------------------- */

struct relay *
relay_new(struct loop *l, struct channel *queue, struct channel *main)
{
	struct relay *r = mem_zero(sizeof *r);

	r->loop = l;
	r->queue = queue;
	r->main = main;
	list_init(&r->races);
	r->channel = channel_new(l, on_memo, r);
	return r;
}

struct channel *
relay_get_channel(struct relay *r)
{
	return r->channel;
}

void
relay_free(struct relay **rp)
{
	struct relay *r = *rp;
	struct lane *l;
	size_t at;
	uint64_t key;

	if (r == NULL)
		return;
	*rp = NULL;
	r->draining = true;
	cancel_races(r);
	close_captures(r);
	while (at = 0, (l = map_next(&r->lanes, &at, &key)) != NULL)
		client_cut(l->client, "the program ends");
	channel_drain(r->channel);
	loop_forget_job(&r->check);
	map_clear(&r->lanes);
	channel_free(&r->channel);
	free(r);
}
