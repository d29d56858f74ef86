/*
 * Cuts a configuration file's text into tokens, as libconfuse's scanner would, and
 * refuses what libconfuse would let pass in silence.  Pure but for the environment.
 */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

#include "base/buf.h"
#include "base/str.h"
#include "base/why.h"

enum scan_token {
	SCAN_END,
	SCAN_TEXT,	/* a word or a quoted string: its bytes are in `value' */
	SCAN_EQUAL,
	SCAN_OPEN,	/* { */
	SCAN_CLOSE,
	SCAN_COMMA,
	SCAN_PAREN,	/* ( */
	SCAN_UNPAREN,
	SCAN_BAD	/* the why of scan_next tells */
};

struct scan {
	struct str rest;	/* not read yet */
	unsigned line;		/* of its first byte */
	unsigned token_line;	/* where the last token began */
	bool quoted;		/* the last text was a string, not a word */
	bool expanded;		/* it has a variable's value */
	bool unsaid;		/* no complaint repeats a piece of the next token ... */
	unsigned unsaid_line;	/* ... nor of any up to this line */
	struct buf value;
};

/* `text' must live as long as the scan; it may start with a byte-order mark and have
 * CRLF lines. */
void scan_init(struct scan *s, struct str text);
void scan_clear(struct scan *s);	/* wipes: a value may be a password */
enum scan_token scan_next(struct scan *s, struct why *why);

#endif
