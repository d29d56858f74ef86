/* smtp/verb: PROTOCOL.md A.4 and A.5, one row a stimulus. */
#include "unit/bytes.h"

#include <stdio.h>
#include <string.h>

#include "smtp/verb.h"

Suite *test_verb(void);

static const struct {
	struct str line;
	enum verb_id id;
	const char *args;
} verbs[] = {
	{ STR("EHLO x"), VERB_EHLO, "x" },
	{ STR("eHlO x"), VERB_EHLO, "x" },			/* */
	{ STR("HELO"), VERB_HELO, "" },
	{ STR("NOOP "), VERB_NOOP, "" },			/* */
	{ STR("RSET \t"), VERB_RSET, "" },
	{ STR("DATA"), VERB_DATA, "" },
	{ STR("quit"), VERB_QUIT, "" },
	{ STR("STARTTLS now"), VERB_STARTTLS, "now" },
	{ STR("AUTH PLAIN ="), VERB_AUTH, "PLAIN =" },
	{ STR("mAiL fRoM:<a@b.example>"), VERB_MAIL, "fRoM:<a@b.example>" },
	{ STR("RCPT TO:<a b> "), VERB_RCPT, "TO:<a b>" },
	{ STR("NOOP any thing \"x"), VERB_NOOP, "any thing \"x" }, /* */
	{ STR("VRFY postmaster"), VERB_VRFY, "postmaster" },
	{ STR("EXPN list"), VERB_EXPN, "list" },
	{ STR("HELP MAIL"), VERB_HELP, "MAIL" },
	{ STR("BDAT 5 LAST"), VERB_BDAT, "5 LAST" },
	{ STR("ETRN x"), VERB_OTHER_KNOWN, "x" },		/* */
	{ STR("ATRN"), VERB_OTHER_KNOWN, "" },
	{ STR("TURN"), VERB_OTHER_KNOWN, "" },
	{ STR("BURL x"), VERB_OTHER_KNOWN, "x" },
	{ STR("XCLIENT ADDR=1"), VERB_OTHER_KNOWN, "ADDR=1" },
	{ STR("XFORWARD ADDR=1"), VERB_OTHER_KNOWN, "ADDR=1" },
	{ STR("SEND FROM:<a@b>"), VERB_OTHER_KNOWN, "FROM:<a@b>" },
	{ STR("SOML FROM:<a@b>"), VERB_OTHER_KNOWN, "FROM:<a@b>" },
	{ STR("SAML FROM:<a@b>"), VERB_OTHER_KNOWN, "FROM:<a@b>" },
	{ STR(""), VERB_UNKNOWN, "" },				/* */
	{ STR(" NOOP"), VERB_UNKNOWN, "NOOP" },
	{ STR("FOO bar"), VERB_UNKNOWN, "bar" },
	{ STR("X-BAR"), VERB_UNKNOWN, "" },
	{ STR("NOOPS"), VERB_UNKNOWN, "" },
	{ STR("NOO"), VERB_UNKNOWN, "" },
	{ STR("MAIL\xc3\xb6 x"), VERB_UNKNOWN, "x" },
	{ STR("GET / HTTP/1.1"), VERB_FOREIGN, "/ HTTP/1.1" },	/* */
	{ STR("POST /"), VERB_FOREIGN, "/" },
	{ STR("CONNECT a:1"), VERB_FOREIGN, "a:1" },
	{ STR("SSH-2.0-x"), VERB_FOREIGN, "" },
};

START_TEST(words)
{
	char *heap = mem_copy(verbs[_i].line.p, verbs[_i].line.n + 1);
	struct str args;

	ck_assert_int_eq(verb_parse((struct str){ heap, verbs[_i].line.n }, &args),
	    verbs[_i].id);
	bytes_eq(args, str_of(verbs[_i].args));
	free(heap);
}
END_TEST

