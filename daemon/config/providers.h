/* Presets: what providers.conf knows of a mail provider. */
#ifndef CONFIG_PROVIDERS_H
#define CONFIG_PROVIDERS_H

#include "config/tree.h"

struct providers {
	char *file;		/* where they are, read at first use */
	bool is_read;
	struct tree tree;
};

void providers_init(struct providers *p, const char *file);
void providers_clear(struct providers *p);
int providers_read(struct providers *p, struct why *why) must_check;

/* The preset of that name; -1: *why names what is like it. */
int providers_get(struct providers *p, const char *name,
    struct tree_section *out, struct why *why) must_check;

/* What providers.conf says about its user names; "" if nothing.  Borrowed. */
const char *providers_note(const struct tree_section *preset);

#endif
