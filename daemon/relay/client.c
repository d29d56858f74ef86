/* A lane's connection, once it is up and logged in. */
#include "relay/client.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_MS = 180 * 1000,	/* RFC 5321 4.5.3.2.5, for at most 128 KB */
	BYE_MS = 5 * 1000,	/* for what a server still says after 421 */
	FLIGHTS = 2		/* messages on their way at once (B-112) */
};

struct client {
	struct loop *loop;
	struct exchange *x;	/* NULL: it is over */
	struct client_owner owner;
	struct config *config;
	struct candidate at;
	struct deal_terms terms;
	struct node deals;	/* in the order in which they are said */
	struct turn_job job;
	unsigned served, max;
	unsigned quirks;	/* what is remembered of the server: jobs bring it, and take what is new */
	bool dirty;		/* a transaction was left open: RSET first */
	bool closing;
	bool bye;		/* it has said 421 */
};

static void pump(struct client *c);

static struct deal *
first(const struct client *c)
{
	return list_is_empty(&c->deals) ? NULL : container_of(c->deals.next, struct deal, node);
}

static unsigned
count_begun(const struct client *c)
{
	unsigned n = 0;

	list_each(node, &c->deals)
		n += container_of(node, struct deal, node)->begun;
	return n;
}

/* --- reports --------------------------------------------------------------------- */

static void
report(struct client *c, struct deal *d, bool lost)
{
	const struct upstream *u = c->terms.settings;
	struct job *j = d->job;

	snprintf(j->peer.upstream, sizeof j->peer.upstream, "%s", u->name);
	snprintf(j->peer.host, sizeof j->peer.host, "%s", u->host);
	snprintf(j->peer.address, sizeof j->peer.address, "%s", c->at.address);
	j->peer.port = c->at.port;
	j->peer.tls = c->at.tls;
	j->quirks = c->quirks;
	j->took_ms = d->began_at_ms > 0 ? loop_now_ms(c->loop) - d->began_at_ms : 0;
	j->lane_lost = lost;
	list_remove(&d->node);
	deal_free(&d);
	c->owner.report(c->owner.arg, j);
}

/* The connection has ended, or ends now: every message that it still carries has its outcome. */
static void
end(struct client *c, enum client_end how, enum deal_loss loss, const char *why)
{
	struct deal *d;

	loop_forget_job(&c->job);
	if (c->bye && loss == LOSS_LINK)
		loss = LOSS_BYE;
	while ((d = first(c)) != NULL) {
		how = CLIENT_REPORTED;
		deal_lose(d, loss, why);
		report(c, d, true);
	}
	c->owner.over(c->owner.arg, how);
}

static void
hang_up(struct client *c, enum client_end how, enum deal_loss loss, const char *why)
{
	char words[200];

	snprintf(words, sizeof words, "%s", why);	/* it may be the stream's */
	exchange_close(&c->x);
	end(c, how, loss, words);
}

/* The link has failed, and not by our doing. */
static void
break_off(struct client *c, enum deal_loss loss, const char *why)
{
	struct deal *d = first(c);

	if (d != NULL && !c->bye)
		d->job->suspect = deal_suspect(d);
	hang_up(c, CLIENT_REFUSED, loss, why);
}

static bool
is_used_up(const struct client *c)
{
	return c->closing || (c->max > 0 && c->served >= c->max);
}

/* A message is through.  The last one of a connection takes the lane with it. */
static void
settle(struct client *c, struct deal *d)
{
	bool last;

	if (d->said > 0) {
		c->terms.reused = true;
		c->served++;
	}
	c->closing |= d->spoiled;
	last = is_used_up(c) && count_begun(c) == 1;
	if (last && c->bye)		/* it has had its last word (B-138) */
		exchange_close(&c->x);
	else if (last)
		exchange_quit(&c->x);
	report(c, d, last);
	if (last)
		end(c, CLIENT_REPORTED, LOSS_LINK, "it had carried as many messages as it may");
}

/* --- saying and hearing ------------------------------------------------------------ */

