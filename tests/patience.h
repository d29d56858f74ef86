/* How long a test waits for what must come.  A time that is out is a failure, so it is one that no machine needs. */
#ifndef TESTS_PATIENCE_H
#define TESTS_PATIENCE_H

#include <stdlib.h>

/* CK_TIMEOUT_MULTIPLIER says how slow machine and program may be for the tests' own limits; half of it for what one waits for. */
static inline int
patience(int ms)
{
	const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
	int n = multiplier != NULL ? atoi(multiplier) / 2 : 1;

	return n > 1 ? ms * n : ms;
}

#endif
