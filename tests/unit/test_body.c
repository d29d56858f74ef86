/* Content: framing, what is added and taken out, limits, blobs, verdicts (PROTOCOL.md A.6, A.7). */
#include "listener_client.h"

#include <signal.h>
#include <sys/resource.h>

#define OPEN(from) IN "MAIL FROM:" from "\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
#define C_OPEN "220 250 235/2.7.0 250/2.1.0 250/2.1.5 354"
#define HEAD "From: a@b.example\r\nDate: x\r\nMessage-ID: <x>\r\n"

#define CONTROLS "\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xff"
/* after any answer to the end of data there is no transaction, and the session goes on. */
#define AFTER "NOOP\r\nRCPT TO:<x@y>\r\nDATA\r\n"
#define C_AFTER " 250/2.0.0 503/5.5.1 503/5.5.1"

/* --- what arrives at the queue ------------------------------------------ */

static const struct content {
	const char *id, *from;
	const char *say;
	size_t n;
	const char *arrives;
	size_t arrives_n;
	const char *answer;
} contents[] = {
	{ "A-134", "<a@b>", SAY("S: s\r\n\r\n..\r\n...\r\n..x\r\n.x\r\n"), SAY("S: s\r\n\r\n.\r\n"
	    "..\r\n.x\r\nx\r\n"), " 250/2.0.0" },
	{ "A-133", "<a@b>", SAY(""), SAY(""), " 250/2.0.0" },
	{ "A-133 null sender", "<>", SAY(""), SAY(""), " 554/5.6.0" },
	{ "A-162 null sender", "<>", SAY("From: x@y\r\n\r\n"), SAY("From: x@y\r\n\r\n"),
	    " 250/2.0.0" },
	{ "A-146", "<a@b>", SAY("S: s\r\n\r\n" CONTROLS "\r\n"), SAY("S: s\r\n\r\n" CONTROLS "\r\n"), " 250/2.0.0" },
	{ "A-146 NUL", "<a@b>", SAY("S: s\r\n\r\na\0b\r\n"), SAY(""), " 554/5.6.0" },
	{ "A-164", "<a@b>", SAY("bcc: secret@x\r\n\tfolded@x\r\nS: s\r\nReturn-Path: <q>\r\n"
	    "Resent-Bcc: z\r\n\r\nBcc: stays\r\n"),
	    SAY("S: s\r\n\r\nBcc: stays\r\n"), " 250/2.0.0" },
	{ "A-165", "<a@b>", SAY("s:S\r\nX:  \t \r\n\r\n  \r\n\t\r\n\r\n\r\n"), SAY("s:S\r\n"
	    "X:  \t \r\n\r\n  \r\n\t\r\n\r\n\r\n"), " 250/2.0.0" },
	{ "A-166 no header", "<a@b>", SAY("hello world\r\n"), SAY("hello world\r\n"),
	    " 250/2.0.0" },
	{ "A-166 blank first", "<a@b>", SAY(" x: y\r\nz: z\r\n"), SAY(" x: y\r\nz: z\r\n"),
	    " 250/2.0.0" },
	{ "A-166 no separator", "<a@b>", SAY("S: s\r\nhello\r\n"), SAY("S: s\r\nhello\r\n"),
	    " 250/2.0.0" },
	{ "A-159", "<a@b>", SAY("Received: one\r\nReceived: two\r\n\r\n"), SAY("Received: one\r\n"
	    "Received: two\r\n\r\n"), " 250/2.0.0" },
};

