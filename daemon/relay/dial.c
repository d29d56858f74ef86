/* The race for one connection. */
#include "relay/dial.h"

#include "base/log.h"
#include "base/mem.h"
#include "relay/greet.h"
#include "relay/login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dial {
	struct loop *loop;
	struct dial_owner owner;
	uint32_t upstream;
	struct config *config;
	const struct upstream *settings;
	struct tls *tls;
	struct veil *veil;
	struct open *open;		/* NULL: answered */
	struct heard_memo *probe;	/* not a race: one candidate, for this memo */
	struct candidate candidate[ROUTE_CANDIDATES_MAX];
	struct greet *greet[ROUTE_CANDIDATES_MAX];	/* NULL: not started, or its verdict is told */
	unsigned ncandidate, started, running;
	struct timer head_start;
	struct turn_job decide;
	struct login *login;		/* the winner's */
	struct exchange *x;		/* the winner's */
	bool skipped;			/* one candidate let nobody log in as we can (B-017, B-018) */
	bool all_local;			/* every failure was our own */
	struct outcome worst;		/* what is told when all have failed */
	bool told_over;
};

static void start_next(struct dial *d);
static void on_end(void *arg);

static bool
is_racing(const struct dial *d)
{
	return d->open != NULL && d->login == NULL;
}

/* --- answers ------------------------------------------------------------------- */

static void
check_over(struct dial *d)
{
	if (d->running == 0 && d->open == NULL && d->probe == NULL && !d->told_over) {
		d->told_over = true;
		d->owner.over(d->owner.arg, d);
	}
}

static void
answer(struct dial *d, enum opened result, const struct outcome *said)
{
	struct open *o = d->open;
	struct exchange *x = d->x;

	d->open = NULL;
	d->x = NULL;
	loop_cancel(d->loop, &d->head_start);
	login_free(&d->login);
	o->result = result;
	if (said != NULL)
		outcome_copy(&o->outcome, said);
	if (said != NULL && (result == OPENED_BUSY || result == OPENED_LOGIN_LATER) && (said->code == 0 || said->code == 421))
		exchange_close(&x);
	else if (result != OPENED_UP)
		exchange_quit(&x);
	d->owner.opened(d->owner.arg, o, x);
	check_over(d);
}

static void
answer_words(struct dial *d, enum opened result, const char *status, const char *text)
{
	struct outcome said = { 0 };

	outcome_set(&said, OUTCOME_DEFER, 0, status, str_of(text));
	answer(d, result, &said);
	outcome_clear(&said);
}

static void
tell_heard(struct dial *d, unsigned i, enum heard heard, const char *reason)
{
	struct heard_memo *m = d->probe;

	if (m == NULL) {
		m = memo_heard_new(MEMO_HEARD);
		m->upstream = d->upstream;
		m->config = config_ref(d->config);
		m->settings = d->settings;
		m->candidate = d->candidate[i];
	}
	d->probe = NULL;
	m->heard = heard;
	m->took_ms = d->greet[i] != NULL ? d->greet[i]->took_ms : 0;
	snprintf(m->reason, sizeof m->reason, "%s", reason);
	d->owner.heard(d->owner.arg, m);
}

/* The verdict on candidate i is final. */
static void
retire(struct dial *d, unsigned i, enum heard heard, const char *reason)
{
	tell_heard(d, i, heard, reason);
	greet_free(&d->greet[i]);
	d->running--;
}

/* The port would do, but not for us; another one may (policies differ): once. */
static bool
is_about_login(enum trouble t)
{
	return t == TROUBLE_NO_LOGIN || t == TROUBLE_NO_AUTH || t == TROUBLE_EHLO_INSIDE;
}

/* What will be told if all fail: the first failure, unless a later one says more. */
static void
note_failure(struct dial *d, const struct greet *g)
{
	const struct candidate *c = &g->candidate;
	bool login = is_about_login(g->trouble);
	bool certificate = g->trouble >= TROUBLE_NAME && g->trouble <= TROUBLE_UNTRUSTED;
	const char *status = login ? "4.7.0" : certificate ? "4.7.5" : "4.4.1";
	char text[400];

	if (advise_heard(g->trouble) != HEARD_LOCAL)
		d->all_local = false;
	if (d->skipped || (d->worst.kind != OUTCOME_NONE && !login &&
	    !(certificate && strcmp(d->worst.status, "4.4.1") == 0)))
		return;
	d->skipped = login;
	snprintf(text, sizeof text, "no port of %.100s can be used from here; %u/%s at %s: %s", d->settings->host,
	    c->port, tls_mode_name(c->tls), c->address, g->reason);
	outcome_set(&d->worst, OUTCOME_DEFER, 0, status, str_of(text));
}

