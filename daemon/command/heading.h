/* A message's header, as sendmail acts on it: who it is for (-t), domains for bare addresses, a From: where there is
 * none.  Headers are CRLF lines without the empty one.  Private to the room. */
#ifndef COMMAND_HEADING_H
#define COMMAND_HEADING_H

#include "base/buf.h"

struct rcpts {
	char **v;
	size_t n, room;
};

void rcpts_clear(struct rcpts *r);

/* Adds the addresses of a list; -1: one of them cannot be read: why. */
int heading_list(struct rcpts *r, struct str list, struct why *why) must_check;

/* Adds those of To:, Cc: and Bcc:; of their Resent- kin instead where those name anybody, as Postfix does. */
int heading_recipients(struct rcpts *r, struct str header, struct why *why) must_check;

/* Appends the header, with `host' for domains that addresses lack. */
void heading_put(struct buf *out, struct str header, const char *host);

bool heading_has(struct str header, const char *field);

/* Appends "From: name <address>". */
void heading_put_from(struct buf *out, const char *name, const char *address);

#endif
