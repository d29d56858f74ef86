/* Values: from an option's words to a member of its section's struct, by kind. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "config/keys.h"

/* Parses `n' words (one, unless it is a list) into the struct at `base'; what was there
 * is freed.  -1: *why says what is wrong and how to write it; base is unchanged. */
int value_set(const struct key *k, void *base, const char *const *words,
    unsigned n, struct why *why) must_check;

/* The option's default, which our own table vouches for. */
void value_default(const struct key *k, void *base);

/* Frees what all options of a section hold. */
void value_clear(const char *section, void *base);

/* Same value?  For the kinds of options that a reload cannot change. */
bool value_same(const struct key *k, const void *a, const void *b);

#endif
