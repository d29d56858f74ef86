/* One candidate's way from nothing to EHLO inside verified TLS. */
#include "relay/greet.h"

#include "base/clock.h"
#include "base/mem.h"
#include "relay/login.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PROTOCOL.md B.1, the short column: a race has others to turn to. */
enum { REPLY_MS = 30 * 1000, TLS_MS = 20 * 1000 };

static void hear_banner(struct greet *g, const struct reply *r);
static void hear_ehlo(struct greet *g, const struct reply *r);
static void hear_helo(struct greet *g, const struct reply *r);
static void hear_starttls(struct greet *g, const struct reply *r);

static const struct {
	int timeout_ms;		/* 0: connect_timeout */
	void (*hear)(struct greet *g, const struct reply *r);
	const char *silent, *lost;
} steps[] = {
 [GREET_CONNECTING] = { 0, NULL, "no answer to TCP", "" },
 [GREET_BANNER] = { REPLY_MS, hear_banner, "no banner", "closed before the banner" },
 [GREET_EHLO] = { REPLY_MS, hear_ehlo, "no answer to EHLO", "closed instead of an answer to EHLO" },
 [GREET_HELO] = { REPLY_MS, hear_helo, "no answer to HELO", "closed instead of an answer to HELO" },
 [GREET_STARTTLS] = { REPLY_MS, hear_starttls, "no answer to STARTTLS", "closed instead of an answer to STARTTLS" },
 [GREET_TLS] = { TLS_MS, NULL, "no TLS handshake", "closed in the TLS handshake" },
 [GREET_DONE] = { 0, NULL, "", "" },
};
static_assert(sizeof steps / sizeof steps[0] == GREET_STATES, "a row for each state");

/* What is said now counts: nobody but the server can have said it, or the entry asks for no more. */
static bool
is_inside(const struct greet *g)
{
	return g->candidate.tls == TLS_NONE || (g->x != NULL && stream_is_secure(g->x->stream));
}

static enum probe_stage
stage_of(const struct greet *g)
{
	switch (g->state) {
	case GREET_CONNECTING:
		return PROBE_TCP;
	case GREET_BANNER:
		return PROBE_BANNER;
	case GREET_STARTTLS:
		return PROBE_STARTTLS;
	case GREET_TLS:
		return PROBE_TLS;
	case GREET_EHLO:
	case GREET_HELO:
		return is_inside(g) ? PROBE_EHLO : PROBE_STARTTLS;
	default:
		return PROBE_DONE;
	}
}

/* Ends a step of the way where another begins. */
static void
mark_step(struct greet *g, enum probe_stage stage)
{
	int64_t now = loop_now_ms(g->loop);

	if (g->nstep > 0 && g->step[g->nstep - 1].stage == stage)
		return;
	if (g->nstep > 0)
		g->step[g->nstep - 1].ms = now - g->step_at_ms;
	if (stage != PROBE_DONE && g->nstep < PROBE_DONE)
		g->step[g->nstep++].stage = stage;
	g->step_at_ms = now;
}

static void
become(struct greet *g, enum greet_state state)
{
	g->state = state;
	if (g->x != NULL)	/* a capability may be a word of the password */
		g->x->verbatim = state == GREET_EHLO ? 250 : 0;
	mark_step(g, stage_of(g));
	if (state == GREET_DONE) {
		g->took_ms = loop_now_ms(g->loop) - g->started_at_ms;
		if (g->x != NULL)
			exchange_deadline(g->x, 0);
		return;
	}
	g->stage = stage_of(g);
	exchange_deadline(g->x, steps[state].timeout_ms > 0 ? steps[state].timeout_ms : g->settings->connect_timeout_ms);
}

static void like_printf(3, 4)
give_up(struct greet *g, enum trouble t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->reason, sizeof g->reason, fmt, ap);
	va_end(ap);
	g->trouble = t;
	exchange_close(&g->x);
	become(g, GREET_DONE);
	g->fn(g->arg, g, true);
}

/* The reply in words, as far as it fits into a reason. */
static void
refuse(struct greet *g, enum trouble t, const char *to, const struct reply *r)
{
	char said[128];

	exchange_quote(r, said, sizeof said);
	if (is_inside(g))
		outcome_set(&g->said, OUTCOME_DEFER, r->code, r->status[0] != '\0' ? r->status : "4.3.2",
		    buf_str(&r->text));
	if (r->code != 421)	/* B-138 */
		exchange_quit(&g->x);
	give_up(g, t, "%s %s", to, said);
}

