/*
 * The lines that are said to the session and to its model.  Any of them may come at any time: as a command, as a response of an AUTH
 * dialogue, as content.  What a line is as a command stands in its row; the rest is seen from its text.
 */
#ifndef TESTS_MODEL_LINES_H
#define TESTS_MODEL_LINES_H

#include <stdbool.h>
#include <string.h>

#include "listener_rig.h"

enum cmd { OTHER, EHLO, HELO, STARTTLS, AUTH, MAIL, RCPT, DATA, RSET, QUIT, VRFY };

enum {	/* flags */
	PARAMETERS = 1,
	UTF8 = 2,		/* the address is not ASCII */
	WANTS_UTF8 = 4,		/* SMTPUTF8 */
	EIGHT_BIT = 8,		/* BODY=8BITMIME */
	BOUND_MAY = 16,		/* "bound" may send as this */
	LOCAL = 32,
	NOT_ASCII = 64,		/* not even as an address */
	ASKS_NAME = 128, ASKS_PASSWORD = 256, WRONG_LOGIN = 512
};

struct word {
	const char *text;
	size_t n;
	enum cmd cmd;
	const char *reply;	/* where that does not depend on the session's state */
	const char *syntax, *params;	/* the reply to what is wrong with its argument, and with what follows that; NULL: nothing */
	const char *address;	/* as it is queued; AUTH: who that logs in */
	const char *extra;	/* the parameters as they are queued */
	unsigned flags;
};

#define PLAIN_U "AHUAcA=="
#define PLAIN_BOUND "AGJvdW5kAHA="
#define BASE64_U "dQ=="
#define BASE64_BOUND "Ym91bmQ="
#define BASE64_P "cA=="
#define OWN_RECEIVED "Received: from c by mail.example with ESMTPA id 0123456789abc; date"	/* as mail.example writes it */

#define LINE(text) text, sizeof(text) - 1
#define SAYS(text, cmd, reply) { LINE(text), cmd, reply, NULL, NULL, NULL, "", 0 }
#define WRONG(text, cmd, reply) { LINE(text), cmd, NULL, reply, NULL, NULL, "", 0 }
#define LATER(text, cmd, reply, flags) { LINE(text), cmd, NULL, NULL, reply, "", "", flags }
#define MAILBOX(text, cmd, address, extra, flags) { LINE(text), cmd, NULL, NULL, NULL, address, extra, flags }
#define UNKNOWN(text) SAYS(text, OTHER, "500/5.5.2")

/* What the queue is to say of a message with such a field. */
static const char *const wishes[] = { [VERDICT_NO_SPACE] = "X-Verdict: no space", [VERDICT_TOO_FAST] = "X-Verdict: too fast",
    [VERDICT_LOCAL_ERROR] = "X-Verdict: local error" };

/* Filled in at start: texts too long to be written here. */
static char long_1022[1023], long_3000[3001], long_12284[12285], long_12288[12289], long_argument[301];

static struct word words[] = {
	SAYS("EHLO c.example", EHLO, NULL), SAYS("eHlO [127.0.0.1] ", EHLO, NULL), SAYS("EHLO my_host", EHLO, NULL),
	SAYS("HELO c.example", HELO, NULL), SAYS("helo\tx", HELO, NULL),
	WRONG("EHLO", EHLO, "501/5.5.4"), WRONG("HELO ", HELO, "501/5.5.4"), WRONG("EHLO a b<script>", EHLO, "501/5.5.4"),
	WRONG("EHLO \x01x", EHLO, "501/5.5.4"), WRONG("EHLO \xff", EHLO, "501/5.5.4"), UNKNOWN("EHL"),

	SAYS("STARTTLS", STARTTLS, NULL), SAYS("starttls  ", STARTTLS, NULL), WRONG("STARTTLS now", STARTTLS, "501/5.5.4"),