static void
check_all_failed(struct dial *d)
{
	if (!is_racing(d) || d->running > 0 || d->started < d->ncandidate)
		return;
	if (d->skipped)
		answer(d, OPENED_LOGIN_REFUSED, &d->worst);
	else if (d->worst.kind == OUTCOME_NONE)
		answer_words(d, OPENED_ALL_FAILED, "4.4.4", "there is no address to connect to");
	else
		answer(d, d->all_local ? OPENED_LOCAL : OPENED_ALL_FAILED, &d->worst);
}

/* --- the race --------------------------------------------------------------------- */

/* Inside TLS "busy" is busy on every port, and a refusal at the banner is the provider's own (B-007, B-008, B-017). */
static bool
ends_race(enum trouble t)
{
	return t == TROUBLE_BUSY || t == TROUBLE_REFUSED_INSIDE;
}

static void
on_failure(struct dial *d, unsigned i)
{
	struct greet *g = d->greet[i];
	bool newest = i + 1 == d->started, skipped = d->skipped;

	note_failure(d, g);
	if (is_racing(d) && ends_race(g->trouble)) {
		d->open->winner = g->candidate;
		answer(d, OPENED_BUSY, &g->said);
	} else if (is_racing(d) && skipped && is_about_login(g->trouble))
		answer(d, OPENED_LOGIN_REFUSED, &d->worst);
	retire(d, i, advise_heard(g->trouble), g->reason);
	if (is_racing(d) && newest)
		start_next(d);
	check_all_failed(d);
	check_over(d);
}

static void
on_greet(void *arg, struct greet *g, bool over)
{
	struct dial *d = arg;
	unsigned i = 0;

	while (d->greet[i] != g)
		i++;
	if (over && g->trouble != TROUBLE_NONE)
		on_failure(d, i);
	else if (over)
		loop_at_turn_end(d->loop, &d->decide, on_end, d);
	if (!over && is_racing(d) && i + 1 == d->started)
		loop_timer(d->loop, &d->head_start, loop_now_ms(d->loop) + d->settings->race_delay_ms);
}

static void
start_next(struct dial *d)
{
	unsigned i = d->started;

	if (i == d->ncandidate)
		return;
	d->started++;
	d->running++;
	d->greet[i] = greet_start(d->loop, d->config, d->settings, d->tls, &d->candidate[i], on_greet, d);
	greet_hide(d->greet[i], d->veil);
	if (d->open != NULL)
		loop_timer(d->loop, &d->head_start, loop_now_ms(d->loop) + d->settings->race_delay_ms);
}

static void
on_head_start(void *arg)
{
	struct dial *d = arg;

	if (is_racing(d))
		start_next(d);
}

/* --- the winner --------------------------------------------------------------------- */

static void
on_login(void *arg, enum login_end end, const struct outcome *said)
{
	static const enum opened results[LOGIN_ENDS] = {
		[LOGIN_OK] = OPENED_UP, [LOGIN_REFUSED] = OPENED_LOGIN_REFUSED, [LOGIN_BUSY] = OPENED_LOGIN_LATER
	};

	answer(arg, results[end], end == LOGIN_OK ? NULL : said);
}

/* It came up and is of no use all the same. */
static void
reject(struct dial *d, unsigned i, enum trouble t, const char *reason)
{
	d->greet[i]->trouble = t;
	snprintf(d->greet[i]->reason, sizeof d->greet[i]->reason, "%s", reason);
	on_failure(d, i);
}