/* --- what is heard ------------------------------------------------------------ */

/* RFC 5321 4.1.4: a full name or an address literal, never a bare name (B-133). */
static const char *
rest_of_name(const struct greet *g)
{
	return g->hostname[0] == '[' || strchr(g->hostname, '.') != NULL ? "" : ".localdomain";
}

static void
say_ehlo(struct greet *g)
{
	become(g, GREET_EHLO);
	if (exchange_say(g->x, "EHLO %s%s", g->hostname, rest_of_name(g)) < 0)
		give_up(g, TROUBLE_LOCAL, "hostname has a control character");
}

static void
hear_banner(struct greet *g, const struct reply *r)
{
	bool inside = is_inside(g);

	if (r->code == 220 && str_istarts(buf_str(&r->text), "**"))
		refuse(g, TROUBLE_MASKED, "the greeting is masked by a firewall:", r);
	else if (r->code == 220)
		say_ehlo(g);
	else if (r->code / 100 == 4)
		refuse(g, inside ? TROUBLE_BUSY : TROUBLE_PLAIN_BUSY, "greeted with", r);
	else if (r->code / 100 == 5)
		refuse(g, inside ? TROUBLE_REFUSED_INSIDE : TROUBLE_PLAIN_REFUSED, "greeted with", r);
	else
		refuse(g, TROUBLE_FOREIGN, "greeted with", r);
}

static void
up(struct greet *g)
{
	become(g, GREET_DONE);
	g->stage = PROBE_DONE;
	g->fn(g->arg, g, true);
}

static void
refuse_ehlo(struct greet *g, const struct reply *r)
{
	/* RFC 5321 3.2; useless where STARTTLS or a login must follow (B-010, B-017) */
	if (g->candidate.tls != TLS_STARTTLS && r->code / 100 == 5 && !login_is_needed(g->settings)) {
		become(g, GREET_HELO);
		if (exchange_say(g->x, "HELO %s%s", g->hostname, rest_of_name(g)) < 0)
			give_up(g, TROUBLE_LOCAL, "hostname has a control character");
	} else if (!is_inside(g))
		refuse(g, r->code / 100 == 4 ? TROUBLE_PLAIN_BUSY : TROUBLE_PLAIN_EHLO, "EHLO is answered", r);
	else
		refuse(g, r->code / 100 == 4 ? TROUBLE_BUSY : TROUBLE_EHLO_INSIDE, "EHLO is answered", r);
}

static void
hear_ehlo(struct greet *g, const struct reply *r)
{
	struct caps before;

	if (r->code / 100 != 2) {
		refuse_ehlo(g, r);
	} else if (is_inside(g)) {
		caps_parse(&g->caps, r);
		up(g);
	} else {
		caps_parse(&before, r);
		if (!before.starttls) {
			exchange_quit(&g->x);
			give_up(g, TROUBLE_NO_STARTTLS, "STARTTLS is not offered");
			return;
		}
		become(g, GREET_STARTTLS);
		if (exchange_say(g->x, "STARTTLS") < 0)
			bug("STARTTLS has a control character");
	}
}

static void
hear_helo(struct greet *g, const struct reply *r)
{
	if (r->code / 100 != 2)
		refuse(g, r->code / 100 == 4 ? TROUBLE_BUSY : TROUBLE_EHLO_INSIDE, "HELO is answered", r);
	else
		up(g);
}

static void
start_tls(struct greet *g)
{
	become(g, GREET_TLS);
	if (g->tls == NULL)
		give_up(g, TROUBLE_LOCAL, "no TLS context");
	else if (stream_start_tls(g->x->stream, g->tls, g->settings->tls_name) < 0)
		give_up(g, TROUBLE_INJECTED, "words were put in before TLS began");
}

static void
hear_starttls(struct greet *g, const struct reply *r)
{
	if (r->code == 220)
		start_tls(g);
	else
		refuse(g, TROUBLE_STARTTLS_REFUSED, "STARTTLS is refused:", r);
}

/* --- what goes wrong ------------------------------------------------------------ */

