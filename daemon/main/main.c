/* The program: finds the subcommand and runs it.  Under the name sendmail or mailq it is that. */
#include <stdio.h>
#include <string.h>

#include "command/command.h"
#include "main/daemon.h"

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
