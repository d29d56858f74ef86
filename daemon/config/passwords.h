/* The secrets of upstreams, wherever they are. */
#ifndef CONFIG_PASSWORDS_H
#define CONFIG_PASSWORDS_H

#include "config/load.h"

/* The path of a secret that the unit is handed, which then is one of config.handed; it counts more than a file of that
 * name, as in the unit.  NULL: it is handed none, or load.unit is NULL.  Caller frees. */
char *passwords_find_handed(struct load *l, const char *name);
bool passwords_is_handed(const struct load *l, const char *path);

/* upstream.password, from its file if it has one; none where nobody asked for it. */
int passwords_load(struct load *l, struct upstream *u, const struct tree_section *s) must_check;

/* The files that tokens are asked for with can be read. */
int passwords_check_tokens(struct load *l, const struct upstream *u, const struct tree_section *oauth2) must_check;

#endif
