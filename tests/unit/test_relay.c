/*
 * Numbers of PROTOCOL.md's part B that are about more than one file of the relay, and that no table of test_dial or
 * test_client shows: each against a scripted provider.
 */
#include "relay_rig.h"

Suite *test_relay(void);

#define TEXT "Subject: x\r\n\r\nbody\r\n"

static const char *const caps[] = {
	"caps: PIPELINING,SIZE,8BITMIME,DSN", "caps: SIZE,8BITMIME,DSN", "caps: PIPELINING,CHUNKING,SIZE,8BITMIME,DSN"
};

static struct job *
deliver(struct rig *r, uint32_t lane, const char *to)
{
	return rig_deliver(r, rig_job(r, lane, "s@x.test", to, STR(TEXT)));
}

static void
open_with(struct rig *r, const char *script, unsigned mode)
{
	char whole[400];

	snprintf(whole, sizeof whole, "%s;%s", script, caps[mode]);
	rig_open(r, "me", NULL);
	rig_port(r, PROVIDER_IMPLICIT, TLS_IMPLICIT, whole);
	ck_assert_int_eq(rig_race(r, 1)->result, OPENED_UP);
}

static void
wait_for_said(struct rig *r, const char *line)
{
	for (int i = 0; i < 3000 && provider_said(r->provider, line) == 0; i++) {
		loop_turn(r->loop, false);
		usleep(5000);
	}
	ck_assert_uint_gt(provider_said(r->provider, line), 0);
}

/* B-050: any 3xx to DATA asks for the content. */
START_TEST(another_3xx_to_data)
{
	struct rig r;

	open_with(&r, _i % 2 == 0 ? "data: 354" : "data: 399 do", (unsigned)_i / 2);
	ck_assert_int_eq(deliver(&r, 1, "a@x.test")->result[0].kind, OUTCOME_SENT);
	ck_assert_str_eq(provider_message(r.provider, 0)->text, TEXT);
	rig_close(&r);
}
END_TEST

/* C-16: a secret that the provider was told on another connection, after this one was opened, comes with the message. */
START_TEST(a_newer_secret_is_hidden)
{
	struct job *j;
	struct rig r;

	open_with(&r, "rcpt: 550 5.1.1 no secret, no renewed-token", (unsigned)_i);
	j = rig_job(&r, 1, "s@x.test", "a@x.test", STR(TEXT));
	j->veil = veil_new();
	veil_add(j->veil, "secret");
	veil_add(j->veil, "renewed-token");
	ck_assert_str_eq(rig_deliver(&r, j)->result[0].text, "5.1.1 no ***, no ***");
	ck_assert_str_eq(deliver(&r, 1, "b@x.test")->result[0].text, "5.1.1 no ***, no ***");	/* and stays */
	rig_close(&r);
}
END_TEST

/* B-056: a bad answer to RSET is nothing to the message before it; the connection is not used again, and the next message
 * goes, untried, over another. */
static const char *const rsets[] = { "500 what", "421 4.3.2 bye", "!close", "!reset", "!raw 250-a|500 b|", "!raw what|" };

START_TEST(a_bad_rset)
{
	char script[200];
	struct job *j;
	struct rig r;

	snprintf(script, sizeof script, "rcpt/bad@: 550 5.1.1 no;rset#1: %s", rsets[_i]);
	open_with(&r, script, 1);
	j = deliver(&r, 1, "bad@x.test");
	ck_assert_int_eq(j->result[0].kind, OUTCOME_REFUSE);
	ck_assert(!j->lane_lost);
	j = deliver(&r, 1, "good@x.test");
	ck_assert_uint_eq(provider_said(r.provider, "RSET"), 1);
	ck_assert_int_ne(j->result[0].kind, OUTCOME_REFUSE);
	ck_assert(j->lane_lost && !j->result[0].maybe);
	ck_assert_uint_eq(provider_count(r.provider), 0);
	rig_race(&r, 2);
	ck_assert_int_eq(deliver(&r, 2, "good@x.test")->result[0].kind, OUTCOME_SENT);
	rig_close(&r);
}
END_TEST

/* …and one to QUIT changes nothing of what was settled. */
static const char *const quits[] = { "500 what", "!close", "!reset", "!silent", "!raw \x01\n", "421 4.4.2 bye" };

