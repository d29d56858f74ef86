/*
 * `gatepost probe': every candidate of an upstream at once, on a loop of its own, each to its verdict; and one login, on
 * the first in the chain that works, as soon as it is known to be that.  No mail is sent.
 */
#include "relay/relay.h"

#include "net/dns.h"
#include "relay/greet.h"
#include "relay/login.h"

#include <stdio.h>
#include <string.h>

struct probe {
	struct loop *loop;
	struct dns *dns;
	const struct config *config;
	const struct upstream *settings;
	const struct probe_secret *secret;
	struct tls *tls;
	struct greet *greet[ROUTE_CANDIDATES_MAX];	/* NULL: over, and its connection is not needed */
	bool over[ROUTE_CANDIDATES_MAX];
	struct probe_result *out;
	unsigned max, n, running;
	/* the login */
	bool wanted;			/* and not begun */
	unsigned chosen;		/* who logs in; those before it cannot */
	struct greet *again;		/* his second connection: the first was lost while others were waited for */
	struct exchange *x;
	struct login *login;
	int64_t began_ms, name_ms;	/* the name's; the login's */
	struct why *why;
	bool unresolved;
};

static void
note_trouble(struct probe *p, unsigned i, enum trouble t, const char *reason)
{
	struct probe_result *r = &p->out[i];

	r->ok = false;
	r->heard = advise_heard(t);
	snprintf(r->reason, sizeof r->reason, "%s", reason);
	advise(r->advice, sizeof r->advice, t, p->settings, &r->candidate);
}

static void decide(struct probe *p);

/* --- the login ---------------------------------------------------------------- */

static void
put_login_time(struct probe *p)
{
	struct probe_result *r = &p->out[p->chosen];

	r->step[r->nstep - 1].ms = loop_now_ms(p->loop) - p->began_ms;
	r->ms += r->step[r->nstep - 1].ms;
}

static enum trouble
login_trouble(enum login_end end, const struct outcome *said)
{
	if (end == LOGIN_REFUSED)
		return TROUBLE_LOGIN_REFUSED;
	if (said->code != 0)
		return TROUBLE_LOGIN_BUSY;
	return strcmp(said->status, "4.4.2") == 0 ? TROUBLE_LOGIN_LOST : TROUBLE_LOGIN_ODD;
}

static void
on_login(void *arg, enum login_end end, const struct outcome *said)
{
	struct probe *p = arg;
	struct probe_result *r = &p->out[p->chosen];
	const char *bad = p->x->bad;
	char reason[160];

	login_free(&p->login);
	put_login_time(p);
	if (end == LOGIN_OK) {
		r->auth = PROBE_AUTH_OK;
		r->stage = PROBE_DONE;
		exchange_quit(&p->x);
	} else {
		if (end == LOGIN_REFUSED)
			r->auth = PROBE_AUTH_REFUSED;
		if (said->code != 0)
			snprintf(reason, sizeof reason, "%d %.150s", said->code, said->text);
		else
			snprintf(reason, sizeof reason, "%.100s%s%.50s", said->text, bad != NULL ? ": " : "", bad != NULL ? bad : "");
		note_trouble(p, p->chosen, login_trouble(end, said), reason);
		exchange_close(&p->x);
	}
	decide(p);
}

/* False: it offers none that we have. */
static bool
begin(struct probe *p, struct greet *g)
{
	const struct upstream *u = p->settings;
	unsigned mechs = login_common(u, g->caps.mechs);
	enum trouble t;

	if (mechs == 0) {
		t = advise_no_login(&g->caps);
		note_trouble(p, p->chosen, t, advise_words(t));
		return false;
	}
	p->wanted = false;
	p->x = greet_take(g);
	p->began_ms = loop_now_ms(p->loop);
	p->login = login_start(p->x, u, g->candidate.port, p->secret->secret, mechs, on_login, p);
	return true;
}

static void
on_again(void *arg, struct greet *g, bool over)
{
	struct probe *p = arg;
	char reason[160];

	if (!over)
		return;
	if (g->trouble != TROUBLE_NONE) {
		put_login_time(p);
		snprintf(reason, sizeof reason, "closed before the login, and then: %.120s", g->reason);
		note_trouble(p, p->chosen, g->trouble, reason);
		p->chosen++;
	} else if (!begin(p, g)) {
		p->chosen++;
	}
	greet_free(&p->again);
	decide(p);
}

