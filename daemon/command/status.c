/* `gatepost status': the daemon's document, in words for people or as it came. */
#include "command/status.h"

#include "base/clock.h"
#include "command/args.h"
#include "command/command.h"
#include "command/runs.h"
#include "command/screen.h"
#include "command/table.h"
#include "command/talk.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WATCH_S = 2, SPAN_TEXT = 32 };

struct look {			/* of a state */
	const char *state;
	enum tint tint;
	const char *words;	/* for people */
};

static const struct look gates[] = {
	{ "up", TINT_GOOD, "up" },
	{ "down", TINT_BAD, "down" },
	{ "auth_failed", TINT_BAD, "login refused" },
	{ "paused", TINT_WARN, "paused" },
	{ "unknown", TINT_FAINT, "not used yet" },
	{ NULL, TINT_NONE, NULL },
};

static const struct look doors[] = {
	{ "up", TINT_GOOD, "up" },
	{ "blocked", TINT_BAD, "blocked" },
	{ "unsafe", TINT_BAD, "unsafe" },
	{ "unknown", TINT_FAINT, "unknown" },
	{ NULL, TINT_NONE, NULL },
};

/* A state that a newer daemon made up shows as it is. */
static struct look
look_at(const struct look *table, const char *state)
{
	for (; table->state != NULL; table++)
		if (strcmp(table->state, state) == 0)
			return *table;
	return (struct look){ state, TINT_NONE, state };
}

static const char *
plural(json_int_t n)
{
	return n == 1 ? "" : "s";
}

static void
put_rate(struct buf *out, double per_s)
{
	if (per_s >= 1)
		buf_printf(out, " (%.1f/s)", per_s);
	else if (per_s * 60 >= 1)
		buf_printf(out, " (%.1f/min)", per_s * 60);
	else if (per_s > 0)
		buf_printf(out, " (%.1f/h)", per_s * 3600);
}

static void
put_queue(struct buf *out, const json_t *q, bool colour)
{
	json_int_t n = talk_num(q, "messages"), rcpts = talk_num(q, "recipients"), held = talk_num(q, "held");
	json_int_t damaged = talk_num(q, "damaged");
	char size[SPAN_TEXT], oldest[SPAN_TEXT], text[96];

	if (n == 0) {
		buf_puts(out, "queue: empty\n");
	} else {
		table_size(size, sizeof size, (uint64_t)talk_num(q, "bytes"));
		table_span(oldest, sizeof oldest, talk_num(q, "oldest_s"));
		buf_printf(out, "queue: %lld message%s to %lld recipient%s, %s: %lld active, %lld deferred, ",
		    (long long)n, plural(n), (long long)rcpts, plural(rcpts), size,
		    (long long)talk_num(q, "active"), (long long)talk_num(q, "deferred"));
		snprintf(text, sizeof text, "%lld held", (long long)held);
		table_say(out, colour, held > 0 ? TINT_WARN : TINT_NONE, text);
		buf_printf(out, "; the oldest is %s old\n", oldest);
	}
	if (damaged > 0) {
		snprintf(text, sizeof text, "%lld damaged record%s set aside; see `gatepost spool check'",
		    (long long)damaged, plural(damaged));
		table_say(out, colour, TINT_BAD, text);
		buf_putc(out, '\n');
	}
}

static void
put_certificate(struct buf *out, const char *what, bool colour)
{
	if (what[0] == '\0')
		return;
	table_say(out, colour, TINT_WARN, what);
	buf_puts(out, "; renew it with `gatepost ca --renew', then reload\n");
}

static void
put_counters(struct buf *out, const json_t *doc, const json_t *before, double seconds)
{
	static const char *const names[] = { "accepted", "relayed", "deferred", "bounced" };
	const json_t *now = json_object_get(doc, "counters"), *then = json_object_get(before, "counters");
	json_int_t twice = talk_num(now, "duplicates_possible"), logins = talk_num(now, "auth_failures");

	if (then == NULL)
		seconds = (double)talk_num(doc, "uptime_s");
	buf_puts(out, "since the start:");
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		json_int_t n = talk_num(now, names[i]);

		buf_printf(out, "%s %lld %s", i == 0 ? "" : ",", (long long)n, names[i]);
		if (seconds > 0)
			put_rate(out, (double)(n - talk_num(then, names[i])) / seconds);
	}
	if (twice > 0)
		buf_printf(out, "; %lld perhaps delivered twice", (long long)twice);
	if (logins > 0)
		buf_printf(out, "; %lld local login%s refused", (long long)logins, plural(logins));
	buf_putc(out, '\n');
}

/* A port's story: "no answer to TCP in 10 s, 2 h ago; next try in 3 min". */
static void
put_story(struct table *t, const json_t *c)
{
	const char *state = talk_text(c, "state"), *reason = talk_text(c, "reason");
	json_int_t since = talk_num(c, "since_s"), retry = talk_num(c, "retry_in_s");
	char ago[SPAN_TEXT], next[SPAN_TEXT];
	struct buf text = { 0 };

	table_span(ago, sizeof ago, since);
	table_span(next, sizeof next, retry);
	if (strcmp(state, "up") == 0)
		buf_printf(&text, "for %s", ago);
	else if (strcmp(state, "unknown") == 0 && reason[0] == '\0')
		buf_puts(&text, "no verdict yet");
	else
		buf_printf(&text, "%s, %s ago", reason[0] == '\0' ? "no reason known" : reason, ago);
	if (retry > 0)
		buf_printf(&text, "; next try in %s", next);
	table_put(t, TINT_NONE, text.data);
	buf_clear(&text);
}

