/* The table of subcommands: main, help and the manual page follow it. */
#include "command/command.h"

#include "base/buf.h"
#include "base/log.h"
#include "command/output.h"
#include "command/runs.h"
#include "command/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct command commands[] = {
	{ "run", NULL, "[-c FILE] [--state DIR]",
	  "the daemon, in the foreground; with --state everything lives in DIR, without root" },
	{ "check", checkup_run, "[-c FILE] [--state DIR]",
	  "validate the configuration, credentials, TLS files and permissions" },
	{ "probe", probe_show_run, "[-c FILE] [UPSTREAM] [--host H] [--provider P] [--json]",
	  "try every port of the chain: name, TCP, TLS, EHLO, AUTH; sends no mail" },
	{ "reload", reload_ask_run, "[-c FILE]",
	  "let the daemon read its configuration again, and say whether it is in force" },
	{ "status", status_run, "[--json] [--watch]",
	  "health of upstreams and ports, queue totals, rates" },
	{ "queue", list_run, "[--json] [--from A] [--to A] [--older D] [--held] [--limit N]",
	  "list what waits; A is a pattern, D a span like 4h" },
	{ "show", show_run, "ID [--headers|--raw]",
	  "one message: envelope, recipients, attempts; or its text" },
	{ "trace", trace_show_run, "ID [--json]",
	  "what happened to a message, attempt by attempt, also after its end while that is kept" },
	{ "retry", act_retry, "ID...|--all [--upstream U]",
	  "try now, whatever the schedule says" },
	{ "hold", act_hold, "ID...|--all",
	  "keep messages back until they are released" },
	{ "release", act_release, "ID...|--all",
	  "let held messages go" },
	{ "delete", act_delete, "ID...|--all [--yes]",
	  "remove messages for good, without a bounce; asks on a terminal" },
	{ "test", submit_test_run, "[--from A] RECIPIENT",
	  "submit a test message and follow it to the provider's answer" },
	{ "passwd", passwd_run, "[-d] USER",
	  "add, change or (-d) delete a local submission user" },
	{ "ca", ca_show_run, "[--renew]",
	  "print the local CA's certificate, and where to install it" },
	{ "spool", spool_check_run, "check|dump [DIR]",
	  "verify, or describe, a spool" },
	{ "version", help_version, "",
	  "print the version" },
	{ "help", command_help, "[COMMAND]",
	  "this list, or more about one command" },
	{ NULL, NULL, NULL, NULL },
};

/* Under these names the program is known to others. */
static const struct command aliases[] = {
	{ "sendmail", sendmail_run, "[-t] [-i] [-f ADDR] [-F NAME] [-bm|-bs|-bp] [-C FILE] [--] RCPT...",
	  "submit the message on standard input, as the user who runs it; see sendmail(8)" },
	{ "mailq", list_mailq, "", "as gatepost queue" },
	{ "newaliases", sendmail_newaliases, "", "nothing: the daemon reads aliases_file itself" },
	{ NULL, NULL, NULL, NULL },
};

static const struct command *
find(const struct command *table, const char *name)
{
	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const struct command *
command_find(const char *name)
{
	const struct command *c = find(commands, name);

	return c != NULL ? c : find(aliases, name);
}

int
command_run(const struct command *c, int argc, char **argv)
{
	output_open();
	return output_end(c->run(argc, argv), c->name);
}

int
command_fail(int status, const char *fmt, ...)
{
	struct buf line = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_puts(&line, log_priority(LOG_ERROR));
	buf_puts(&line, "gatepost: ");
	str_safe(&line, str_of(text), true);
	buf_putc(&line, '\n');
	fflush(stdout);
	screen_close();
	fwrite(line.data, 1, line.len, stderr);
	buf_clear(&line);
	return status;
}
