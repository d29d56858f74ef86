/* A row of the option table by its name. */
#ifndef TESTS_FIND_KEY_H
#define TESTS_FIND_KEY_H

#include <check.h>
#include <string.h>

#include "config/keys.h"

static inline const struct key *
find_key(const char *section, const char *name)
{
	const struct key *k;

	for (unsigned i = 0; (k = keys_get(i)) != NULL; i++)
		if (strcmp(k->option.section, section) == 0 && strcmp(k->option.name, name) == 0)
			return k;
	ck_abort_msg("no option %s in %s", name, section);
}

#endif
