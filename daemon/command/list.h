/* Queue entries in words.  Private to the room. */
#ifndef COMMAND_LIST_H
#define COMMAND_LIST_H

#include <jansson.h>

#include "command/table.h"

enum { LIST_COLUMNS = 7 };

void list_row(struct table *t, const json_t *message);	/* an object as `queue --json' prints it */

/* "now", "in 3 min", "held", "-" */
void list_next(char *out, size_t size, const json_t *message);

#endif
