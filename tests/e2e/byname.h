/* The program under its other names, for the tests of sendmail and of the log. */
#ifndef E2E_BYNAME_H
#define E2E_BYNAME_H

#include "e2e/world.h"

/* A world whose daemon and programs find each other by the configuration alone; `rest' as for world_configure. */
void byname_up(struct world *w, const char *script, const char *rest);

/* Runs argv (argv[0] is the name) as that user with `in' on standard input; -C and --state are the caller's. */
int byname_run(const char *const *argv, unsigned uid, const char *in, size_t n, char *out, size_t size);

/* sendmail -C this world's configuration, with these words behind it. */
int byname_sendmail(const struct world *w, char *out, size_t size, const char *in, const char *const *words);

#endif
