/*
 * Who gets the message when some of the envelope was refused; and random dialogues against a small model of the session
 * (C-13): whatever came before, each command has the one answer that the state allows, and no transaction outlives its end.
 */
#include "listener_client.h"

enum { COMMANDS = 150 };

struct model {
	enum { FRESH, GREETED, SENDER, RECIPIENT } state;
	bool user, refused;
	unsigned kept;
};

static int
gate(const struct model *m)
{
	if (m->state == FRESH)
		return 503;
	return m->user ? 0 : 530;
}

static int
ehlo(struct model *m)
{
	m->state = GREETED;
	return 250;
}

static int
rset(struct model *m)
{
	if (m->state > GREETED)
		m->state = GREETED;
	return 250;
}

static int
auth(struct model *m)
{
	if (m->state != GREETED || m->user)
		return 503;
	m->user = true;
	return 235;
}

static int
auth_other(struct model *m)
{
	return m->state != GREETED || m->user ? 503 : 504;
}

static int
starttls(struct model *m)
{
	return m->state == GREETED ? 454 : 503;	/* there is no certificate */
}

static int
mail(struct model *m)
{
	int code = gate(m);

	if (code != 0 || m->state != GREETED)
		return code != 0 ? code : 503;
	m->state = SENDER;
	m->refused = false;
	return 250;
}

static int
mail_parameter(struct model *m)
{
	int code = gate(m);

	return code != 0 ? code : m->state != GREETED ? 503 : 555;
}

static int
mail_large(struct model *m)
{
	int code = gate(m);

	return code != 0 ? code : m->state != GREETED ? 503 : 552;
}

static int
rcpt(struct model *m)
{
	int code = gate(m);

	if (code != 0 || m->state == GREETED)
		return code != 0 ? code : 503;
	m->state = RECIPIENT;
	return 250;
}

static int
rcpt_nowhere(struct model *m)
{
	int code = gate(m);

	if (code != 0 || m->state == GREETED)
		return code != 0 ? code : 503;
	m->refused = true;
	return 550;
}

static int
data(struct model *m)
{
	int code = gate(m);

	if (code != 0)
		return code;
	if (m->state == SENDER)
		return m->refused ? 554 : 503;
	return m->state == RECIPIENT ? 354 : 503;
}

static int is_250(struct model *m) { (void)m; return 250; }
static int is_252(struct model *m) { (void)m; return 252; }
static int is_500(struct model *m) { (void)m; return 500; }
static int is_501(struct model *m) { (void)m; return 501; }
static int is_502(struct model *m) { (void)m; return 502; }

static const struct {
	const char *say;
	int (*code)(struct model *m);
	unsigned weight;
} commands[] = {
	{ "EHLO x\r\n", ehlo, 3 },
	{ "EHLO\r\n", is_501, 1 },
	{ "RSET\r\n", rset, 1 },
	{ "RSET x\r\n", is_501, 1 },
	{ "NOOP\r\n", is_250, 1 },
	{ "VRFY x\r\n", is_252, 1 },
	{ "EXPN x\r\n", is_502, 1 },
	{ "FOO\r\n", is_500, 1 },
	{ "AUTH PLAIN AHUAcA==\r\n", auth, 3 },
	{ "AUTH FOO\r\n", auth_other, 1 },
	{ "STARTTLS\r\n", starttls, 1 },
	{ MAIL, mail, 8 },
	{ "MAIL FROM:<a@@b>\r\n", is_501, 1 },
	{ "MAIL FROM:<a@b> FOO=1\r\n", mail_parameter, 1 },
	{ "MAIL FROM:<a@b> SIZE=5000\r\n", mail_large, 1 },
	{ RCPT, rcpt, 8 },
	{ "RCPT TO:<nobody>\r\n", rcpt_nowhere, 3 },
	{ "RCPT TO:<>\r\n", is_501, 1 },
	{ "DATA\r\n", data, 8 },
	{ "DATA x\r\n", is_501, 1 },
};

static const struct {
	const char *say;
	int code;
} contents[] = {
	{ "S: s\r\n\r\nx\r\n.\r\n", 250 },
	{ ".\r\n", 250 },
	{ "bare\nnewline\r\n.\r\n", 554 },
	{ "Received: x\r\nReceived: x\r\nReceived: x\r\n\r\n.\r\n", 554 },
};

static size_t
choose(unsigned *seed)
{
	unsigned sum = 0, at;

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		sum += commands[i].weight;
	at = (unsigned)rand_r(seed) % sum;
	for (size_t i = 0;; at -= commands[i++].weight)
		if (at < commands[i].weight)
			return i;
}

