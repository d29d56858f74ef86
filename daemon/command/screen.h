/* The terminal that tables are shown on: how wide it is, lines that fit, and one picture that is drawn anew.  Private to the room. */
#ifndef COMMAND_SCREEN_H
#define COMMAND_SCREEN_H

#include <stdbool.h>

#include "base/buf.h"

/* Places in a line; 0: standard output is no terminal, and lines are as long as they are. */
unsigned screen_width(void);

/* Appends text with lines broken at blanks; a line's rest is indented by 4 more than its beginning.  width 0: as it is. */
void screen_fold(struct buf *out, struct str text, unsigned width);

/*
 * Appends a stranger's text for a terminal: controls but TAB and the ends of lines, and what is not UTF-8, become visible.
 * It comes in parts, of which the first may end within a character; `kept' holds that end back, and `last' ends it.
 */
void screen_tame(struct buf *out, struct buf *kept, struct str text, bool last);

/* Is standard output a terminal that can be drawn on? */
bool screen_can_draw(void);

/*
 * The alternate screen, until screen_close or a signal that ends the program (then with status 0 after ^C: it was told to
 * watch until then).  Standard output must be a terminal.
 */
void screen_open(void);
void screen_draw(struct str text);	/* what does not fit at the bottom is left out; 0 columns or rows: all of it */
void screen_close(void);	/* also before an error is told; without screen_open nothing */

#endif
