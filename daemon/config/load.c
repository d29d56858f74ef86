/*
 * From the files to struct config, section by section: the options, then what only the
 * machine or another file knows, then the checks.
 */
#include "config/load.h"

#include "base/mem.h"
#include "config/apply.h"
#include "config/file.h"
#include "config/guard.h"
#include "config/machine.h"
#include "config/passwords.h"
#include "config/unit.h"
#include "config/value.h"
#include "config/word.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	ALIASES_BYTES_MAX = 4 << 20,
	LISTEN_MAX = 256,
	UPSTREAMS_MAX = 64,
	ROUTES_MAX = 1000
};

void
load_remember(struct load *l, const char *path)
{
	struct names *files = &l->c->files;

	if (passwords_is_handed(l, path))
		return;
	files->v = mem_resize(files->v, files->n + 1, sizeof *files->v);
	files->v[files->n++] = file_absolute(path);
}

static void
remember_tree(struct load *l, const struct tree *t)
{
	for (unsigned i = 0; i < t->in->nfile; i++) {
		load_remember(l, t->in->file[i].path);
		if (l->c->owner == 0)
			l->c->owner = t->in->file[i].owner;
	}
}

/* The titled sections of a name; *base: room for them, zeroed, *n: how many. */
static int
allot(struct load *l, const char *name, unsigned max, size_t size, void *base,
    unsigned *n)
{
	struct tree_section top = tree_top(&l->tree), s;
	unsigned count = 0;

	while (s = tree_section(&top, name, count), s.cfg != NULL) {
		if (count == max)
			return include_blame(l->tree.in, s.place, name, l->why,
			    "more than %u; remove some", max);
		count++;
	}
	*(void **)base = mem_array(count, size);
	*n = count;
	return 0;
}

static void
add_built_in(struct load *l)
{
	static const struct { unsigned port, state_port; enum tls_mode tls; } at[] = {
		{ 587, 10587, TLS_STARTTLS },
		{ 465, 10465, TLS_IMPLICIT },
		{ 2525, 12525, TLS_STARTTLS }
	};
	static const char *const hosts[] = { "127.0.0.1", "[::1]" };
	const struct key *k;
	unsigned n = 0;

	free(l->c->listen);
	l->c->listen = mem_array(6, sizeof *l->c->listen);
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 2; j++) {
			struct listen *one = &l->c->listen[n++];

			for (unsigned x = 0; (k = keys_get(x)) != NULL; x++)
				if (strcmp(k->option.section, "listen") == 0)
					value_default(k, one);
			one->address = mem_printf("%s:%u", hosts[j], l->state !=
			    NULL ? at[i].state_port : at[i].port);
			one->tls = at[i].tls;
			one->built_in = true;
		}
	l->c->nlisten = n;
}

static int
load_listens(struct load *l)
{
	struct tree_section top = tree_top(&l->tree);

	if (allot(l, "listen", LISTEN_MAX, sizeof(struct listen), &l->c->listen,
	    &l->c->nlisten) < 0)
		return -1;
	for (unsigned i = 0; i < l->c->nlisten; i++) {
		struct listen *one = &l->c->listen[i];
		struct tree_section s = tree_section(&top, "listen", i);
		unsigned port = word_port(str_of(s.place->title));

		if (port == 0)
			return include_blame(l->tree.in, s.place, "listen",
			    l->why, "`%.60s' is not an address and a port; "
			    "write it as 127.0.0.1:587 or [::1]:587",
			    include_said(s.place, s.place->title));
		one->address = mem_text(s.place->title);
		if (apply_section(l, "listen", one, &s, NULL) < 0)
			return -1;
		if (tree_find(&s, "tls") == NULL)
			one->tls = port == 465 ? TLS_IMPLICIT : TLS_STARTTLS;
		if (check_listen(&l->ck, one, &s) < 0)
			return -1;
	}
	if (l->c->nlisten == 0)
		add_built_in(l);
	return 0;
}

/* The preset that the upstream names; .cfg stays NULL if it names none. */
static int
find_preset(struct load *l, const struct tree_section *s,
    struct tree_section *preset)
{
	const char **words;
	struct why why;
	unsigned n;
	int result = 0;

	*preset = (struct tree_section){ 0 };
	if (tree_find(s, "provider") == NULL)
		return 0;
	words = tree_words(s, "provider", &n);
	if (words[0][0] != '\0' && providers_read(&l->providers, &why) < 0)
		result = check_blame(&l->ck, s, "provider", "%s", why.text);
	else if (words[0][0] != '\0' && providers_get(&l->providers, words[0], preset, &why) < 0)
		result = check_blame(&l->ck, s, "provider", "%s%s", tree_find(s, "provider")->is_expanded ?
		    "what its variable holds is not in " : why.text,
		    tree_find(s, "provider")->is_expanded ? l->providers.file : "");
	free(words);
	return result;
}

