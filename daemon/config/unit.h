/* What systemd hands to the unit of a configuration, for a command that is not in it. */
#ifndef CONFIG_UNIT_H
#define CONFIG_UNIT_H

#include <stdbool.h>

/* The unit that runs with that file, both absolute: gatepost.service with the default one, gatepost@NAME.service with NAME.conf
 * beside it; else NULL.  Caller frees. */
char *unit_name(const char *file, const char *default_file);

/*
 * Where the unit's credential of that name is: in the running unit, else where LoadCredential= takes it from; NULL: the unit is
 * handed none.  It may be a place in the running unit that is not there yet, where only systemd can tell what will be in
 * it.  `root' goes before every path.  Caller frees.
 */
char *unit_find(const char *root, const char *unit, const char *name);

#endif
