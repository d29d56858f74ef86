/*
 * Tokens on the queue's loop.  A refresh token that the provider replaces is used from then on and written back to its
 * file where that is ours; a file that somebody else changes wins over it.
 */
#include "queue/private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/oauth.h"

enum { MARGIN_S = 5 * 60, GRACE_MS = 60 * 1000 };

struct token {
	struct gateway *gateway;
	struct oauth *oauth;	/* under way; NULL */
	uint32_t question;	/* what it is the answer to */
	struct tls *tls;	/* the system's authorities; NULL: not made yet */
	char *client_secret;	/* as read for the last question, "" without one */
	char *in_file;		/* the refresh token that its file had then; "" without one */
	char *replaced;		/* what the provider gave instead, where it could not be written there; NULL */
	char *access;		/* the last one, unless it was refused */
	int64_t ends_at_ms;	/* it does; 0: not said */
	bool warned;		/* that the refresh token cannot be kept */
};

bool
token_has(const struct upstream *u)
{
	return config_has_oauth2(u);
}

/* --- files ------------------------------------------------------------------------- */

static int
read_file(char **out, const char *option, const char *path, struct why *why)
{
	struct why own;

	if (path[0] == '\0') {
		*out = mem_text("");
		return 0;
	}
	if (config_read_secret(out, path, &own) < 0)
		return fail(why, "%s %s: %s", option, path, own.text);
	return 0;
}

static int
read_files(const struct upstream *u, char **client_secret, char **refresh, struct why *why)
{
	const char *file = u->oauth2.client_credentials ? "" : u->oauth2.refresh_token_file;

	*client_secret = *refresh = NULL;
	if (read_file(client_secret, "client_secret_file", u->oauth2.client_secret_file, why) < 0)
		return -1;
	if (read_file(refresh, "refresh_token_file", file, why) < 0) {
		mem_free_secret(client_secret);
		return -1;
	}
	return 0;
}

bool
token_is_changed(const struct gateway *g)
{
	const struct token *t = g->token;
	char *client_secret, *refresh;
	struct why why;
	bool changed;

	if (read_files(g->settings, &client_secret, &refresh, &why) < 0)
		return false;
	changed = t == NULL || t->in_file == NULL || strcmp(t->in_file, refresh) != 0 ||
	    strcmp(t->client_secret, client_secret) != 0;
	mem_free_secret(&client_secret);
	mem_free_secret(&refresh);
	return changed;
}

/* It was used, and may be repeated to us for a while. */
static void
retire(struct token *t, char **secret)
{
	credential_remember(t->gateway, *secret);
	mem_free_secret(secret);
}

static void
renew(struct token *t, char **secret, char *now)	/* which it takes */
{
	if (*secret != NULL && strcmp(*secret, now) != 0)
		credential_remember(t->gateway, *secret);
	mem_free_secret(secret);
	*secret = now;
}

/* A provider that gives a new refresh token may refuse the old one from now on. */
static void
keep_refresh(struct token *t, const char *refresh)
{
	const struct upstream *u = t->gateway->settings;
	struct why why;

	retire(t, &t->replaced);
	if (token_is_changed(t->gateway))	/* by the operator, while we asked */
		return;
	if (config_write_secret(u->oauth2.refresh_token_file, refresh, &why) == 0) {
		renew(t, &t->in_file, mem_text(refresh));
		return;
	}
	t->replaced = mem_text(refresh);
	if (!t->warned)
		log_event(LOG_WARNING, "refresh_token_replaced", log_text("upstream", t->gateway->name), log_text("reason", why.text),
		    log_text("advice", "the new one is used until a restart; let refresh_token_file belong to the daemon's user, in a directory "
		    "that it may write, so that it can be kept"));
	t->warned = true;
}

/* --- answers ------------------------------------------------------------------------- */

static const char *
refresh_of(const struct token *t)
{
	return t->replaced != NULL ? t->replaced : t->in_file;
}

static void
take(struct token *t, const struct oauth_answer *a)
{
	struct gateway *g = t->gateway;
	int64_t now = loop_now_ms(g->queue->loop), margin_s = a->expires_s / 4 < MARGIN_S ? a->expires_s / 4 : MARGIN_S;
	char *secret = mem_text(a->access);

	retire(t, &t->access);
	t->access = mem_text(a->access);
	t->ends_at_ms = a->expires_s > 0 ? now + a->expires_s * 1000 : 0;
	if (a->refresh != NULL && !g->settings->oauth2.client_credentials && strcmp(a->refresh, refresh_of(t)) != 0)
		keep_refresh(t, a->refresh);
	log_event(LOG_INFO, "token", log_text("upstream", g->name), log_num("expires_s", a->expires_s));
	credential_settle(g, t->question, CREDENTIAL_HERE, &secret,
	    t->ends_at_ms > 0 ? t->ends_at_ms - margin_s * 1000 : 0, "");
}