/* One line more makes an upstream of production one for staging: nothing of the rest can lead anywhere. */
static void
make_harmless(struct upstream *u)
{
	char **const texts[] = { &u->host, &u->password_file, &u->password_command,
	    &u->oauth2.token_url, &u->oauth2.client_id };

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		free(*texts[i]);
		*texts[i] = mem_text("");
	}
	mem_free_secret(&u->password);
	u->password = mem_text("");
	u->nchain = 0;
}

static int
load_upstream(struct load *l, struct upstream *u, const struct tree_section *s)
{
	struct tree_section preset, oauth2, preset_oauth2;

	if (!word_is_name(str_of(s->place->title)))
		return include_blame(l->tree.in, s->place, "upstream", l->why,
		    "`%.60s' is not a name; use up to %d letters, digits and "
		    "._-", include_said(s->place, s->place->title), WORD_NAME_MAX);
	u->name = mem_text(s->place->title);
	if (find_preset(l, s, &preset) < 0)
		return -1;
	u->note = mem_text(providers_note(&preset));
	oauth2 = tree_section(s, "oauth2", 0);
	preset_oauth2 = tree_section(&preset, "oauth2", 0);
	if (apply_section(l, "upstream", u, s, &preset) < 0 ||
	    apply_section(l, "upstream.oauth2", u, &oauth2, &preset_oauth2) < 0 ||
	    check_upstream(&l->ck, u, s, &preset) < 0)
		return -1;
	if (u->capture[0] != '\0')
		make_harmless(u);
	if (passwords_load(l, u, s) < 0 || passwords_check_tokens(l, u, &oauth2) < 0)
		return -1;
	if (u->tls_name[0] == '\0') {
		free(u->tls_name);
		u->tls_name = mem_text(u->host);
	}
	return 0;
}

static int
load_upstreams(struct load *l)
{
	struct tree_section top = tree_top(&l->tree);

	if (allot(l, "upstream", UPSTREAMS_MAX, sizeof(struct upstream),
	    &l->c->upstream, &l->c->nupstream) < 0)
		return -1;
	for (unsigned i = 0; i < l->c->nupstream; i++) {
		struct tree_section s = tree_section(&top, "upstream", i);

		if (load_upstream(l, &l->c->upstream[i], &s) < 0)
			return -1;
	}
	if (l->c->nupstream > 1)
		check_behind_capture(&l->ck, l->c, "without a route", NULL);
	if (l->c->nupstream == 0 && !l->o->no_upstream)
		return check_blame(&l->ck, &top, "upstream", "there is none; add "
		    "at least upstream \"NAME\" { provider = \"…\" "
		    "password_file = \"…\" }");
	return 0;
}

/* Names of upstreams to their indexes. */
static int
load_route(struct load *l, struct route_rule *r, const struct tree_section *s)
{
	if (!word_is_name(str_of(s->place->title)))
		return include_blame(l->tree.in, s->place, "route", l->why,
		    "`%.60s' is not a name; use up to %d letters, digits and "
		    "._-", include_said(s->place, s->place->title), WORD_NAME_MAX);
	r->name = mem_text(s->place->title);
	if (apply_section(l, "route", r, s, NULL) < 0)
		return -1;
	if (r->upstreams.n == 0)
		return check_blame(&l->ck, s, "upstreams",
		    "missing; name one upstream at least");
	r->upstream = mem_array(r->upstreams.n, sizeof *r->upstream);
	for (unsigned i = 0; i < r->upstreams.n; i++) {
		unsigned at = 0;

		while (at < l->c->nupstream && strcmp(r->upstreams.v[i],
		    l->c->upstream[at].name) != 0)
			at++;
		if (at == l->c->nupstream)
			return check_blame(&l->ck, s, "upstreams", "`%.48s' is "
			    "not the name of an upstream; correct it",
			    include_said(tree_find(s, "upstreams"), r->upstreams.v[i]));
		for (unsigned j = 0; j < i; j++)
			if (r->upstream[j] == at)
				return check_blame(&l->ck, s, "upstreams",
				    "`%s' is there twice; remove one",
				    r->upstreams.v[i]);
		r->upstream[i] = at;
	}
	check_behind_capture(&l->ck, l->c, r->name, r);
	return 0;
}

static int
load_routes(struct load *l)
{
	struct tree_section top = tree_top(&l->tree);

	if (allot(l, "route", ROUTES_MAX, sizeof(struct route_rule),
	    &l->c->route, &l->c->nroute) < 0)
		return -1;
	for (unsigned i = 0; i < l->c->nroute; i++) {
		struct tree_section s = tree_section(&top, "route", i);

		if (load_route(l, &l->c->route[i], &s) < 0)
			return -1;
	}
	return 0;
}

static int
load_aliases(struct load *l, const struct tree_section *top)
{
	const char *file = l->c->aliases_file;
	struct buf text = { 0 };
	struct stat st;
	struct why why;
	int result;

	if (file[0] == '\0' || !l->o->secrets)
		return 0;
	if (file_read(&text, file, ALIASES_BYTES_MAX, 0, &st, &why) < 0 ||
	    guard_writers(file, &st, &why) < 0)
		result = check_blame(&l->ck, top, "aliases_file",
		    "%s: %s", file, why.text);
	else {
		load_remember(l, file);
		result = aliases_parse(&l->c->aliases, file, buf_str(&text),
		    l->why);
	}
	buf_clear(&text);
	return result;
}

