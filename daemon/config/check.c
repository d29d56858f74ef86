/*
 * Semantic checks: options that contradict one another, and settings that would send
 * credentials in the clear or open the door to everyone.  Nothing is changed here.
 */
#include "config/check.h"

#include "base/mem.h"
#include "config/cidr.h"
#include "config/guard.h"
#include "config/providers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
check_warn(const struct check *ck, const char *fmt, ...)
{
	char text[sizeof ck->why->text];
	va_list ap;

	if (ck->warn == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	ck->warn(ck->arg, text);
}

int
check_blame(const struct check *ck, const struct tree_section *in,
    const char *option, const char *fmt, ...)
{
	const struct place *at = tree_find(in, option);
	char text[sizeof ck->why->text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return include_blame(in->tree->in, at != NULL ? at : in->place, option,
	    ck->why, "%s", text);
}

/* Plain http, to another machine? */
static bool
is_exposed(const char *url)
{
	char *host;
	bool loopback;

	if (!str_istarts(str_of(url), "http://"))
		return false;
	url += strlen("http://");
	host = url[0] == '[' ? mem_textn(url + 1, strcspn(url + 1, "]")) :
	    mem_textn(url, strcspn(url, ":/?#"));
	loopback = strchr(url, '@') == NULL && cidr_is_loopback(host);
	free(host);
	return !loopback;
}

/* There is no login there. */
static void
warn_of_metrics(const struct check *ck, const char *listen)
{
	char *host;

	if (listen[0] == '\0')
		return;
	host = listen[0] == '[' ? mem_textn(listen + 1, strcspn(listen + 1, "]")) :
	    mem_textn(listen, strcspn(listen, ":"));
	if (!cidr_is_loopback(host))
		check_warn(ck, "metrics: whoever reaches %s can read the status page; "
		    "listen on 127.0.0.1, or let a firewall or a proxy with a login "
		    "stand before it", listen);
	free(host);
}

int
check_top(const struct check *ck, const struct config *c,
    const struct tree_section *in)
{
	struct tree_section tls = tree_section(in, "tls", 0);
	struct tree_section alert = tree_section(in, "alert", 0);

	if (is_exposed(c->alert.webhook))
		return check_blame(ck, &alert, "webhook",
		    "plain http to another machine; use https");
	warn_of_metrics(ck, c->metrics.listen);
	if (strcmp(c->control_socket, c->submit_socket) == 0)
		return check_blame(ck, in, "submit_socket",
		    "is control_socket too; give each a path of its own");
	if ((c->tls.certificate[0] == '\0') != (c->tls.key[0] == '\0'))
		return check_blame(ck, &tls, c->tls.key[0] == '\0' ?
		    "certificate" : "key", "certificate and key belong "
		    "together; give both or neither");
	return 0;
}

int
check_listen(const struct check *ck, const struct listen *l,
    const struct tree_section *in)
{
	if (cidr_cover_everyone(l->trusted, l->ntrusted))
		return check_blame(ck, in, "trusted",
		    "covers everyone: an open relay; name your networks only");
	if (l->tls == TLS_NONE && !l->plaintext_auth &&
	    (!l->trusted_only || l->ntrusted == 0))
		return check_blame(ck, in, "tls", "none, with auth required and "
		    "plaintext_auth no: nobody could log in; use starttls, or "
		    "plaintext_auth = \"loopback\"");
	if (l->ntrusted > 0 && !l->trusted_only)
		check_warn(ck, "listen %s: trusted has no effect without "
		    "auth = \"trusted\"", l->address);
	return 0;
}

static bool
has_password(const struct upstream *u)
{
	return u->password != NULL && u->password[0] != '\0';
}

/* One way to the secret, and a private one. */
static int
check_password(const struct check *ck, const struct upstream *u,
    const struct tree_section *in)
{
	const struct { const char *option; bool given; } ways[] = {
		{ "password", has_password(u) },
		{ "password_file", u->password_file[0] != '\0' },
		{ "password_command", u->password_command[0] != '\0' },
		{ "oauth2", u->oauth2.client_id[0] != '\0' }
	};
	const char *first = NULL;
	const struct include_file *file;

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (ways[i].given && first != NULL)
			return check_blame(ck, in, ways[i].option, "there is %s "
			    "already; keep one", first);
		if (ways[i].given)
			first = ways[i].option;
	}
	if (!has_password(u))
		return 0;
	file = &in->tree->in->file[tree_find(in, "password")->file];
	if (!guard_is_private(file->path, file->mode))
		return check_blame(ck, in, "password", "others can read this "
		    "file (mode %03o); chmod 640 it, or use password_file",
		    (unsigned)file->mode & 0777);
	return 0;
}

static bool
has_secret(const struct upstream *u)
{
	return has_password(u) || u->password_file[0] != '\0' ||
	    u->password_command[0] != '\0' || u->oauth2.client_id[0] != '\0';
}

static int
check_login(const struct check *ck, const struct upstream *u,
    const struct tree_section *in, const struct tree_section *preset)
{
	const char *note = providers_note(preset);
	bool has_user = u->username[0] != '\0';

	if (u->auth == AUTH_NONE)
		return 0;
	if (has_user && !has_secret(u))
		return check_blame(ck, in, "username", "a user name without a "
		    "password; add password_file%s%s", note[0] != '\0' ?
		    ": " : "", note);
	if (!has_user && has_secret(u))
		return check_blame(ck, in, "username", "missing, though there "
		    "is a password; add it%s%s", note[0] != '\0' ? ": " : "",
		    note);
	if (!has_user && (preset->cfg != NULL || u->auth != AUTH_AUTO))
		check_warn(ck, "upstream %s: no username and no password: %s "
		    "will hardly take mail; add them, or auth = \"none\"",
		    u->name, preset->cfg != NULL ? u->provider : u->host);
	return 0;
}

static int
check_chain(const struct check *ck, const struct upstream *u,
    const struct tree_section *in, const struct tree_section *preset)
{
	bool from_preset = preset->cfg != NULL &&
	    tree_find(in, "chain") == NULL && tree_find(preset, "chain") != NULL;
	bool logs_in = u->auth != AUTH_NONE &&
	    (u->username[0] != '\0' || has_secret(u));

	for (unsigned i = 0; i < u->nchain; i++) {
		const struct chain_entry *e = &u->chain[i];

		for (unsigned j = 0; j < i; j++)
			if (e->port == u->chain[j].port &&
			    e->tls == u->chain[j].tls)
				return check_blame(ck, from_preset ? preset : in,
				    "chain", "%u/%s is there twice; remove one",
				    e->port, tls_mode_name(e->tls));
		if (from_preset && (e->tls == TLS_NONE || e->port == 25))
			return check_blame(ck, preset, "chain", "%u/%s must "
			    "not come from a preset; write this chain into the "
			    "upstream", e->port, tls_mode_name(e->tls));
		if (e->tls == TLS_NONE && logs_in && !cidr_is_loopback(u->host))
			return check_blame(ck, in, "chain", "%u/none would send "
			    "the password in the clear to %s; use starttls or "
			    "implicit, or auth = \"none\"", e->port, u->host);
	}
	return 0;
}

/* RFC 6749 3.2: tokens travel over TLS; on this machine they may do without. */
static int
check_token_url(const struct check *ck, const struct upstream *u,
    const struct tree_section *in)
{
	struct tree_section own = tree_section(in, "oauth2", 0);

	if (is_exposed(u->oauth2.token_url))
		return check_blame(ck, own.cfg != NULL ? &own : in, "token_url",
		    "plain http to another machine; use https");
	return 0;
}

static bool
is_given(const struct tree_section *in, const char *option, const char *value)
{
	return in->cfg != NULL && tree_find(in, option) != NULL && value[0] != '\0';
}

/* Is there anything of tokens, but for the name in which they are asked for? */
static bool
wants_tokens(const struct upstream *u, const struct tree_section *own)
{
	return u->oauth2.client_secret_file[0] != '\0' || u->oauth2.refresh_token_file[0] != '\0' ||
	    is_given(own, "token_url", u->oauth2.token_url) || is_given(own, "scope", u->oauth2.scope) ||
	    is_given(own, "grant", u->oauth2.client_credentials ? "client_credentials" : "");
}

/* All that a token is asked for with, and no other way to log in beside it. */
static int
check_oauth2(const struct check *ck, const struct upstream *u,
    const struct tree_section *in)
{
	struct tree_section own = tree_section(in, "oauth2", 0);
	const struct tree_section *at = own.cfg != NULL ? &own : in;
	bool refresh = !u->oauth2.client_credentials;

	if (u->oauth2.client_id[0] == '\0') {
		if (wants_tokens(u, &own))
			return check_blame(ck, at, "client_id", "missing; tokens are asked for in its name");
		return 0;
	}
	if (u->auth != AUTH_AUTO && u->auth != AUTH_NONE && u->auth != AUTH_XOAUTH2 && u->auth != AUTH_OAUTHBEARER)
		return check_blame(ck, in, "auth", "sends a password, but oauth2 gives tokens; use auto, xoauth2 or "
		    "oauthbearer");
	if (u->oauth2.token_url[0] == '\0')
		return check_blame(ck, at, "token_url", "missing; where are tokens asked for?");
	if (refresh && u->oauth2.refresh_token_file[0] == '\0')
		return check_blame(ck, at, "refresh_token_file", "missing; add it, or grant = \"client_credentials\"");
	if (!refresh && u->oauth2.client_secret_file[0] == '\0')
		return check_blame(ck, at, "client_secret_file", "missing; client_credentials needs it");
	return 0;
}

int
check_upstream(const struct check *ck, const struct upstream *u,
    const struct tree_section *in, const struct tree_section *preset)
{
	const char *note = providers_note(preset);

	if (u->rewrite_from && u->sender[0] == '\0')
		return check_blame(ck, in, "rewrite_from", "there is no address "
		    "to write; add sender = \"you@example.com\"");
	if (u->capture[0] != '\0') {	/* the rest does not count */
		check_warn(ck, "upstream %s: capture: its mail goes to %s and "
		    "nowhere else", u->name, u->capture);
		return 0;
	}
	if (u->host[0] == '\0')
		return check_blame(ck, in, "host", "missing; add host = "
		    "\"smtp.example.com\"%s%s", note[0] != '\0' ? ": " :
		    " or a provider", note);
	if (check_password(ck, u, in) < 0 ||
	    check_oauth2(ck, u, in) < 0 ||
	    check_login(ck, u, in, preset) < 0 ||
	    check_chain(ck, u, in, preset) < 0 ||
	    check_token_url(ck, u, in) < 0)
		return -1;
	if (!u->tls_verify)
		check_warn(ck, "upstream %s: tls_verify = false: whoever is on "
		    "the way can read its mail and its password; remove it as "
		    "soon as you can", u->name);
	return 0;
}

/* A Maildir never fails over: what stands behind it in a list gets nothing. */
void
check_behind_capture(const struct check *ck, const struct config *c,
    const char *list, const struct route_rule *r)
{
	unsigned n = r != NULL ? r->upstreams.n : c->nupstream;
	const struct upstream *captures = NULL;

	for (unsigned i = 0; i < n; i++) {
		const struct upstream *u =
		    &c->upstream[r != NULL ? r->upstream[i] : i];

		if (captures != NULL)
			check_warn(ck, "%s: upstream %s stands behind %s, which "
			    "captures, and gets nothing", list, u->name,
			    captures->name);
		else if (u->capture[0] != '\0')
			captures = u;
	}
}
