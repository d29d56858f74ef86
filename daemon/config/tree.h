/* A file as libconfuse read it: sections and the words of their options. */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <confuse.h>

#include "config/include.h"
#include "config/keys.h"

struct tree {
	struct include *in;
	cfg_t *root;
};

struct tree_section {
	const struct tree *tree;
	cfg_t *cfg;			/* NULL: the file does not have it */
	const struct place *place;
};

/* Reads gatepost.conf, or (presets) providers.conf. */
int tree_read(struct tree *t, const char *file, bool presets, struct why *why) must_check;
void tree_clear(struct tree *t);

struct tree_section tree_top(const struct tree *t);

/* The nth section of that name directly inside; .cfg is NULL behind the last. */
struct tree_section tree_section(const struct tree_section *in, const char *name,
    unsigned n);

/* Where the option stands, NULL if it does not. */
const struct place *tree_find(const struct tree_section *in, const char *option);

/* The words of an option that stands there: *n of them, to be freed with free(). */
const char **tree_words(const struct tree_section *in, const char *option, unsigned *n);

#endif