	MAILBOX("AUTH PLAIN " PLAIN_U, AUTH, "u", "", 0), MAILBOX("auth plain " PLAIN_BOUND, AUTH, "bound", "", 0),
	MAILBOX("AUTH PLAIN", AUTH, NULL, "", 0), MAILBOX("AUTH LOGIN ", AUTH, NULL, "", ASKS_NAME),
	MAILBOX("AUTH login " BASE64_U, AUTH, NULL, "", ASKS_PASSWORD),
	MAILBOX("AUTH PLAIN AHUAeA==", AUTH, NULL, "", WRONG_LOGIN), MAILBOX("AUTH PLAIN =", AUTH, NULL, "", WRONG_LOGIN),
	MAILBOX("AUTH PLAIN dQBib3VuZABw", AUTH, NULL, "", WRONG_LOGIN),	/* u for bound */
	LATER("AUTH PLAIN !!!!", AUTH, "501/5.5.2", 0), LATER("AUTH PLAIN AAA=BBB", AUTH, "501/5.5.2", 0),
	LATER("AUTH KERBEROS_V9", AUTH, "504/5.5.4", 0), WRONG("AUTH", AUTH, "501/5.5.4"),

	MAILBOX("MAIL FROM:<a@b.example>", MAIL, "a@b.example", "", 0), MAILBOX("mail from: <A@b.example>  ", MAIL, "A@b.example", "", 0),
	MAILBOX("MAIL FROM:<bound@a.example>", MAIL, "bound@a.example", "", BOUND_MAY), MAILBOX("MAIL FROM:<>", MAIL, "", "", BOUND_MAY),
	MAILBOX("MAIL FROM:<root>", MAIL, "root@mail.example", "", BOUND_MAY),
	MAILBOX("MAIL FROM:<x@localhost>", MAIL, "x@mail.example", "", BOUND_MAY),
	MAILBOX("MAIL FROM:<@a.example,@b.example:r@c.example>", MAIL, "r@c.example", "", 0),
	MAILBOX("MAIL FROM:<\"a b\"@b.example>", MAIL, "\"a b\"@b.example", "", 0),
	MAILBOX("MAIL FROM:<s@b.example> SIZE=32770", MAIL, "s@b.example", "", PARAMETERS),
	MAILBOX("MAIL FROM:<8@b.example> BODY=8BITMIME", MAIL, "8@b.example", "", PARAMETERS | EIGHT_BIT),
	MAILBOX("MAIL FROM:<j\xc3\xb6@mail.example>", MAIL, "j\xc3\xb6@mail.example", "", UTF8 | BOUND_MAY),
	MAILBOX("MAIL FROM:<j\xc3\xb6@mail.example> SMTPUTF8", MAIL, "j\xc3\xb6@mail.example", "", PARAMETERS | UTF8 | WANTS_UTF8 | BOUND_MAY),
	MAILBOX("MAIL FROM:<u@mail.example> SMTPUTF8 SMTPUTF8", MAIL, "u@mail.example", "", PARAMETERS | WANTS_UTF8 | BOUND_MAY),
	MAILBOX("MAIL FROM:<d@b.example> RET=HDRS ENVID=QQ+2B1 AUTH=<>", MAIL, "d@b.example", " QQ+2B1 2", PARAMETERS),
	WRONG("MAIL", MAIL, "501/5.5.4"), WRONG("MAIL FROM:", MAIL, "501/5.5.4"), WRONG("MAIL TO:<a@b.example>", MAIL, "501/5.5.4"),
	WRONG("MAIL FROM:a@b.example", MAIL, "501/5.1.7"), WRONG("MAIL FROM:<a@b..c>", MAIL, "501/5.1.7"), WRONG("MAIL FROM:<a@b", MAIL, "501/5.1.7"),
	LATER("MAIL FROM:<a@b.example> SIZE=32771", MAIL, "552/5.3.4", PARAMETERS),
	LATER("MAIL FROM:<a@b.example> SIZE=99999999999999999999", MAIL, "552/5.3.4", PARAMETERS),
	LATER("MAIL FROM:<a@b.example> SIZE=x", MAIL, "501/5.5.4", PARAMETERS),
	LATER("MAIL FROM:<a@b.example> BODY=9BIT", MAIL, "501/5.5.4", PARAMETERS),
	LATER("MAIL FROM:<a@b.example> BODY=BINARYMIME", MAIL, "555/5.5.4", PARAMETERS),
	LATER("MAIL FROM:<a@b.example> X-FOO=1", MAIL, "555/5.5.4", PARAMETERS),
	LATER("MAIL FROM:<a@b.example> AUTH=a+zz", MAIL, "501/5.5.4", PARAMETERS),
	MAILBOX("MAIL FROM:<\xff@b.example>", MAIL, "", "", NOT_ASCII),

