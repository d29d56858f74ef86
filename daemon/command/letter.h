/*
 * A message as a program wrote it to our standard input: all of it is read before anybody is spoken to, since a job may
 * take hours to write its output and no daemon waits so long.  Up to 256 KB stay in memory, the rest goes to a file
 * without a name.  Private to the room.
 */
#ifndef COMMAND_LETTER_H
#define COMMAND_LETTER_H

#include "base/buf.h"
#include "mail/crlf.h"

enum { LETTER_HEADER_MAX = 1024 * 1024 };

struct letter {
	struct buf header;	/* its fields, CRLF lines, without the empty line behind them */
	bool has_8bit;
	uint64_t octets;	/* behind the header */
	/* private */
	struct crlf crlf;
	struct buf body;
	int fd;			/* -1: all is in `body' */
	bool in_body;
	size_t judged;		/* octets of `header' that are whole fields */
};

/* 0, or the exit status to give up with: why.  max: octets, 0: any. */
int letter_read(struct letter *l, int from, bool dot_ends, uint64_t max, struct why *why) must_check;
void letter_clear(struct letter *l);

/* Hands what is behind the header to take(), in pieces; -1: why. */
int letter_each(struct letter *l, int (*take)(void *arg, struct str piece, struct why *why), void *arg,
    struct why *why) must_check;

#endif