/* What else begins like that (B-009). */
static void
judge_foreign(struct greet *g)
{
	static const struct { const char *start; enum trouble trouble; const char *words; } known[] = {
		{ "HTTP/", TROUBLE_HTTP, "a web server answered" },
		{ "<", TROUBLE_HTTP, "a web page answered" },
		{ "SSH-", TROUBLE_FOREIGN, "an SSH server answered" },
		{ "* OK", TROUBLE_FOREIGN, "an IMAP server answered" },
		{ "+OK", TROUBLE_FOREIGN, "a POP3 server answered" },
		{ "\x15\x03", TROUBLE_FOREIGN, "it answers in TLS: this port wants implicit TLS" },
		{ "220*", TROUBLE_MASKED, "the greeting is masked by a firewall" },
	};
	struct str head = { g->x->head, g->x->head_octets };
	struct buf safe = { 0 };

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (str_istarts(head, known[i].start)) {
			give_up(g, known[i].trouble, "%s", known[i].words);
			return;
		}
	}
	exchange_quote_head(g->x, &safe);
	give_up(g, TROUBLE_FOREIGN, "not SMTP: %.100s", safe.data != NULL ? safe.data : "");
	buf_clear(&safe);
}

static void
on_bad(struct greet *g)
{
	const char *what = g->x->bad != NULL ? g->x->bad : "more than was asked for";

	if (g->state == GREET_BANNER)
		judge_foreign(g);
	else if (g->state == GREET_STARTTLS)
		give_up(g, TROUBLE_INJECTED, "words were put in before TLS began");
	else
		give_up(g, is_inside(g) ? TROUBLE_FOREIGN : TROUBLE_PLAIN_EHLO, "EHLO is answered with nonsense: %s", what);
}

static void
on_bad_certificate(struct greet *g)
{
	const char *why = stream_why(g->x->stream);
	enum trouble t = TROUBLE_UNTRUSTED;

	if (g->has_certificate && !g->certificate.has_name)
		give_up(g, TROUBLE_NAME, "the certificate is for other names (%.90s)", g->certificate.subject);
	else if (!str_istarts(str_of(why), "certificate"))
		give_up(g, t, "the certificate does not verify: %.120s", why);
	else {
		if (strstr(why, "expired") != NULL || strstr(why, "not valid yet") != NULL)
			t = TROUBLE_EXPIRED;
		else if (strstr(why, "self-signed") != NULL)
			t = TROUBLE_SELF_SIGNED;
		give_up(g, t, "the %.150s", why);
	}
}

/* A link that goes while TLS is made: before it on an implicit port nothing was ever said. */
static enum trouble
cut_trouble(const struct greet *g)
{
	return g->candidate.tls == TLS_IMPLICIT ? TROUBLE_TLS_BLOCKED : TROUBLE_TLS_CUT;
}

/* By the words of net/tls_session. */
static enum trouble
tls_trouble(const struct greet *g, const char *why)
{
	if (strcmp(why, "no TLS version in common") == 0)
		return TROUBLE_TLS_OLD;
	if (g->candidate.tls == TLS_IMPLICIT && str_istarts(str_of(why), "peer does not speak TLS"))
		return TROUBLE_TLS_PLAIN;
	return TROUBLE_TLS;
}

static enum trouble
fault_trouble(enum stream_fault f)
{
	switch (f) {
	case FAULT_REFUSED:
		return TROUBLE_REFUSED;
	case FAULT_UNREACHABLE:
		return TROUBLE_UNREACHABLE;
	case FAULT_TIMEOUT:
		return TROUBLE_TCP_TIMEOUT;
	case FAULT_LOCAL:
		return TROUBLE_LOCAL;
	case FAULT_DENIED:
		return TROUBLE_DENIED;
	default:
		return TROUBLE_RESET;
	}
}

static void
on_lost(struct greet *g)
{
	enum stream_fault f = stream_fault(g->x->stream);
	const char *why = stream_why(g->x->stream);

	g->has_certificate = exchange_certificate(g->x, &g->certificate) == 0;
	/* A SYN that is answered by a reset is "refused": this one came after the connection, before we looked. */
	if (g->state == GREET_CONNECTING && f == FAULT_RESET)
		become(g, g->candidate.tls == TLS_IMPLICIT ? GREET_TLS : GREET_BANNER);
	if (g->state == GREET_CONNECTING)
		give_up(g, fault_trouble(f), "%s", why);
	else if (f == FAULT_CERTIFICATE)
		on_bad_certificate(g);
	else if (f == FAULT_TLS)
		give_up(g, tls_trouble(g, why), "TLS failed: %s", why);
	else if (g->state == GREET_TLS)
		give_up(g, cut_trouble(g), "%s", f == FAULT_CLOSED ? steps[g->state].lost : why);
	else if (g->state == GREET_STARTTLS)
		give_up(g, TROUBLE_STARTTLS_REFUSED, "%s", steps[g->state].lost);
	else if (g->state == GREET_BANNER && g->x->head_octets > 0)
		judge_foreign(g);
	else if (f == FAULT_CLOSED)
		give_up(g, TROUBLE_CLOSED, "%s", steps[g->state].lost);
	else
		give_up(g, TROUBLE_RESET, "%s", why);
}

