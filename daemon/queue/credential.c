/* An upstream's secret: from its source to the gateway that opens connections. */
#include "queue/private.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { PASSWORD_MAX = 1024, TOKEN_MAX = 8 * 1024 };

/* Where a secret comes from.  fetch: ends, now or later, in credential_settle with the same question; NULL: it lies
 * in the settings. */
struct source {
	bool (*has)(const struct upstream *u);
	void (*fetch)(struct gateway *g, uint32_t question);
};

static bool
has_command(const struct upstream *u)
{
	return u->auth != AUTH_NONE && u->password_command[0] != '\0';
}

static void
on_command(void *arg, const struct errand_answer *a)
{
	struct gateway *g = arg;
	struct credential *c = &g->credential;
	bool token = g->settings->auth == AUTH_XOAUTH2 || g->settings->auth == AUTH_OAUTHBEARER;
	size_t most = token ? TOKEN_MAX : PASSWORD_MAX;
	char words[280], *secret;

	c->errand = 0;
	if (a->result != ERRAND_DONE) {
		snprintf(words, sizeof words, "password_command: %s", a->words);
		credential_settle(g, c->question, CREDENTIAL_LATER, NULL, 0, words);
	} else if (a->output.n == 0 || a->output.n > most || memchr(a->output.p, '\0', a->output.n) != NULL) {
		snprintf(words, sizeof words, "password_command: its first line of output is %s",
		    a->output.n == 0 ? "empty" : a->output.n <= most ? "not text" : token ? "longer than 8 KB" : "longer than 1024 octets");
		credential_settle(g, c->question, CREDENTIAL_LATER, NULL, 0, words);
	} else {
		secret = str_dup(a->output);
		credential_settle(g, c->question, CREDENTIAL_HERE, &secret, 0, "");
	}
}

static void
fetch_command(struct gateway *g, uint32_t question)
{
	unsigned n = (unsigned)(g->settings - g->queue->config->upstream);

	(void)question;			/* there is one command under way at most: forget ends it */
	g->credential.errand = errand_run(g->queue->errands, ERRAND_UPSTREAM + n, STR(""), on_command, g);
}

static bool
has_always(const struct upstream *u)
{
	(void)u;
	return true;
}

/* The first that the upstream has. */
static const struct source sources[] = {
	{ token_has, token_fetch },
	{ has_command, fetch_command },
	{ has_always, NULL },		/* password, password_file, or none */
};

static const struct source *
find_source(const struct upstream *u)
{
	const struct source *s = sources;

	while (!s->has(u))
		s++;
	return s;
}

static void start(struct gateway *g);

static void
on_told(void *arg)
{
	struct gateway *g = arg;
	struct credential *c = &g->credential;
	void (*fn)(struct gateway *g, const struct credential_said *s) = c->fn;

	if (c->answer == CREDENTIAL_HERE && c->fetched && c->secret == NULL) {	/* refused in this very turn */
		start(g);
		return;
	}
	c->fn = NULL;
	if (fn != NULL)
		fn(g, &(struct credential_said){ .answer = c->answer, .issue = c->issue, .words = c->why.text, .until_ms = c->until_ms,
		    .secret = c->answer != CREDENTIAL_HERE ? NULL : c->fetched ? c->secret :
		    c->fresh != NULL ? c->fresh : g->settings->password });
}

/* Who waits hears it at the end of the turn. */
static void
tell(struct gateway *g, enum credential_answer a, bool fetched, const char *words)
{
	struct credential *c = &g->credential;

	c->answer = a;
	c->fetched = fetched;
	fail(&c->why, "%s", words);
	if (c->fn != NULL)
		loop_at_turn_end(g->queue->loop, &c->job, on_told, g);
}

static bool
is_good(const struct gateway *g)
{
	const struct credential *c = &g->credential;

	return c->secret != NULL && (c->until_ms == 0 || loop_now_ms(g->queue->loop) < c->until_ms);
}

static void
start(struct gateway *g)
{
	struct credential *c = &g->credential;
	const struct source *s = find_source(g->settings);

	if (s->fetch == NULL) {
		tell(g, CREDENTIAL_HERE, false, "");
	} else if (is_good(g)) {
		tell(g, CREDENTIAL_HERE, true, "");
	} else if (!c->fetching) {
		mem_free_secret(&c->secret);
		c->fetching = true;
		s->fetch(g, ++c->question);
	}
}

void
credential_ask(struct gateway *g, void (*fn)(struct gateway *g, const struct credential_said *s))
{
	if (g->credential.fn != NULL)
		bug("upstream %s: asked for its secret twice", g->name);
	g->credential.fn = fn;
	start(g);
}

void
credential_settle(struct gateway *g, uint32_t question, enum credential_answer a, char **secret, int64_t until_ms,
    const char *words)
{
	struct credential *c = &g->credential;
	bool same;

	if (!c->fetching || question != c->question) {
		if (secret != NULL)
			mem_free_secret(secret);
		return;
	}
	c->fetching = false;
	if (a != CREDENTIAL_HERE) {
		c->until_ms = until_ms;
		tell(g, a, true, words);
		return;
	}
	same = c->refused != NULL && strcmp(c->refused, *secret) == 0;
	mem_free_secret(&c->refused);
	if (same) {
		mem_free_secret(secret);
		tell(g, CREDENTIAL_REFUSED, true, c->said.text);
		return;
	}
	c->secret = *secret;
	*secret = NULL;
	c->until_ms = until_ms;
	c->issue++;
	tell(g, CREDENTIAL_HERE, true, "");
}