static void
invent(unsigned *seed, struct model *m, struct buf *say, struct buf *codes)
{
	buf_puts(codes, "220");
	for (int n = 0; n < COMMANDS; n++) {
		size_t i = choose(seed);
		int code = commands[i].code(m);

		buf_puts(say, commands[i].say);
		buf_printf(codes, " %d", code);
		if (code != 354)
			continue;
		i = (unsigned)rand_r(seed) % (sizeof contents / sizeof contents[0]);
		buf_puts(say, contents[i].say);
		buf_printf(codes, " %d", contents[i].code);
		m->kept += contents[i].code == 250;
		m->state = GREETED;
	}
}

/* "220 250 …" without the enhanced codes. */
static void
strip(struct buf *out, const char *codes)
{
	for (; *codes != '\0'; codes++) {
		if (*codes == '/')
			codes += strcspn(codes, " ");
		if (*codes == '\0')
			break;
		buf_putc(out, *codes);
	}
}

START_TEST(test_random)
{
	static const size_t trickles[] = { 0, 0, 7, 0, 64 };
	struct buf say = { 0 }, want = { 0 }, got = { 0 };
	unsigned seed = (unsigned)_i + 1;
	struct model m = { 0 };
	struct rig r;

	rig_start(&r, "limits { errors = 1000 hops = 2 message_size = \"4K\" }\n");
	invent(&seed, &m, &say, &want);
	rig_connect(&r, RIG_PLAIN);
	rig_say(&r, say.data, say.len, trickles[_i % 5]);
	shutdown(r.fd, SHUT_WR);
	while (!r.ended)
		rig_turn(&r);
	strip(&got, rig_codes(&r));
	ck_assert_msg(strcmp(got.data, want.data) == 0, "seed %d:\n%s\nheard  %s\nwanted %s", _i + 1,
	    say.data, got.data, want.data);
	ck_assert_uint_eq(r.kept, m.kept);
	rig_check_envelopes(&r, "random", m.kept);
	buf_clear(&say);
	buf_clear(&want);
	buf_clear(&got);
	rig_stop(&r);
}
END_TEST

#define X100 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* What was refused adds nobody, and takes nobody away. */
static const struct {
	const char *id, *say, *codes, *envelope;
} envelopes[] = {
	{ "A-114", "RCPT TO:<@a.example,@b.example:u@c.example>\r\n", " 250", "<u@c.example>\n" },
	{ "A-115", "RCPT TO:<u%h@d.example>\r\nRCPT TO:<h!u@d.example>\r\nRCPT TO:<|cmd@d.example>\r\n", " 250 250 250",
	    "<u%h@d.example> <h!u@d.example> <|cmd@d.example>\n" },
	{ "A-117", "RCPT TO:<1@d>\r\nRCPT TO:<2@d>\r\nRCPT TO:<3@d>\r\nRCPT TO:<4@d>\r\n",
	    " 250 250 250 452", "<1@d> <2@d> <3@d>\n" },
	{ "A-118", "RCPT TO:<c@d> NOTIFY=NEVER\r\nRCPT TO:<e@d> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;u+40x.example\r\n"
	    "RCPT TO:<f@d> NOTIFY=NEVER,SUCCESS\r\nRCPT TO:<f@d> NOTIFY=\r\nRCPT TO:<f@d> NOTIFY=X\r\n"
	    "RCPT TO:<f@d> ORCPT=nosemi\r\nRCPT TO:<f@d> ORCPT=rfc822;a+4\r\n"
	    "RCPT TO:<f@d> ORCPT=rfc822;" X100 X100 X100 X100 X100 "\r\n",
	    " 250 250 501 501 501 501 501 501", "<c@d> notify=1 orcpt= <e@d> notify=14 orcpt=rfc822;u+40x.example\n" },
	{ "A-119", "RCPT TO:<c@d> FOO=1\r\nRCPT TO:<e@d>\r\n", " 555 250", "<e@d>\n" },
	{ "A-121", "RCPT TO:<j\xc3\xb6@d>\r\nRCPT TO:<e@d>\r\n", " 553 250", "<e@d>\n" },
	{ "A-122", "RCPT TO:<nobody>\r\nRCPT TO:<e@d>\r\nRCPT TO:<x@localhost>\r\n", " 550 250 550", "<e@d>\n" },
	{ "A-125", "RCPT TO:<c@d>\r\nRCPT TO:<c@D>\r\nRCPT TO:<C@d>\r\n", " 250 250 250", "<c@d> <C@d>\n" },
	{ "A-082", "RCPT TO:<c@d>\r\nMAIL FROM:<x@y.example>\r\nRCPT TO:<e@d>\r\n", " 250 503 250", "<c@d> <e@d>\n" },
};

