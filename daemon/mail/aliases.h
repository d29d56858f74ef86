/*
 * aliases(5), addresses only: "name: addr, addr" with continuation lines and #
 * comments.  Values may be other aliases (to a depth of 10) or addresses.  A pipe, a
 * file, an :include: or a loop is an error with its line.  Constant once made.
 */
#ifndef MAIL_ALIASES_H
#define MAIL_ALIASES_H

#include <stddef.h>

#include "base/str.h"
#include "base/why.h"

struct aliases;

/* `name' is the file's, for errors: "FILE:LINE: …". */
int aliases_parse(struct aliases **out, const char *name, struct str text, struct why *why) must_check;
void aliases_free(struct aliases **a);

/* Final addresses of a local name (case-insensitive): a NULL-ended array owned by
 * `a', or NULL if there is no such alias.  Every entry has a domain, or is a local
 * name without an alias of its own (then the postmaster rule decides). */
const char *const *aliases_find(const struct aliases *a, struct str name);

#endif
