/* Shell patterns for addresses: `*' and `?' never match '@'; domains are compared
 * without case, local parts with.  A pattern without @ is compared as a whole. */
#ifndef MAIL_PATTERN_H
#define MAIL_PATTERN_H

#include <stdbool.h>

#include "base/str.h"

bool pattern_match(struct str pattern, struct str text);

/* Any of a comma-separated list (blanks around entries allowed). */
bool pattern_match_list(struct str list, struct str text);

#endif