START_TEST(test_contents)
{
	const struct content *c = &contents[_i];
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "");
	buf_printf(&say, IN "MAIL FROM:%s\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", c->from);
	buf_put(&say, c->say, c->n);
	buf_puts(&say, ".\r\n" AFTER);
	for (size_t trickle = 0; trickle <= 3; trickle++) {
		buf_cut(&r.content, 0);
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, trickle);
		ck_assert_msg(strncmp(rig_codes(&r), C_OPEN, strlen(C_OPEN)) == 0, "%s: %s", c->id,
		    rig_codes(&r));
		ck_assert_msg(strncmp(rig_codes(&r) + strlen(C_OPEN), c->answer,
		    strlen(c->answer)) == 0, "%s, pieces of %zu: %s",
		    c->id, trickle, rig_codes(&r));
		ck_assert_str_eq(rig_codes(&r) + strlen(C_OPEN) + strlen(c->answer), C_AFTER);
		ck_assert_msg(r.content.len == c->arrives_n &&
		    (c->arrives_n == 0 || memcmp(r.content.data, c->arrives, c->arrives_n) == 0),
		    "%s: arrived \"%s\"", c->id, r.content.data);
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* nothing but CRLF.CRLF ends a message, and none of this begins a second one. */
START_TEST(test_smuggling)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool fine;
	} cases[] = {
		{ SAY("\n.\n"), false }, { SAY("\n.\r"), false }, { SAY("\r.\n"), false },
		    { SAY("\r.\r"), false },
		{ SAY("\n.\r\n"), false }, { SAY("\r.\r\n"), false }, { SAY("\r\n.\n"), false },
		    { SAY("\r\n.\r"), false },
		{ SAY("\r\n\0.\r\n"), false }, { SAY("\r\n.\r\r\n"), false }, { SAY("\r\r\n"
		    ".\r\r\n"), false },
		{ SAY("\r\n.\0\r\n"), false }, { SAY("\r\n .\r\n"), true },
	};
	bool normalize = (size_t)_i >= sizeof cases / sizeof cases[0];
	size_t at = (size_t)_i % (sizeof cases / sizeof cases[0]);
	bool has_nul = memchr(cases[at].bytes, '\0', cases[at].n) != NULL;
	bool fine = cases[at].fine || (normalize && !has_nul);
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, normalize ? "limits { bare_newline = \"normalize\" }\n" : "");
	buf_puts(&say, OPEN("<a@b.example>") "Subject: s\r\n\r\nhello");
	buf_put(&say, cases[at].bytes, cases[at].n);
	buf_puts(&say, "MAIL FROM:<evil@x>\r\nRCPT TO:<victim@x>\r\nDATA\r\nSubject: evil\r\n\r\n"
	    "evil\r\n.\r\nRCPT TO:<x@y>\r\nDATA\r\n");
	for (size_t trickle = 0; trickle <= 3; trickle++) {
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, trickle);
		ck_assert_msg(strcmp(rig_codes(&r), fine ? C_OPEN " 250/2.0.0 503/5.5.1 503/5.5.1" :
		    C_OPEN " 554/5.6.0 503/5.5.1 503/5.5.1") == 0, "case %zu, pieces of %zu: %s",
		    at, trickle, rig_codes(&r));
		ck_assert_uint_eq(r.kept, fine);
		for (size_t i = 0; i < r.content.len; i++)
			ck_assert((r.content.data[i] == '\n') == (i > 0 &&
			    r.content.data[i - 1] == '\r'));
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* --- limits ------------------------------------------------------------- */

static void
put_message(struct buf *say, size_t octets)	/* of content */
{
	size_t at = say->len;

	buf_puts(say, HEAD "\r\n");
	while (say->len - at + 2 < octets)
		buf_putc(say, (say->len - at) % 70 == 69 ? ' ' : 'x');
	buf_puts(say, "\r\n.\r\n");
}

