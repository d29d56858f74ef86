/* How `trace' and `follow' are answered.  Private to the room. */
#ifndef CONTROL_STORY_H
#define CONTROL_STORY_H

#include "control/commands.h"

enum answer story_trace(struct caller *c);
enum answer story_follow(struct caller *c);

#endif
