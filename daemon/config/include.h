/*
 * A configuration file with all that it includes, as one text that libconfuse can read
 * without surprises, and a note of where each option and section came from.
 */
#ifndef CONFIG_INCLUDE_H
#define CONFIG_INCLUDE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/why.h"

struct include_file {
	char *path;	/* as it was opened: for messages */
	char *dir;	/* absolute: what its relative names are relative to */
	mode_t mode;
	uid_t owner;
};

/* Where an option or a section stands.  The first place is the top level's. */
struct place {
	unsigned section;	/* index of the place of the section it stands in */
	char *name;
	char *title;		/* of a section; "" if it has none; NULL: an option */
	unsigned file, line;
	bool is_behind;		/* a secret's rest may stand there (unsaid.h) */
	bool is_expanded;	/* its value or title has a variable's value */
};

struct include {
	struct buf text;	/* what libconfuse gets: tokens, one source line each line */
	struct origin { unsigned file, line; } *origin;	/* of the text's lines */
	unsigned norigin;
	struct include_file *file;
	unsigned nfile;
	struct place *place;
	unsigned nplace;
};

/* -1: unreadable, an unset variable, a NUL, something given twice, a brace without
 * its other; *why is complete, with file and line. */
int include_read(struct include **out, const char *path, struct why *why) must_check;
void include_free(struct include **in);

/* The option (title NULL) or section in `section'; NULL: not in the file. */
const struct place *include_find(const struct include *in,
    const struct place *section, const char *name, const char *title);

/* A place's title, or word of its value, as a complaint may have it. */
const char *include_said(const struct place *at, const char *word);

/* "FILE:LINE: OPTION: reason" for a place (option NULL: no name is put in), without the reason where that might say a
 * secret. */
int include_blame(const struct include *in, const struct place *at,
    const char *option, struct why *why, const char *fmt, ...) like_printf(5, 6);

/* The same for a line of the text. */
int include_blame_line(const struct include *in, unsigned line,
    struct why *why, const char *fmt, ...) like_printf(4, 5);

#endif