/* exactly the limit, one more, much more; then the session goes on. */
START_TEST(test_sizes)
{
	static const struct {
		size_t octets;
		const char *from, *answer;
	} cases[] = {
		{ 4096, "<a@b>", " 250/2.0.0" }, { 4097, "<a@b>", " 552/5.3.4" }, { 300000, "<a@b>",
		    " 552/5.3.4" },
		{ 4000, "<a@b> SIZE=100", " 250/2.0.0" }, { 4097, "<a@b> SIZE=100", " 552/5.3.4" },
	};
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "limits { message_size = \"4K\" }\n");
	buf_printf(&say, IN "MAIL FROM:%s\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", cases[_i].from);
	put_message(&say, cases[_i].octets);
	buf_puts(&say, AFTER);
	for (size_t trickle = 0; trickle <= (say.len < 9000); trickle++) {
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, trickle);
		ck_assert_msg(strncmp(rig_codes(&r), C_OPEN, strlen(C_OPEN)) == 0, "%s",
		    rig_codes(&r));
		ck_assert_msg(strncmp(rig_codes(&r) + strlen(C_OPEN), cases[_i].answer, 10) == 0,
		    "%s", rig_codes(&r));
		ck_assert_str_eq(rig_codes(&r) + strlen(C_OPEN) + 10, C_AFTER);
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* What no upstream takes is refused, our own fields counted (CONTRACT.md 4). */
START_TEST(test_upstreams_limit)
{
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "");
	rig_limits(&r, true, UINT64_MAX, false, 4000);
	for (size_t octets = 3000; octets <= 4000; octets += 990) {
		buf_cut(&say, 0);
		buf_puts(&say, OPEN("<a@b>"));
		put_message(&say, octets);
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
		ck_assert_str_eq(rig_codes(&r), octets == 3000 ? C_OPEN " 250/2.0.0" :
		    C_OPEN " 552/5.3.4");
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* the end of data cut at every octet, at the edges of buffers. */
START_TEST(test_edges)
{
	static const size_t edges[] = { 4096, 16384, 65536 };
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "");
	for (size_t cut = edges[_i] - 6; cut <= edges[_i] + 2; cut++) {
		buf_cut(&say, 0);
		buf_puts(&say, OPEN("<a@b>"));
		put_message(&say, edges[_i] - say.len);
		buf_puts(&say, "NOOP\r\n");
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, cut);
		ck_assert_str_eq(rig_codes(&r), C_OPEN " 250/2.0.0 250/2.0.0");
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* Above SPOOL_INLINE_MAX content is in a blob, whole, and little of it in memory. */
START_TEST(test_blob)
{
	static const size_t octets[] = { 100000, SPOOL_INLINE_MAX, SPOOL_INLINE_MAX + 1, 3000000 };
	struct buf say = { 0 };
	struct rig r;

	rig_begin(&r, "", true);
	buf_puts(&say, OPEN("<a@b>"));
	put_message(&say, octets[_i]);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert_str_eq(rig_codes(&r), C_OPEN " 250/2.0.0");
	ck_assert_uint_eq(r.content.len + r.blob, octets[_i]);
	ck_assert(octets[_i] <= SPOOL_INLINE_MAX ? r.blob == 0 : r.content.len == 0);
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* the disk is full in the middle; and in good order when there is room again. */
START_TEST(test_full_disk)
{
	struct rlimit limit = { 200000, RLIM_INFINITY };
	struct buf say = { 0 };
	struct rig r;

	rig_begin(&r, "", true);
	signal(SIGXFSZ, SIG_IGN);
	buf_puts(&say, OPEN("<a@b>"));
	put_message(&say, 1000000);
	buf_puts(&say, "NOOP\r\n");
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert_str_eq(rig_codes(&r), C_OPEN " 452/4.3.1 250/2.0.0");
	ck_assert_uint_eq(r.kept + r.mail.len, 0);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert_str_eq(rig_codes(&r), C_OPEN " 250/2.0.0 250/2.0.0");
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* Every end gives the room back that content took of the disk while it had none. */
static const struct room {
	size_t octets;
	int64_t room, others;	/* for all; what the same user's others have */
	const char *end, *answer;
} rooms[] = {
	{ 3000000, INT64_MAX, 0, "\r\n.\r\n", " 250/2.0.0" },
	{ 3000000, 4 << 20, 0, "\r\n.\r\n", " 250/2.0.0" },
	{ 3000000, 4 << 20, 0, "", "" },			/* the client is gone */
	{ 3000000, 4 << 20, 0, "\n\r\n.\r\n", " 554/5.6.0" },
	{ 4900000, INT64_MAX, 0, "\r\n.\r\n", " 552/5.3.4" },
	{ 3000000, 2 << 20, 0, "\r\n.\r\n", " 452/4.3.1" },	/* */
	{ 3000000, 8 << 20, 2 << 20, "\r\n.\r\n", " 452/4.3.1" },
	{ 3000000, 12 << 20, 2 << 20, "\r\n.\r\n", " 250/2.0.0" },
	{ 100000, 0, 1 << 20, "\r\n.\r\n", " 250/2.0.0" },	/* in memory, the queue knows */
};

/* When all was said but its end: what is refused for want of room is so at once. */
static bool
is_as_wanted(const struct room *w)
{
	int64_t staged = count_get(COUNT_STAGED_OCTETS);

	if (strstr(w->answer, "452") != NULL)
		return staged == w->others;
	if (strstr(w->answer, "552") != NULL || w->octets <= SPOOL_INLINE_MAX)
		return true;
	return staged >= (int64_t)w->octets - SPOOL_INLINE_MAX;
}

START_TEST(test_rooms)
{
	static const char *const who[] = { IN, HI };
	enum rig_port port[] = { RIG_PLAIN, RIG_TRUSTED };
	struct buf say = { 0 };
	struct share others;
	struct rig r;

	rig_begin(&r, "limits { message_size = \"4800000\" }\n", true);
	for (size_t i = 0; i < 2; i++) {
		buf_cut(&say, 0);
		while (say.len < rooms[_i].octets)
			buf_puts(&say, "some thirty octets of content\r\n");
		rig_connect(&r, port[i]);
		rig_say_text(&r, who[i]);
		rig_say_text(&r, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n");
		rig_await(&r, "354 ");
		share_init(&others, rig_holder(&r));
		share_take(&others, SHARE_STAGED, rooms[_i].others);
		count_set(COUNT_STAGING_ROOM, rooms[_i].room);
		rig_say(&r, say.data, say.len, 0);
		for (int n = 0; n < 10000 && !is_as_wanted(&rooms[_i]); n++)
			rig_turn(&r);
		ck_assert_msg(is_as_wanted(&rooms[_i]), "%lld", (long long)count_get(COUNT_STAGED_OCTETS));
		rig_say_text(&r, rooms[_i].end);
		rig_finish(&r);
		ck_assert_str_eq(rig_codes(&r) + strlen(i == 0 ? C_OPEN : "220 250 250/2.1.0 250/2.1.5 354"), rooms[_i].answer);
		ck_assert_int_eq(count_get(COUNT_STAGED_OCTETS), rooms[_i].others);
		share_return(&others, SHARE_STAGED);
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* What one user's others have is not held against another. */
START_TEST(test_room_of_others)
{
	struct buf say = { 0 };
	struct share others;
	struct rig r;

	rig_begin(&r, "", true);
	rig_connect(&r, RIG_TRUSTED);
	rig_say_text(&r, HI);
	share_init(&others, rig_holder(&r));
	share_take(&others, SHARE_STAGED, 5 << 20);
	count_set(COUNT_STAGING_ROOM, 9 << 20);
	buf_puts(&say, OPEN("<a@b>"));
	put_message(&say, 3000000);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert_str_eq(rig_codes(&r), C_OPEN " 250/2.0.0");
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* more Received fields than hops; three of our own. */
START_TEST(test_loops)
{
	static const struct {
		unsigned foreign, own;
		const char *answer;
	} cases[] = {
		{ 50, 0, " 250/2.0.0" }, { 51, 0, " 554/5.4.6" }, { 0, 2, " 250/2.0.0" }, { 0, 3,
		    " 554/5.4.6" }
	};
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "");
	buf_puts(&say, OPEN("<a@b>"));
	for (unsigned i = 0; i < cases[_i].foreign; i++)
		buf_puts(&say, "Received: from x by y; date\r\n");
	for (unsigned i = 0; i < cases[_i].own; i++)
		buf_puts(&say, "Received: from x ([127.0.0.1])\r\n"
		    "\tby mail.example with ESMTPSA id 1QW2E3R4T5Y6Z;\r\n\tdate\r\n");
	buf_puts(&say, "\r\nx\r\n.\r\n" AFTER);
	for (size_t trickle = 0; trickle <= 1; trickle++) {
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, trickle);
		ck_assert_msg(strncmp(rig_codes(&r) + strlen(C_OPEN), cases[_i].answer, 10) == 0, "%s", rig_codes(&r));
		ck_assert_str_eq(rig_codes(&r) + strlen(C_OPEN) + 10, C_AFTER);
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* --- what is added ------------------------------------------------------ */

static void
assert_begins(const struct buf *b, const char *text)
{
	ck_assert_msg(b->data != NULL && strncmp(b->data, text, strlen(text)) == 0,
	    "\"%s\" does not begin with \"%s\"",
	    b->data, text);
}

/* */
START_TEST(test_fields)
{
	struct rig r;

	rig_start(&r, "");
	rig_play_n(&r, RIG_PLAIN, SAY(OPEN("<a@b.example>") "S: s\r\n\r\nx\r\n.\r\n"), 0);
	assert_begins(&r.prefix, "Received: from x ([127.0.0.1])\r\n"
	    "\tby mail.example with ESMTPA id ");
	ck_assert(strstr(r.prefix.data, "for <c@d.example>") != NULL);
	ck_assert(strstr(r.prefix.data, "\r\nDate: ") != NULL);
	ck_assert(strstr(r.prefix.data, "\r\nMessage-ID: <") != NULL);
	ck_assert(strstr(r.prefix.data, "\r\nFrom: <a@b.example>\r\n") != NULL);
	ck_assert_int_ne(memcmp(r.prefix.data + r.prefix.len - 4, "\r\n\r\n", 4), 0);
	ck_assert_ptr_null(strstr(r.prefix.data, "Sender:"));	/* */
	ck_assert_ptr_null(strstr(r.prefix.data + 1, "Received:"));
	rig_play_n(&r, RIG_PLAIN, SAY(OPEN("<a@b.example>") ".\r\n"), 0);	/* */
	assert_begins(&r.prefix, "Received: from x ([127.0.0.1])\r\n");
	ck_assert(strstr(r.prefix.data, "\r\nDate: ") != NULL && strstr(r.prefix.data, "\r\nMessage-ID: <") != NULL);
	ck_assert(strstr(r.prefix.data, "\r\nFrom: <a@b.example>\r\n") != NULL);
	rig_play_n(&r, RIG_PLAIN, SAY(OPEN("<a@b.example>") "Sender: other@d\r\n\r\n.\r\n"), 0);
	ck_assert_str_eq(r.content.data, "Sender: other@d\r\n\r\n");
	rig_play_n(&r, RIG_PLAIN, SAY(IN "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d>\r\n"
	    "RCPT TO:<e@d>\r\nDATA\r\n" HEAD "\r\n.\r\n"), 0);
	ck_assert(strstr(r.prefix.data, "for <") == NULL);
	ck_assert(strstr(r.prefix.data, "Date:") == NULL && strstr(r.prefix.data,
	    "Message-ID:") == NULL &&
	    strstr(r.prefix.data, "From:") == NULL);
	rig_play_n(&r, RIG_TRUSTED, SAY("HELO h\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"
	    "hello\r\n.\r\n"), 0);
	ck_assert(strstr(r.prefix.data, "by mail.example with SMTP id ") != NULL);
	ck_assert_str_eq(r.prefix.data + r.prefix.len - 4, "\r\n\r\n");	/* no header below */
	rig_play_n(&r, RIG_TRUSTED, SAY("EHLO h\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<c@d>\r\n"
	    "DATA\r\nFrom: j\xc3\xb6@x\r\n\r\n.\r\n"), 0);
	ck_assert(strstr(r.prefix.data, "by mail.example with UTF8SMTP id ") != NULL);
	ck_assert(strncmp(r.mail.data, " 8bit utf8<> <c@d>\n", 19) == 0);
	rig_stop(&r);
}
END_TEST

/* The envelope: what was asked for, and what was seen. */
START_TEST(test_envelopes)
{
	static const struct {
		const char *say, *envelope;
	} cases[] = {
		{ "MAIL FROM:<a@b> BODY=8BITMIME\r\nRCPT TO:<c@d>\r\nDATA\r\n" HEAD "\r\n.\r\n",
		    "u 8bit<a@b> <c@d>\n" },
		{ "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" HEAD "\r\n\xe4\r\n.\r\n",
		    "u 8bit<a@b> <c@d>\n" },
		{ "MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<c@d>\r\nDATA\r\n" HEAD "\r\n.\r\n",
		    "u<a@b> <c@d>\n" },
		{ "MAIL FROM:<a@b> SMTPUTF8\r\nRCPT TO:<j\xc3\xb6@d>\r\nDATA\r\n" HEAD "\r\n.\r\n",
		    "u utf8<a@b> <j\xc3\xb6@d>\n" },
		{ "MAIL FROM:<j\xc3\xb6@x.example> SMTPUTF8\r\nRCPT TO:<c@d>\r\nDATA\r\n" HEAD "\r\n.\r\n",	/* */
		    "u utf8<j\xc3\xb6@x.example> <c@d>\n" },
		{ "MAIL FROM:<a@b> RET=HDRS ENVID=QQ+2B1\r\n"
		    "RCPT TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;u+40x\r\nDATA\r\n" HEAD "\r\n.\r\n",
		    "u<a@b> envid=QQ+2B1 ret=2 <c@d> notify=1 orcpt=rfc822;u+40x\n" },
		{ "MAIL FROM:<@x,@y:a@b>\r\nMAIL FROM:<z@z>\r\nRCPT TO:<c@d>\r\nRCPT TO:<c@d>\r\n"
		    "RCPT TO:<MiXeD@d>\r\nDATA\r\n" HEAD "\r\n.\r\n",
		    "u<a@b> <c@d> <MiXeD@d>\n" },
		{ "MAIL FROM:<root@localhost>\r\nRCPT TO:<\"a b\"@d>\r\nDATA\r\n" HEAD "\r\n.\r\n",
		    "u<root@mail.example> <\"a b\"@d>\n" },
		{ "MAIL FROM:<root>\r\nRCPT TO:<c@d>\r\nDATA\r\n" HEAD "\r\n.\r\n",	/* */
		    "u<root@mail.example> <c@d>\n" },
		{ "mAiL fRoM:<MiXeD@b>\r\nrcpt to:<CaSe@d>\r\ndata\r\n" HEAD "\r\n.\r\n",	/* */
		    "u<MiXeD@b> <CaSe@d>\n" },
	};
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "");
	buf_puts(&say, IN);
	buf_puts(&say, cases[_i].say);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	assert_begins(&r.mail, cases[_i].envelope);
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* A user's patterns bind From: and Sender: too (550 5.7.1). */
START_TEST(test_claims)
{
	static const struct {
		const char *header, *answer;
	} cases[] = {
		{ "S: none\r\n", " 250/2.0.0" },
		{ "From: Me <bound@a.example>\r\n", " 250/2.0.0" },
		{ "From: \"other@x\" <root>\r\nSender: cron@localhost\r\n", " 250/2.0.0" },
		{ "From: other@a.example\r\n", " 550/5.7.1" },
		{ "From: bound@a.example, other@a.example\r\n", " 550/5.7.1" },
		{ "From: bound@a.example\r\nFrom: other@a.example\r\n", " 550/5.7.1" },
		{ "From: bound@a.example\r\nSender: other@a.example\r\n", " 550/5.7.1" },
		{ "From: <<<\r\n", " 550/5.7.1" },
	};
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "");
	buf_printf(&say, "EHLO x\r\nAUTH PLAIN AGJvdW5kAHA=\r\nMAIL FROM:<bound@a.example>\r\n"
	    "RCPT TO:<c@d.example>\r\nDATA\r\n"
	    "%s\r\nx\r\n.\r\n" AFTER, cases[_i].header);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	ck_assert_msg(strncmp(rig_codes(&r) + strlen(C_OPEN), cases[_i].answer, 10) == 0, "%s", rig_codes(&r));
	ck_assert_str_eq(rig_codes(&r) + strlen(C_OPEN) + 10, C_AFTER);
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* --- verdicts ----------------------------------------------------------- */

/* Each in its own words, and the transaction is over whatever it was. */
START_TEST(test_verdicts)
{
	static const struct {
		enum verdict verdict;
		const char *codes;
	} cases[] = {
		{ VERDICT_KEPT, " 250/2.0.0 503/5.5.1 503/5.5.1" }, { VERDICT_NO_SPACE,
		    " 452/4.3.1 503/5.5.1 503/5.5.1" },
		{ VERDICT_TOO_FAST, " 450/4.7.1 503/5.5.1 503/5.5.1" }, { VERDICT_LOCAL_ERROR,
		    " 451/4.3.0 503/5.5.1 503/5.5.1" },
		{ VERDICT_STOPPING, " 421/4.3.2" },
	};
	struct rig r;

	rig_start(&r, "");
	r.verdict = cases[_i].verdict;
	for (size_t trickle = 0; trickle <= 3; trickle++) {
		rig_play_n(&r, RIG_PLAIN, SAY(OPEN("<a@b>") HEAD "\r\n.\r\nRCPT TO:<x@y>\r\n"
		    "DATA\r\n"), trickle);
		ck_assert_str_eq(rig_codes(&r) + strlen(C_OPEN), cases[_i].codes);
	}
	rig_stop(&r);
}
END_TEST

/* what has no end is no message; A-148: what has one is, though the client says no more. */
START_TEST(test_cut_short)
{
	static const char whole[] = OPEN("<a@b>") HEAD "\r\nx\r\n.\r\n";
	struct rig r;

	rig_start(&r, "");
	for (size_t less = 0; less < 12; less++) {
		rig_play_n(&r, RIG_PLAIN, whole, sizeof whole - 1 - less, 0);
		ck_assert_str_eq(rig_codes(&r), less == 0 ? C_OPEN " 250/2.0.0" : C_OPEN);
		ck_assert_uint_eq(r.kept, less == 0);
	}
	rig_stop(&r);
}
END_TEST

Suite *test_body(void);

Suite *
test_body(void)
{
	Suite *s = suite_create("test_body");
	TCase *t = tcase_create("content");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_contents, 0, sizeof contents / sizeof contents[0]);
	tcase_add_loop_test(t, test_smuggling, 0, 26);
	tcase_add_loop_test(t, test_sizes, 0, 5);
	tcase_add_test(t, test_upstreams_limit);
	tcase_add_loop_test(t, test_edges, 0, 3);
	tcase_add_loop_test(t, test_blob, 0, 4);
	tcase_add_test(t, test_full_disk);
	tcase_add_loop_test(t, test_rooms, 0, sizeof rooms / sizeof rooms[0]);
	tcase_add_test(t, test_room_of_others);
	tcase_add_loop_test(t, test_loops, 0, 4);
	tcase_add_test(t, test_fields);
	tcase_add_loop_test(t, test_envelopes, 0, 10);
	tcase_add_loop_test(t, test_claims, 0, 8);
	tcase_add_loop_test(t, test_verdicts, 0, 5);
	tcase_add_test(t, test_cut_short);
	suite_add_tcase(s, t);
	return s;
}