	MAILBOX("RCPT TO:<c@d.example>", RCPT, "c@d.example", "", 0), MAILBOX("rcpt to: <MiXeD@d.example> ", RCPT, "MiXeD@d.example", "", 0),
	MAILBOX("RCPT TO:<|cmd@d.example>", RCPT, "|cmd@d.example", "", 0), MAILBOX("RCPT TO:<e@d.example>", RCPT, "e@d.example", "", 0),
	MAILBOX("RCPT TO:<f@d.example>", RCPT, "f@d.example", "", 0),
	MAILBOX("RCPT TO:<c@d.example> NOTIFY=NEVER", RCPT, "c@d.example", " 1 ", PARAMETERS),
	MAILBOX("RCPT TO:<c@d.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;u+40x.example", RCPT, "c@d.example", " 10 rfc822;u+40x.example", PARAMETERS),
	MAILBOX("RCPT TO:<\xc3\xb6@d.example>", RCPT, "\xc3\xb6@d.example", "", UTF8),
	MAILBOX("RCPT TO:<Postmaster>", RCPT, "local", "", LOCAL), MAILBOX("RCPT TO:<nobody@localhost>", RCPT, "local", "", LOCAL),
	MAILBOX("RCPT TO:<x@mail.example>", RCPT, "local", "", LOCAL),
	WRONG("RCPT", RCPT, "501/5.5.4"), WRONG("RCPT TO:", RCPT, "501/5.5.4"), WRONG("RCPT TO:<>", RCPT, "501/5.1.3"),
	WRONG("RCPT TO:c@d", RCPT, "501/5.1.3"), WRONG("RCPT FROM:<c@d>", RCPT, "501/5.5.4"),
	LATER("RCPT TO:<c@d.example> NOTIFY=NEVER,SUCCESS", RCPT, "501/5.5.4", PARAMETERS),
	LATER("RCPT TO:<c@d.example> ORCPT=nosemi", RCPT, "501/5.5.4", PARAMETERS), LATER("RCPT TO:<c@d> FOO=1", RCPT, "555/5.5.4", PARAMETERS),

	SAYS("DATA", DATA, NULL), SAYS("DATA \t", DATA, NULL), WRONG("DATA x", DATA, "501/5.5.4"),
	SAYS("RSET", RSET, "250/2.0.0"), SAYS("RSET \t", RSET, "250/2.0.0"), WRONG("RSET x", RSET, "501/5.5.4"),
	SAYS("NOOP", OTHER, "250/2.0.0"), SAYS("noop any thing \"x", OTHER, "250/2.0.0"), SAYS("HELP MAIL", OTHER, "214/2.0.0"),
	SAYS("VRFY postmaster", VRFY, "252/2.0.0"), WRONG("VRFY", VRFY, "501/5.5.4"), { LINE("VRFY \xc3\xb6"), VRFY, NULL, NULL, NULL, NULL, "", NOT_ASCII },
	SAYS("EXPN list", OTHER, "502/5.5.1"), SAYS("ETRN x", OTHER, "502/5.5.1"), SAYS("XCLIENT NAME=x", OTHER, "502/5.5.1"),
	SAYS("QUIT", QUIT, "!221/2.0.0"), WRONG("QUIT x", QUIT, "501/5.5.4"),
	SAYS("BDAT 5 LAST", OTHER, "!502/5.5.1"), SAYS("GET / HTTP/1.1", OTHER, "!500/5.5.2"), SAYS("SSH-2.0-x", OTHER, "!500/5.5.2"),
	UNKNOWN("\x16\x03\x01"), UNKNOWN("FOO"), UNKNOWN(""), UNKNOWN(" "), UNKNOWN("MAIL:"),
	UNKNOWN("NOOP\nMAIL FROM:<evil@b.example>"), UNKNOWN("\n."), UNKNOWN(".\n"), UNKNOWN("x\r"), UNKNOWN("\r."), UNKNOWN("a\0b"),