START_TEST(a_bad_quit)
{
	char script[200];
	struct memo *m;
	struct job *j;
	struct rig r;

	snprintf(script, sizeof script, "quit: %s", quits[_i]);
	open_with(&r, script, 0);
	j = deliver(&r, 1, "a@x.test");
	m = memo_new(MEMO_CLOSE, sizeof(struct lane_memo));
	((struct lane_memo *)m)->lane = 1;
	memo_post(relay_get_channel(r.relay), m);
	rig_wait(&r, &r.nclosed, 1);
	wait_for_said(&r, "QUIT");
	ck_assert(!r.refused && !j->lane_lost);
	ck_assert_int_eq(j->result[0].kind, OUTCOME_SENT);
	ck_assert_uint_eq(r.nreport, 1);
	ck_assert_uint_eq(provider_count(r.provider), 1);
	rig_close(&r);
}
END_TEST

/* B-105: replies that come an octet at a time say what they say in one piece. */
static const struct { const char *script; const char *outcomes; int code; const char *status; } dribbles[] = {
	{ "", "SS", 250, "2.0.0" },
	{ "rcpt/b@: 550-5.1.1 no|550-5.1.1 such|550 5.1.1 user", "SR", 550, "5.1.1" },
	{ "eod: 451-4.3.0 not|451 4.3.0 now", "DD", 451, "4.3.0" },
	{ "mail: 550 5.1.8 no", "RR", 550, "5.1.8" },
	{ "rcpt/b@: 452 4.5.3 too many", "SA", 452, "4.5.3" },
	{ "eod: !raw 250-a|550 b|", "DD", 0, "4.5.0" },
};

static char
letter(enum outcome_kind k)
{
	return "?SDRA"[k];
}

START_TEST(an_octet_at_a_time)
{
	unsigned row = (unsigned)_i / 2;
	char script[300], got[3] = "";
	struct job *j;
	struct rig r;

	snprintf(script, sizeof script, "%s%s", dribbles[row].script, _i % 2 == 0 ? "" : ";dribble: 1");
	open_with(&r, script, row % 3);
	j = deliver(&r, 1, "a@x.test,b@x.test");
	for (unsigned i = 0; i < 2; i++)
		got[i] = letter(j->result[i].kind);
	ck_assert_msg(strcmp(got, dribbles[row].outcomes) == 0, "%s: %s: %s", script, got, j->result[1].text);
	ck_assert_int_eq(j->result[1].code, dribbles[row].code);
	ck_assert_str_eq(j->result[1].status, dribbles[row].status);
	rig_close(&r);
}
END_TEST

/* B-124: no TLS session is ever resumed, so none can be under other rules than it was verified by. */
START_TEST(no_session_is_resumed)
{
	char *said;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, _i == 0 ? NULL : "max: 1.2");
	for (uint32_t lane = 1; lane <= 3; lane++) {
		ck_assert_int_eq(rig_race(&r, lane)->result, OPENED_UP);
		ck_assert_int_eq(deliver(&r, lane, "a@x.test")->result[0].kind, OUTCOME_SENT);
	}
	said = provider_transcript(r.provider);
	ck_assert_uint_eq(provider_connections(r.provider, 0), 3);
	ck_assert_ptr_null(strstr(said, "resumed"));
	free(said);
	rig_close(&r);
}
END_TEST

/* B-133: EHLO's argument is a full name or an address literal. */
static const struct { const char *hostname, *said; } names[] = {
	{ "relay.example.org", "EHLO relay.example.org" },
	{ "relay", "EHLO relay.localdomain" },
	{ "localhost", "EHLO localhost.localdomain" },
	{ "[192.0.2.1]", "EHLO [192.0.2.1]" },
	{ "[IPv6:2001:db8::1]", "EHLO [IPv6:2001:db8::1]" },
};

START_TEST(a_full_name)
{
	char want[80];
	char *said;
	struct rig r;

	rig_open(&r, "me", NULL);
	free(r.config->hostname);
	r.config->hostname = mem_text(names[_i].hostname);
	rig_port(&r, PROVIDER_STARTTLS, TLS_STARTTLS, NULL);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	snprintf(want, sizeof want, "C: %s\n", names[_i].said);
	said = provider_transcript(r.provider);
	ck_assert_msg(strstr(said, want) != NULL, "%s", said);
	ck_assert_uint_eq(provider_said(r.provider, "EHLO"), 2);
	ck_assert_uint_eq(provider_said(r.provider, names[_i].said), 2);
	free(said);
	rig_close(&r);
}
END_TEST