static int
load_top(struct load *l)
{
	struct tree_section top = tree_top(&l->tree), in;
	const struct key_section *s;

	for (unsigned i = 0; (s = keys_section(i)) != NULL; i++) {
		if (s->titled || strchr(s->name, '.') != NULL)
			continue;
		in = s->name[0] == '\0' ? top : tree_section(&top, s->name, 0);
		if (apply_section(l, s->name, l->c, &in, NULL) < 0)
			return -1;
	}
	providers_init(&l->providers, l->c->providers_file);
	if (tree_find(&top, "providers_file") != NULL &&
	    providers_read(&l->providers, l->why) < 0)
		return -1;
	if (check_top(&l->ck, l->c, &top) < 0)
		return -1;
	return load_aliases(l, &top);
}

/* What the file leaves to the machine; last, for a name may take its time. */
static void
ask_machine(struct load *l)
{
	bool made_up = false;

	if (l->c->threads == 0)
		l->c->threads = machine_threads();
	if (l->c->hostname[0] == '\0') {
		free(l->c->hostname);
		l->c->hostname = machine_name(&made_up);
	}
	if (made_up)
		check_warn(&l->ck, "hostname: this machine has no full name, %s "
		    "will serve; set hostname", l->c->hostname);
}

static int
make_state(struct load *l)
{
	struct stat st;

	if (!l->o->make_state && access(l->o->state, F_OK) < 0 && errno == ENOENT)
		return fail(l->why, "%s: does not exist; `gatepost run --state' "
		    "makes it, or choose another for --state", l->o->state);
	if (l->o->make_state && mkdir(l->o->state, 0700) < 0 && errno != EEXIST)
		return fail(l->why, "%s: cannot be made: %s; make it, or choose "
		    "another for --state", l->o->state, strerror(errno));
	if (stat(l->o->state, &st) < 0 || !S_ISDIR(st.st_mode))
		return fail(l->why, "%s: is not a directory; choose another for "
		    "--state", l->o->state);
	l->state = realpath(l->o->state, NULL);
	if (l->state == NULL)
		return fail(l->why, "%s: %s; choose another for --state",
		    l->o->state, strerror(errno));
	l->c->is_state_dir = true;
	return 0;
}

/* A users_file that was named must be there, where anybody could log in at all. */
static int
check_users(struct load *l)
{
	const struct config *c = l->c;
	struct tree_section top = tree_top(&l->tree);
	bool login = false;
	struct why why;
	int error;

	if (!l->o->secrets || tree_find(&top, "users_file") == NULL ||
	    access(c->users_file, R_OK) == 0)
		return 0;
	error = errno;
	for (unsigned i = 0; i < c->nlisten; i++)
		login |= c->listen[i].tls != TLS_NONE || c->listen[i].plaintext_auth;
	if (!login)
		return 0;
	if (error == ENOENT)
		return check_blame(&l->ck, &top, "users_file", "%s: does not exist; "
		    "`gatepost passwd USER' creates it, or correct the path",
		    c->users_file);
	errno = error;
	file_refused(c->users_file, &why);
	return check_blame(&l->ck, &top, "users_file", "%s: %s", c->users_file,
	    why.text);
}

static int
load_all(struct load *l)
{
	char *file;
	int result;

	if (l->o->state != NULL && make_state(l) < 0)
		return -1;
	if (l->o->file != NULL)
		file = mem_text(l->o->file);
	else if (l->state != NULL)
		file = mem_printf("%s/gatepost.conf", l->state);
	else
		file = mem_text(config_default_file);
	l->c->file = file_absolute(file);
	if (l->o->for_unit && l->state == NULL && getenv("CREDENTIALS_DIRECTORY") == NULL)
		l->unit = unit_name(l->c->file, config_default_file);
	result = tree_read(&l->tree, file, false, l->why);
	free(file);
	if (result < 0)
		return -1;
	remember_tree(l, &l->tree);
	l->c->nconf = l->c->files.n;
	if (load_top(l) < 0 || load_listens(l) < 0 || check_users(l) < 0 ||
	    load_upstreams(l) < 0 || load_routes(l) < 0)
		return -1;
	if (l->providers.is_read)
		remember_tree(l, &l->providers.tree);
	ask_machine(l);
	return 0;
}

int
load_config(struct config *c, const struct config_options *o,
    void (*warn)(void *arg, const char *text), void *arg, struct why *why)
{
	struct why own = { "" };
	struct load l = { .o = o, .c = c };
	int result;

	if (o->make_state)
		file_for_daemon();
	l.why = why != NULL ? why : &own;
	l.ck = (struct check){ warn, arg, l.why };
	result = load_all(&l);
	tree_clear(&l.tree);
	providers_clear(&l.providers);
	free(l.state);
	free(l.unit);
	return result;
}
