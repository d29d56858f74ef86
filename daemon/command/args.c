/* Command lines: options anywhere, one table a command, complaints that say what would be right. */
#include "command/args.h"

#include "base/mem.h"
#include "command/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char control_built_in[] = "/run/gatepost/control.sock";
static const char submit_built_in[] = "/run/gatepost/submit.sock";

static int
usage(const struct args *a, const char *what, const char *of)
{
	return command_fail(ARGS_USAGE, "%s: %s%s; see `gatepost help %s'", a->command, what, of, a->command);
}

/* `word' is this option, perhaps with "=VALUE" (then *value is set), or "-cFILE". */
static bool
is_option(const struct args_option *o, const char *word, const char **value)
{
	size_t n = strlen(o->name);

	*value = NULL;
	if (strncmp(word, o->name, n) != 0)
		return false;
	if (word[n] == '\0')
		return true;
	if (o->value == NULL)
		return false;
	if (word[1] != '-')
		*value = word + n;
	else if (word[n] == '=')
		*value = word + n + 1;
	return *value != NULL;
}

static const struct args_option *
find_option(const struct args_option *table, const char *word, const char **value)
{
	for (; table != NULL && table->name != NULL; table++)
		if (is_option(table, word, value))
			return table;
	return NULL;
}

int
args_parse(struct args *a, int argc, char **argv, const struct args_option *own)
{
	bool help = false, ended = false;
	const struct args_option common[] = {
		{ "-c", NULL, &a->file },
		{ "--state", NULL, &a->state },
		{ "--socket", NULL, &a->socket },
		{ "--help", &help, NULL },
		{ "-h", &help, NULL },
		{ NULL, NULL, NULL },
	};
	const struct args_option *o;
	const char *value;

	*a = (struct args){ .command = argv[0], .name = argv + 1 };
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];

		if (ended || word[0] != '-' || word[1] == '\0') {
			a->name[a->n++] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			ended = true;
			continue;
		}
		if ((o = find_option(own, word, &value)) == NULL &&
		    (o = find_option(common, word, &value)) == NULL)
			return usage(a, "unknown option ", word);
		if (o->value != NULL && value == NULL && ++i < argc)
			value = argv[i];
		if (o->value != NULL && value == NULL)
			return usage(a, "nothing follows ", o->name);
		if (o->value != NULL)
			*o->value = value;
		else
			*o->flag = true;
	}
	if (!help)
		return ARGS_GO_ON;
	return command_help(2, (char *[]){ argv[0], argv[0], NULL });
}

int
command_options(int argc, char **argv, const char **file, const char **state)
{
	struct args a;
	int status = args_parse(&a, argc, argv, NULL);

	if (status == ARGS_GO_ON)
		status = args_need(&a, 0, 0);
	*file = a.file;
	*state = a.state;
	return status;
}

int
args_need(const struct args *a, int least, int most)
{
	if (a->n < least)
		return usage(a, "something is missing", "");
	if (a->n > most)
		return usage(a, "too much: ", a->name[most]);
	return ARGS_GO_ON;
}

static int
load(const struct args *a, bool secrets, struct config **out, struct why *why)
{
	struct config_options o = {
		.file = a->file, .state = a->state, .secrets = secrets, .no_upstream = !secrets,
		.for_unit = secrets,
	};

	return config_load(out, &o, NULL, NULL, why);
}

int
args_config(const struct args *a, bool secrets, struct config **out)
{
	struct why why;

	return load(a, secrets, out, &why) == 0 ? ARGS_OK : command_fail(ARGS_CONFIG, "%s", why.text);
}

/* The daemon goes on with the file that it has read: one that is broken since, or needs an environment that only the daemon has,
 * must not keep mail and operators from it.  What the default file would have said is taken to be the default. */
static int
guess_socket(const struct args *a, const char *name, const char *built_in, char **out, struct why *why)
{
	char *path = NULL;

	if (a->state != NULL)
		path = mem_printf("%s/%s", a->state, name);
	else if (a->file == NULL || strcmp(a->file, config_default_file) == 0)
		path = mem_text(built_in);
	if (path == NULL || access(path, F_OK) < 0) {
		free(path);
		return command_fail(ARGS_CONFIG, "%s", why->text);
	}
	command_fail(0, "%s; trying %s", why->text, path);
	*out = path;
	return ARGS_OK;
}

/* No file was named, and the default one is not there or not for this user. */
static bool
has_no_config(const struct args *a)
{
	return a->file == NULL && a->state == NULL && access(config_default_file, R_OK) < 0 &&
	    (errno == ENOENT || errno == EACCES || errno == ENOTDIR);
}

int
args_control_socket(const struct args *a, char **out)
{
	struct config *config;
	struct why why;

	if (a->socket != NULL || has_no_config(a)) {
		*out = mem_text(a->socket != NULL ? a->socket : control_built_in);
		return ARGS_OK;
	}
	if (load(a, false, &config, &why) < 0)
		return guess_socket(a, "control.sock", control_built_in, out, &why);
	*out = mem_text(config->control_socket);
	config_unref(&config);
	return ARGS_OK;
}

int
args_submit_socket(const struct args *a, char **out)
{
	struct config *config;
	struct why why;

	if (has_no_config(a)) {
		*out = mem_text(submit_built_in);
		return ARGS_OK;
	}
	if (load(a, false, &config, &why) < 0)
		return guess_socket(a, "submit.sock", submit_built_in, out, &why);
	*out = mem_text(config->submit_socket);
	config_unref(&config);
	return ARGS_OK;
}
