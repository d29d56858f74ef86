/* The text that libconfuse gets: tokens in quotes, one line for each line of a file that has any. */
#ifndef CONFIG_PLAIN_H
#define CONFIG_PLAIN_H

#include "config/include.h"
#include "config/scan.h"

/* Adds the scan's newest token, of the file of that number, and where it came from.  -1: the text is too long. */
int plain_put(struct include *in, unsigned file, const struct scan *s, enum scan_token t) must_check;

#endif
