/* mail/dsn: the whole text of a notification, and that nothing breaks out of its part. */
#include "unit/bytes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "mail/dsn.h"

Suite *test_dsn(void);

struct sample {
	struct envelope *e;
	struct dsn_recipient r[2];
	struct dsn d;
};

static void
sample_init(struct sample *s)
{
	setenv("TZ", "UTC", 1);
	tzset();
	*s = (struct sample){ .e = envelope_new() };
	free(s->e->sender);
	s->e->sender = mem_text("me@x.example");
	s->e->arrived_wall_s = 1792000000;
	envelope_add(s->e, "a@b.example", NULL, 0);
	envelope_add(s->e, "c@d.example", "rfc822;c+2Bx+40d.example", 0);
	for (unsigned i = 0; i < 2; i++)
		s->r[i].rcpt = &s->e->rcpt[i];
	snprintf(s->r[0].peer.host, sizeof s->r[0].peer.host, "smtp.provider.example");
	outcome_set(&s->e->rcpt[0].last, OUTCOME_REFUSE, 550, "5.1.1",
	    STR("5.1.1 no\nsuch user"));
	outcome_set(&s->e->rcpt[1].last, OUTCOME_REFUSE, 0, "5.4.6", STR("a loop"));
	s->d = (struct dsn){
		.action = DSN_FAILED, .hostname = "mail.example", .id = 1, .own_id = 2,
		.envelope = s->e, .rcpt = s->r, .nrcpt = 2, .now_wall_s = 1792100000,
		.expires_wall_s = 1792400000, .original = STR("Subject: x\r\n\r\nhello\r\n"),
	};
}

/* Builds it, and puts BOUNDARY for what is there; the lines are checked. */
static struct buf
build(struct sample *s)
{
	struct buf out = { 0 }, fixed = { 0 };
	struct str rest, line;
	char *at;

	dsn_build(&out, &s->d);
	at = strstr(out.data, "boundary=\"");
	ck_assert_ptr_nonnull(at);
	at = mem_textn(at + 10, 32);
	ck_assert_uint_eq(strspn(at, "0123456789abcdef"), 32);
	rest = buf_str(&out);
	while (str_split(&rest, '\n', &line)) {
		ck_assert_uint_le(line.n, 998 + 1);	/* its CR */
		ck_assert(line.n > 0 ? line.p[line.n - 1] == '\r' : rest.n == 0);
		ck_assert_ptr_null(memchr(line.p, '\0', line.n));
		for (const char *b; line.n > 32 &&
		    (b = memmem(line.p, line.n, at, 32)) != NULL; ) {
			buf_put(&fixed, line.p, (size_t)(b - line.p));
			buf_puts(&fixed, "BOUNDARY");
			line = str_from(line, (size_t)(b + 32 - line.p));
		}
		buf_putstr(&fixed, line);
		if (rest.n > 0 || line.n > 0)
			buf_putc(&fixed, '\n');
	}
	free(at);
	buf_clear(&out);
	return fixed;
}

static void
sample_clear(struct sample *s, struct buf *b)
{
	envelope_free(&s->e);
	buf_clear(b);
}

#define HAS(b, text)                                                           \
	ck_assert_msg(strstr((b).data, text) != NULL, "no \"%s\" in:\n%s", text, (b).data)
#define HAS_NOT(b, text)                                                       \
	ck_assert_msg(strstr((b).data, text) == NULL, "\"%s\" in:\n%s", text, (b).data)

/* */
START_TEST(failed)
{
	struct sample s;
	struct buf b;

	sample_init(&s);
	s.e->envid = mem_text("QQ+2B1");
	b = build(&s);
	bytes_eq(buf_str(&b), STR(
	    "From: Mail Delivery System <MAILER-DAEMON@mail.example>\r\n"
	    "To: <me@x.example>\r\n"
	    "Subject: Your message could not be delivered\r\n"
	    "Date: Thu, 15 Oct 2026 21:33:20 +0000\r\n"
	    "Message-ID: <0000000000002@mail.example>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"BOUNDARY\"\r\n"
	    "\r\n--BOUNDARY\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n"
	    "This is gatepost, the mail relay of mail.example.\r\n\r\n"
	    "Your message could not be delivered to everyone.  It will not be tried\r\n"
	    "again for:\r\n\r\n"
	    "    <a@b.example>\r\n"
	    "        smtp.provider.example answered:\r\n"
	    "        550 5.1.1 no such user\r\n\r\n"
	    "    <c@d.example>\r\n"
	    "        a loop\r\n\r\n"
	    "If the address is right, the answer above says what to change before you\r\n"
	    "send the message again.\r\n\r\n"
	    "The text of your message follows.  Its number here is 0000000000001;\r\n"
	    "\"gatepost trace 0000000000001\" on mail.example shows each attempt.\r\n"
	    "\r\n--BOUNDARY\r\n"
	    "Content-Type: message/delivery-status\r\n\r\n"
	    "Original-Envelope-Id: QQ+1\r\n"
	    "Reporting-MTA: dns; mail.example\r\n"
	    "Arrival-Date: Wed, 14 Oct 2026 17:46:40 +0000\r\n\r\n"
	    "Final-Recipient: rfc822; a@b.example\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; smtp.provider.example\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
	    "Original-Recipient: rfc822; c+x@d.example\r\n"
	    "Final-Recipient: rfc822; c@d.example\r\n"
	    "Action: failed\r\n"
	    "Status: 5.4.6\r\n"
	    "Diagnostic-Code: x-gatepost; a loop\r\n"
	    "\r\n--BOUNDARY\r\n"
	    "Content-Type: message/rfc822\r\n\r\n"
	    "Subject: x\r\n\r\nhello\r\n"
	    "\r\n--BOUNDARY--\r\n"));
	sample_clear(&s, &b);
}
END_TEST

