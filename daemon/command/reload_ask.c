/*
 * `gatepost reload': the daemon reads its configuration again, and says what came of it.  The file may be just what is
 * wrong, so that it cannot be asked where the daemon's socket is.
 */
#include "base/mem.h"
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "command/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a daemon with this file has its socket if the file says nothing of it; NULL: it may be anywhere.  In a unit's
 * ExecReload= systemd tells which one's we are. */
static char *
guess_socket(const struct args *a)
{
	const char *runtime = getenv("RUNTIME_DIRECTORY");

	if (a->state != NULL)
		return mem_printf("%s/control.sock", a->state);
	if (runtime != NULL && runtime[0] == '/' && strchr(runtime, ':') == NULL)
		return mem_printf("%s/control.sock", runtime);
	if (a->file == NULL || strcmp(a->file, config_default_file) == 0)
		return mem_text("/run/gatepost/control.sock");
	return NULL;
}

/* 0, or 78 after a complaint; the caller frees. */
static int
find_socket(const struct args *a, char **out)
{
	const struct config_options o = { .file = a->file, .state = a->state, .no_upstream = true };
	struct config *config = NULL;
	char *guess;
	struct why why;

	if (a->socket != NULL) {
		*out = mem_text(a->socket);
		return ARGS_OK;
	}
	guess = guess_socket(a);
	if (config_load(&config, &o, NULL, NULL, &why) < 0) {
		*out = guess;
		return guess != NULL ? ARGS_OK : command_fail(ARGS_CONFIG, "%s: %s; the daemon was not asked, since the file "
		    "names its socket: give it with --socket", a->command, why.text);
	}
	/* A changed path is not yet the running daemon's. */
	if (guess != NULL && access(config->control_socket, F_OK) < 0 && access(guess, F_OK) == 0) {
		*out = guess;
	} else {
		*out = mem_text(config->control_socket);
		free(guess);
	}
	config_unref(&config);
	return ARGS_OK;
}

static bool
on_answer(void *arg, const char *text, json_t *doc)
{
	bool *failed = arg;

	(void)text;
	*failed = printf("reloaded %s\n", talk_text(doc, "file")) < 0 || fflush(stdout) != 0;
	return true;
}

int
reload_ask_run(int argc, char **argv)
{
	bool failed = false;
	struct args a;
	char *socket;
	int status;

	if ((status = args_parse(&a, argc, argv, NULL)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 0)) != ARGS_GO_ON || (status = find_socket(&a, &socket)) != ARGS_OK)
		return status;
	status = talk_ask_at(socket, a.command, json_pack("{s:s}", "command", "reload"), on_answer, &failed);
	free(socket);
	return status == ARGS_OK && failed ? ARGS_FAILED : status;
}
