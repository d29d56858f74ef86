/* One word of a value: what it means, or why it cannot. */
#ifndef CONFIG_WORD_H
#define CONFIG_WORD_H

#include "config/keys.h"

enum { WORD_SECRET_MAX = 1024, WORD_NAME_MAX = 47 };

/* Writes what s means for an option of k's kind to `to': a char * (new), a number, or a
 * list's element, which is zeroed before. */
int word_parse(const struct key *k, struct str s, void *to, struct why *why) must_check;

/* The port of "127.0.0.1:587" or "[::1]:465"; 0 if it is not that. */
unsigned word_port(struct str endpoint);

/* The title of an upstream or a route: letters, digits and ._- */
bool word_is_name(struct str s);

#endif
