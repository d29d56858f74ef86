/*
 * What no upstream of a message's route can take is refused as soon as that is certain (CONTRACT.md 3, 4; D12, B-111, B-131,
 * B-132), and nothing else is.
 */
#include "listener_client.h"

#define FROM(x) "MAIL FROM:" x "\r\n"
#define TO(x) "RCPT TO:" x "\r\n"
#define RSET "RSET\r\n"
#define BODY(x) "DATA\r\nFrom: a@b\r\nSubject: x\r\n\r\n" x "\r\n.\r\n"
#define IN_ "220 250 235/2.7.0 "

/* Small ones by 1, 1000 octets, plain ASCII; u's by 2, 3000, 8 bits; big ones by 3, any; else 0, 5000 and SMTPUTF8. */
static const char routes[] =
    "limits { message_size = \"4K\" }\npostmaster = \"pm@small.example\"\n"
    "upstream \"a\" { host = \"127.0.0.1\" chain = {\"1/none\"} auth = \"none\" }\n"
    "route \"small\" { to = {\"*@small.example\"} upstreams = {\"a\"} }\n"
    "route \"of-u\" { user = {\"u\"} from = {\"u@*\"} upstreams = {\"a\"} }\n"
    "route \"big\" { to = {\"*@big.example\"} upstreams = {\"a\"} }\n";
static const struct route_limit limits[] = {
	{ 1000, false, false }, { 3000, false, true }, { 0, false, true }, { 2000, true, true }
};

static const struct {
	const char *say, *codes;
	unsigned kept;
} cases[] = {
	/* MAIL: the sender's possible routes; `small' and `big' depend on the recipient */
	{ IN FROM("<a@b> SIZE=4096") RSET FROM("<a@b> SIZE=4097"), IN_ "250/2.1.0 250/2.0.0 552/5.3.4", 0 },
	{ IN FROM("<u@b> SIZE=3000") RSET FROM("<u@b> SIZE=3001"), IN_ "250/2.1.0 250/2.0.0 552/5.3.4", 0 },
	{ IN FROM("<\xc3\xb6@b> SMTPUTF8") RSET FROM("<u@\xc3\xb6> SMTPUTF8"), IN_ "250/2.1.0 250/2.0.0 550/5.6.7", 0 },
	{ IN FROM("<u@b> SMTPUTF8") TO("<c@d>") BODY("x"), IN_ "250/2.1.0 250/2.1.5 354 250/2.0.0", 1 },	/* ASCII only */
	/* RCPT: this recipient's route; the others go on */
	{ IN FROM("<a@b> SIZE=2500") TO("<c@small.example>") TO("<c@d>") TO("<c@big.example>"),
	    IN_ "250/2.1.0 552/5.3.4 552/5.3.4 250/2.1.5", 0 },
	{ IN FROM("<a@b> SMTPUTF8") TO("<\xc3\xb6@small.example>") TO("<\xc3\xb6@d>"),
	    IN_ "250/2.1.0 553/5.6.7 250/2.1.5", 0 },
	{ IN FROM("<\xc3\xb6@b> SMTPUTF8") TO("<c@small.example>") TO("<c@d>"), IN_ "250/2.1.0 553/5.6.7 250/2.1.5", 0 },
	{ IN FROM("<a@b> SIZE=1500") TO("<nobody>") TO("<c@d>"), IN_ "250/2.1.0 552/5.3.4 250/2.1.5", 0 },	/* postmaster's */
	/* the content: what some recipient's route can take is taken */
	{ IN FROM("<a@b>") TO("<c@small.example>") BODY("\xe4"), IN_ "250/2.1.0 250/2.1.5 354 554/5.6.3", 0 },
	{ IN FROM("<a@b> BODY=8BITMIME") TO("<c@small.example>") BODY("x"), IN_ "250/2.1.0 250/2.1.5 354 250/2.0.0", 1 },
	{ IN FROM("<a@b>") TO("<c@small.example>") TO("<c@d>") BODY("\xe4"),
	    IN_ "250/2.1.0 250/2.1.5 250/2.1.5 354 250/2.0.0", 1 },
	{ IN FROM("<u@b> SMTPUTF8") TO("<c@d>") "DATA\r\nFrom: a@b\r\nSubject: \xc3\xb6\r\n\r\n.\r\n" FROM("<u@b>"),
	    IN_ "250/2.1.0 250/2.1.5 354 550/5.6.7 250/2.1.0", 0 },
	{ IN FROM("<a@b> SMTPUTF8") TO("<c@d>") "DATA\r\nFrom: a@b\r\nSubject: \xc3\xb6\r\n\r\n.\r\n",
	    IN_ "250/2.1.0 250/2.1.5 354 250/2.0.0", 1 },
};