START_TEST(delayed)
{
	struct sample s;
	struct buf b;

	sample_init(&s);
	s.d.action = DSN_DELAYED;
	s.d.headers_only = true;				/* */
	s.d.original = STR("Subject: x");
	outcome_set(&s.e->rcpt[0].last, OUTCOME_DEFER, 451, "4.7.1", STR("4.7.1 later"));
	outcome_set(&s.e->rcpt[1].last, OUTCOME_DEFER, 451, "5.0.0", STR(""));
	s.e->rcpt[1].last.maybe = true;
	b = build(&s);
	HAS(b, "Subject: Your message is delayed\r\n");
	HAS(b, "It will be tried until\r\nMon, 19 Oct 2026 08:53:20 +0000.  You need not send");
	HAS(b, "Action: delayed\r\nStatus: 4.7.1\r\n");
	HAS(b, "Action: delayed\r\nStatus: 4.0.0\r\n");
	HAS(b, "Will-Retry-Until: Mon, 19 Oct 2026 08:53:20 +0000\r\n");
	HAS(b, "The server answered:\r\n        451 (no text)\r\n");
	HAS(b, "have arrived all the same");			/* B-055 */
	HAS(b, "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n--BOUNDARY--");
	HAS(b, "The header of your message follows");
	HAS_NOT(b, "Original-Envelope-Id");			/* */
	sample_clear(&s, &b);
}
END_TEST

/* RFC 5321 4.5.3.1.6, A-137: a server that refused a message for its long lines would refuse the notice that quotes them. */
START_TEST(no_line_is_too_long_to_be_sent)
{
	struct buf long_body = { 0 }, long_field = { 0 };
	struct sample s;
	struct buf b;

	sample_init(&s);
	buf_puts(&long_body, "Subject: x\r\n\r\nhello\r\n");
	for (int i = 0; i < 999; i++)
		buf_puts(&long_body, "y");
	buf_puts(&long_body, "\r\nbye\r\n");
	s.d.original = buf_str(&long_body);
	b = build(&s);
	HAS(b, "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\n--BOUNDARY--");
	HAS(b, "The header of your message follows");
	HAS_NOT(b, "yyyy");
	HAS_NOT(b, "hello");
	buf_clear(&b);
	buf_cut(&long_body, long_body.len - 8);			/* 998: may be sent */
	buf_puts(&long_body, "\r\n");
	s.d.original = buf_str(&long_body);
	b = build(&s);
	HAS(b, "Content-Type: message/rfc822\r\n");
	HAS(b, "yyyy\r\n\r\n--BOUNDARY--");
	buf_clear(&b);
	buf_puts(&long_field, "Subject: x\r\nX-Long: ");
	for (int i = 0; i < 1000; i++)
		buf_puts(&long_field, "\xc3\xbc");
	buf_puts(&long_field, "\r\nTo: you\r\n");
	s.d.original = buf_str(&long_field);			/* a header alone */
	s.d.headers_only = true;
	b = build(&s);
	HAS(b, "\xc3\xbc\r\nTo: you\r\n\r\n--BOUNDARY--");
	buf_clear(&long_body);
	buf_clear(&long_field);
	sample_clear(&s, &b);
}
END_TEST

START_TEST(relayed)	/* */
{
	struct sample s;
	struct buf b;

	sample_init(&s);
	s.d.action = DSN_RELAYED;
	s.d.nrcpt = 1;
	outcome_set(&s.e->rcpt[0].last, OUTCOME_SENT, 250, "2.0.0", STR("2.0.0 ok"));
	b = build(&s);
	HAS(b, "Action: relayed\r\nStatus: 2.0.0\r\n");
	HAS_NOT(b, "c@d.example");
	HAS_NOT(b, "Will-Retry-Until");
	sample_clear(&s, &b);
}
END_TEST

