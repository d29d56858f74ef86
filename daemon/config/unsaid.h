/*
 * What of a configuration file no complaint repeats: the values of options that hold secrets, and whatever stands where
 * the rest of such a value may stand when its quotes are missing or misplaced.
 */
#ifndef CONFIG_UNSAID_H
#define CONFIG_UNSAID_H

#include <stdbool.h>

#include "config/scan.h"

/* Of one file, as far as it has been read. */
struct unsaid {
	const char *secret;	/* the option being read, or just read, holds one: its name; "" one that we do not know */
	const char *behind;	/* the newest name stands behind a secret on its line: that one's name, else NULL */
	bool is_bare;		/* that secret's value had no quotes: it may go on in the next line */
	unsigned value_line;	/* up to it a word may be the rest of some value */
	unsigned secret_line;	/* up to it anything may be the rest of a secret */
};

enum unsaid_name {
	UNSAID_NAME,		/* of an option; or it may be repeated */
	UNSAID_REST,		/* may be the rest of the value before it */
	UNSAID_WORD,		/* is no name, and may be repeated */
	UNSAID_NONE		/* is no name, and may not */
};

/* Before a token is read.  `any': it stands where variables have no business. */
void unsaid_before(const struct unsaid *u, struct scan *s, bool any);

/* The token is in the place of a name. */
enum unsaid_name unsaid_name(struct unsaid *u, const struct scan *s);

/* The token has been taken; is_value: it was a value, or of a list of them. */
void unsaid_after(struct unsaid *u, const struct scan *s, bool is_value);

/* The newest name is in no table. */
bool unsaid_is_unknown(const struct unsaid *u);

/* A section ended: the next name has nothing to do with what was before. */
void unsaid_end(struct unsaid *u);

#endif
