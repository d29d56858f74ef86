/* `gatepost spool': looks at a spool without a daemon. */
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "spool/spool.h"

#include <stdio.h>
#include <string.h>

static void
on_line(void *arg, const char *line)
{
	(void)arg;
	puts(line);
}

static int
inspect(const char *dir, bool everything)
{
	struct why why;
	int damaged = spool_inspect(dir, everything, on_line, NULL, &why);

	if (damaged < 0)
		return command_fail(ARGS_FAILED, "spool: %s", why.text);
	if (!everything && damaged == 0)
		printf("%s: all is well\n", dir);
	if (fflush(stdout) != 0)
		return ARGS_FAILED;
	if (damaged > 0)
		return command_fail(ARGS_FAILED, "spool: %s: %d damaged; what could not be read is in its folder damaged",
		    dir, damaged);
	return ARGS_OK;
}

int
spool_check_run(int argc, char **argv)
{
	struct config *config;
	struct args a;
	bool everything;
	int status;

	if ((status = args_parse(&a, argc, argv, NULL)) != ARGS_GO_ON ||
	    (status = args_need(&a, 1, 2)) != ARGS_GO_ON)
		return status;
	everything = strcmp(a.name[0], "dump") == 0;
	if (!everything && strcmp(a.name[0], "check") != 0)
		return command_fail(ARGS_USAGE, "spool: `check' or `dump', not %s", a.name[0]);
	if (a.n == 2)
		return inspect(a.name[1], everything);
	if ((status = args_config(&a, false, &config)) != ARGS_OK)
		return status;
	status = inspect(config->spool_dir, everything);
	config_unref(&config);
	return status;
}