/* False: another port may do better. */
static bool
log_in(struct probe *p, unsigned i)
{
	struct probe_result *r = &p->out[i];
	struct greet *g = p->greet[i];

	if (!r->ok || (r->candidate.tls == TLS_NONE && !cidr_is_loopback(r->candidate.address)))
		return false;
	r->stage = PROBE_AUTH;
	if (r->nstep < PROBE_DONE)
		r->step[r->nstep++] = (struct probe_step){ .stage = PROBE_AUTH };
	if (p->secret->secret == NULL && login_common(p->settings, g->caps.mechs) != 0) {
		note_trouble(p, i, p->secret->refused ? TROUBLE_SECRET_REFUSED : TROUBLE_NO_SECRET, p->secret->trouble);
		p->wanted = false;	/* the same on every port */
		return true;
	}
	if (g->x != NULL || login_common(p->settings, g->caps.mechs) == 0)
		return begin(p, g);
	/* Servers do not wait for ever, nor was anything lost but the connection: no login was begun on it. */
	p->began_ms = loop_now_ms(p->loop);
	p->again = greet_start(p->loop, p->config, p->settings, p->tls, &r->candidate, on_again, p);
	greet_hide(p->again, p->secret->veil);
	return true;
}

/* --- verdicts ----------------------------------------------------------------- */

/* Whose turn it is to log in; which connections are not needed; whether that was all. */
static void
decide(struct probe *p)
{
	while (p->wanted && p->again == NULL && p->chosen < p->n && p->over[p->chosen])
		if (!log_in(p, p->chosen))
			p->chosen++;
	for (unsigned i = 0; i < p->n; i++)
		if (p->over[i] && (!p->wanted || i < p->chosen || !p->out[i].ok))
			greet_free(&p->greet[i]);
	if (p->running == 0 && p->login == NULL && p->again == NULL)
		loop_stop(p->loop);
}

static void
on_greet(void *arg, struct greet *g, bool over)
{
	struct probe *p = arg;
	struct probe_result *r;
	unsigned i = 0;

	if (!over)
		return;
	while (p->greet[i] != g)
		i++;
	r = &p->out[i];
	r->ok = true;
	r->stage = g->stage;
	r->ms = g->took_ms;
	memcpy(r->step + r->nstep, g->step, g->nstep * sizeof *g->step);
	r->nstep += g->nstep;
	r->has_certificate = g->has_certificate;
	r->certificate = g->certificate;
	memcpy(r->tls_version, g->tls_version, sizeof r->tls_version);
	if (g->trouble != TROUBLE_NONE)
		note_trouble(p, i, g->trouble, g->reason);
	p->over[i] = true;
	p->running--;
	decide(p);
}

static void
on_addresses(void *arg, const struct dns_answer *a)
{
	struct probe *p = arg;
	const struct upstream *u = p->settings;

	p->name_ms = loop_now_ms(p->loop) - p->began_ms;
	if (a->result != DNS_OK || a->n == 0) {
		p->unresolved = true;
		fail(p->why, "the name %s does not resolve: %s", u->host,
		    *a->why != '\0' ? a->why : "it has no address");
		loop_stop(p->loop);
		return;
	}
	for (unsigned rank = 0; rank < u->nchain; rank++)
		for (unsigned i = 0; i < a->n && p->n < p->max; i++) {
			struct probe_result *r = &p->out[p->n++];

			memset(r, 0, sizeof *r);
			r->step[r->nstep++] = (struct probe_step){ PROBE_NAME, p->name_ms };
			memcpy(r->candidate.address, a->address[i].text, sizeof r->candidate.address);
			r->candidate.port = u->chain[rank].port;
			r->candidate.tls = u->chain[rank].tls;
			r->candidate.rank = rank;
		}
	p->running = p->n;
	for (unsigned i = 0; i < p->n; i++) {
		p->greet[i] = greet_start(p->loop, p->config, u, p->tls, &p->out[i].candidate, on_greet, p);
		greet_hide(p->greet[i], p->secret->veil);
	}
	if (p->n == 0)
		loop_stop(p->loop);
}

int
relay_probe(const struct config *c, const struct upstream *u, const struct probe_secret *s, struct probe_result *out,
    unsigned max, struct why *why)
{
	struct probe p = { .config = c, .settings = u, .secret = s, .out = out, .why = why };

	p.wanted = login_is_needed(u) && (s->secret != NULL || s->trouble != NULL);
	p.max = max < ROUTE_CANDIDATES_MAX ? max : ROUTE_CANDIDATES_MAX;
	if (tls_client(&p.tls, u->tls_ca != NULL ? u->tls_ca : "", u->tls_verify, (enum tls_version)u->tls_min, why) < 0)
		return -1;
	p.loop = loop_new("probe");
	p.dns = dns_start(p.loop);
	p.began_ms = loop_now_ms(p.loop);
	dns_resolve(p.dns, u->host, on_addresses, &p);
	loop_run(p.loop);
	dns_stop(&p.dns);
	loop_free(&p.loop);
	tls_unref(&p.tls);
	return p.unresolved ? -1 : (int)p.n;
}
