/* The program: finds the subcommand and runs it.  Under the name sendmail or mailq it is that. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command/command.h"
#include "main/daemon.h"

/* Descriptors 0 to 2 must be something, for whatever we are called: else a socket could become standard input, and what it
 * says a message, or standard error. */
static void
keep_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* Commands have secrets too.  The limit is not for a core that a program takes (core(5)): that is asked for of no process which is
 * not dumpable. */
static void
leave_no_core(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static const char *
own_name(const char *argv0)
{
	const char *slash = argv0 != NULL ? strrchr(argv0, '/') : NULL;

	return slash != NULL ? slash + 1 : argv0 != NULL ? argv0 : "gatepost";
}

int
main(int argc, char **argv)
{
	const struct command *c = command_find(own_name(argv[0]));
	bool by_name = c != NULL;

	keep_standard_descriptors();
	leave_no_core();
	if (!by_name) {
		if (argc < 2) {
			(void)command_run(command_find("help"), 0, NULL);
			return 64;
		}
		if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
			return command_run(command_find("help"), 0, NULL);
		if (strcmp(argv[1], "--version") == 0)
			argv[1] += 2;
		c = command_find(argv[1]);
		if (c == NULL)
			return command_fail(64, "%s: there is no such command; `gatepost help' lists them", argv[1]);
		argc--;
		argv++;
	}
	return c->run != NULL ? command_run(c, argc, argv) : run_main(argc, argv);
}