static void
on_timeout(struct greet *g)
{
	enum greet_state s = g->state;
	enum trouble t = TROUBLE_SILENT;
	char span[32];

	clock_print_span(span, sizeof span, steps[s].timeout_ms > 0 ? steps[s].timeout_ms : g->settings->connect_timeout_ms);
	if (s == GREET_CONNECTING)
		t = TROUBLE_TCP_TIMEOUT;
	else if (s == GREET_TLS)
		t = cut_trouble(g);
	else if (s == GREET_STARTTLS)
		t = TROUBLE_STARTTLS_REFUSED;
	give_up(g, t, "%s in %s", steps[s].silent, span);
}

/* --- events ---------------------------------------------------------------------- */

static void
note_tls(struct greet *g)
{
	const char *cipher = stream_cipher(g->x->stream);

	if (cipher != NULL)
		snprintf(g->tls_version, sizeof g->tls_version, "%.*s", (int)strcspn(cipher, " "), cipher);
	g->has_certificate = exchange_certificate(g->x, &g->certificate) == 0;
}

static void
on_step(struct greet *g, enum exchange_event ev)
{
	switch (ev) {
	case EXCHANGE_UP:
		if (g->candidate.tls == TLS_IMPLICIT)
			start_tls(g);
		else
			become(g, GREET_BANNER);
		break;
	case EXCHANGE_SECURE:
		note_tls(g);
		if (g->candidate.tls == TLS_IMPLICIT)
			become(g, GREET_BANNER);
		else
			say_ehlo(g);
		break;
	case EXCHANGE_REPLY:
		steps[g->state].hear(g, &g->x->reply);
		break;
	case EXCHANGE_UNASKED:
	case EXCHANGE_BAD:
		on_bad(g);
		break;
	case EXCHANGE_LOST:
		on_lost(g);
		break;
	case EXCHANGE_TIMEOUT:
		on_timeout(g);
		break;
	case EXCHANGE_DRAINED:
		break;
	}
}

static void
on_exchange(void *arg, struct exchange *x, enum exchange_event ev)
{
	struct greet *g = arg;

	(void)x;
	if (g->state == GREET_DONE) {	/* not taken yet: the end of this turn will see that it has gone */
		if (ev != EXCHANGE_DRAINED)
			exchange_close(&g->x);
		return;
	}
	on_step(g, ev);
	if (g->state != GREET_DONE && ev != EXCHANGE_DRAINED)
		g->fn(g->arg, g, false);
}

/* --- life -------------------------------------------------------------------------- */

struct greet *
greet_start(struct loop *l, const struct config *c, const struct upstream *u, struct tls *t,
    const struct candidate *at, greet_fn fn, void *arg)
{
	struct greet *g = mem_zero(sizeof *g);

	g->loop = l;
	g->settings = u;
	g->hostname = c->hostname;
	g->tls = t;
	g->candidate = *at;
	g->fn = fn;
	g->arg = arg;
	g->started_at_ms = loop_now_ms(l);
	g->x = exchange_connect(l, at, u->source, on_exchange, g);
	become(g, GREET_CONNECTING);
	return g;
}

void
greet_hide(struct greet *g, struct veil *v)
{
	exchange_hide(g->x, v);
}

struct exchange *
greet_take(struct greet *g)
{
	struct exchange *x = g->x;

	g->x = NULL;
	return x;
}

static void
release(void *obj)
{
	struct greet *g = obj;

	outcome_clear(&g->said);
	free(g);
}

void
greet_free(struct greet **gp)
{
	struct greet *g = *gp;

	if (g == NULL)
		return;
	*gp = NULL;
	if (g->state == GREET_DONE)
		exchange_quit(&g->x);
	else
		exchange_close(&g->x);
	loop_bury(g->loop, g, release);
}
