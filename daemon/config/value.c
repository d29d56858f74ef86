/* Where values live: put into their section's struct, compared, freed. */
#include "config/value.h"

#include "base/mem.h"
#include "config/word.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_WORDS_MAX = 16 };

/* Of a list: the size of one. */
static const unsigned element[KEY_KINDS] = {
	[KEY_NAMES] = sizeof(char *),
	[KEY_SPANS] = sizeof(int64_t),
	[KEY_CHAIN] = sizeof(struct chain_entry),
	[KEY_NETWORKS] = sizeof(struct cidr),
	[KEY_REPLIES] = sizeof(struct too_fast)
};

/* A value, or each element, is a char * that we own. */
static bool
is_text(const struct key *k)
{
	return k->kind <= KEY_URL || k->kind == KEY_NAMES;
}

static void *
at(const void *base, unsigned offset)
{
	return (char *)(uintptr_t)base + offset;
}

static void
clear_list(const struct key *k, void *base)
{
	void **list = at(base, k->at);
	unsigned *n = at(base, k->count_at);

	if (is_text(k))
		for (unsigned i = 0; i < *n; i++)
			free(((char **)*list)[i]);
	free(*list);
	*list = NULL;
	*n = 0;
}

static void
clear(const struct key *k, void *base)
{
	char **text = at(base, k->at);

	if (element[k->kind] > 0)
		clear_list(k, base);
	else if (k->kind == KEY_SECRET)
		mem_free_secret(text);
	else if (is_text(k)) {
		free(*text);
		*text = NULL;
	}
}

static int
set_list(const struct key *k, void *base, const char *const *words, unsigned n,
    struct why *why)
{
	unsigned size = element[k->kind], done = 0;
	unsigned long min = strtoul(k->min, NULL, 10);
	char *list;

	if (n < min || n > strtoul(k->max, NULL, 10))
		return fail(why, "has %u entries; give it %s to %s", n, k->min,
		    k->max);
	list = mem_array(n, size);
	while (done < n && word_parse(k, str_of(words[done]),
	    list + (size_t)done * size, why) == 0)
		done++;
	if (done < n) {
		for (unsigned i = 0; is_text(k) && i < done; i++)
			free(((char **)(void *)list)[i]);
		free(list);
		return -1;
	}
	clear_list(k, base);
	*(void **)at(base, k->at) = list;
	*(unsigned *)at(base, k->count_at) = n;
	return 0;
}

int
value_set(const struct key *k, void *base, const char *const *words,
    unsigned n, struct why *why)
{
	union { char *text; uint64_t n; struct rate rate; } value = { 0 };
	bool is_empty;

	if (element[k->kind] > 0)
		return set_list(k, base, words, n, why);
	is_empty = words[0][0] == '\0';
	if (is_empty && k->kind == KEY_CHOICE)
		return fail(why, "is empty; give it one of %s", k->min);
	if (is_empty && k->option.dflt[0] != '\0' && !(k->flags & KEY_EMPTY))
		return fail(why, "is empty; give it a value as %s, or remove "
		    "the line", k->option.dflt);
	if (is_empty && is_text(k))
		value.text = mem_text("");
	else if (!is_empty && word_parse(k, str_of(words[0]), &value, why) < 0)
		return -1;
	clear(k, base);
	memcpy(at(base, k->at), &value, k->size);
	return 0;
}

void
value_default(const struct key *k, void *base)
{
	const char *words[DEFAULT_WORDS_MAX] = { k->option.dflt };
	struct str rest = str_of(k->option.dflt), part;
	unsigned n = 0;
	struct why why;

	/* The file could not always say this: a rule of the reader's follows. */
	if (rest.n == 0 && (element[k->kind] > 0 || k->kind == KEY_CHOICE)) {
		clear(k, base);
		return;
	}
	while (element[k->kind] > 0 && n < DEFAULT_WORDS_MAX &&
	    str_split(&rest, ',', &part))
		words[n++] = str_dup(str_trim(part));
	if (value_set(k, base, words, n, &why) < 0)
		bug("default of %s: %s", k->option.name, why.text);
	for (unsigned i = 0; i < n; i++)
		free((char *)(uintptr_t)words[i]);
}

void
value_clear(const char *section, void *base)
{
	const struct key *k;

	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++)
		if (strcmp(k->option.section, section) == 0)
			clear(k, base);
}

bool
value_same(const struct key *k, const void *a, const void *b)
{
	const char *const *x = at(a, k->at), *const *y = at(b, k->at);

	if (element[k->kind] > 0)
		bug("%s: a list is not compared", k->option.name);
	if (is_text(k))
		return strcmp(*x, *y) == 0;
	return memcmp(x, y, k->size) == 0;
}
