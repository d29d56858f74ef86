/*
 * Every option of a section, by the table: the user's words, else the preset's, else the
 * default; relative paths become absolute, and what nothing acts on yet is refused.
 */
#include "config/apply.h"

#include "base/mem.h"
#include "config/file.h"
#include "config/guard.h"
#include "config/pem.h"
#include "config/passwords.h"
#include "config/secret.h"
#include "config/value.h"

#include <stdlib.h>
#include <string.h>

/* What --state puts in place of a default. */
static char *
state_default(const struct load *l, const char *name)
{
	static const struct { const char *name, *in_dir; } own[] = {
		{ "spool_dir", "spool" },
		{ "control_socket", "control.sock" },
		{ "submit_socket", "submit.sock" },
		{ "users_file", "users" }
	};

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strcmp(name, own[i].name) == 0)
			return mem_printf("%s/%s", l->state, own[i].in_dir);
	return strcmp(name, "user") == 0 ? mem_text("") : NULL;
}

static int
apply_default(struct load *l, const struct key *k, void *base)
{
	bool is_top = k->option.section[0] == '\0';
	const char *providers = getenv("GATEPOST_PROVIDERS");
	char *own = NULL;
	struct why why;
	int result = 0;

	if (is_top && l->state != NULL)
		own = state_default(l, k->option.name);
	if (is_top && strcmp(k->option.name, "providers_file") == 0 &&
	    providers != NULL && providers[0] != '\0')
		own = file_absolute(providers);
	if (own == NULL) {
		value_default(k, base);
		return 0;
	}
	if (value_set(k, base, (const char *const[]){ own }, 1, &why) < 0)
		result = fail(l->why, "%s: %s: %s", own, k->option.name,
		    why.text);
	free(own);
	return result;
}

/* An option that nothing acts on yet. */
static bool
is_for_later(const struct key *k, const char *word)
{
	return (k->flags & KEY_LATER) && strcmp(word, k->option.dflt) != 0;
}

/* A file of certificates, or a key: it is there, and at first sight it is what it should be. */
static int
check_there(struct load *l, const struct key *k, const char *path,
    struct why *why)
{
	struct buf text = { 0 };
	bool is_key = strcmp(k->option.name, "key") == 0;
	struct stat st;
	struct why reason;
	int result;

	if (file_read(&text, path, PEM_BYTES_MAX, 0, &st, &reason) < 0 ||
	    pem_check(buf_str(&text), is_key, &reason) < 0 ||
	    (is_key && guard_readers(path, &st, &reason) < 0) ||
	    guard_writers(path, &st, &reason) < 0)
		result = fail(why, "%s: %s", path, reason.text);
	else {
		load_remember(l, path);
		result = 0;
	}
	mem_wipe(text.data, text.cap);
	return result;
}

/* A path from where it is written: relative ones belong to their file. */
static char *
resolve(struct load *l, const struct key *k, const struct tree_section *from, const char *word)
{
	const struct place *at = tree_find(from, k->option.name);
	const char *dir = from->tree->in->file[at->file].dir;

	if (word[0] == '\0' || word[0] == '/')
		return mem_text(word);
	if (k->flags & KEY_CREDENTIAL) {
		char *handed = passwords_find_handed(l, word);

		return handed != NULL ? handed : secret_path(word, dir);
	}
	return mem_printf("%s/%s", strcmp(dir, "/") == 0 ? "" : dir, word);
}

static int
apply_words(struct load *l, const struct key *k, void *base,
    const struct tree_section *from, bool is_user)
{
	const char *name = k->option.name;
	struct why why = { "" };
	struct key own = *k;
	const char **words;
	char *path = NULL;
	unsigned n;
	int result = -1;

	words = tree_words(from, name, &n);
	if (tree_find(from, name)->is_expanded)	/* what the environment holds is not repeated either */
		own.flags |= KEY_UNSAID;
	if (k->kind == KEY_PATH)
		words[0] = path = resolve(l, k, from, words[0]);
	if (is_user && k->kind < KEY_NAMES && is_for_later(k, words[0]))
		fail(&why, "%s%s%s is not supported by this version; remove it",
		    k->kind == KEY_CHOICE ? "`" : "", k->kind == KEY_CHOICE ?
		    words[0] : "this option", k->kind == KEY_CHOICE ? "'" : "");
	else if (value_set(&own, base, words, n, &why) == 0)
		result = k->flags & KEY_THERE && l->o->secrets &&
		    words[0][0] != '\0' ? check_there(l, k, words[0], &why) : 0;
	if (result < 0)
		check_blame(&l->ck, from, name, "%s", why.text);
	free(path);
	free(words);
	return result;
}

int
apply_section(struct load *l, const char *section, void *base,
    const struct tree_section *user, const struct tree_section *preset)
{
	const struct key *k;
	int result;

	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++) {
		if (strcmp(k->option.section, section) != 0)
			continue;
		if (tree_find(user, k->option.name) != NULL)
			result = apply_words(l, k, base, user, true);
		else if (k->flags & KEY_PRESET && preset != NULL &&
		    tree_find(preset, k->option.name) != NULL)
			result = apply_words(l, k, base, preset, false);
		else
			result = apply_default(l, k, base);
		if (result < 0)
			return -1;
	}
	return 0;
}