START_TEST(test_refused_parts)
{
	struct buf say = { 0 }, got = { 0 }, want = { 0 };
	struct rig r;

	rig_start(&r, "limits { recipients = 3 }\n");
	buf_printf(&say, IN MAIL "%sDATA\r\n" TEXT, envelopes[_i].say);
	rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
	strip(&got, rig_codes(&r));
	buf_printf(&want, "220 250 235 250%s 354 250", envelopes[_i].codes);
	ck_assert_msg(strcmp(got.data, want.data) == 0, "%s: %s", envelopes[_i].id, got.data);
	buf_cut(&want, 0);
	buf_printf(&want, "u<a@b.example> %s", envelopes[_i].envelope);
	ck_assert_msg(strncmp(r.mail.data, want.data, want.len) == 0, "%s: %s", envelopes[_i].id, r.mail.data);
	buf_clear(&say);
	buf_clear(&got);
	buf_clear(&want);
	rig_stop(&r);
}
END_TEST

/* Many long lists at once cost memory: each then has a hundred, and the rest comes in another transaction; what is over counts no more. */
START_TEST(test_crowd_of_recipients)
{
	struct buf say = { 0 };
	struct rig r;

	rig_start(&r, "");
	for (int n = 0; n < 2; n++) {
		buf_cut(&say, 0);
		for (int i = 0; i < 110; i++)
			buf_printf(&say, "RCPT TO:<r%d@b.example> ORCPT=rfc822;%0400d\r\n", i, i);
		rig_connect(&r, RIG_TRUSTED);
		rig_say_text(&r, HI MAIL);
		count_add(COUNT_OPEN_OCTETS, n == 1 ? 64 << 20 : 0);
		rig_say(&r, say.data, say.len, 0);
		rig_say_text(&r, "DATA\r\n" TEXT "QUIT\r\n");
		rig_finish(&r);
		ck_assert_int_eq(strstr(r.heard.data, "452 4.5.3 too many recipients\r\n") != NULL, n == 1);
		ck_assert_uint_eq(r.kept, (unsigned)n + 1);
		ck_assert_int_eq(strstr(r.mail.data, "<r99@b.example>") != NULL, 1);
		ck_assert_int_eq(strstr(r.mail.data, "<r100@b.example>") != NULL, n == 0);
		buf_cut(&r.mail, 0);
		ck_assert_int_eq(count_get(COUNT_OPEN_OCTETS), n == 1 ? 64 << 20 : 0);
	}
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

/* Where one holder's others have most of the room its lists are short, and nobody else's are (C-21); in both ways of being somebody. */
START_TEST(test_shares_of_recipients)
{
	static const char *const who[] = { IN MAIL, HI MAIL };
	enum rig_port port[] = { RIG_PLAIN, RIG_TRUSTED };
	struct buf say = { 0 };
	struct share others;
	struct rig r;

	rig_start(&r, "");
	for (int i = 0; i < 110; i++)
		buf_printf(&say, "RCPT TO:<r%d@b.example> ORCPT=rfc822;%0400d\r\n", i, i);
	rig_connect(&r, port[_i]);
	rig_say_text(&r, who[_i]);
	rig_await(&r, "250 2.1.0");
	share_init(&others, rig_holder(&r));
	share_take(&others, SHARE_RECIPIENTS, 24 << 20);
	rig_say(&r, say.data, say.len, 0);
	rig_finish(&r);
	ck_assert_ptr_nonnull(strstr(r.heard.data, "452 4.5.3 too many recipients\r\n"));
	rig_connect(&r, port[!_i]);
	rig_say_text(&r, who[!_i]);
	rig_say(&r, say.data, say.len, 0);
	rig_say_text(&r, "DATA\r\n" TEXT "QUIT\r\n");
	rig_finish(&r);
	ck_assert_ptr_null(strstr(r.heard.data, "452 "));
	ck_assert_ptr_nonnull(strstr(r.mail.data, "<r109@b.example>"));
	ck_assert_int_eq(count_get(COUNT_OPEN_OCTETS), 24 << 20);
	buf_clear(&say);
	rig_stop(&r);
}
END_TEST

Suite *test_transaction(void);

Suite *
test_transaction(void)
{
	Suite *s = suite_create("test_transaction");
	TCase *t = tcase_create("random");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, test_random, 0, 40);
	suite_add_tcase(s, t);
	t = tcase_create("envelopes");
	tcase_add_loop_test(t, test_refused_parts, 0, (int)(sizeof envelopes / sizeof envelopes[0]));
	tcase_add_test(t, test_crowd_of_recipients);
	tcase_add_loop_test(t, test_shares_of_recipients, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
