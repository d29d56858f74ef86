/*
 * sendmail: takes a message on standard input and hands it to the daemon, which is told by the kernel who asks.  Either
 * all recipients are taken or none, so that the exit status is true for each of them.
 */
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "command/args.h"
#include "command/classic.h"
#include "command/command.h"
#include "command/converse.h"
#include "command/handoff.h"
#include "command/heading.h"
#include "command/letter.h"
#include "command/runs.h"
#include "mail/address.h"

enum { FRESH_MS = 10 * 1000 };	/* a session older than that may be over before we use it */

struct sending {
	struct classic options;
	char *socket;
	struct handoff *handoff;
	int64_t opened_at_ms;
	struct letter letter;
	struct buf header;	/* completed, with the empty line */
	char *sender;		/* "" is the null sender */
	struct rcpts rcpts;
	struct why why;
};

/* --- who sends -------------------------------------------------------------------- */

static char *
login_name(void)
{
	const struct passwd *p = getpwuid(getuid());

	return p != NULL ? mem_text(p->pw_name) : mem_printf("%lu", (unsigned long)getuid());
}

/* -F, else $NAME, else what passwd(5) says, where & stands for the login name; "": unknown. */
static char *
full_name(const struct classic *o)
{
	const char *name = o->name != NULL ? o->name : getenv("NAME");
	const struct passwd *p = name == NULL ? getpwuid(getuid()) : NULL;
	struct buf out = { 0 };

	if (p == NULL)
		return mem_text(name != NULL ? name : "");
	buf_puts(&out, "");
	for (const char *c = p->pw_gecos; *c != '\0' && *c != ','; c++) {
		if (*c != '&') {
			buf_putc(&out, *c);
			continue;
		}
		buf_puts(&out, p->pw_name);
		if (out.data[out.len - strlen(p->pw_name)] >= 'a' && out.data[out.len - strlen(p->pw_name)] <= 'z')
			out.data[out.len - strlen(p->pw_name)] -= 'a' - 'A';
	}
	return out.len > 0 ? buf_take(&out) : mem_text("");
}

/* 0, or 64 after a complaint. */
static int
choose_sender(struct sending *s)
{
	struct str given = str_trim(str_of(s->options.sender));
	struct rcpts list = { 0 };
	int status = EX_OK;

	if (s->options.sender == NULL)
		s->sender = login_name();
	else if (given.n == 0 || str_is(given, "<>"))
		s->sender = mem_text("");
	else if (heading_list(&list, given, &s->why) < 0 || list.n != 1)
		status = command_fail(EX_USAGE, "sendmail: -f %s: not one address", s->options.sender);
	else
		s->sender = mem_text(list.v[0]);
	rcpts_clear(&list);
	return status;
}

/* --- what is sent ------------------------------------------------------------------- */

static int
choose_recipients(struct sending *s)
{
	for (int i = 0; i < s->options.nrcpt; i++)
		if (heading_list(&s->rcpts, str_of(s->options.rcpt[i]), &s->why) < 0)
			return command_fail(EX_DATAERR, "sendmail: %s; nothing was sent", s->why.text);
	if (s->options.extract && heading_recipients(&s->rcpts, buf_str(&s->letter.header), &s->why) < 0)
		return command_fail(EX_DATAERR, "sendmail: a field of the header: %s; nothing was sent", s->why.text);
	if (s->rcpts.n == 0)
		return command_fail(EX_USAGE, "sendmail: nobody to send to: %s", s->options.extract ?
		    "the message has no To:, Cc: or Bcc: with an address" : "name recipients, or let -t take them from the header");
	return EX_OK;
}

static void
complete(struct sending *s)
{
	const char *host = handoff_host(s->handoff);
	struct address parsed;
	bool is_null = s->sender[0] == '\0';	/* told as the daemon's own notices tell it */
	char *name, *address;

	if (!heading_has(buf_str(&s->letter.header), "From") &&
	    address_parse(str_of(is_null ? "MAILER-DAEMON" : s->sender), &parsed) == 0) {
		name = is_null && s->options.name == NULL ? mem_text("") : full_name(&s->options);
		address = address_qualify(&parsed, host);
		heading_put_from(&s->header, name, address);
		free(name);
		free(address);
	}
	heading_put(&s->header, buf_str(&s->letter.header), host);
	buf_puts(&s->header, "\r\n");
}

/* --- sending it ----------------------------------------------------------------------- */

/* What the daemon's refusal is in sysexits(3). */
static int
status_of(const struct handoff *h)
{
	static const struct {
		const char *status;
		int exit;
	} table[] = {
		{ "4.5.3", EX_DATAERR },	/* will not be better later */
		{ "5.1.1", EX_NOUSER }, { "5.1.2", EX_NOHOST }, { "5.1.3", EX_DATAERR }, { "5.1.7", EX_DATAERR },
		{ "5.3.4", EX_DATAERR }, { "5.4.6", EX_DATAERR }, { "5.6.", EX_DATAERR }, { "5.7.1", EX_NOPERM },
		{ "5.7.", EX_NOPERM }, { "5.5.", EX_PROTOCOL },
	};
	int code = handoff_code(h);

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		if (strncmp(handoff_status(h), table[i].status, strlen(table[i].status)) == 0)
			return table[i].exit;
	return code / 100 == 5 ? EX_UNAVAILABLE : EX_TEMPFAIL;
}

