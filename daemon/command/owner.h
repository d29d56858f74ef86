/* A file that root changes in a place that may be somebody else's: as that one, and in that place (C-30). */
#ifndef COMMAND_OWNER_H
#define COMMAND_OWNER_H

#include "config/config.h"

/*
 * Goes to the directory in which `file' really lies, and if we are root becomes, for good, the one to whom that directory belongs, or
 * a link on the way to it; with --state first of all whoever the state directory or the configuration belongs to, for that names the
 * file.  From then on the file is *name (the caller frees it): no slash is in it, so nobody who could change the way leads us elsewhere.
 */
int owner_enter(const struct config *c, const char *file, char **name, struct why *why) must_check;

#endif
