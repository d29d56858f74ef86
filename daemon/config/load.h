/* From files to a filled struct config. */
#ifndef CONFIG_LOAD_H
#define CONFIG_LOAD_H

#include "config/check.h"
#include "config/config.h"
#include "config/providers.h"
#include "config/tree.h"

/* One load under way. */
struct load {
	const struct config_options *o;
	struct config *c;
	struct tree tree;
	struct providers providers;
	char *state;			/* --state DIR, absolute, or NULL */
	char *unit;			/* the systemd unit to look for secrets in, or NULL */
	struct check ck;
	struct why *why;
};

/* Puts a file that was read among config.files, unless it is one of config.handed. */
void load_remember(struct load *l, const char *path);

/* *c is zeroed; after -1 it may hold some of what was read, for the caller to free. */
int load_config(struct config *c, const struct config_options *o,
    void (*warn)(void *arg, const char *text), void *arg, struct why *why) must_check;

#endif
