/* `gatepost test': a real message by the real way, followed to the provider's answer. */
#include "base/clock.h"
#include "base/ident.h"
#include "base/mem.h"
#include "command/args.h"
#include "command/command.h"
#include "command/handoff.h"
#include "command/runs.h"
#include "command/table.h"
#include "command/talk.h"
#include "mail/address.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_S = 30, LOOK_S = 2, REASON_TEXT = 300 };

struct story {
	int64_t began_ms;
	const char *recipient;
	bool colour;
	int status;
	bool ended, queued;
	bool last;			/* no answer now is the end of it */
	char waits_for[REASON_TEXT];	/* as it was told */
};

/* "  0.42 s  what happened" */
static void
tell(struct story *s, enum tint tint, const char *fmt, ...) like_printf(3, 4);

static void
tell(struct story *s, enum tint tint, const char *fmt, ...)
{
	int64_t ms = clock_now_ms() - s->began_ms;
	struct buf out = { 0 };
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_printf(&out, "%3lld.%02lld s  ", (long long)(ms / 1000), (long long)(ms % 1000 / 10));
	table_say(&out, s->colour, tint, text);
	buf_putc(&out, '\n');
	if (table_out(&out) < 0)
		s->status = ARGS_FAILED;
	buf_clear(&out);
}

static const struct ending {
	const char *event;
	int status;
	enum tint tint;
	const char *words;
	bool queued;		/* still: there is something to look at */
} endings[] = {
	{ "relayed", ARGS_OK, TINT_GOOD, "relayed: the provider took it", false },
	{ "refused", ARGS_FAILED, TINT_BAD, "refused for good; a bounce goes to the sender", false },
	{ "bounced", ARGS_FAILED, TINT_BAD, "refused for good; a bounce goes to the sender", false },
	{ "deferred", ARGS_FAILED, TINT_WARN, "deferred: it stays queued and is tried again", true },
	{ "waiting", ARGS_FAILED, TINT_WARN, "no answer yet: it stays queued", true },
	{ "held", ARGS_FAILED, TINT_WARN, "held until it is released", true },
	{ "deleted", ARGS_FAILED, TINT_WARN, "deleted from the queue meanwhile", false },
	{ "gone", ARGS_FAILED, TINT_WARN, "it left the queue before it could be followed; `gatepost trace' tells its end", false },
};

/* Only what is new. */
static void
tell_waiting(struct story *s, const char *why)
{
	if (strncmp(s->waits_for, why, sizeof s->waits_for - 1) == 0)
		return;
	snprintf(s->waits_for, sizeof s->waits_for, "%s", why);
	tell(s, TINT_NONE, "waiting: %s", why);
}

static bool
on_event(void *arg, const char *text, json_t *doc)
{
	struct story *s = arg;
	const char *event = talk_text(doc, "event"), *why = talk_text(doc, "text");
	struct ending e = { event, ARGS_FAILED, TINT_WARN, event, false };

	(void)text;
	if (strcmp(event, "waiting") == 0 && !s->last) {
		tell_waiting(s, why[0] != '\0' ? why : "no answer yet");
		return true;
	}
	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
		if (strcmp(endings[i].event, event) == 0)
			e = endings[i];
	s->ended = true;
	s->queued = e.queued;
	s->status = e.status;
	tell(s, e.tint, "%s%s%s", e.words, why[0] == '\0' ? "" : ": ", why);
	return true;
}

static char *
login_name(void)
{
	const struct passwd *p = getpwuid(geteuid());

	return p == NULL ? mem_printf("uid%u", (unsigned)geteuid()) : mem_text(p->pw_name);
}

static void
write_message(struct buf *out, const char *sender, const char *recipient)
{
	char host[256] = "localhost", date[64];

	gethostname(host, sizeof host - 1);
	clock_print_date(date, sizeof date, clock_wall_s());
	if (sender != NULL)		/* else the daemon writes one, with a domain */
		buf_printf(out, "From: <%s>\r\n", sender);
	buf_printf(out, "To: <%s>\r\nSubject: gatepost test from %s\r\n"
	    "Date: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Auto-Submitted: auto-generated\r\n\r\n"
	    "This is a test message of gatepost " VERSION ".\r\n\r\n"
	    "It was submitted on %s by `gatepost test' and came by way of the mail provider\r\n"
	    "that is configured there. If you can read this, that way works.\r\n", recipient, host, date, host);
}

