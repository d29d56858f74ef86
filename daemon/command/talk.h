/* Asking the daemon, and reading what it answers.  Private to the room. */
#ifndef COMMAND_TALK_H
#define COMMAND_TALK_H

#include <jansson.h>

#include "command/args.h"

/* Takes request.  line() gets each answer, as sent and as read; false from it stops.  The exit status: 0, or 1, 75…
 * after a complaint.  `doc' lives until line() returns. */
int talk_ask(const struct args *a, json_t *request, bool (*line)(void *arg, const char *text, json_t *doc), void *arg);
int talk_ask_at(const char *socket, const char *command, json_t *request,
    bool (*line)(void *arg, const char *text, json_t *doc), void *arg);

/* A member of an object, "" or 0 where it is missing or of another type. */
const char *talk_text(const json_t *o, const char *key);
json_int_t talk_num(const json_t *o, const char *key);

#endif