bool
credential_refused(struct gateway *g, uint32_t issue, const char *words)
{
	struct credential *c = &g->credential;

	if (g->settings == NULL || find_source(g->settings)->fetch == NULL)
		return false;
	if (issue != c->issue)		/* an older one: the next is on its way, or there */
		return true;
	if (c->secret == NULL)		/* others said so already */
		return c->again;
	token_drop(g);
	mem_free_secret(&c->refused);
	if (c->again) {			/* it comes fresh from its source */
		mem_free_secret(&c->secret);
		return false;
	}
	c->again = true;
	fail(&c->said, "%s", words);
	c->refused = c->secret;
	c->secret = NULL;
	return true;
}

void
credential_accepted(struct gateway *g)
{
	g->credential.again = false;
}

void
credential_remember(struct gateway *g, const char *secret)
{
	struct credential *c = &g->credential;
	unsigned i = 0;

	if (secret == NULL || *secret == '\0')
		return;
	while (i < CREDENTIAL_PAST && c->past[i] != NULL && strcmp(c->past[i], secret) != 0)
		i++;
	if (i < CREDENTIAL_PAST && c->past[i] != NULL)
		return;
	mem_free_secret(&c->past[CREDENTIAL_PAST - 1]);
	memmove(c->past + 1, c->past, (CREDENTIAL_PAST - 1) * sizeof c->past[0]);
	c->past[0] = mem_text(secret);
}

static void
add_all(const struct gateway *g, struct veil *v)
{
	const struct credential *c = &g->credential;

	veil_add(v, c->secret);
	veil_add(v, c->fresh);
	if (g->settings != NULL)
		veil_add(v, g->settings->password);
	token_veil(g, v);
	for (unsigned i = 0; i < CREDENTIAL_PAST; i++)
		veil_add(v, c->past[i]);
}

struct veil *
credential_veil(struct gateway *g, const char *secret)
{
	const struct queue *q = g->queue;
	struct veil *v = veil_new();

	credential_remember(g, secret);
	veil_add(v, secret);
	add_all(g, v);
	/* Two accounts at one provider: what it heard of the one it may repeat to the other. */
	for (unsigned i = 0; i < q->ngateway; i++)
		if (q->gateway[i] != g && q->gateway[i] != NULL)
			add_all(q->gateway[i], v);
	veil_unref(&g->credential.veil);
	g->credential.veil = veil_ref(v);
	return v;
}

struct veil *
credential_newest_veil(const struct gateway *g)
{
	return veil_ref(g->credential.veil);
}

/* Without the question: who asked may still be waiting. */
static void
forget(struct gateway *g)
{
	struct credential *c = &g->credential;

	mem_free_secret(&c->secret);
	mem_free_secret(&c->refused);
	loop_forget_job(&c->job);
	if (c->errand != 0)
		errand_forget(g->queue->errands, c->errand);
	c->errand = 0;
	c->fetching = c->again = false;
	c->until_ms = 0;
	c->issue++;
}

/* The password that password_file has now, if that is another one. */
static bool
take_password(struct gateway *g)
{
	struct credential *c = &g->credential;
	const char *old = c->fresh != NULL ? c->fresh : g->settings->password;
	char *password = NULL;
	struct why why;

	if (config_read_secret(&password, g->settings->password_file, &why) < 0) {
		log_event(LOG_WARNING, "secret_unreadable", log_text("upstream", g->name),
		    log_text("file", g->settings->password_file), log_text("reason", why.text));
		return false;
	}
	if (old != NULL && strcmp(old, password) == 0) {
		mem_free_secret(&password);
		return false;
	}
	mem_free_secret(&c->fresh);
	c->fresh = password;
	return true;
}

void
credential_changed(struct gateway *g)
{
	if (g->settings == NULL || !(token_has(g->settings) ? token_is_changed(g) :
	    g->settings->password_file[0] != '\0' && take_password(g)))
		return;
	log_event(LOG_INFO, "secret_changed", log_text("upstream", g->name));
	g->credential.again = false;
	if (g->gate.state == GATE_AUTH_FAILED)
		gateway_tell(g, GATE_EV_RETRY, "", 0);
}

void
credential_configure(struct gateway *g)
{
	forget(g);
	mem_free_secret(&g->credential.fresh);
	token_configure(g);
	if (g->credential.fn == NULL)
		return;
	if (g->settings != NULL)
		start(g);
	else
		tell(g, CREDENTIAL_LATER, true, "it is no longer configured");
}

void
credential_clear(struct gateway *g)
{
	forget(g);
	mem_free_secret(&g->credential.fresh);
	for (unsigned i = 0; i < CREDENTIAL_PAST; i++)
		mem_free_secret(&g->credential.past[i]);
	veil_unref(&g->credential.veil);
	token_clear(g);
	g->credential.fn = NULL;
}
