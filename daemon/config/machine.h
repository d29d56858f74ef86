/* What the machine says of itself, where the file says nothing. */
#ifndef CONFIG_MACHINE_H
#define CONFIG_MACHINE_H

#include <stdbool.h>

/* A name with a dot, for EHLO.  *made_up: the machine has none, ".localdomain" was added. */
char *machine_name(bool *made_up);

/* Listener threads: one per core that we may use, at most 4. */
unsigned machine_threads(void);

#endif
