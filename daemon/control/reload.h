/* How `reload' is answered.  Private to the room. */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "control/commands.h"

enum answer reload_run(struct caller *c);
void reload_take(struct caller_host *h, struct reload *m);	/* main's answer; frees it */

#endif