/* It was asked for early: until the old one ends the endpoint may be down. */
static bool
make_do(struct token *t)
{
	int64_t now = loop_now_ms(t->gateway->queue->loop);
	char *secret;

	if (t->access == NULL || t->ends_at_ms <= now)
		return false;
	secret = mem_text(t->access);
	credential_settle(t->gateway, t->question, CREDENTIAL_HERE, &secret,
	    now + GRACE_MS < t->ends_at_ms ? now + GRACE_MS : t->ends_at_ms, "");
	return true;
}

static void
on_answer(void *arg, const struct oauth_answer *a)
{
	struct token *t = arg;
	int64_t now = loop_now_ms(t->gateway->queue->loop);

	switch (a->result) {
	case OAUTH_TOKEN:
		take(t, a);
		break;
	case OAUTH_REFUSED:
		retire(t, &t->access);
		retire(t, &t->replaced);	/* the file's may still do */
		credential_settle(t->gateway, t->question, CREDENTIAL_REFUSED, NULL, 0, a->words);
		break;
	case OAUTH_LATER:
		log_event(LOG_WARNING, "token_failed", log_text("upstream", t->gateway->name), log_text("reason", a->words));
		if (!make_do(t))
			credential_settle(t->gateway, t->question, CREDENTIAL_LATER, NULL,
			    a->retry_after_s > 0 ? now + a->retry_after_s * 1000 : 0, a->words);
		break;
	}
	oauth_free(&t->oauth);
}

/* --- asking --------------------------------------------------------------------------- */

static struct token *
get(struct gateway *g)
{
	if (g->token == NULL) {
		g->token = mem_zero(sizeof *g->token);
		g->token->gateway = g;
	}
	return g->token;
}

/* The files as they are now; one that was changed since is newer than what the provider gave. */
static int
prepare(struct token *t, struct why *why)
{
	const struct upstream *u = t->gateway->settings;
	char *client_secret, *refresh;

	if (t->tls == NULL && tls_client(&t->tls, "", true, TLS_1_2, why) < 0)
		return -1;
	if (read_files(u, &client_secret, &refresh, why) < 0)
		return -1;
	if (t->in_file == NULL || strcmp(t->in_file, refresh) != 0)
		retire(t, &t->replaced);
	renew(t, &t->client_secret, client_secret);
	renew(t, &t->in_file, refresh);
	return 0;
}

void
token_fetch(struct gateway *g, uint32_t question)
{
	const struct upstream *u = g->settings;
	struct token *t = get(g);
	struct oauth_request r = { .url = u->oauth2.token_url, .client_id = u->oauth2.client_id, .scope = u->oauth2.scope };
	struct why why;

	oauth_free(&t->oauth);
	t->question = question;
	if (prepare(t, &why) < 0) {
		credential_settle(g, question, CREDENTIAL_REFUSED, NULL, 0, why.text);
		return;
	}
	r.client_secret = t->client_secret;
	r.refresh_token = u->oauth2.client_credentials ? NULL : refresh_of(t);
	r.tls = t->tls;
	r.veil = credential_veil(g, NULL);
	t->oauth = oauth_start(g->queue->loop, g->queue->dns, &r, on_answer, t);
	veil_unref(&r.veil);
}

/* Who sends the mail is often also who gives the tokens. */
void
token_veil(const struct gateway *g, struct veil *v)
{
	const struct token *t = g->token;

	if (t == NULL)
		return;
	veil_add(v, t->access);
	veil_add(v, t->replaced);
	veil_add(v, t->in_file);
	veil_add(v, t->client_secret);
}

/* --- its life -------------------------------------------------------------------------- */

void
token_drop(struct gateway *g)
{
	if (g->token != NULL)
		retire(g->token, &g->token->access);
}

void
token_configure(struct gateway *g)
{
	struct token *t = g->token;

	if (t == NULL)
		return;
	oauth_free(&t->oauth);
	tls_unref(&t->tls);
	mem_free_secret(&t->access);
	t->warned = false;
}

void
token_clear(struct gateway *g)
{
	struct token *t = g->token;

	if (t == NULL)
		return;
	token_configure(g);
	mem_free_secret(&t->client_secret);
	mem_free_secret(&t->in_file);
	mem_free_secret(&t->replaced);
	free(t);
	g->token = NULL;
}
