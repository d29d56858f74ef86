/*
 * Options of sendmail: those that mean something here, and those of sendmail, Postfix and Exim that do not.  As in
 * Postfix the first word that is no option ends them.
 */
#include "command/classic.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "command/args.h"
#include "command/command.h"
#include "mail/xtext.h"

/* Taken and forgotten: -A -B -c -d -E -e -G -h -L -m -n -O -p -T -U -v -x -X. */
static const char known[] = "+A:B:C:EF:GIL:N:O:R:T:UV:X:b:cd::e:f:h:imno:p:q::r:tvx";

static int
take_mode(struct classic *c, const char *mode)
{
	static const struct {
		const char *name;
		enum classic_mode mode;
	} modes[] = {
		{ "m", CLASSIC_MAIL }, { "s", CLASSIC_SMTP }, { "p", CLASSIC_QUEUE }, { "i", CLASSIC_NOTHING },
	};

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (strcmp(mode, modes[i].name) == 0) {
			c->mode = modes[i].mode;
			return ARGS_GO_ON;
		}
	if (strcmp(mode, "d") == 0 || strcmp(mode, "D") == 0 || strcmp(mode, "l") == 0)
		return command_fail(ARGS_USAGE, "sendmail: -b%s: the daemon is `gatepost run' (systemctl start gatepost)", mode);
	return command_fail(ARGS_USAGE, "sendmail: -b%s is not supported; -bm, -bs, -bp and -bi are", mode);
}

static const char *
find_word(const char *const *words, size_t n, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(words[i], value) == 0)
			return words[i];
	return NULL;
}

/* What makes no sense is passed over with a warning, as Postfix does: the mail matters more. */
static void
take_notify(struct classic *c, const char *value)
{
	static const char *const words[] = { "NEVER", "SUCCESS", "FAILURE", "DELAY" };
	struct str rest = str_of(value), word;
	bool ok = true, never = false;
	char one[16];
	unsigned n = 0;

	for (; str_split(&rest, ',', &word); n++) {
		str_fit(one, sizeof one, word);
		ok = ok && find_word(words, sizeof words / sizeof words[0], one) != NULL;
		never = never || strcasecmp(one, words[0]) == 0;
	}
	if (ok && (!never || n == 1))
		c->notify = value;
	else
		command_fail(0, "sendmail: -N %s is passed over; it takes never, or of success, failure and delay", value);
}

static void
take_ret(struct classic *c, const char *value)
{
	static const char *const words[] = { "FULL", "HDRS" };

	c->ret = find_word(words, sizeof words / sizeof words[0], value);
	if (c->ret == NULL)
		command_fail(0, "sendmail: -R %s is passed over; it takes full or hdrs", value);
}

static void
take_envid(struct classic *c, const char *value)
{
	struct str s = str_of(value);

	buf_cut(&c->envid, 0);
	if (s.n > 0 && s.n <= 30 && str_is_ascii(s) && !str_has_control(s))
		xtext_encode(&c->envid, s);
	else
		command_fail(0, "sendmail: -V %s is passed over; it takes at most 30 printable characters", value);
}

static int
take_queue(struct classic *c, const char *value)
{
	if (value != NULL)
		return command_fail(ARGS_USAGE, "sendmail: -q%s is not supported; `gatepost retry' tries messages now, and the "
		    "daemon needs no -q to do its work", value);
	c->mode = CLASSIC_FLUSH;
	return ARGS_GO_ON;
}

static int
take(struct classic *c, int option, const char *value)
{
	switch (option) {
	case 'b':
		return take_mode(c, value);
	case 'C':
		c->config = value;
		break;
	case 'F':
		c->name = value;
		break;
	case 'f': case 'r':
		c->sender = value;
		break;
	case 'I':
		c->mode = CLASSIC_NOTHING;
		break;
	case 'i':
		c->dot_ends = false;
		break;
	case 'N':
		take_notify(c, value);
		break;
	case 'o':
		c->dot_ends = c->dot_ends && strcmp(value, "i") != 0 && strcmp(value, "itrue") != 0;
		break;
	case 'q':
		return take_queue(c, value);
	case 'R':
		take_ret(c, value);
		break;
	case 't':
		c->extract = true;
		break;
	case 'V':
		take_envid(c, value);
		break;
	default:
		break;
	}
	return ARGS_GO_ON;
}

int
classic_parse(struct classic *c, int argc, char **argv)
{
	int option, status = ARGS_GO_ON;

	*c = (struct classic){ .dot_ends = true };
	opterr = 0;
	optind = 0;		/* from the start, whoever was here before */
	while (status == ARGS_GO_ON && (option = getopt(argc, argv, known)) != -1) {
		if (option == '?')
			status = command_fail(ARGS_USAGE, strchr(known, optopt) != NULL && optopt != '+' && optopt != ':' ?
			    "sendmail: nothing follows -%c" : "sendmail: unknown option -%c; see sendmail(8)", optopt);
		else
			status = take(c, option, optarg);
	}
	c->rcpt = argv + optind;
	c->nrcpt = argc - optind;
	return status;
}

void
classic_clear(struct classic *c)
{
	buf_clear(&c->envid);
}
