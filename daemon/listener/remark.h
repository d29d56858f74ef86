/* Lines of the log that a client can provoke as often as it likes: so many a second, and of the rest the number. */
#ifndef LISTENER_REMARK_H
#define LISTENER_REMARK_H

#include <stdbool.h>
#include <stdint.h>

struct remarks {		/* a listener thread's */
	int64_t since_ms;
	unsigned made, unsaid;
};

/* May one more be written?  Before the first of another second a line says how many were not. */
bool remark_may(struct remarks *r, int64_t now_ms);

#endif
