/* One question to the daemon: the socket is looked up, the answer's lines are read as JSON. */
#include "command/talk.h"

#include "command/command.h"
#include "control/control.h"

#include <stdlib.h>

struct hearing {
	bool (*line)(void *arg, const char *text, json_t *doc);
	void *arg;
};

static bool
on_line(void *arg, const char *text)
{
	struct hearing *h = arg;
	json_t *doc = json_loads(text, 0, NULL);	/* control_ask has seen that it can be read */
	bool more = h->line(h->arg, text, doc);

	json_decref(doc);
	return more;
}

int
talk_ask_at(const char *socket, const char *command, json_t *request,
    bool (*line)(void *arg, const char *text, json_t *doc), void *arg)
{
	struct hearing h = { line, arg };
	char *text = json_dumps(request, JSON_COMPACT);
	struct why why = { "out of memory" };
	int code = ARGS_FAILED, result = -1;

	json_decref(request);
	if (text != NULL)
		result = control_ask(socket, text, on_line, &h, &code, &why);
	free(text);
	return result == 0 ? ARGS_OK : command_fail(code, "%s: %s", command, why.text);
}

int
talk_ask(const struct args *a, json_t *request, bool (*line)(void *arg, const char *text, json_t *doc), void *arg)
{
	char *socket;
	int status = args_control_socket(a, &socket);

	if (status != ARGS_OK) {
		json_decref(request);
		return status;
	}
	status = talk_ask_at(socket, a->command, request, line, arg);
	free(socket);
	return status;
}

const char *
talk_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text == NULL ? "" : text;
}

json_int_t
talk_num(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}