/* Hands it over: 0 and its id, or the exit status after a complaint. */
static int
submit(struct story *s, const char *socket, const char *sender, const char *recipient, uint64_t *id)
{
	struct handoff *h = NULL;
	struct buf text = { 0 };
	struct why why;
	char *name = sender == NULL ? login_name() : NULL;
	const char *from = sender == NULL ? name : sender;
	int status = ARGS_UNREACHABLE;

	if (handoff_open(&h, socket, &why) < 0)
		goto out;
	tell(s, TINT_NONE, "connected to %s", socket);
	write_message(&text, sender, recipient);
	handoff_wish(h, &(struct handoff_wishes){ .utf8 = !str_is_ascii(str_of(recipient)) });
	if (handoff_mail(h, from, !str_is_ascii(buf_str(&text)), &why) < 0 || handoff_rcpt(h, recipient, &why) < 0 ||
	    handoff_data(h, &why) < 0 || handoff_put(h, buf_str(&text), &why) < 0 || handoff_end(h, id, &why) < 0) {
		status = handoff_code(h) == 0 ? ARGS_UNREACHABLE : ARGS_FAILED;
		goto out;
	}
	status = ARGS_OK;
out:
	handoff_close(&h);
	buf_clear(&text);
	free(name);
	return status == ARGS_OK ? ARGS_OK : command_fail(status, "test: %s", why.text);
}

static int
follow(struct story *s, const struct args *a, uint64_t id)
{
	char text[IDENT_TEXT];
	int status;

	ident_print(text, id);
	tell(s, TINT_NONE, "accepted: queued as %s", text);
	do {
		s->last = clock_now_ms() - s->began_ms >= (WAIT_S - LOOK_S) * 1000;
		status = talk_ask(a, json_pack("{s:s, s:s, s:i}", "command", "follow", "id", text, "wait_s", LOOK_S), on_event, s);
	} while (status == ARGS_OK && !s->ended && !s->last);
	/* Accepted is accepted: 75 would make a script send it again. */
	if (status != ARGS_OK)
		return command_fail(ARGS_FAILED, "test: it was accepted as %s, but could not be followed; as root, or in the "
		    "group gatepost, look with `gatepost trace %s'", text, text);
	status = s->ended ? s->status : ARGS_FAILED;
	if (s->queued || !s->ended)
		printf("look at it with: gatepost show %s\n", text);
	return fflush(stdout) == 0 ? status : ARGS_FAILED;
}

int
submit_test_run(int argc, char **argv)
{
	const char *from = NULL;
	const struct args_option own[] = { { "--from", NULL, &from }, { NULL, NULL, NULL } };
	struct story s = { .began_ms = clock_now_ms(), .colour = table_wants_colour() };
	struct address parsed;
	struct args a;
	char *socket;
	uint64_t id = 0;
	int status;

	if ((status = args_parse(&a, argc, argv, own)) != ARGS_GO_ON ||
	    (status = args_need(&a, 1, 1)) != ARGS_GO_ON)
		return status;
	if (address_parse(str_of(a.name[0]), &parsed) < 0 || parsed.is_null)
		return command_fail(ARGS_USAGE, "test: %s is not an address", a.name[0]);
	if (from != NULL && address_parse(str_of(from), &parsed) < 0)
		return command_fail(ARGS_USAGE, "test: --from %s is not an address", from);
	if ((status = args_submit_socket(&a, &socket)) != ARGS_OK)
		return status;
	status = submit(&s, socket, from, a.name[0], &id);
	free(socket);
	if (status != ARGS_OK)
		return status;
	if (id == 0) {
		tell(&s, TINT_WARN, "accepted, but the daemon told no id to follow");
		return ARGS_FAILED;
	}
	return follow(&s, &a, id);
}