/* What came out, in one line: "error 501 5.5.4", or all that was understood. */
static void
tell_mail(struct buf *b, struct str args, bool esmtp, bool utf8)
{
	static const char *const rets[] = { "", " ret=full", " ret=hdrs" };
	struct verb_error e = { 0 };
	struct verb_mail m;
	char *sender;

	if (verb_parse_mail(args, esmtp, utf8, &m, &e) < 0) {
		ck_assert_ptr_nonnull(e.text);
		buf_printf(b, "%d %s", e.code, e.status);
		return;
	}
	sender = address_print(&m.sender);
	buf_printf(b, "<%s>", sender);
	if (m.has_size)
		buf_printf(b, " size=%s%llu", m.size_overflow ? "over " : "",
		    m.size_overflow ? 0 : (unsigned long long)m.size);
	buf_printf(b, "%s%s%s", m.is_8bit ? " 8bit" : "", m.utf8 ? " utf8" : "",
	    rets[m.ret]);
	if (m.envid.n > 0)
		buf_printf(b, " envid=%.*s", (int)m.envid.n, m.envid.p);
	free(sender);
}

#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X100 X50 X50

static const struct {
	struct str args;
	const char *want;
} mails[] = {
	{ STR("FROM:<a@b.example>"), "<a@b.example>" },		/* */
	{ STR("fRoM:<A@b.example>"), "<A@b.example>" },
	{ STR("FROM:<>"), "<>" },				/* */
	{ STR(""), "501 5.5.4" },				/* */
	{ STR("<a@b>"), "501 5.5.4" },
	{ STR("FROM:"), "501 5.5.4" },
	{ STR("FROM: "), "501 5.5.4" },
	{ STR("FROM"), "501 5.5.4" },
	{ STR("TO:<a@b>"), "501 5.5.4" },
	{ STR("FROM :<a@b>"), "501 5.5.4" },
	{ STR("FROM: <a@b.example>"), "<a@b.example>" },	/* */
	{ STR("FROM: <>"), "<>" },
	{ STR("FROM:  <a@b.example>"), "501 5.1.7" },
	{ STR("FROM:\t<a@b.example>"), "501 5.1.7" },
	{ STR("FROM:a@b.example"), "501 5.1.7" },		/* */
	{ STR("FROM:<\"a b\"@x.example>"), "<\"a b\"@x.example>" }, /* */
	{ STR("FROM:<\"a>b\"@x.example> SIZE=1"), "<\"a>b\"@x.example> size=1" },
	{ STR("FROM:<u@[192.0.2.1]>"), "<u@[192.0.2.1]>" },	/* */
	{ STR("FROM:<u@[IPv6:2001:db8::1]>"), "<u@[IPv6:2001:db8::1]>" },
	{ STR("FROM:<u@[999.1.1.1]>"), "501 5.1.7" },
	{ STR("FROM:<u@[IPv6:1::2::3]>"), "501 5.1.7" },
	{ STR("FROM:<u@[1.2.3]>"), "501 5.1.7" },
	{ STR("FROM:<@a.example,@b.example:u@c.example>"), "<u@c.example>" }, /* */
	{ STR("FROM:<a@@b>"), "501 5.1.7" },			/* */
	{ STR("FROM:<a@b..c>"), "501 5.1.7" },
	{ STR("FROM:<.a@b>"), "501 5.1.7" },
	{ STR("FROM:<a.@b>"), "501 5.1.7" },
	{ STR("FROM:<a b@c>"), "501 5.1.7" },
	{ STR("FROM:<a@-b.c>"), "501 5.1.7" },
	{ STR("FROM:<a@b>>"), "501 5.1.7" },
	{ STR("FROM:<<a@b>"), "501 5.1.7" },
	{ STR("FROM:<a@b"), "501 5.1.7" },
	{ STR("FROM:<a@b>\tX"), "501 5.1.7" },
	{ STR("FROM:<a@b>X"), "501 5.1.7" },
	{ STR("FROM:<a@b> junk"), "555 5.5.4" },
	{ STR("FROM:<a@b> ??"), "501 5.5.4" },
	{ STR("FROM:<a@b> =x"), "501 5.5.4" },
	{ STR("FROM:<root>"), "<root>" },			/* */
	{ STR("FROM:<root@localhost>"), "<root@localhost>" },
	{ STR("FROM:<a@b> SIZE=1000"), "<a@b> size=1000" },	/* */
	{ STR("FROM:<a@b>  size=0 "), "<a@b> size=0" },
	{ STR("FROM:<a@b> SIZE=99999999999999999999"), "<a@b> size=over 0" },
	{ STR("FROM:<a@b> SIZE=9223372036854775808"), "<a@b> size=over 0" },
	{ STR("FROM:<a@b> SIZE="), "501 5.5.4" },		/* */
	{ STR("FROM:<a@b> SIZE"), "501 5.5.4" },
	{ STR("FROM:<a@b> SIZE=x"), "501 5.5.4" },
	{ STR("FROM:<a@b> SIZE=-1"), "501 5.5.4" },
	{ STR("FROM:<a@b> SIZE=1 SIZE=2"), "501 5.5.4" },
	{ STR("FROM:<a@b> SIZE=0x10"), "501 5.5.4" },
	{ STR("FROM:<a@b> BODY=7BIT"), "<a@b>" },		/* */
	{ STR("FROM:<a@b> body=8bitmime"), "<a@b> 8bit" },
	{ STR("FROM:<a@b> BODY=9BIT"), "501 5.5.4" },
	{ STR("FROM:<a@b> BODY=7BIT BODY=8BITMIME"), "501 5.5.4" },
	{ STR("FROM:<a@b> BODY=BINARYMIME"), "555 5.5.4" },	/* */
	{ STR("FROM:<a@b> X-FOO=1"), "555 5.5.4" },
	{ STR("FROM:<a@b> HOLDFOR=9"), "555 5.5.4" },
	{ STR("FROM:<a@b> NOTIFY=NEVER"), "555 5.5.4" },
	{ STR("FROM:<a@b> SMTPUTF8"), "<a@b> utf8" },		/* */
	{ STR("FROM:<a@b> SMTPUTF8=1"), "501 5.5.4" },
	{ STR("FROM:<a@b> SMTPUTF8="), "501 5.5.4" },
	{ STR("FROM:<a@b> SMTPUTF8 SIZE=5 SMTPUTF8"), "<a@b> size=5 utf8" },
	{ STR("FROM:<j\xc3\xb6@x.example>"), "550 5.6.7" },	/* */
	{ STR("FROM:<j@x\xc3\xb6.example>"), "550 5.6.7" },
	{ STR("FROM:<j\xc3\xb6@x.example> SMTPUTF8"), "<j\xc3\xb6@x.example> utf8" },
	{ STR("FROM:<j\xff@x.example> SMTPUTF8"), "500 5.5.2" }, /* */
	{ STR("FROM:<j\xc0\xaf@x> SMTPUTF8"), "500 5.5.2" },
	{ STR("FROM:<j\xed\xa0\x80@x> SMTPUTF8"), "500 5.5.2" },
	{ STR("FROM:<a@b> SMTPUTF8 ENVID=\xc3\xb6"), "500 5.5.2" }, /* */
	{ STR("FROM:<a@b> RET=FULL"), "<a@b> ret=full" },	/* */
	{ STR("FROM:<a@b> ret=hdrs ENVID=QQ+2B1"), "<a@b> ret=hdrs envid=QQ+2B1" },
	{ STR("FROM:<a@b> RET=BODY"), "501 5.5.4" },
	{ STR("FROM:<a@b> RET="), "501 5.5.4" },
	{ STR("FROM:<a@b> RET=FULL RET=FULL"), "501 5.5.4" },
	{ STR("FROM:<a@b> ENVID="), "501 5.5.4" },
	{ STR("FROM:<a@b> ENVID=" X100), "<a@b> envid=" X100 },
	{ STR("FROM:<a@b> ENVID=" X100 "x"), "501 5.5.4" },
	{ STR("FROM:<a@b> ENVID=a+ZZ"), "501 5.5.4" },
	{ STR("FROM:<a@b> ENVID=a+2"), "501 5.5.4" },
	{ STR("FROM:<a@b> ENVID=a+"), "501 5.5.4" },
	{ STR("FROM:<a@b> ENVID=a=b"), "501 5.5.4" },
	{ STR("FROM:<a@b> ENVID=a+0D+0Ab"), "501 5.5.4" },	/* C-17 */
	{ STR("FROM:<a@b> ENVID=a ENVID=a"), "501 5.5.4" },
	{ STR("FROM:<a@b> AUTH=<>"), "<a@b>" },			/* */
	{ STR("FROM:<a@b> AUTH=e+3Dmc2@x.example"), "<a@b>" },
	{ STR("FROM:<a@b> AUTH=a+zz"), "501 5.5.4" },
	{ STR("FROM:<a@b> AUTH="), "501 5.5.4" },
	{ STR("FROM:<a@b> AUTH=" X100 X100 X100 X100 X100), "<a@b>" }, /* */
};

