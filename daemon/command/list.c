/* `gatepost queue' (and mailq): what waits, a line a message, printed in parts so that a long queue shows at once. */
#include "command/list.h"

#include "base/clock.h"
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "command/talk.h"

#include <stdio.h>
#include <string.h>

enum { PART = 200, SPAN_TEXT = 32 };

void
list_head(struct table *t)
{
	static const char *const heads[LIST_COLUMNS] = { "ID", "AGE", "SIZE", "STATE", "NEXT TRY", "FROM", "TO" };

	for (unsigned i = 0; i < LIST_COLUMNS; i++)
		table_put(t, TINT_BOLD, heads[i]);
}

void
list_next(char *out, size_t size, const json_t *message)
{
	const char *state = talk_text(message, "state");
	json_int_t s = talk_num(message, "next_attempt_s");
	char span[SPAN_TEXT];

	if (strcmp(state, "deferred") != 0) {
		snprintf(out, size, "%s", strcmp(state, "active") == 0 ? "now" : "-");
	} else if (s <= 0) {
		snprintf(out, size, "due");
	} else {
		table_span(span, sizeof span, s);
		snprintf(out, size, "in %s", span);
	}
}

static enum tint
state_tint(const char *state)
{
	return strcmp(state, "held") == 0 ? TINT_BAD : strcmp(state, "deferred") == 0 ? TINT_WARN : TINT_GOOD;
}

void
list_row(struct table *t, const json_t *m)
{
	const char *state = talk_text(m, "state"), *from = talk_text(m, "from"), *reason = talk_text(m, "reason");
	const json_t *to = json_object_get(m, "to");
	const char *first = json_string_value(json_array_get(to, 0));
	char text[SPAN_TEXT];

	table_put(t, TINT_NONE, talk_text(m, "id"));
	table_span(text, sizeof text, talk_num(m, "age_s"));
	table_put(t, TINT_NONE, text);
	table_size(text, sizeof text, (uint64_t)talk_num(m, "size"));
	table_put(t, TINT_NONE, text);
	table_put(t, state_tint(state), state);
	list_next(text, sizeof text, m);
	table_put(t, TINT_NONE, text);
	table_put(t, TINT_NONE, from[0] == '\0' ? "<>" : from);
	if (json_array_size(to) > 1)
		table_putf(t, TINT_NONE, "%s and %zu more", first, json_array_size(to) - 1);
	else
		table_put(t, TINT_NONE, first == NULL ? "?" : first);
	if (reason[0] == '\0')
		return;
	table_row(t, TINT_FAINT, reason);
}

/* --- the command -------------------------------------------------------------- */

struct listing {
	struct table table;
	bool json, failed;
	json_int_t messages, octets;
	json_int_t waiting;		/* messages in all, where none was listed */
};

static void
flush(struct listing *l)
{
	struct buf out = { 0 };

	table_print(&l->table, &out);
	l->failed = table_out(&out) < 0;
	buf_clear(&out);
}

static bool
on_message(void *arg, const char *text, json_t *doc)
{
	struct listing *l = arg;

	if (l->json) {
		l->failed = puts(text) < 0;
		return !l->failed;
	}
	if (l->messages == 0)
		list_head(&l->table);
	l->messages++;
	l->octets += talk_num(doc, "size");
	list_row(&l->table, doc);
	if (l->messages % PART == 0)
		flush(l);
	return !l->failed;
}

static bool
on_status(void *arg, const char *text, json_t *doc)
{
	struct listing *l = arg;

	(void)text;
	l->waiting = talk_num(json_object_get(doc, "queue"), "messages");
	return true;
}

static int
finish(struct listing *l, int status)
{
	char size[SPAN_TEXT];

	if (!l->json && status == ARGS_OK) {
		flush(l);
		table_size(size, sizeof size, (uint64_t)l->octets);
		if (l->messages == 0 && l->waiting > 0)
			printf("no message matches (%lld %s queued)\n", (long long)l->waiting, l->waiting == 1 ? "is" : "are");
		else if (l->messages == 0)
			puts("nothing is queued");
		else
			printf("%lld message%s, %s\n", (long long)l->messages, l->messages == 1 ? "" : "s", size);
	}
	if (fflush(stdout) != 0)
		l->failed = true;
	return l->failed ? ARGS_FAILED : status;
}

/* 0, or 64 after a complaint. */
static int
put_filters(json_t *request, const char *older, const char *limit)
{
	int64_t older_ms;
	uint64_t n;

	if (older != NULL && !clock_parse_span(str_of(older), &older_ms))
		return command_fail(ARGS_USAGE, "queue: --older %s is no span of time; write 30s, 5m, 4h or 2d", older);
	if (older != NULL)
		json_object_set_new(request, "older_s", json_integer(older_ms / 1000));
	if (limit != NULL && (!str_number(str_of(limit), INT32_MAX, &n) || n > INT32_MAX))
		return command_fail(ARGS_USAGE, "queue: --limit %s is no number of messages", limit);
	if (limit != NULL)
		json_object_set_new(request, "limit", json_integer((json_int_t)n));
	return ARGS_OK;
}

int
list_run(int argc, char **argv)
{
	struct listing l = { 0 };
	const char *from = NULL, *to = NULL, *older = NULL, *limit = NULL;
	bool held = false;
	const struct args_option own[] = {
		{ "--json", &l.json, NULL }, { "--held", &held, NULL }, { "--from", NULL, &from },
		{ "--to", NULL, &to }, { "--older", NULL, &older }, { "--limit", NULL, &limit },
		{ NULL, NULL, NULL },
	};
	struct args a;
	json_t *request;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 0)) != ARGS_GO_ON)
		return status;
	request = json_pack("{s:s, s:s*, s:s*, s:b}", "command", "queue", "from", from, "to", to, "held", held);
	if (request == NULL)
		return command_fail(ARGS_USAGE, "queue: a pattern is not UTF-8");
	if ((status = put_filters(request, older, limit)) != ARGS_OK) {
		json_decref(request);
		return status;
	}
	table_init(&l.table, LIST_COLUMNS, 0, table_wants_colour());
	status = talk_ask(&a, request, on_message, &l);
	if (status == ARGS_OK && l.messages == 0 && !l.json && (held || from != NULL || to != NULL || older != NULL || limit != NULL))
		status = talk_ask(&a, json_pack("{s:s}", "command", "status"), on_status, &l);
	status = finish(&l, status);
	table_clear(&l.table);
	return status;
}

int
list_mailq(int argc, char **argv)
{
	char name[] = "queue";

	argv[0] = name;
	return list_run(argc, argv);
}
