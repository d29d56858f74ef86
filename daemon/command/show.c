/* `gatepost show': one message's envelope and how far each recipient has come, or its text. */
#include "base/base64.h"
#include "base/clock.h"
#include "base/ident.h"
#include "command/args.h"
#include "command/command.h"
#include "command/list.h"
#include "command/runs.h"
#include "command/screen.h"
#include "command/table.h"
#include "command/talk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SPAN_TEXT = 32, DATE_TEXT = 40 };

static void
line(struct table *t, const char *name, const char *value)
{
	table_put(t, TINT_BOLD, name);
	table_put(t, TINT_NONE, value);
}

static void
put_times(struct table *t, const json_t *m)
{
	char date[DATE_TEXT], span[SPAN_TEXT];
	json_int_t arrived = talk_num(m, "arrived_s");

	table_span(span, sizeof span, talk_num(m, "age_s"));
	table_put(t, TINT_BOLD, "arrived");
	if (arrived > 0 && arrived < INT64_C(1) << 37) {
		clock_print_date(date, sizeof date, arrived);
		table_putf(t, TINT_NONE, "%s, %s ago", date, span);
	} else {
		table_putf(t, TINT_NONE, "%s ago", span);
	}
	list_next(span, sizeof span, m);
	table_put(t, TINT_BOLD, "state");
	table_putf(t, TINT_NONE, "%s, %lld attempt%s so far; next: %s", talk_text(m, "state"),
	    (long long)talk_num(m, "attempts"), talk_num(m, "attempts") == 1 ? "" : "s", span);
}

static void
put_envelope(struct buf *out, const json_t *m, bool colour)
{
	const char *from = talk_text(m, "from"), *user = talk_text(m, "user");
	char size[SPAN_TEXT];
	struct table t;

	table_size(size, sizeof size, (uint64_t)talk_num(m, "size"));
	table_init(&t, 2, 0, colour);
	line(&t, "id", talk_text(m, "id"));
	if (json_is_false(json_object_get(m, "readable")))
		line(&t, "envelope", "cannot be read; see `gatepost spool check'");
	line(&t, "from", from[0] == '\0' ? "<>" : from);
	if (user[0] != '\0')
		line(&t, "user", user);
	else if (json_is_true(json_object_get(m, "bounce")))
		line(&t, "user", "gatepost itself (a delivery report)");
	line(&t, "size", size);
	put_times(&t, m);
	if (talk_text(m, "envid")[0] != '\0')
		line(&t, "envid", talk_text(m, "envid"));
	if (talk_text(m, "reason")[0] != '\0')
		line(&t, "reason", talk_text(m, "reason"));
	table_print(&t, out);
	table_clear(&t);
}

static void
put_recipients(struct buf *out, const json_t *list, bool colour)
{
	struct table t;
	size_t i;
	json_t *r;

	table_init(&t, 3, 4, colour);
	json_array_foreach(list, i, r) {
		const char *state = talk_text(r, "state"), *text = talk_text(r, "text"), *status = talk_text(r, "status");
		json_int_t code = talk_num(r, "code");
		enum tint tint = strcmp(state, "failed") == 0 ? TINT_BAD :
		    strcmp(state, "relayed") == 0 ? TINT_GOOD : TINT_NONE;

		table_put(&t, TINT_NONE, talk_text(r, "address"));
		table_put(&t, tint, state);
		if (code > 0 && strncmp(text, status, strlen(status)) == 0)	/* it says so itself */
			table_putf(&t, TINT_NONE, "%lld %s", (long long)code, text);
		else if (code > 0)
			table_putf(&t, TINT_NONE, "%lld %s %s", (long long)code, status, text);
		else
			table_put(&t, TINT_NONE, text);
	}
	buf_puts(out, "\nrecipients\n");
	table_print(&t, out);
	table_clear(&t);
}

static bool
on_details(void *arg, const char *text, json_t *doc)
{
	bool *failed = arg, colour = table_wants_colour();
	struct buf out = { 0 };

	(void)text;
	put_envelope(&out, doc, colour);
	put_recipients(&out, json_object_get(doc, "recipients"), colour);
	*failed = table_out(&out) < 0;
	buf_clear(&out);
	return true;
}

struct showing {
	bool tame, failed;	/* tame: it goes to a terminal, which a stranger's text must not steer */
	struct buf kept;
};

static void
write_out(struct showing *s, struct str part)
{
	s->failed |= part.n > 0 && fwrite(part.p, 1, part.n, stdout) != part.n;
}

static bool
on_text(void *arg, const char *text, json_t *doc)
{
	struct showing *s = arg;
	struct buf part = { 0 }, out = { 0 };

	(void)text;
	s->failed = !base64_take(&part, str_of(talk_text(doc, "data")));
	if (s->tame)
		screen_tame(&out, &s->kept, buf_str(&part), false);
	write_out(s, buf_str(s->tame ? &out : &part));
	buf_clear(&part);
	buf_clear(&out);
	return !s->failed;
}

static int
show_text(const struct args *a, bool headers)
{
	struct showing s = { .tame = isatty(STDOUT_FILENO) };
	struct buf out = { 0 };
	int status;

	status = talk_ask(a, json_pack("{s:s, s:s, s:b}", "command", "text", "id", a->name[0], "headers", headers), on_text, &s);
	screen_tame(&out, &s.kept, STR(""), true);
	write_out(&s, buf_str(&out));
	buf_clear(&out);
	buf_clear(&s.kept);
	return fflush(stdout) != 0 || s.failed ? ARGS_FAILED : status;
}

int
show_run(int argc, char **argv)
{
	bool headers = false, raw = false, failed = false;
	const struct args_option own[] = {
		{ "--headers", &headers, NULL }, { "--raw", &raw, NULL }, { NULL, NULL, NULL },
	};
	uint64_t id;
	struct args a;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 1, 1)) != ARGS_GO_ON)
		return status;
	if (!ident_parse(str_of(a.name[0]), &id))
		return command_fail(ARGS_USAGE, "show: %s is no message id; `gatepost queue' lists them", a.name[0]);
	if (headers && raw)
		return command_fail(ARGS_USAGE, "show: --headers and --raw do not go together");
	if (headers || raw)
		return show_text(&a, headers);
	status = talk_ask(&a, json_pack("{s:s, s:s}", "command", "show", "id", a.name[0]), on_details, &failed);
	return failed ? ARGS_FAILED : status;
}