START_TEST(mail)
{
	char *heap = mem_copy(mails[_i].args.p, mails[_i].args.n + 1);
	struct buf b = { 0 };

	tell_mail(&b, (struct str){ heap, mails[_i].args.n }, true, true);
	bytes_eq(buf_str(&b), str_of(mails[_i].want));
	buf_clear(&b);
	free(heap);
}
END_TEST

START_TEST(mail_without)
{
	struct buf b = { 0 };

	tell_mail(&b, STR("FROM:<a@b>"), false, true);		/* */
	buf_putc(&b, '\n');
	tell_mail(&b, STR("FROM:<a@b> SIZE=1"), false, true);
	buf_putc(&b, '\n');
	tell_mail(&b, STR("FROM:<a@b> SMTPUTF8"), true, false);	/* D12 */
	buf_putc(&b, '\n');
	tell_mail(&b, STR("FROM:<\xc3\xb6@b>"), true, false);
	buf_putc(&b, '\n');
	tell_mail(&b, STR("FROM:<\xc3\xb6@b>"), false, false);
	bytes_eq(buf_str(&b),
	    STR("<a@b>\n555 5.5.4\n555 5.5.4\n550 5.6.7\n550 5.6.7"));
	buf_clear(&b);
}
END_TEST

static void
tell_rcpt(struct buf *b, struct str args, bool esmtp, bool utf8)
{
	struct verb_error e = { 0 };
	struct verb_rcpt r;
	char *address;

	if (verb_parse_rcpt(args, esmtp, utf8, &r, &e) < 0) {
		ck_assert_ptr_nonnull(e.text);
		buf_printf(b, "%d %s", e.code, e.status);
		return;
	}
	address = address_print(&r.rcpt);
	buf_printf(b, "<%s>", address);
	if (r.notify != 0)
		buf_printf(b, " notify=%s%s%s%s", r.notify & NOTIFY_NEVER ? "n" : "",
		    r.notify & NOTIFY_SUCCESS ? "s" : "",
		    r.notify & NOTIFY_FAILURE ? "f" : "",
		    r.notify & NOTIFY_DELAY ? "d" : "");
	if (r.orcpt.n > 0)
		buf_printf(b, " orcpt=%.*s", (int)r.orcpt.n, r.orcpt.p);
	free(address);
}

