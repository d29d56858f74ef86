/* Memory that is there, or a process that is not. */
#include "base/mem.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* Not through the log: that would allocate. */
static _Noreturn void
out_of_memory(void)
{
	static const char text[] = "gatepost: out of memory\n";

	log_flush();
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(EX_TEMPFAIL);
}

static void *
must(void *p)
{
	if (p == NULL)
		out_of_memory();
	return p;
}

void *
mem_alloc(size_t size)
{
	return must(malloc(size > 0 ? size : 1));
}

void *
mem_zero(size_t size)
{
	return mem_array(1, size);
}

void *
mem_array(size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return must(calloc(count, size));
}

void *
mem_resize(void *p, size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return must(reallocarray(p, count, size));
}

void *
mem_copy(const void *p, size_t size)
{
	void *copy = mem_alloc(size);

	if (size > 0)
		memcpy(copy, p, size);
	return copy;
}

char *
mem_text(const char *s)
{
	return s != NULL ? mem_copy(s, strlen(s) + 1) : NULL;
}

char *
mem_textn(const char *s, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		out_of_memory();
	copy = mem_alloc(len + 1);
	if (len > 0)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_printf(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		out_of_memory();
	va_end(ap);
	return text;
}

void
mem_wipe(void *p, size_t size)
{
	if (p == NULL)
		return;
	explicit_bzero(p, size);
	free(p);
}

void
mem_free_secret(char **text)
{
	if (*text != NULL)
		mem_wipe(*text, strlen(*text));
	*text = NULL;
}