static int
connect_daemon(struct sending *s)
{
	handoff_close(&s->handoff);
	s->opened_at_ms = clock_now_ms();
	if (handoff_open(&s->handoff, s->socket, &s->why) == 0)
		return EX_OK;
	return command_fail(EX_TEMPFAIL, "sendmail: %s; nothing was sent", s->why.text);
}

static int
put_piece(void *arg, struct str piece, struct why *why)
{
	struct sending *s = arg;

	return handoff_put(s->handoff, piece, why);
}

static int
hand_over(struct sending *s)
{
	struct handoff *h = s->handoff;
	uint64_t id;

	if (handoff_mail(h, s->sender, s->letter.has_8bit, &s->why) < 0)
		return -1;
	for (size_t i = 0; i < s->rcpts.n; i++)
		if (handoff_rcpt(h, s->rcpts.v[i], &s->why) < 0) {
			struct why said = s->why;

			return fail(&s->why, "%s: %s", s->rcpts.v[i], said.text);
		}
	if (handoff_data(h, &s->why) < 0 || handoff_put(h, buf_str(&s->header), &s->why) < 0 ||
	    letter_each(&s->letter, put_piece, s, &s->why) < 0)
		return -1;
	return handoff_end(h, &id, &s->why);
}

static int
send_it(struct sending *s)
{
	struct handoff_wishes wishes = { .notify = s->options.notify, .ret = s->options.ret };
	int status;

	if (clock_now_ms() - s->opened_at_ms > FRESH_MS && (status = connect_daemon(s)) != EX_OK)
		return status;
	complete(s);
	wishes.envid = s->options.envid.len > 0 ? s->options.envid.data : NULL;
	wishes.octets = s->header.len + s->letter.octets;
	for (size_t i = 0; i < s->rcpts.n; i++)
		wishes.utf8 |= !str_is_ascii(str_of(s->rcpts.v[i]));
	handoff_wish(s->handoff, &wishes);
	if (hand_over(s) == 0)
		return EX_OK;
	return command_fail(status_of(s->handoff), "sendmail: %s; nothing was sent", s->why.text);
}

static int
mail(struct sending *s)
{
	uint64_t max;
	int status;

	s->letter.fd = -1;
	if ((status = choose_sender(s)) != EX_OK)
		return status;
	if (s->options.nrcpt == 0 && !s->options.extract)
		return choose_recipients(s);
	if ((status = connect_daemon(s)) != EX_OK)
		return status;
	max = handoff_size_max(s->handoff);
	status = letter_read(&s->letter, STDIN_FILENO, s->options.dot_ends, max, &s->why);
	if (status != EX_OK)
		return command_fail(status, "sendmail: %s; nothing was sent", s->why.text);
	status = choose_recipients(s);
	return status == EX_OK ? send_it(s) : status;
}

/* --- the other things it can be asked for ---------------------------------------------- */

/* `gatepost NAME WORD', with our -C. */
static int
run_other(int (*run)(int, char **), const char *name, const char *word, const char *config)
{
	const char *words[5] = { name, word };
	int n = word != NULL ? 2 : 1, status;
	char *copy[5], *argv[5];

	if (config != NULL) {
		words[n++] = "-c";
		words[n++] = config;
	}
	for (int i = 0; i < n; i++)
		argv[i] = copy[i] = mem_text(words[i]);
	argv[n] = NULL;
	status = run(n, argv);
	for (int i = 0; i < n; i++)
		free(copy[i]);
	return status;
}

static int
run_mode(struct sending *s)
{
	struct args a = { .command = "sendmail", .file = s->options.config };
	int status;

	switch (s->options.mode) {
	case CLASSIC_QUEUE:
		return run_other(list_run, "queue", NULL, a.file);
	case CLASSIC_FLUSH:
		return run_other(act_retry, "retry", "--all", a.file);
	case CLASSIC_NOTHING:
		return EX_OK;
	default:
		if ((status = args_submit_socket(&a, &s->socket)) != ARGS_OK)
			return status;
		return s->options.mode == CLASSIC_SMTP ? converse(s->socket) : mail(s);
	}
}

int
sendmail_run(int argc, char **argv)
{
	struct sending s = { .letter.fd = -1 };
	int status;

	signal(SIGPIPE, SIG_IGN);
	if ((status = classic_parse(&s.options, argc, argv)) == ARGS_GO_ON)
		status = run_mode(&s);
	handoff_close(&s.handoff);
	letter_clear(&s.letter);
	rcpts_clear(&s.rcpts);
	buf_clear(&s.header);
	classic_clear(&s.options);
	free(s.sender);
	free(s.socket);
	return status;
}

int
sendmail_newaliases(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return EX_OK;		/* the daemon reads aliases_file itself; Debian's programs call this */
}
