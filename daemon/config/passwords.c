/*
 * An upstream's secrets: read from their files, or made sure that they can be; and those that systemd hands to the unit, for
 * a command that is not in it.
 */
#include "config/passwords.h"

#include "base/mem.h"
#include "config/secret.h"
#include "config/unit.h"
#include "config/word.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool
passwords_is_handed(const struct load *l, const char *path)
{
	for (unsigned i = 0; i < l->c->handed.n; i++)
		if (strcmp(l->c->handed.v[i], path) == 0)
			return true;
	return false;
}

char *
passwords_find_handed(struct load *l, const char *word)
{
	struct names *handed = &l->c->handed;
	char *path = NULL;

	if (l->unit != NULL && strchr(word, '/') == NULL)
		path = unit_find("", l->unit, word);
	if (path != NULL && !passwords_is_handed(l, path)) {
		handed->v = mem_resize(handed->v, handed->n + 1, sizeof *handed->v);
		handed->v[handed->n++] = mem_text(path);
	}
	return path;
}

/* The remedy for a relative name is rarely to create the file where we looked last. */
static int
blame_secret(struct load *l, const struct tree_section *s, const char *option, const char *path, const struct why *why)
{
	bool is_missing = errno == ENOENT, is_relative;
	const char **words;
	char *word;
	unsigned n;
	int result;

	words = tree_words(s, option, &n);
	word = mem_text(words[0]);
	free(words);
	is_relative = strchr(word, '/') == NULL;
	if (is_missing && passwords_is_handed(l, path))
		result = check_blame(&l->ck, s, option, "%s is what systemd hands to %s alone; start that first", word, l->unit);
	else if (is_missing && is_relative && l->state == NULL)
		result = check_blame(&l->ck, s, option, "%s: there is no such file; let systemd hand it over (`systemctl edit "
		    "gatepost': LoadCredential=%s:/WHERE/IT/IS), or write the whole path here", path, word);
	else
		result = check_blame(&l->ck, s, option, "%s: %s", path, why->text);
	free(word);
	return result;
}

/* `gatepost check' before the unit runs: what is encrypted, or a template's, nobody else can read. */
static bool
is_unseen(const struct load *l, const char *path)
{
	if (errno != ENOENT || !l->o->unseen || !passwords_is_handed(l, path))
		return false;
	check_warn(&l->ck, "%s cannot be checked before %s runs", path, l->unit);
	return true;
}

int
passwords_load(struct load *l, struct upstream *u, const struct tree_section *s)
{
	struct why why;

	if (!l->o->secrets || u->auth == AUTH_NONE || u->password[0] == '\0')
		mem_free_secret(&u->password);
	if (!l->o->secrets || u->auth == AUTH_NONE || u->password_file[0] == '\0')
		return 0;
	if (secret_read(&u->password, u->password_file, u->auth == AUTH_XOAUTH2 || u->auth == AUTH_OAUTHBEARER ?
	    SECRET_TOKEN_MAX : WORD_SECRET_MAX, l->c->user, &why) < 0) {
		if (!is_unseen(l, u->password_file))
			return blame_secret(l, s, "password_file", u->password_file, &why);
		u->password = mem_text("");
	}
	load_remember(l, u->password_file);
	return 0;
}

/* They are read when a token is asked for; here is only made sure that they can be. */
int
passwords_check_tokens(struct load *l, const struct upstream *u, const struct tree_section *oauth2)
{
	const struct { const char *option, *file; } files[] = {
		{ "client_secret_file", u->oauth2.client_secret_file },
		{ "refresh_token_file", u->oauth2.refresh_token_file }
	};
	struct why why;

	for (size_t i = 0; i < 2 && l->o->secrets && config_has_oauth2(u); i++) {
		char *secret = NULL;

		if (files[i].file[0] == '\0')
			continue;
		if (secret_read(&secret, files[i].file, SECRET_TOKEN_MAX, l->c->user, &why) < 0 && !is_unseen(l, files[i].file))
			return blame_secret(l, oauth2, files[i].option, files[i].file, &why);
		mem_free_secret(&secret);
		load_remember(l, files[i].file);
	}
	return 0;
}
