/* `gatepost retry', `hold', `release' and `delete': what the operator does to queued messages. */
#include "base/ident.h"
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "command/talk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 200 };	/* ids in one request, which is bounded to 8 KB */

struct action {
	const char *done;	/* "3 messages …" */
	bool upstream, asks;
};

struct acting {
	const char *command;
	long long count;
	bool failed;
};

static bool
on_answer(void *arg, const char *text, json_t *doc)
{
	struct acting *act = arg;

	(void)text;
	if (json_is_false(json_object_get(doc, "done"))) {
		act->failed = true;
		command_fail(ARGS_FAILED, "%s: %s: %s", act->command, talk_text(doc, "id"), talk_text(doc, "reason"));
	}
	act->count += talk_num(doc, "count");
	return true;
}

/* False: the operator thought better of it. */
static bool
confirm(const struct args *a, bool all)
{
	char answer[16];

	if (all)
		fprintf(stderr, "Delete every message in the queue, without a bounce? [y/N] ");
	else
		fprintf(stderr, "Delete %d message%s, without a bounce? [y/N] ", a->n, a->n == 1 ? "" : "s");
	return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* 0, or 64 after a complaint. */
static int
check_names(const struct args *a, bool all)
{
	uint64_t id;

	if (all && a->n > 0)
		return command_fail(ARGS_USAGE, "%s: either message ids or --all", a->command);
	if (!all && a->n == 0)
		return command_fail(ARGS_USAGE, "%s: which message? give its id, or --all; `gatepost queue' lists them",
		    a->command);
	for (int i = 0; i < a->n; i++)
		if (!ident_parse(str_of(a->name[i]), &id))
			return command_fail(ARGS_USAGE, "%s: %s is no message id; `gatepost queue' lists them",
			    a->command, a->name[i]);
	return ARGS_OK;
}

static json_t *
ask_for(const struct args *a, const char *upstream)
{
	return json_pack("{s:s, s:s*}", "command", a->command, "upstream", upstream);
}

static int
act_batch(const struct args *a, const char *upstream, int from, struct acting *act)
{
	json_t *request = ask_for(a, upstream), *ids = json_array();

	for (int i = from; i < a->n && i < from + BATCH; i++)
		json_array_append_new(ids, json_string(a->name[i]));
	json_object_set_new(request, "ids", ids);
	return talk_ask(a, request, on_answer, act);
}

static int
run(int argc, char **argv, const struct action *what)
{
	bool all = false, yes = false;
	const char *upstream = NULL;
	const struct args_option own[] = {
		{ "--all", &all, NULL },
		what->upstream ? (struct args_option){ "--upstream", NULL, &upstream } :
		what->asks ? (struct args_option){ "--yes", &yes, NULL } : (struct args_option){ NULL, NULL, NULL },
		{ NULL, NULL, NULL },
	};
	struct acting act = { .command = argv[0] };
	struct args a;
	json_t *request;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON || (status = check_names(&a, all)) != ARGS_OK)
		return status;
	if (upstream != NULL && !str_is_utf8(str_of(upstream)))
		return command_fail(ARGS_USAGE, "%s: no upstream has such a name", a.command);
	if (what->asks && !yes && isatty(STDIN_FILENO) && !confirm(&a, all))
		return command_fail(ARGS_FAILED, "%s: nothing was changed", a.command);
	if (all) {
		request = ask_for(&a, upstream);
		json_object_set_new(request, "all", json_true());
		status = talk_ask(&a, request, on_answer, &act);
	}
	for (int i = 0; !all && i < a.n && status == ARGS_OK; i += BATCH)
		status = act_batch(&a, upstream, i, &act);
	if (status == ARGS_OK && (!act.failed || act.count > 0))
		printf("%lld message%s %s\n", act.count, act.count == 1 ? "" : "s", what->done);
	return fflush(stdout) != 0 || act.failed ? ARGS_FAILED : status;
}

int
act_retry(int argc, char **argv)
{
	return run(argc, argv, &(struct action){ "to be tried now", true, false });
}

int
act_hold(int argc, char **argv)
{
	return run(argc, argv, &(struct action){ "held", false, false });
}

int
act_release(int argc, char **argv)
{
	return run(argc, argv, &(struct action){ "released", false, false });
}

int
act_delete(int argc, char **argv)
{
	return run(argc, argv, &(struct action){ "deleted", false, true });
}