static void
set_deadline(struct client *c)
{
	const struct upstream *u = c->terms.settings;
	const struct deal *d = first(c);

	if (c->bye)
		exchange_deadline(c->x, BYE_MS);
	else if (d == NULL)
		exchange_deadline(c->x, u->idle_ms > 0 ? u->idle_ms : 1);
	else if (d->pouring)
		exchange_deadline(c->x, BLOCK_MS);
	else
		exchange_deadline(c->x, deal_awaits_content(d) ? 2 * u->reply_timeout_ms : u->reply_timeout_ms);
}

/* False: the connection has ended. */
static bool
heed(struct client *c, enum deal_next next)
{
	if (next == DEAL_GO_ON)
		return true;
	/* Behind it there is another message, whole.  A server that keeps its word ends the link, and has not taken that one;
	 * others go on and answer it.  Either way it is known, if we listen. */
	if (next == DEAL_BYE && count_begun(c) > 1) {
		c->bye = c->closing = true;
		return true;
	}
	if (next == DEAL_QUIT)
		exchange_quit(&c->x);
	hang_up(c, CLIENT_REPORTED, LOSS_LINK, "the conversation was at its end");
	return false;
}

/* Messages that are through, from the first on: those answered, and those that this server cannot take at all. */
static bool
settle_done(struct client *c)
{
	struct deal *d;

	while ((d = first(c)) != NULL && deal_is_over(d)) {
		if (d->said > 0)
			c->dirty = d->open;
		if (d->again) {
			list_remove(&d->node);
			d->begun = d->again = false;
			d->bare = true;
			list_put(&c->deals, &d->node);
			continue;
		}
		settle(c, d);
		if (c->x == NULL)
			return false;
	}
	return true;
}

/* May this one begin, with `before' others on their way? */
static bool
may_begin(const struct client *c, unsigned before)
{
	return before < FLIGHTS && !c->closing && (c->max == 0 || c->served + before < c->max);
}

/* Says what may be said, of each message in its order; the next follows where nothing but answers is missing. */
static bool
say(struct client *c)
{
	unsigned before = 0;

	list_each(node, &c->deals) {
		struct deal *d = container_of(node, struct deal, node);

		if (!d->begun && !may_begin(c, before))
			return true;
		if (!d->begun)
			deal_begin(d, &c->terms, c->dirty, before > 0, loop_now_ms(c->loop));
		while (deal_may_say(d))
			if (!heed(c, deal_say(d, c->x)))
				return false;
		if (!deal_is_said(d))
			return true;
		before++;
	}
	return true;
}

static void
pump(struct client *c)
{
	do
		if (!say(c))
			return;
	while (first(c) != NULL && deal_is_over(first(c)) && settle_done(c));
	if (c->x == NULL)
		return;
	if (count_begun(c) == 0 && is_used_up(c)) {
		exchange_quit(&c->x);
		end(c, CLIENT_CLOSED, LOSS_LINK, "it was to be closed");
		return;
	}
	set_deadline(c);
}

static void
on_reply(struct client *c, const struct reply *r)
{
	if (heed(c, deal_hear(first(c), c->x, r)) && settle_done(c))
		pump(c);
}

/* Something that no command has asked for: while content is going out it is about that. */
static void
on_unasked(struct client *c, const struct reply *r)
{
	struct deal *d = first(c);
	char said[160];

	if (d != NULL && d->pouring) {
		on_reply(c, r);
		return;
	}
	exchange_quote(r, said, sizeof said);
	hang_up(c, CLIENT_REFUSED, r->code == 421 ? LOSS_LINK : LOSS_PROTOCOL, said);
}

/* Is the reply before the surplus the one to the content?  Where all went in one flight, any of its replies may have been the
 * one too many; but when what follows says the same, or good-bye, so does the right one. */
static bool
is_certain(const struct deal *d, const struct exchange *x)
{
	struct str rest = stream_input(x->stream);

	return !deal_is_flight(d) || *rest.p - '0' == x->reply.code / 100 || str_istarts(rest, "221");
}