static void
win(struct dial *d, unsigned i)
{
	struct greet *g = d->greet[i];
	bool login = login_is_needed(d->settings), secure = g->candidate.tls != TLS_NONE;
	unsigned mechs = login_common(d->settings, g->caps.mechs);
	enum trouble t = advise_no_login(&g->caps);

	if (login && mechs == 0) {
		reject(d, i, t, advise_words(t));
		return;
	}
	d->open->winner = g->candidate;
	d->open->caps = g->caps;
	d->x = greet_take(g);
	if (secure && !d->settings->tls_verify)	/* B-125 */
		log_event(LOG_WARNING, "tls_unverified", log_text("upstream", d->settings->name),
		    log_text("address", g->candidate.address), log_num("port", g->candidate.port),
		    log_text("advice", "tls_verify = false: anyone on the way can read along, the password too"));
	if (g->caps.size_odd)	/* B-111 */
		log_event(LOG_WARNING, "size_ignored", log_text("upstream", d->settings->name),
		    log_text("address", g->candidate.address), log_num("port", g->candidate.port),
		    log_text("reason", "EHLO says SIZE with what is no number of octets"));
	retire(d, i, HEARD_UP, "");
	if (!login)
		answer(d, OPENED_UP, NULL);
	else if (d->open->password == NULL)
		answer_words(d, OPENED_LOGIN_REFUSED, "4.7.0", "no password is configured");
	else if (!secure && !cidr_is_loopback(g->candidate.address))
		answer_words(d, OPENED_LOGIN_REFUSED, "4.7.0", "credentials are not sent without TLS");
	else
		d->login = login_start(d->x, d->settings, g->candidate.port, d->open->password, mechs, on_login, d);
}

/* The end of a turn in which some completed: the first of them in the chain wins, the others have their verdict. */
static void
on_end(void *arg)
{
	struct dial *d = arg;

	for (unsigned i = 0; i < d->started; i++) {
		struct greet *g = d->greet[i];

		if (g == NULL || g->state != GREET_DONE)
			continue;
		if (g->x == NULL)	/* it went within the turn */
			reject(d, i, TROUBLE_CLOSED, "closed after EHLO");
		else if (is_racing(d))
			win(d, i);
		else
			retire(d, i, HEARD_UP, "");
	}
	check_all_failed(d);
	check_over(d);
}

/* --- life ------------------------------------------------------------------------------ */

static struct dial *
dial_new(struct loop *l, const struct dial_owner *owner, uint32_t upstream, struct config *c, const struct upstream *u,
    struct tls *t, struct veil *v)
{
	struct dial *d = mem_zero(sizeof *d);

	d->loop = l;
	d->owner = *owner;
	d->upstream = upstream;
	d->config = config_ref(c);
	d->settings = u;
	d->tls = t != NULL ? tls_ref(t) : NULL;
	d->veil = veil_ref(v);
	d->all_local = true;
	timer_init(&d->head_start, on_head_start, d);
	return d;
}

struct dial *
dial_start(struct loop *l, struct open *o, const struct dial_owner *owner)
{
	struct dial *d = dial_new(l, owner, o->upstream, o->config, o->settings, o->tls, o->veil);

	d->open = o;
	d->ncandidate = o->ncandidate;
	memcpy(d->candidate, o->candidate, o->ncandidate * sizeof o->candidate[0]);
	start_next(d);
	if (d->ncandidate == 0)
		loop_at_turn_end(l, &d->decide, on_end, d);
	return d;
}

struct dial *
dial_probe(struct loop *l, struct heard_memo *m, const struct dial_owner *owner)
{
	struct dial *d = dial_new(l, owner, m->upstream, m->config, m->settings, m->tls, m->veil);

	d->probe = m;
	d->ncandidate = 1;
	d->candidate[0] = m->candidate;
	start_next(d);
	return d;
}

bool
dial_is_for(const struct dial *d, uint32_t lane)
{
	return d->open != NULL && d->open->lane == lane;
}

void
dial_cancel(struct dial *d)
{
	d->told_over = true;
	if (d->probe != NULL)
		tell_heard(d, 0, HEARD_NOTHING, "");
	if (d->open != NULL)
		answer_words(d, OPENED_CANCELLED, "4.3.2", "stopping");
}

static void
release(void *obj)
{
	struct dial *d = obj;

	outcome_clear(&d->worst);
	tls_unref(&d->tls);
	veil_unref(&d->veil);
	config_unref(&d->config);
	free(d);
}

void
dial_free(struct dial **dp)
{
	struct dial *d = *dp;

	if (d == NULL)
		return;
	*dp = NULL;
	loop_cancel(d->loop, &d->head_start);
	loop_forget_job(&d->decide);
	login_free(&d->login);
	exchange_close(&d->x);
	for (unsigned i = 0; i < d->started; i++)
		greet_free(&d->greet[i]);
	loop_bury(d->loop, d, release);
}