	UNKNOWN("*"), UNKNOWN(BASE64_U), UNKNOWN(BASE64_BOUND), UNKNOWN(BASE64_P), UNKNOWN(PLAIN_U), UNKNOWN(PLAIN_BOUND), UNKNOWN("AAAAA"),
	UNKNOWN("AAA="), UNKNOWN("="), UNKNOWN("AHUAeA=="),

	UNKNOWN("."), UNKNOWN(".."), UNKNOWN(".x"), UNKNOWN("Subject: s"), UNKNOWN(" folded"), UNKNOWN("From: <bound@a.example>"),
	UNKNOWN("From: <other@b.example>"), UNKNOWN("Received: from x by y; date"), UNKNOWN(OWN_RECEIVED), UNKNOWN("Received:"), UNKNOWN("Date : x"), UNKNOWN("hello"),
	{ LINE("gr\xc3\xbc\xc3\x9f" "e"), OTHER, NULL, NULL, NULL, NULL, "", NOT_ASCII },
	{ LINE("Subject: \xc3\xbc"), OTHER, NULL, NULL, NULL, NULL, "", NOT_ASCII },
	UNKNOWN("X-Verdict: no space"), UNKNOWN("X-Verdict: too fast"), UNKNOWN("X-Verdict: local error"),

	UNKNOWN(long_1022), UNKNOWN(long_3000), UNKNOWN(long_12284), UNKNOWN(long_12288), WRONG(long_argument, EHLO, "501/5.5.4"),
};
enum { WORDS = sizeof words / sizeof words[0] };

static inline void
words_init(void)
{
	memset(long_1022, 'A', sizeof long_1022 - 1);
	memset(long_3000, 'A', sizeof long_3000 - 1);
	memset(long_12284, 'A', sizeof long_12284 - 1);
	memset(long_12288, 'A', sizeof long_12288 - 1);
	memset(long_argument, 'x', sizeof long_argument - 1);
	memcpy(long_argument, "EHLO ", 5);
}

static inline bool
word_is(const struct word *w, const char *text)
{
	return w->n == strlen(text) && memcmp(w->text, text, w->n) == 0;
}

/* A bare CR or LF, or a NUL. */
static inline bool
word_is_broken(const struct word *w)
{
	return memchr(w->text, '\r', w->n) != NULL || memchr(w->text, '\n', w->n) != NULL || memchr(w->text, '\0', w->n) != NULL;
}

static inline bool
word_is_8bit(const struct word *w)
{
	for (size_t i = 0; i < w->n; i++)
		if ((unsigned char)w->text[i] >= 0x80)
			return true;
	return false;
}

static inline bool
word_is_base64(const struct word *w)
{
	size_t n = w->n;

	if (n % 4 != 0)
		return false;
	while (n > 0 && w->n - n < 2 && w->text[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", w->text[i]) == NULL)
			return false;
	return true;
}

/* "Name:", perhaps with blanks before the colon. */
static inline bool
word_is_field(const char *line)
{
	size_t n = strcspn(line, ": \t");

	for (size_t i = 0; i < n; i++)
		if (line[i] <= ' ' || (unsigned char)line[i] >= 0x7f)
			return false;
	return n > 0 && line[n + strspn(line + n, " \t")] == ':';
}

static inline const struct word *
word_user(void)
{
	static const struct word user = { LINE(BASE64_U), OTHER, NULL, NULL, NULL, NULL, "", 0 };

	return &user;
}

/* Ends the session wherever it comes as a command. */
static inline bool
word_is_end(const struct word *w)
{
	return word_is_broken(w) || (w->reply != NULL && w->reply[0] == '!');
}

#endif