/* B-136: at most N of them in one transaction, by our setting or the server's (RFC 9422), the others in the next, in order. */
static const struct { const char *caps, *config; unsigned n; } many[] = {
	{ "PIPELINING", "max_recipients = 2", 2 },
	{ "PIPELINING,LIMITS RCPTMAX=2", NULL, 2 },
	{ "PIPELINING,LIMITS RCPTMAX=3 MAILMAX=9", "max_recipients = 4", 3 },
	{ "LIMITS RCPTMAX=1000", "max_recipients = 1", 1 },
	{ "PIPELINING,CHUNKING,LIMITS RCPTMAX=4", NULL, 4 },
	{ "PIPELINING,LIMITS RCPTMAX=0", NULL, 5 },
};

START_TEST(so_many_at_once)
{
	static const char *const to[] = { "a@x.test", "b@x.test", "c@x.test", "d@x.test", "e@x.test" };
	char script[200], want[32];
	unsigned done = 0;
	struct rig r;

	snprintf(script, sizeof script, "caps: %s", many[_i].caps);
	rig_open(&r, "me", many[_i].config);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, script);
	rig_race(&r, 1);
	while (done < 5) {
		char list[64] = "";
		struct job *j;

		for (unsigned i = done; i < 5; i++)
			snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > done ? "," : "", to[i]);
		j = deliver(&r, 1, list);
		for (unsigned i = 0; i < j->nrcpt; i++)
			ck_assert_int_eq(j->result[i].kind, i < many[_i].n ? OUTCOME_SENT : OUTCOME_AGAIN);
		done += many[_i].n;
	}
	done = 0;
	for (unsigned n = 0; n < provider_count(r.provider); n++) {
		const struct provider_message *m = provider_message(r.provider, n);

		ck_assert_uint_le(m->nrcpt, many[_i].n);
		for (unsigned i = 0; i < m->nrcpt; i++) {
			snprintf(want, sizeof want, "<%s>", to[done++]);
			ck_assert_str_eq(m->rcpt[i], want);
		}
	}
	ck_assert_uint_eq(done, 5);
	rig_close(&r);
}
END_TEST

/* B-113: a server that reads no further while nobody takes its replies.  Those are far more than the network holds, and come
 * before the pipeline has gone out. */
START_TEST(replies_are_read_meanwhile)
{
	enum { MANY = 5000 };
	char script[600];
	struct buf to = { 0 };
	struct job *j;
	struct rig r;

	snprintf(script, sizeof script, "window: 4096;caps: PIPELINING;rcpt: 250-%0240d|250 %0240d", 0, 0);
	for (unsigned i = 0; i < MANY; i++)
		buf_printf(&to, "%s%0150u@%060u.%060u.%060u.test", i > 0 ? "," : "", i, i, i, i);
	rig_open(&r, "me", "max_recipients = 5000");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, script);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	j = deliver(&r, 1, to.data);
	for (unsigned i = 0; i < MANY; i++)
		ck_assert_int_eq(j->result[i].kind, OUTCOME_SENT);
	ck_assert_uint_eq(provider_message(r.provider, 0)->nrcpt, MANY);
	buf_clear(&to);
	rig_close(&r);
}
END_TEST

/* B-137: AUTH= is not sent, whoever has logged in, to a server that would take it. */
START_TEST(no_auth_parameter)
{
	struct rig r;

	open_with(&r, "", (unsigned)_i);
	ck_assert_int_eq(deliver(&r, 1, "a@x.test")->result[0].kind, OUTCOME_SENT);
	ck_assert_uint_eq(provider_said(r.provider, "AUTH"), 1);
	ck_assert_ptr_null(strstr(provider_message(r.provider, 0)->sender, "AUTH"));
	rig_close(&r);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

Suite *
test_relay(void)
{
	Suite *s = suite_create("test_relay");
	TCase *t = tcase_create("catalogue");

	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, another_3xx_to_data, 0, 4);
	tcase_add_loop_test(t, a_newer_secret_is_hidden, 0, 3);
	tcase_add_loop_test(t, a_bad_rset, 0, COUNT(rsets));
	tcase_add_loop_test(t, a_bad_quit, 0, COUNT(quits));
	tcase_add_loop_test(t, an_octet_at_a_time, 0, 2 * COUNT(dribbles));
	tcase_add_loop_test(t, no_session_is_resumed, 0, 2);
	tcase_add_loop_test(t, a_full_name, 0, COUNT(names));
	tcase_add_loop_test(t, so_many_at_once, 0, COUNT(many));
	tcase_add_test(t, replies_are_read_meanwhile);
	tcase_add_loop_test(t, no_auth_parameter, 0, COUNT(caps));
	suite_add_tcase(s, t);
	return s;
}
