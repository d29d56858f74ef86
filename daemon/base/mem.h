/*
 * Memory.  These never return NULL: when there is none the process exits with
 * a message, which is safe because all that was acknowledged is on disk.  What a
 * stranger can ask for is bounded by a limit before it comes here.  Freed by
 * free(3).
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/why.h"

void *mem_alloc(size_t size);			/* not cleared */
void *mem_zero(size_t size);			/* cleared */
void *mem_array(size_t count, size_t size);	/* cleared, overflow checked */
void *mem_resize(void *p, size_t count, size_t size); /* realloc, checked */
void *mem_copy(const void *p, size_t size);
char *mem_text(const char *s);			/* strdup; NULL gives NULL */
char *mem_textn(const char *s, size_t len);	/* adds the NUL */
char *mem_printf(const char *fmt, ...) like_printf(1, 2);

/* Overwrites a secret so that the compiler cannot leave it out, and frees it. */
void mem_wipe(void *p, size_t size);
void mem_free_secret(char **text);		/* wipes, frees, clears */

#endif
