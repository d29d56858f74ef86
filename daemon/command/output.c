/*
 * Standard output with a memory of why it failed: stdio forgets the reason, and each command would have to look after every
 * line.  So `stdout' is a stream of ours over the same descriptor, and the end of the program tells, once.
 */
#include "command/output.h"

#include "command/args.h"
#include "command/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int failure;	/* of the first write that did not succeed */

static ssize_t
on_write(void *cookie, const char *bytes, size_t n)
{
	size_t at = 0;

	(void)cookie;
	while (at < n) {
		ssize_t done = write(STDOUT_FILENO, bytes + at, n - at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			if (failure == 0)
				failure = done < 0 ? errno : EIO;
			break;
		}
		at += (size_t)done;
	}
	return (ssize_t)at;
}

void
output_open(void)
{
	FILE *f = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = on_write });

	if (f == NULL)
		return;
	(void)setvbuf(f, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
	stdout = f;
}

int
output_end(int status, const char *command)
{
	if (fflush(stdout) == 0 && failure == 0)
		return status;
	return command_fail(status == ARGS_OK ? ARGS_FAILED : status, "%s: standard output: %s", command,
	    failure != 0 ? strerror(failure) : "it cannot be written");
}
