/* `gatepost trace': what happened to a message, attempt by attempt, also after its end. */
#include "base/clock.h"
#include "base/ident.h"
#include "command/args.h"
#include "command/command.h"
#include "command/list.h"
#include "command/runs.h"
#include "command/table.h"
#include "command/talk.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SPAN_TEXT = 32, TIME_TEXT = 40, PART = 500 };

struct tracing {
	struct table table;
	bool json, failed;
	unsigned events;
	json_int_t first_ms;
};

static const struct look {
	const char *event;
	enum tint tint;
	const char *words;	/* NULL: the event's own text tells all */
} looks[] = {
	{ "relayed", TINT_GOOD, NULL },
	{ "deferred", TINT_WARN, NULL },
	{ "again", TINT_WARN, NULL },
	{ "refused", TINT_BAD, NULL },
	{ "expired", TINT_BAD, NULL },
	{ "held", TINT_BAD, NULL },
	{ "damaged", TINT_BAD, NULL },
	{ "bounced", TINT_BAD, "is told that delivery failed" },
	{ "warned", TINT_WARN, "is told that the message still waits" },
	{ "reported", TINT_NONE, "is told that the message was relayed" },
	{ "released", TINT_NONE, "by the operator" },
	{ "deleted", TINT_WARN, "by the operator" },
	{ "ended", TINT_FAINT, "no recipient is left to wait for" },
};

static const struct look *
find_look(const char *event)
{
	static const struct look plain = { "", TINT_NONE, NULL };

	for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
		if (strcmp(looks[i].event, event) == 0)
			return &looks[i];
	return &plain;
}

/* "2026-11-21 22:39:04.123", local. */
static void
print_time(char *out, size_t size, json_int_t ms)
{
	time_t s = (time_t)(ms / 1000);
	char text[TIME_TEXT];
	struct tm tm;

	if (ms < 0 || localtime_r(&s, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(text, sizeof text, "?");
	snprintf(out, size, "%s.%03d", text, (int)(ms % 1000));
}

static void
tell_accepted(struct buf *out, const json_t *e)
{
	const char *from = talk_text(e, "from"), *user = talk_text(e, "user");
	json_int_t n = talk_num(e, "recipients");
	char size[SPAN_TEXT];

	table_size(size, sizeof size, (uint64_t)talk_num(e, "size"));
	if (json_is_true(json_object_get(e, "bounce")))
		buf_puts(out, "a delivery report by gatepost itself");
	else
		buf_printf(out, "from %s", from[0] == '\0' ? "<>" : from);
	if (user[0] != '\0')
		buf_printf(out, ", user %s", user);
	buf_printf(out, ", %s, to %lld recipient%s", size, (long long)n, n == 1 ? "" : "s");
}

static void
tell_attempt(struct buf *out, const json_t *e)
{
	const char *address = talk_text(e, "address"), *status = talk_text(e, "status"), *text = talk_text(e, "text");
	json_int_t code = talk_num(e, "code");
	char took[SPAN_TEXT];

	buf_printf(out, "%s via %s", talk_text(e, "to"), talk_text(e, "upstream"));
	if (address[0] != '\0')
		buf_printf(out, " %s", address);
	clock_print_span(took, sizeof took, talk_num(e, "took_ms"));
	if (talk_num(e, "port") > 0)	/* else a Maildir */
		buf_printf(out, " port %lld %s", (long long)talk_num(e, "port"), talk_text(e, "tls"));
	buf_printf(out, " in %s: ", took);
	if (code > 0)
		buf_printf(out, "%lld ", (long long)code);
	if (code > 0 && strncmp(text, status, strlen(status)) != 0)	/* else it says so itself */
		buf_printf(out, "%s ", status);
	buf_puts(out, text);
	if (json_is_true(json_object_get(e, "maybe_delivered")))
		buf_puts(out, " (perhaps delivered all the same)");
	if (strcmp(talk_text(e, "event"), "again") == 0)
		buf_puts(out, " (tried again at once)");
}

static void
tell_queued(struct buf *out, const json_t *e)
{
	json_int_t n = talk_num(e, "attempts");
	const char *reason = talk_text(e, "reason");
	char next[SPAN_TEXT];

	list_next(next, sizeof next, e);
	buf_printf(out, "%s, %lld attempt%s so far; next: %s", talk_text(e, "state"), (long long)n, n == 1 ? "" : "s", next);
	if (reason[0] != '\0')
		buf_printf(out, "; %s", reason);
}

static void
tell(struct buf *out, const json_t *e, const struct look *look)
{
	const char *event = talk_text(e, "event"), *to = talk_text(e, "to"), *text = talk_text(e, "text");

	if (strcmp(event, "accepted") == 0) {
		tell_accepted(out, e);
	} else if (strcmp(event, "queued") == 0) {
		tell_queued(out, e);
	} else if (json_object_get(e, "upstream") != NULL) {
		tell_attempt(out, e);
	} else if (json_object_get(e, "notice") != NULL) {
		buf_printf(out, "%s %s, by message %s", to, look->words != NULL ? look->words : "is told",
		    talk_text(e, "notice"));
	} else {
		buf_printf(out, "%s%s", to, to[0] != '\0' ? ": " : "");
		buf_puts(out, look->words != NULL ? look->words : text);
	}
}

static void
flush(struct tracing *t)
{
	struct buf out = { 0 };

	table_print(&t->table, &out);
	t->failed |= table_out(&out) < 0;
	buf_clear(&out);
}

static void
put_event(struct tracing *t, const json_t *e)
{
	const struct look *look = find_look(talk_text(e, "event"));
	json_int_t ms = talk_num(e, "time_ms");
	char text[TIME_TEXT + 8];
	struct buf story = { 0 };

	if (t->events == 0)
		t->first_ms = ms;
	print_time(text, sizeof text, ms);
	table_put(&t->table, TINT_FAINT, text);
	clock_print_span(text, sizeof text, ms > t->first_ms ? ms - t->first_ms : 0);
	table_putf(&t->table, TINT_FAINT, "+ %s", text);
	table_put(&t->table, look->tint, talk_text(e, "event"));
	tell(&story, e, look);
	table_put(&t->table, TINT_NONE, story.data);
	buf_clear(&story);
	if (t->events % PART == PART - 1)
		flush(t);
}

static bool
on_event(void *arg, const char *text, json_t *doc)
{
	struct tracing *t = arg;

	if (t->json)
		t->failed = printf("%s%s", t->events == 0 ? "[" : ",\n ", text) < 0;
	else
		put_event(t, doc);
	t->events++;
	return !t->failed;
}

int
trace_show_run(int argc, char **argv)
{
	struct tracing t = { 0 };
	const struct args_option own[] = { { "--json", &t.json, NULL }, { NULL, NULL, NULL } };
	uint64_t id;
	struct args a;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 1, 1)) != ARGS_GO_ON)
		return status;
	if (!ident_parse(str_of(a.name[0]), &id))
		return command_fail(ARGS_USAGE, "trace: %s is no message id; the log and `gatepost queue' show them", a.name[0]);
	table_init(&t.table, 4, 0, table_wants_colour());
	status = talk_ask(&a, json_pack("{s:s, s:s}", "command", "trace", "id", a.name[0]), on_event, &t);
	flush(&t);
	table_clear(&t.table);
	if (t.json && t.events > 0)
		t.failed |= puts("]") < 0;
	return fflush(stdout) != 0 || t.failed ? ARGS_FAILED : status;
}