#define X490 X100 X100 X100 X100 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	struct str args;
	const char *want;
} rcpts[] = {
	{ STR("TO:<c@d.example>"), "<c@d.example>" },		/* */
	{ STR("to: <c@d.example>"), "<c@d.example>" },
	{ STR("TO:<>"), "501 5.1.3" },				/* */
	{ STR(""), "501 5.5.4" },
	{ STR("TO:"), "501 5.5.4" },
	{ STR("FROM:<c@d>"), "501 5.5.4" },
	{ STR("TO:c@d"), "501 5.1.3" },
	{ STR("TO:<Postmaster>"), "<Postmaster>" },		/* */
	{ STR("TO:<@a.example,@b.example:u@c.example>"), "<u@c.example>" }, /* */
	{ STR("TO:<u%h@d.example>"), "<u%h@d.example>" },	/* */
	{ STR("TO:<h!u@d.example>"), "<h!u@d.example>" },
	{ STR("TO:<|cmd@d.example>"), "<|cmd@d.example>" },
	{ STR("TO:<-x@d.example>"), "<-x@d.example>" },
	{ STR("TO:<;sh@d.example>"), "<;sh@d.example>" },
	{ STR("TO:<c@d> NOTIFY=NEVER"), "<c@d> notify=n" },	/* */
	{ STR("TO:<c@d> NOTIFY=SUCCESS,FAILURE,DELAY"), "<c@d> notify=sfd" },
	{ STR("TO:<c@d> notify=delay"), "<c@d> notify=d" },
	{ STR("TO:<c@d> ORCPT=rfc822;u+40x.example"), "<c@d> orcpt=rfc822;u+40x.example" },
	{ STR("TO:<c@d> NOTIFY=NEVER,SUCCESS"), "501 5.5.4" },
	{ STR("TO:<c@d> NOTIFY=SUCCESS,NEVER"), "501 5.5.4" },
	{ STR("TO:<c@d> NOTIFY="), "501 5.5.4" },
	{ STR("TO:<c@d> NOTIFY"), "501 5.5.4" },
	{ STR("TO:<c@d> NOTIFY=X"), "501 5.5.4" },
	{ STR("TO:<c@d> NOTIFY=SUCCESS,"), "501 5.5.4" },
	{ STR("TO:<c@d> NOTIFY=,SUCCESS"), "501 5.5.4" },
	{ STR("TO:<c@d> NOTIFY=DELAY NOTIFY=DELAY"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=nosemi"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=;x"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=rfc822;"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=rfc822;a+4"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=rfc822;a+0A"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=r?;a"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=-x;a"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=x-09azAZ;a"), "<c@d> orcpt=x-09azAZ;a" },
	{ STR("TO:<c@d> ORCPT=rfc822;a ORCPT=rfc822;a"), "501 5.5.4" },
	{ STR("TO:<c@d> ORCPT=rfc822;xxx" X490), "<c@d> orcpt=rfc822;xxx" X490 },
	{ STR("TO:<c@d> ORCPT=rfc822;xxxx" X490), "501 5.5.4" },
	{ STR("TO:<c@d> FOO=1"), "555 5.5.4" },			/* */
	{ STR("TO:<c@d> RET=FULL"), "555 5.5.4" },
	{ STR("TO:<MiXeD.Case@d.example>"), "<MiXeD.Case@d.example>" }, /* */
	{ STR("TO:<\xc3\xb6@d.example>"), "<\xc3\xb6@d.example>" },
	{ STR("TO:<\xf8@d.example>"), "500 5.5.2" },
	{ STR("TO:<c@localhost>"), "<c@localhost>" },		/* */
	{ STR("TO:<c>"), "<c>" },
};