static void
tell(struct rig *r)
{
	struct limits *m = (struct limits *)memo_new(MEMO_LIMITS, sizeof *m);

	m->room = m->utf8 = true;
	m->free_octets = UINT64_MAX;
	m->config = config_ref(r->config);
	m->route = mem_copy(limits, sizeof limits);
	memo_post(listener_get_channel(r->listener), &m->memo);
	loop_turn(r->loop, false);
}

START_TEST(by_routes)
{
	struct rig r;

	rig_start(&r, routes);
	tell(&r);
	tell(&r);	/* what was told before is forgotten */
	rig_play_n(&r, RIG_PLAIN, cases[_i].say, strlen(cases[_i].say), 0);
	ck_assert_str_eq(rig_codes(&r), cases[_i].codes);
	ck_assert_uint_eq(r.kept, cases[_i].kept);
	rig_stop(&r);
}
END_TEST

/* Counted: the content alone has 4096 octets at most, all of it what the recipients' routes take. */
START_TEST(counted)
{
	static const struct { const char *to; unsigned octets; bool ok; } sizes[] = {
		{ "<c@small.example>", 500, true }, { "<c@small.example>", 1000, false }, { "<c@d>", 1500, true },
		{ "<c@d>", 2100, false }, { "<c@big.example>", 4000, true }, { "<c@big.example>", 4100, false },
	};
	struct rig r;

	rig_start(&r, routes);
	tell(&r);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct buf say = { 0 };

		buf_printf(&say, IN FROM("<a@b>") "RCPT TO:%s\r\nDATA\r\nFrom: a@b\r\n\r\n", sizes[i].to);
		for (unsigned n = 13; n < sizes[i].octets; n += 10)
			buf_puts(&say, "12345678\r\n");
		buf_puts(&say, ".\r\n");
		rig_play_n(&r, RIG_PLAIN, say.data, say.len, 0);
		ck_assert_msg((strstr(rig_codes(&r), "354 250/2.0.0") != NULL) == sizes[i].ok, "%zu: %s", i, rig_codes(&r));
		ck_assert_msg((strstr(rig_codes(&r), "354 552/5.3.4") != NULL) != sizes[i].ok, "%zu: %s", i, rig_codes(&r));
		buf_clear(&say);
	}
	rig_stop(&r);
}
END_TEST

/* EHLO promises what some route can take (D12). */
START_TEST(promised)
{
	struct rig r;

	rig_start(&r, "");
	rig_limits(&r, true, UINT64_MAX, false, 2000);
	rig_play_n(&r, RIG_PLAIN, "EHLO x\r\nMAIL FROM:<a@b> SMTPUTF8\r\n", 35, 0);
	ck_assert_ptr_nonnull(strstr(r.heard.data, "SIZE 2000\r\n"));
	ck_assert_ptr_null(strstr(r.heard.data, "SMTPUTF8\r\n"));
	rig_limits(&r, true, UINT64_MAX, true, 0);
	rig_play_n(&r, RIG_PLAIN, "EHLO x\r\n", 8, 0);
	ck_assert_ptr_nonnull(strstr(r.heard.data, "SIZE 52428800\r\n"));
	ck_assert_ptr_nonnull(strstr(r.heard.data, "SMTPUTF8\r\n"));
	rig_stop(&r);
}
END_TEST

Suite *test_capacity(void);

Suite *
test_capacity(void)
{
	Suite *s = suite_create("test_capacity");
	TCase *t = tcase_create("capacity");

	tcase_add_loop_test(t, by_routes, 0, (int)(sizeof cases / sizeof cases[0]));
	tcase_add_test(t, counted);
	tcase_add_test(t, promised);
	suite_add_tcase(s, t);
	return s;
}
