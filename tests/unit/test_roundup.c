/* mail/roundup: what it says of each message, and that nothing of what others wrote breaks out of its line. */
#include "mail/roundup.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

Suite *test_roundup(void);

static struct envelope *
make(const char *sender, const char *text)
{
	struct envelope *e = envelope_new();

	setenv("TZ", "UTC", 1);
	tzset();
	free(e->sender);
	e->sender = mem_text(sender);
	e->arrived_wall_s = 1792000000;
	envelope_add(e, "a@b.example", NULL, 0);
	outcome_set(&e->rcpt[0].last, OUTCOME_REFUSE, 550, "5.1.1", str_of(text));
	return e;
}

static void
add(struct roundup *r, enum dsn_action action, struct envelope *e, const char *header)
{
	struct dsn_recipient to = { .rcpt = &e->rcpt[0] };

	roundup_add(r, action, 1, e, &to, 1, str_of(header));
	envelope_free(&e);
}

START_TEST(the_whole)
{
	static const char want[] =
	    "From: Mail Delivery System <MAILER-DAEMON@mail.example>\r\nTo: <me@x.example>\r\n"
	    "Subject: 1 message could not be delivered\r\nDate: Thu, 15 Oct 2026 21:33:20 +0000\r\n"
	    "Message-ID: <0000000000002@mail.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
	    "This is gatepost, the mail relay of mail.example.  There were more notices for you than\r\n"
	    "bounce_limit allows, so this one stands for all of them.  \"gatepost trace NUMBER\" shows\r\n"
	    "each attempt.\r\n\r\n"
	    "1 message could not be delivered to those named, and will not be tried again:\r\n\r\n"
	    "Message 0000000000001 of Wed, 14 Oct 2026 17:46:40 +0000\r\n    from <me@x.example>\r\n"
	    "    Subject: long and folded\r\n    Message-ID: <m@x>\r\n\r\n"
	    "    <a@b.example>\r\n        The server answered:\r\n        550 nobody\r\n\r\n"
	    "2 messages not delivered yet; you need not send anything again:\r\n\r\n"
	    "Message 0000000000001 of Wed, 14 Oct 2026 17:46:40 +0000\r\n    from <me@x.example>\r\n\r\n"
	    "    <a@b.example>\r\n        The server answered:\r\n        550 later\r\n\r\n"
	    "Message 0000000000001 of Wed, 14 Oct 2026 17:46:40 +0000\r\n    from <me@x.example>\r\n\r\n"
	    "    <a@b.example>\r\n        The server answered:\r\n        550 later\r\n";
	struct roundup r = { 0 };
	struct buf out = { 0 };

	add(&r, DSN_FAILED, make("me@x.example", "nobody"),
	    "Received: x\r\n\tsubject: no\r\nsubject : long\r\n  and folded\r\n\t\r\nMessage-Id:<m@x>\r\n\r\nSubject: body\r\n");
	add(&r, DSN_DELAYED, make("me@x.example", "later"), "");
	add(&r, DSN_DELAYED, make("me@x.example", "later"), "no field\r\n\r\nSubject: body\r\n");
	roundup_build(&out, &r, "mail.example", "me@x.example", 2, 1792100000);
	ck_assert_str_eq(out.data, want);
	buf_clear(&out);
	roundup_clear(&r);
}
END_TEST

/* Headers are anybody's: cut short, without end, not text at all. */
static const char *const hostile[] = {
	"Subject: a\x1b]0;x\x07\x80\xff\r\n\r\n", "Subject", "Subject:", "Subject:\r\n \r\n \r\n", "\r\n", "\n", ":\r\n", " folded\r\n",
	"Subject: bare\rreturn\r\nMessage-ID: <x>", "Subject: \xc3\xa4\r\n",
};

START_TEST(nothing_breaks_out)	/* C-33, B-108 */
{
	struct roundup r = { 0 };
	struct buf out = { 0 };
	struct str rest, line;

	add(&r, DSN_FAILED, make("me\x01@x.example", "two\r\nlines\x1b"), hostile[_i]);
	roundup_build(&out, &r, "mail.example", "me@x.example", 2, 1792100000);
	ck_assert(str_is_ascii(buf_str(&out)));
	rest = buf_str(&out);
	while (str_split(&rest, '\n', &line)) {
		ck_assert_uint_lt(line.n, 998);
		if (line.n == 0)
			continue;
		ck_assert(line.p[line.n - 1] == '\r');
		ck_assert(!str_has_control((struct str){ line.p, line.n - 1 }));
	}
	buf_clear(&out);
	roundup_clear(&r);
}
END_TEST

Suite *
test_roundup(void)
{
	Suite *s = suite_create("test_roundup");
	TCase *t = tcase_create("text");

	tcase_add_test(t, the_whole);
	tcase_add_loop_test(t, nothing_breaks_out, 0, (int)(sizeof hostile / sizeof hostile[0]));
	suite_add_tcase(s, t);
	return s;
}
