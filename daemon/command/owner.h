/* Root in a place that is somebody else's: as that one, so that no link there leads to what is root's (C-30). */
#ifndef COMMAND_OWNER_H
#define COMMAND_OWNER_H

#include "config/config.h"

/*
 * For good, if we are root: whoever the directory of the file belongs to, or a link on the way to it; with --state whoever that
 * directory belongs to, for its configuration names the file.  Else nothing happens.
 */
int owner_become(const struct config *c, const char *file, struct why *why) must_check;

#endif
