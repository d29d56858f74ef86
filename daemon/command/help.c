/* `gatepost help' and `gatepost version': what the table of commands says. */
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "command/table.h"

#include <stdio.h>
#include <string.h>

int
help_version(int argc, char **argv)
{
	struct args a;
	int status;

	if ((status = args_parse(&a, argc, argv, NULL)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 0)) != ARGS_GO_ON)
		return status;
	return printf("gatepost %s\n", VERSION) < 0 || fflush(stdout) != 0 ? ARGS_FAILED : ARGS_OK;
}

static bool
talks_to_daemon(const struct command *c)
{
	static const char *const names[] = { "reload", "status", "queue", "show", "trace", "retry", "hold", "release",
	    "delete", "test" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(c->name, names[i]) == 0)
			return true;
	return false;
}

static int
help_one(const char *name)
{
	const struct command *c = command_find(name);
	struct buf out = { 0 };
	int status;

	if (c == NULL)
		return command_fail(ARGS_USAGE, "help: there is no command %s; `gatepost help' lists them", name);
	buf_printf(&out, "gatepost %s%s%s\n    %s\n\n", c->name, c->usage[0] != '\0' ? " " : "", c->usage, c->help);
	buf_puts(&out, "    -c FILE        the configuration (default " SYSCONFDIR "/gatepost/gatepost.conf; with --state DIR\n"
	    "                   DIR/gatepost.conf)\n"
	    "    --state DIR    of a daemon started by `gatepost run --state DIR'\n");
	if (talks_to_daemon(c))
		buf_puts(&out, "    --socket PATH  the daemon's control socket\n");
	buf_puts(&out, "\nMore in gatepost(1).\n");
	status = table_out(&out);
	buf_clear(&out);
	return status < 0 ? ARGS_FAILED : ARGS_OK;
}

int
command_help(int argc, char **argv)
{
	struct args a;
	struct table t;
	struct buf out = { 0 };
	int status;

	if (argc == 2 && argv[1][0] != '-')
		return help_one(argv[1]);
	if (argc > 0 && ((status = args_parse(&a, argc, argv, NULL)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 1)) != ARGS_GO_ON))
		return status;
	if (argc > 0 && a.n == 1)
		return help_one(a.name[0]);
	table_init(&t, 2, 4, table_wants_colour());
	buf_puts(&out, "gatepost: a local submission relay\n\n");
	for (const struct command *c = commands; c->name != NULL; c++) {
		table_put(&t, TINT_BOLD, c->name);
		table_put(&t, TINT_NONE, c->help);
	}
	table_print(&t, &out);
	buf_puts(&out, "\n`gatepost help COMMAND' shows its options; gatepost(1) tells all.\n");
	table_clear(&t);
	status = table_out(&out);
	buf_clear(&out);
	return status < 0 ? ARGS_FAILED : ARGS_OK;
}
