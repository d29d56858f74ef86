/* The configuration as the other rooms hold it: shared, constant, replaced whole. */
#include "config/config.h"

#include "base/list.h"
#include "base/mem.h"
#include "config/file.h"
#include "config/load.h"
#include "config/secret.h"
#include "config/value.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char config_default_file[] = SYSCONFDIR "/gatepost/gatepost.conf";

struct shared {
	struct config config;
	atomic_uint refs;
};

static struct shared *
get_shared(const struct config *c)
{
	return container_of((uintptr_t)c, struct shared, config);
}

int
config_load(struct config **out, const struct config_options *o,
    void (*warn)(void *arg, const char *text), void *arg, struct why *why)
{
	struct shared *s = mem_zero(sizeof *s);
	struct config *c = &s->config;

	s->refs = 1;
	if (load_config(c, o, warn, arg, why) < 0) {
		config_unref(&c);
		return -1;
	}
	*out = c;
	return 0;
}

struct config *
config_ref(const struct config *c)
{
	struct shared *s = get_shared(c);

	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return &s->config;
}

static void
free_config(struct config *c)
{
	const struct key_section *s;

	for (unsigned i = 0; (s = keys_section(i)) != NULL; i++)
		if (!s->titled && strchr(s->name, '.') == NULL)
			value_clear(s->name, c);
	for (unsigned i = 0; i < c->nlisten; i++) {
		value_clear("listen", &c->listen[i]);
		free(c->listen[i].address);
	}
	for (unsigned i = 0; i < c->nupstream; i++) {
		value_clear("upstream", &c->upstream[i]);
		value_clear("upstream.oauth2", &c->upstream[i]);
		free(c->upstream[i].name);
		free(c->upstream[i].note);
	}
	for (unsigned i = 0; i < c->nroute; i++) {
		value_clear("route", &c->route[i]);
		free(c->route[i].name);
		free(c->route[i].upstream);
	}
	aliases_free(&c->aliases);
	free(c->listen);
	free(c->upstream);
	free(c->route);
	for (unsigned i = 0; i < c->files.n; i++)
		free(c->files.v[i]);
	free(c->files.v);
	for (unsigned i = 0; i < c->handed.n; i++)
		free(c->handed.v[i]);
	free(c->handed.v);
	free(c->file);
}

void
config_unref(struct config **p)
{
	struct shared *s;

	if (*p == NULL)
		return;
	s = get_shared(*p);
	*p = NULL;
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) > 1)
		return;
	free_config(&s->config);
	free(s);
}

/* The sockets are made once, and what is spoken on them goes with them. */
static bool
same_listen(const struct config *a, const struct config *b)
{
	if (a->nlisten != b->nlisten)
		return false;
	for (unsigned i = 0; i < a->nlisten; i++) {
		const struct listen *x = &a->listen[i], *y = &b->listen[i];

		if (strcmp(x->address, y->address) != 0 || x->tls != y->tls ||
		    x->trusted_only != y->trusted_only ||
		    x->plaintext_auth != y->plaintext_auth ||
		    x->ntrusted != y->ntrusted)
			return false;
		for (unsigned j = 0; j < x->ntrusted; j++)
			if (x->trusted[j].bits != y->trusted[j].bits ||
			    memcmp(x->trusted[j].address, y->trusted[j].address,
			    sizeof x->trusted[j].address) != 0)
				return false;
	}
	return true;
}

const char *
config_needs_restart(const struct config *old, const struct config *new_)
{
	const struct key *k;

	if (!same_listen(old, new_))
		return "listen";
	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++)
		if (k->flags & KEY_RESTART && !value_same(k, old, new_))
			return k->option.section[0] != '\0' ?
			    "metrics.listen" : k->option.name;
	return NULL;
}

bool
config_is_own(const struct config *c, const char *address, uint16_t port)
{
	bool six = strchr(address, ':') != NULL;
	char exact[80], any[16];

	snprintf(exact, sizeof exact, six ? "[%s]:%u" : "%s:%u", address, port);
	snprintf(any, sizeof any, six ? "[::]:%u" : "0.0.0.0:%u", port);
	for (unsigned i = 0; i < c->nlisten; i++)
		if (strcmp(c->listen[i].address, exact) == 0 ||
		    (strcmp(c->listen[i].address, any) == 0 &&
		    cidr_is_loopback(address)))
			return true;
	return false;
}

static bool
is_localhost(const char *host)
{
	return str_iis(str_of(host), "localhost");
}

int
config_check_loop(const struct config *c, struct why *why)
{
	for (unsigned i = 0; i < c->nupstream; i++) {
		const struct upstream *u = &c->upstream[i];

		for (unsigned k = 0; k < u->nchain; k++)
			if (config_is_own(c, is_localhost(u->host) ?
			    "127.0.0.1" : u->host, u->chain[k].port) ||
			    (is_localhost(u->host) &&
			    config_is_own(c, "::1", u->chain[k].port)))
				return fail(why, "%s: upstream %s: %s port %u is "
				    "a listener of gatepost itself; correct host "
				    "or chain", c->file, u->name, u->host,
				    u->chain[k].port);
	}
	return 0;
}

int
config_may_read(const char *file, struct why *why)
{
	struct why reason;

	if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) == 0)
		return 0;
	file_refused(file, &reason);
	return fail(why, "%s: %s", file, reason.text);
}

bool
config_parse_size(struct str s, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *unit = s.n > 0 && s.p[s.n - 1] != '\0' ?
	    strchr(units, s.p[s.n - 1]) : NULL;
	unsigned shift = 0;
	uint64_t n;

	if (unit != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		s.n--;
	}
	if (!str_number(s, INT64_MAX >> shift, &n) ||
	    n > (uint64_t)INT64_MAX >> shift)
		return false;
	*out = n << shift;
	return true;
}

int
config_read_secret(char **out, const char *path, struct why *why)
{
	return secret_read(out, path, SECRET_TOKEN_MAX, NULL, why);
}

int
config_write_secret(const char *path, const char *secret, struct why *why)
{
	return secret_write(path, secret, why);
}

/* client_id is never in a preset: who gives it wants tokens. */
bool
config_has_oauth2(const struct upstream *u)
{
	return u->auth != AUTH_NONE && u->oauth2.client_id != NULL && u->oauth2.client_id[0] != '\0';
}