/* the class of a status is the action's, or the code's. */
static const struct {
	enum outcome_kind kind;
	int code;
	const char *status, *want;
} statuses[] = {
	{ OUTCOME_REFUSE, 550, "5.7.1", "Status: 5.7.1\r\n" },
	{ OUTCOME_REFUSE, 550, "2.1.5", "Status: 5.0.0\r\n" },
	{ OUTCOME_REFUSE, 550, "", "Status: 5.0.0\r\n" },
	{ OUTCOME_REFUSE, 0, "5.3.4", "Status: 5.3.4\r\n" },
	{ OUTCOME_REFUSE, 0, "4.3.4", "Status: 5.0.0\r\n" },
	{ OUTCOME_REFUSE, 452, "4.5.3", "Status: 4.5.3\r\n" },
	{ OUTCOME_DEFER, 451, "4.7.1", "Status: 4.4.7\r\n" },
	{ OUTCOME_DEFER, 0, "4.4.1", "Status: 4.4.7\r\n" },
};

START_TEST(status)
{
	struct sample s;
	struct buf b;

	sample_init(&s);
	s.d.nrcpt = 1;
	outcome_set(&s.e->rcpt[0].last, statuses[_i].kind, statuses[_i].code,
	    statuses[_i].status, STR("x"));
	b = build(&s);
	HAS(b, statuses[_i].want);
	HAS(b, "Action: failed\r\n");
	if (statuses[_i].kind == OUTCOME_DEFER)
		HAS(b, "until its time was up");
	else
		HAS_NOT(b, "until its time was up");
	sample_clear(&s, &b);
}
END_TEST

/* Long answers are folded, and the fields stay fields (B-108, C-33). */
START_TEST(hostile)
{
	struct sample s;
	struct buf b, text = { 0 };

	sample_init(&s);
	while (text.len < 300)
		buf_puts(&text, "word ");
	buf_puts(&text, "\r\nAction: relayed\r\n\r\n--x\r\n");
	while (text.len < 2000)
		buf_putc(&text, 'y');
	outcome_set(&s.e->rcpt[0].last, OUTCOME_REFUSE, 550, "5.0.0", buf_str(&text));
	free(s.e->rcpt[1].orcpt);
	s.e->rcpt[1].orcpt = mem_text("rfc822;a+0D+0AAction:+20x");
	s.d.original = STR("Subject: x\r\n\r\nno end");
	b = build(&s);
	HAS(b, "word\r\n    word");
	HAS(b, "word\r\n        word");
	HAS_NOT(b, "\r\nAction: relayed");
	HAS_NOT(b, "\r\nAction: x");
	HAS(b, "rfc822; a\\x0D\\x0AAction: x\r\n");
	HAS(b, "no end\r\n\r\n--BOUNDARY--\r\n");
	buf_clear(&text);
	sample_clear(&s, &b);
}
END_TEST

/* RFC 6533: addresses and originals that are not ASCII. */
START_TEST(international)
{
	struct sample s;
	struct buf b;

	sample_init(&s);
	free(s.e->rcpt[0].address);
	s.e->rcpt[0].address = mem_text("j\xc3\xb6\xe2\x82\xac+@\xf0\x9f\x93\xa7.example");
	s.e->is_utf8 = true;
	s.d.original = STR("Subject: \xc3\xb6\r\n\r\n\xc3\xb6\r\n");
	b = build(&s);
	HAS(b, "Final-Recipient: utf-8; j\\x{F6}\\x{20AC}\\x{2B}@\\x{1F4E7}.example\r\n");
	HAS(b, "    <j\xc3\xb6\xe2\x82\xac+@\xf0\x9f\x93\xa7.example>\r\n");
	HAS(b, "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	HAS(b, "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
	HAS(b, "boundary=\"BOUNDARY\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--B");
	HAS(b, "message/delivery-status\r\n\r\n");
	buf_clear(&b);
	s.d.headers_only = true;
	b = build(&s);
	HAS(b, "Content-Type: message/global-headers\r\n");
	sample_clear(&s, &b);
}
END_TEST

/* no boundary twice. */
START_TEST(boundaries)
{
	struct buf a = { 0 }, b = { 0 };
	struct sample s;

	sample_init(&s);
	dsn_build(&a, &s.d);
	dsn_build(&b, &s.d);
	ck_assert_uint_eq(a.len, b.len);
	ck_assert_mem_ne(a.data, b.data, a.len);
	buf_clear(&b);
	sample_clear(&s, &a);
}
END_TEST

Suite *
test_dsn(void)
{
	Suite *s = suite_create("test_dsn");
	TCase *t = tcase_create("dsn");

	tcase_add_test(t, failed);
	tcase_add_test(t, delayed);
	tcase_add_test(t, no_line_is_too_long_to_be_sent);
	tcase_add_test(t, relayed);
	tcase_add_loop_test(t, status, 0, sizeof statuses / sizeof statuses[0]);
	tcase_add_test(t, hostile);
	tcase_add_test(t, international);
	tcase_add_test(t, boundaries);
	suite_add_tcase(s, t);
	return s;
}