START_TEST(rcpt)
{
	char *heap = mem_copy(rcpts[_i].args.p, rcpts[_i].args.n + 1);
	struct buf b = { 0 };

	tell_rcpt(&b, (struct str){ heap, rcpts[_i].args.n }, true, true);
	bytes_eq(buf_str(&b), str_of(rcpts[_i].want));
	buf_clear(&b);
	free(heap);
}
END_TEST

START_TEST(rcpt_without)
{
	struct buf b = { 0 };

	tell_rcpt(&b, STR("TO:<\xc3\xb6@d.example>"), true, false);	/* */
	buf_putc(&b, '\n');
	tell_rcpt(&b, STR("TO:<c@d> NOTIFY=NEVER"), false, false);
	bytes_eq(buf_str(&b), STR("553 5.6.7\n555 5.5.4"));
	buf_clear(&b);
}
END_TEST

/* C-17: whatever comes, what we print of it is one line, and parses to itself. */
START_TEST(never_raw)
{
	static const char bytes[] = "<<>>@@..\"\\ aA0-[]:;,=+\r\n\t\x01\x7f\xc3\xb6\xff";
	uint32_t seed = 3;

	for (int i = 0; i < 100000; i++) {
		struct buf args = { 0 };
		struct verb_error e;
		struct verb_mail m;

		buf_puts(&args, "FROM:<");
		for (uint32_t n = bytes_random(&seed, 12); n > 0; n--)
			buf_putc(&args, bytes[bytes_random(&seed, sizeof bytes)]);
		buf_puts(&args, "> SMTPUTF8");
		if (verb_parse_mail(buf_str(&args), true, true, &m, &e) == 0) {
			char *sender = address_print(&m.sender);

			ck_assert(!str_has_control(str_of(sender)));
			ck_assert(str_is_utf8(str_of(sender)));
			free(sender);
		}
		buf_clear(&args);
	}
}
END_TEST

Suite *
test_verb(void)
{
	Suite *s = suite_create("test_verb");
	TCase *t = tcase_create("verb");

	tcase_add_loop_test(t, words, 0, sizeof verbs / sizeof verbs[0]);
	tcase_add_loop_test(t, mail, 0, sizeof mails / sizeof mails[0]);
	tcase_add_test(t, mail_without);
	tcase_add_loop_test(t, rcpt, 0, sizeof rcpts / sizeof rcpts[0]);
	tcase_add_test(t, rcpt_without);
	tcase_add_test(t, never_raw);
	suite_add_tcase(s, t);
	return s;
}