static void
put_ports(struct buf *out, const json_t *list, bool colour)
{
	struct table t;
	size_t i;
	json_t *c;

	table_init(&t, 4, 4, colour);
	json_array_foreach(list, i, c) {
		struct look look = look_at(doors, talk_text(c, "state"));

		table_putf(&t, TINT_NONE, "%4lld %s", (long long)talk_num(c, "port"), talk_text(c, "tls"));
		table_put(&t, TINT_FAINT, talk_text(c, "address"));
		table_put(&t, look.tint, look.words);
		put_story(&t, c);
	}
	table_print(&t, out);
	table_clear(&t);
}

static void
put_upstream(struct buf *out, const json_t *u, bool colour)
{
	const char *state = talk_text(u, "state"), *reason = talk_text(u, "reason"), *host = talk_text(u, "host");
	const char *active = talk_text(u, "active"), *capture = talk_text(u, "capture");
	json_int_t connections = talk_num(u, "connections"), quota = talk_num(u, "quota_left");
	struct look look = look_at(gates, state);

	buf_putc(out, '\n');
	table_say(out, colour, TINT_BOLD, talk_text(u, "name"));
	if (host[0] != '\0') {
		buf_puts(out, " (");
		table_say(out, false, TINT_NONE, host);
		buf_putc(out, ')');
	}
	buf_puts(out, ": ");
	table_say(out, colour, look.tint, look.words);
	if (strcmp(state, "up") == 0 && active[0] != '\0') {
		buf_puts(out, " by ");
		table_say(out, false, TINT_NONE, active);
	} else if (strcmp(state, "up") != 0 && reason[0] != '\0') {
		buf_puts(out, ": ");
		table_say(out, false, TINT_NONE, reason);
	}
	if (connections > 0)
		buf_printf(out, ", %lld connection%s", (long long)connections, plural(connections));
	if (json_is_integer(json_object_get(u, "quota_left")) && quota >= 0)
		buf_printf(out, ", %lld left of the day's quota", (long long)quota);
	buf_putc(out, '\n');
	if (capture[0] != '\0') {
		buf_puts(out, "    ");
		table_say(out, colour, TINT_WARN, "its mail goes nowhere: it is captured in ");
		table_say(out, colour, TINT_WARN, capture);
		buf_putc(out, '\n');
	}
	if (strcmp(state, "auth_failed") == 0)
		buf_puts(out, "    correct its credentials, then `systemctl reload gatepost' and `gatepost retry --all'\n");
	put_ports(out, json_object_get(u, "candidates"), colour);
}

void
status_format(struct buf *out, const json_t *doc, const json_t *before, double seconds, bool colour)
{
	char up[SPAN_TEXT];
	size_t i;
	json_t *u;

	if (before != NULL && talk_num(before, "uptime_s") > talk_num(doc, "uptime_s"))
		before = NULL;		/* it was restarted meanwhile */
	table_span(up, sizeof up, talk_num(doc, "uptime_s"));
	buf_puts(out, "gatepost ");
	table_say(out, false, TINT_NONE, talk_text(doc, "version"));
	buf_puts(out, " on ");
	table_say(out, false, TINT_NONE, talk_text(doc, "hostname"));
	buf_printf(out, ", up %s\n", up);
	put_queue(out, json_object_get(doc, "queue"), colour);
	put_counters(out, doc, before, seconds);
	put_certificate(out, talk_text(doc, "certificate"), colour);
	json_array_foreach(json_object_get(doc, "upstreams"), i, u)
		put_upstream(out, u, colour);
}

/* --- the command -------------------------------------------------------------- */

struct watching {
	bool json, redraw, failed;
	json_t *before;
	int64_t at_ms;
};

static bool
on_document(void *arg, const char *text, json_t *doc)
{
	struct watching *w = arg;
	int64_t now_ms = clock_now_ms();
	bool is_first = w->before == NULL;
	struct buf out = { 0 };

	if (!w->json && !w->redraw && w->before != NULL)
		buf_putc(&out, '\n');
	if (w->json)
		buf_printf(&out, "%s\n", text);
	else
		status_format(&out, doc, w->before, (double)(now_ms - w->at_ms) / 1000, table_wants_colour());
	json_decref(w->before);
	w->before = json_incref(doc);
	w->at_ms = now_ms;
	if (!w->redraw)
		w->failed = (w->json ? fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0 : table_out(&out) < 0);
	else if (is_first)
		screen_open();
	if (w->redraw)
		screen_draw(buf_str(&out));
	buf_clear(&out);
	return !w->failed;
}


int
status_run(int argc, char **argv)
{
	struct watching w = { 0 };
	bool watch = false;
	const struct args_option own[] = {
		{ "--json", &w.json, NULL }, { "--watch", &watch, NULL }, { NULL, NULL, NULL },
	};
	struct args a;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 0, 0)) != ARGS_GO_ON)
		return status;
	w.redraw = watch && !w.json && screen_can_draw();
	do {
		status = talk_ask(&a, json_pack("{s:s}", "command", "status"), on_document, &w);
	} while (status == ARGS_OK && !w.failed && watch && sleep(WATCH_S) == 0);
	screen_close();
	json_decref(w.before);
	return w.failed ? ARGS_FAILED : status;
}
