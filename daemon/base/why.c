/* Reasons for the operator, and the end of a program that found itself wrong. */
#include "base/why.h"

#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int
fail(struct why *why, const char *fmt, ...)
{
	char text[2 * sizeof why->text];	/* an argument may be why->text */
	int saved = errno;
	va_list ap;

	if (why == NULL)
		return -1;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	str_fit(why->text, sizeof why->text, str_of(text));
	errno = saved;
	return -1;
}

_Noreturn void
bug(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	log_event(LOG_ERROR, "bug", log_text("what", text));
	abort();
}
