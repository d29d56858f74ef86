/* Tables for people: aligned columns, colours only where they can be seen.  Private to the room. */
#ifndef COMMAND_TABLE_H
#define COMMAND_TABLE_H

#include <stdbool.h>

#include "base/buf.h"

enum tint { TINT_NONE, TINT_BOLD, TINT_FAINT, TINT_GOOD, TINT_WARN, TINT_BAD, TINTS };

enum { TABLE_COLUMNS_MAX = 10 };

struct table_cell {
	size_t at, n;		/* in text */
	unsigned width;
	enum tint tint;
	bool across;		/* fills a row alone; empty cells follow it */
};

struct table {
	unsigned columns, indent;
	unsigned screen;	/* places in a line of the terminal; 0: any number */
	bool colour;
	unsigned width[TABLE_COLUMNS_MAX];	/* never shrink: a long table is printed in parts */
	struct buf text;
	struct table_cell *cell;
	size_t ncell, cap;
};

void table_init(struct table *t, unsigned columns, unsigned indent, bool colour);
void table_clear(struct table *t);
void table_put(struct table *t, enum tint tint, const char *text);	/* the next cell; made harmless */
void table_putf(struct table *t, enum tint tint, const char *fmt, ...) like_printf(3, 4);
void table_row(struct table *t, enum tint tint, const char *text);	/* a line across all columns */
void table_print(struct table *t, struct buf *out);	/* whole rows; then the table is empty, its widths stay */

/* A word or line of its own, in the same colours. */
void table_say(struct buf *out, bool colour, enum tint tint, const char *text);

/* Is standard output a terminal, and colour not unwanted (NO_COLOR)? */
bool table_wants_colour(void);

/* "4.1 KB" */
void table_size(char *out, size_t size, uint64_t octets);
/* "2 h", of seconds */
void table_span(char *out, size_t size, int64_t s);

/* Writes and flushes, on a terminal in lines that fit: 0, or -1 if standard output does not take it. */
int table_out(struct buf *b) must_check;	/* empties b */

#endif