/* The reply before what is too much was asked for, and counts (B-053).  Content that a server took for commands, for want of
 * BDAT, brings many: the first says it. */
static void
on_bad(struct client *c, struct exchange *x)
{
	struct deal *d = first(c);

	if (x->surplus && d != NULL && is_certain(d, x) && deal_hear(d, x, &x->reply) == DEAL_GO_ON && !settle_done(c))
		return;
	break_off(c, LOSS_PROTOCOL, x->bad);
}

static void
on_drained(struct client *c)
{
	list_each(node, &c->deals) {
		struct deal *d = container_of(node, struct deal, node);

		if (d->pouring) {
			if (heed(c, deal_pour(d, c->x)))
				pump(c);
			return;
		}
	}
}

static void
on_timeout(struct client *c)
{
	char span[32];

	if (first(c) == NULL) {
		exchange_quit(&c->x);
		end(c, CLIENT_CLOSED, LOSS_LINK, "");
		return;
	}
	clock_print_span(span, sizeof span, c->bye ? BYE_MS : first(c)->pouring ? BLOCK_MS : c->terms.settings->reply_timeout_ms *
	    (deal_awaits_content(first(c)) ? 2 : 1));
	break_off(c, LOSS_TIMEOUT, span);
}

static void
on_exchange(void *arg, struct exchange *x, enum exchange_event ev)
{
	struct client *c = arg;

	switch (ev) {
	case EXCHANGE_REPLY:
		on_reply(c, &x->reply);
		break;
	case EXCHANGE_UNASKED:
		on_unasked(c, &x->reply);
		break;
	case EXCHANGE_DRAINED:
		on_drained(c);
		break;
	case EXCHANGE_TIMEOUT:
		on_timeout(c);
		break;
	case EXCHANGE_BAD:
		on_bad(c, x);
		break;
	case EXCHANGE_LOST:
		break_off(c, LOSS_LINK, stream_why(x->stream));
		break;
	case EXCHANGE_UP:
	case EXCHANGE_SECURE:
		bug("client: event %d of a connection that is up", ev);
	}
}

/* --- life ------------------------------------------------------------------------------ */

static void
on_turn_end(void *arg)
{
	pump(arg);
}

struct client *
client_new(struct exchange *x, const struct open *o, const struct client_owner *owner)
{
	struct client *c = mem_zero(sizeof *c);
	unsigned mail_max = o->caps.mail_max;

	c->loop = x->loop;
	c->x = x;
	c->owner = *owner;
	c->config = config_ref(o->config);
	c->at = o->winner;
	c->terms = (struct deal_terms){ .config = c->config, .settings = o->settings, .caps = o->caps, .quirks = &c->quirks };
	c->max = o->settings->messages_per_connection;
	if (mail_max > 0 && (c->max == 0 || mail_max < c->max))
		c->max = mail_max;
	list_init(&c->deals);
	exchange_give(x, on_exchange, c);
	set_deadline(c);
	return c;
}

void
client_put(struct client *c, struct job *j)
{
	c->quirks |= j->quirks;
	if (j->veil != NULL && c->x != NULL)
		exchange_hide(c->x, j->veil);
	list_put(&c->deals, &deal_new(j)->node);
	if (count_begun(c) == 0 && !c->bye)
		set_deadline(c);	/* the connection's idle time may end in this very turn */
	loop_at_turn_end(c->loop, &c->job, on_turn_end, c);
}

void
client_close(struct client *c)
{
	c->closing = true;
	loop_at_turn_end(c->loop, &c->job, on_turn_end, c);
}

void
client_cut(struct client *c, const char *why)
{
	hang_up(c, CLIENT_CLOSED, LOSS_LINK, why);
}

static void
release(void *obj)
{
	struct client *c = obj;

	config_unref(&c->config);
	free(c);
}

void
client_free(struct client **cp)
{
	struct client *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	loop_bury(c->loop, c, release);
}
