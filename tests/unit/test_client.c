/*
 * Transactions over a connection that is up, against a fake provider: every row of PROTOCOL.md B.2 from MAIL on, and B.5.
 */
#include "relay_rig.h"

Suite *test_client(void);

enum { PIPE = 1, SLOW = 2, BDAT = 4, DATA = PIPE | SLOW, ALL = 7, MODES = 3 };

static const char *const caps[MODES] = {	/* what the provider offers in each mode */
	"caps: PIPELINING,SIZE 1000000,8BITMIME,SMTPUTF8,DSN",
	"caps: SIZE 1000000,8BITMIME,SMTPUTF8,DSN",
	"caps: PIPELINING,CHUNKING,SIZE 1000000,8BITMIME,SMTPUTF8,DSN",
};

static const char small[] = "Subject: hello\r\n\r\n.one\r\n..two\r\n.\r\nthree\r\n";

struct row {
	const char *name;
	unsigned modes;
	const char *script;	/* the provider's */
	const char *to;
	const char *outcomes;	/* a letter each: S sent, D deferred, R refused, A again */
	int code;		/* of the last recipient */
	const char *status;
	enum outcome_upstream upstream;
	bool lost, maybe;
	unsigned stored;
	const char *config;
};

#define ONE "a@x.test"
#define TWO "a@x.test,b@x.test"
#define FINE UPSTREAM_FINE
#define FAST UPSTREAM_TOO_FAST
#define LOST UPSTREAM_LOST

static const struct row rows[] = {
	{ "B-053", ALL, "", TWO, "SS", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-053 no status", ALL, "eod: 250 fine", ONE, "S", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-030 451", ALL, "mail: 451 4.3.0 later", TWO, "DD", 451, "4.3.0", FINE, false, false, 0, NULL },
	{ "B-030 450 bare", ALL, "mail: 450", ONE, "D", 450, "4.0.0", FINE, false, false, 0, NULL },
	{ "B-030 452", ALL, "mail: 452 4.3.1 full", ONE, "D", 452, "4.3.1", FAST, false, false, 0, NULL },
	{ "B-030 454", ALL, "mail: 454 Throttling failure", ONE, "D", 454, "4.0.0", FAST, false, false, 0, NULL },
	{ "B-030 4.7.0", ALL, "mail: 451 4.7.0 slow down", ONE, "D", 451, "4.7.0", FAST, false, false, 0, NULL },
	{ "B-030 4.4.5", ALL, "mail: 451 4.4.5 congested", ONE, "D", 451, "4.4.5", FAST, false, false, 0, NULL },
	{ "B-030 4.3.2", ALL, "mail: 451 4.3.2 closing", ONE, "D", 451, "4.3.2", UPSTREAM_BUSY, false, false, 0, NULL },
	{ "B-030 421", ALL, "mail: !last 421 4.7.0 bye", TWO, "DD", 421, "4.7.0", FAST, true, false, 0, NULL },
	{ "B-031 550", ALL, "mail: 550 5.1.8 bad sender", TWO, "RR", 550, "5.1.8", FINE, false, false, 0, NULL },
	{ "B-031 530", ALL, "mail: 530 5.7.0 log in", ONE, "D", 530, "5.7.0", UPSTREAM_LOGIN, true, false, 0, NULL },
	{ "B-031 503", ALL, "mail: 503 5.5.1 what", ONE, "D", 503, "5.5.1", LOST, true, false, 0, NULL },
	{ "B-031 555, bare then", ALL, "mail#1: 555 5.5.4 parameter", TWO, "SS", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-031 501 twice", ALL, "mail: 501 5.1.7 no", ONE, "R", 501, "5.1.7", FINE, false, false, 0, NULL },
	{ "B-031 501, bare is lost in flight", BDAT, "mail#1: 501 5.5.4 no;mail#2: !close", ONE, "D", 0, "4.4.2", LOST, true, true, 0, NULL },
	{ "B-031 501, bare is lost", DATA, "mail#1: 501 5.5.4 no;mail#2: !close", ONE, "A", 0, "4.4.2", LOST, true, false, 0, NULL },
	{ "B-032", ALL, "mail: 552 5.3.4 too big", ONE, "R", 552, "5.3.4", FINE, false, false, 0, NULL },
	{ "B-040 251", ALL, "rcpt: 251 will forward", ONE, "S", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-040 299", ALL, "rcpt: 299", ONE, "S", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-041", ALL, "rcpt/b@x: 450 4.2.1 full", TWO, "SD", 450, "4.2.1", FINE, false, false, 1, NULL },
	{ "B-042 452", ALL, "rcpt/b@x: 452 4.5.3 too many", TWO, "SA", 452, "4.5.3", FINE, false, false, 1, NULL },
	{ "B-042 452 bare", ALL, "rcpt/b@x: 452", TWO, "SA", 452, "4.0.0", FINE, false, false, 1, NULL },
	{ "B-042 552", ALL, "rcpt/b@x: 552 too many", TWO, "SA", 552, "5.0.0", FINE, false, false, 1, NULL },
	{ "B-042 552 5.2.2", ALL, "rcpt/b@x: 552 5.2.2 full", TWO, "SR", 552, "5.2.2", FINE, false, false, 1, NULL },
	{ "B-042 452 4.3.1", ALL, "rcpt/b@x: 452 4.3.1 full", TWO, "SD", 452, "4.3.1", FINE, false, false, 1, NULL },
	{ "B-042 the first", ALL, "rcpt: 452 4.5.3 too many", ONE, "D", 452, "4.5.3", FINE, false, false, 0, NULL },
	{ "B-043", ALL, "rcpt/b@x: 550 5.1.1 nobody", TWO, "SR", 550, "5.1.1", FINE, false, false, 1, NULL },
	{ "B-043 first of two", ALL, "rcpt/a@x: 550 5.1.1 nobody", TWO, "RS", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-107", ALL, "rcpt: 550 2.1.5 odd", ONE, "R", 550, "5.0.0", FINE, false, false, 0, NULL },
	{ "B-044 421", DATA, "rcpt/b@x: !last 421 4.3.2 bye", TWO, "DD", 421, "4.3.2", FAST, true, false, 0, NULL },
	{ "B-044 lost", DATA, "rcpt/b@x: !close", TWO, "AA", 0, "4.4.2", LOST, true, false, 0, NULL },
	{ "B-044 reset", DATA, "rcpt/b@x: !reset", TWO, "AA", 0, "4.4.2", LOST, true, false, 0, NULL },
	{ "B-044 a refusal stands", DATA, "rcpt/a@x: 550 5.1.1 no;rcpt/b@x: !close", TWO, "RA", 0, "4.4.2", LOST, true, false, 0, NULL },
	{ "B-112 lost, one flight", BDAT, "rcpt/b@x: !close", TWO, "DD", 0, "4.4.2", LOST, true, true, 0, NULL },
	{ "B-043 530", ALL, "rcpt/b@x: 530 5.7.1 log in", TWO, "SR", 530, "5.7.1", FINE, false, false, 1, NULL },
	{ "B-043 530 for all", ALL, "rcpt: 530 5.7.1 log in", TWO, "RR", 530, "5.7.1", FINE, false, false, 0, NULL },
	{ "B-041 454", ALL, "rcpt/b@x: 454 4.7.1 relay access denied", TWO, "SD", 454, "4.7.1", FINE, false, false, 1, NULL },
	{ "B-041 432", ALL, "rcpt/b@x: 432 4.3.2 full", TWO, "SD", 432, "4.3.2", FINE, false, false, 1, NULL },
	{ "B-045", ALL, "rcpt: 550 5.1.1 nobody", TWO, "RR", 550, "5.1.1", FINE, false, false, 0, NULL },
	{ "B-045 354", PIPE, "rcpt: 550 5.1.1 nobody;data: 354 go", TWO, "RR", 550, "5.1.1", FINE, false, false, 0, NULL },
	{ "B-045 354, taken", PIPE, "rcpt: 450 4.2.0 hm;data: 354 go;eod: 250 ok", TWO, "DD", 450, "4.2.0", FINE, false, false, 0, NULL },
	{ "B-046", PIPE | BDAT, "mail: !last 550 5.7.1 no", TWO, "RR", 550, "5.7.1", LOST, true, false, 0, NULL },
	{ "B-046 step by step", SLOW, "mail: !last 550 5.7.1 no", TWO, "RR", 550, "5.7.1", FINE, false, false, 0, NULL },
	{ "B-051 451", DATA, "data: 451 4.3.0 hm", TWO, "DD", 451, "4.3.0", FINE, false, false, 0, NULL },
	{ "B-051 554", DATA, "data: 554 5.7.1 no", TWO, "RR", 554, "5.7.1", FINE, false, false, 0, NULL },
	{ "B-051 2xx", DATA, "data: 250 fine", ONE, "D", 250, "2.0.0", LOST, true, false, 0, NULL },
	{ "B-051 421", DATA, "data: !last 421 4.3.0 bye", ONE, "D", 421, "4.3.0", FAST, true, false, 0, NULL },
	{ "DATA, lost", DATA, "data: !close", TWO, "AA", 0, "4.4.2", LOST, true, false, 0, NULL },
	{ "B-054 451", ALL, "eod: 451 4.3.0 hm", TWO, "DD", 451, "4.3.0", FINE, false, false, 0, NULL },
	{ "B-054 554", ALL, "eod: 554 5.7.1 spam", TWO, "RR", 554, "5.7.1", FINE, false, false, 0, NULL },
	{ "B-054 530", ALL, "eod: 530 5.7.1 no", TWO, "RR", 530, "5.7.1", FINE, false, false, 0, NULL },
	{ "B-054 454", ALL, "eod: 454 4.7.1 no", ONE, "D", 454, "4.7.1", FINE, false, false, 0, NULL },
	{ "B-054 throttled", ALL, "eod: 454 Throttling failure", ONE, "D", 454, "4.0.0", FAST, false, false, 0, NULL },
	{ "B-054 421", ALL, "eod: !last 421 4.3.2 bye", TWO, "DD", 421, "4.3.2", FAST, true, false, 0, NULL },
	{ "B-054, one refused", ALL, "rcpt/a@x: 550 5.1.1 no;eod: 451 4.3.0 hm", TWO, "RD", 451, "4.3.0", FINE, false, false, 0, NULL },
	{ "B-055 closed", ALL, "eod: !close", TWO, "DD", 0, "4.4.2", LOST, true, true, 1, NULL },
	{ "B-055 reset", ALL, "eod: !reset", ONE, "D", 0, "4.4.2", LOST, true, true, 1, NULL },
	{ "B-055 3xx", ALL, "eod: 354 go", ONE, "D", 354, "4.0.0", LOST, true, true, 1, NULL },
	{ "B-055 garbage, B-112", ALL, "eod: !raw what|250 ok|", ONE, "D", 0, "4.5.0", LOST, true, true, 1, NULL },
	{ "B-106 surplus", ALL, "eod: !inject 250 again|", TWO, "SS", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-106 closing", ALL, "eod: !inject 221 2.0.0 closing|", ONE, "S", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-057 with the reply", ALL, "idle: !raw 250 what|", ONE, "S", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-106 half a line", ALL, "eod: !inject 2", ONE, "S", 250, "2.0.0", FINE, false, false, 1, NULL },
	{ "B-054 and more", ALL, "eod: !raw 554 5.7.1 spam|221 bye|", TWO, "RR", 554, "5.7.1", FINE, false, false, 1, NULL },
	{ "B-031 and more", SLOW, "mail: !raw 550 5.1.8 no|250 ok|", ONE, "R", 550, "5.1.8", FINE, false, false, 0, NULL },
	{ "B-113 one too many", BDAT, "mail: !inject 250 what|;eod: 554 5.7.1 spam", ONE, "D", 0, "4.5.0", LOST, true, true, 0, NULL },
	{ "B-113 one too many, taken", BDAT, "mail: !inject 250 what|", ONE, "S", 250, "2.1.5", FINE, false, false, 1, NULL },
	{ "B-113 whose 550", BDAT, "mail: !inject 250 what|;rcpt/b@x: 550 5.1.1 no", TWO, "DD", 0, "4.5.0", LOST, true, true, 1, NULL },
	{ "B-106 MAIL", SLOW, "mail: !inject 250 again|", ONE, "D", 0, "4.5.0", LOST, true, false, 0, NULL },
	{ "B-055, a refusal stands", ALL, "rcpt/a@x: 550 5.1.1 no;eod: !close", TWO, "RD", 0, "4.4.2", LOST, true, true, 1, NULL },
	{ "B-101 MAIL", DATA, "mail: !raw 22X hm|", ONE, "D", 0, "4.5.0", LOST, true, false, 0, NULL },
	{ "B-101 one flight", BDAT, "mail: !raw 220OK|", ONE, "D", 0, "4.5.0", LOST, true, true, 0, NULL },
	{ "B-102 RCPT", DATA, "rcpt: !raw 250-a|500 b|", ONE, "D", 0, "4.5.0", LOST, true, false, 0, NULL },
	{ "B-103 DATA", DATA, "data: !raw 354 go\n", ONE, "D", 0, "4.5.0", LOST, true, false, 0, NULL },
	{ "too_fast, MAIL", ALL, "mail: 550 5.4.5 quota", ONE, "D", 550, "5.4.5", FAST, false, false, 0, "too_fast = {\"550 5.4.5\"}" },
	{ "too_fast, RCPT", ALL, "rcpt/b@x: 450 hm", TWO, "SD", 450, "4.0.0", FAST, false, false, 1, "too_fast = {\"450\"}" },
	{ "too_fast, content", ALL, "eod: 550 5.4.5 quota", ONE, "D", 550, "5.4.5", FAST, false, false, 0, "too_fast = {\"550 5.4.5\"}" },
	{ "too_fast, another status", ALL, "eod: 550 5.4.6 loop", ONE, "R", 550, "5.4.6", FINE, false, false, 0, "too_fast = {\"550 5.4.5\"}" },
	{ "503 to a piped RCPT", PIPE | BDAT, "rcpt/b@x: 503 5.5.1 what", TWO, "SA", 503, "5.5.1", FINE, false, false, 1, NULL },
	{ "503 to RCPT", SLOW, "rcpt/b@x: 503 5.5.1 what", TWO, "SR", 503, "5.5.1", FINE, false, false, 1, NULL },
	{ "503 to a piped DATA", PIPE, "data: 503 5.5.1 what", TWO, "AA", 503, "5.5.1", LOST, true, false, 0, NULL },
	{ "503 to DATA", SLOW, "data#1: 503 5.5.1 what", ONE, "R", 503, "5.5.1", FINE, false, false, 0, NULL },
	{ "BDAT 502", BDAT, "bdat: 502 5.5.1 what", ONE, "A", 502, "5.5.1", LOST, true, false, 0, NULL },
	{ "BDAT 500", BDAT, "bdat: 500 what", TWO, "AA", 500, "5.0.0", LOST, true, false, 0, NULL },
	{ "max_recipients", ALL, "", "a@x,b@x,c@x", "SSA", 0, "4.5.3", FINE, false, false, 1, "max_recipients = 2" },
	{ "C-17", ALL, "", "a@x,b\r\nRCPT TO:<evil@x>@x,c\x7f@x", "SRR", 0, "5.1.3", FINE, false, false, 1, NULL },
};

static char
letter(enum outcome_kind k)
{
	static const char letters[OUTCOMES] = {
		[OUTCOME_NONE] = '?', [OUTCOME_SENT] = 'S', [OUTCOME_DEFER] = 'D', [OUTCOME_REFUSE] = 'R', [OUTCOME_AGAIN] = 'A'
	};

	return letters[k];
}

static void
check(const char *name, struct rig *r, const struct job *j, const struct row *row)
{
	const struct outcome *last = &j->result[j->nrcpt - 1];
	char *said = provider_transcript(r->provider), got[16] = "";

	for (unsigned i = 0; i < j->nrcpt && i < sizeof got - 1; i++)
		got[i] = letter(j->result[i].kind);
	ck_assert_msg(strcmp(got, row->outcomes) == 0, "%s: %s, not %s: %s\n%s", name, got, row->outcomes, last->text, said);
	ck_assert_msg(last->code == row->code, "%s: code %d %s", name, last->code, last->text);
	ck_assert_msg(strcmp(last->status, row->status) == 0, "%s: status %s", name, last->status);
	ck_assert_msg(last->maybe == row->maybe, "%s: maybe", name);
	ck_assert_msg(j->upstream == row->upstream, "%s: upstream %d", name, j->upstream);
	ck_assert_msg(provider_count(r->provider) == row->stored, "%s: %u stored", name, provider_count(r->provider));
	ck_assert_msg(provider_complaints(r->provider) == 0, "%s: %s", name, said);
	ck_assert(!j->body_damaged);
	ck_assert_str_eq(j->peer.upstream, "up");
	ck_assert_uint_eq(j->peer.port, r->candidate[0].port);
	free(said);
}

/* After what was wrong in the last row, the same connection must do for the next message. */
static void
check_next(const char *name, struct rig *r)
{
	unsigned before = provider_count(r->provider);
	struct job *j = rig_deliver(r, rig_job(r, 1, "s@x.test", "next@x.test", STR("Subject: next\r\n\r\nok\r\n")));

	ck_assert_msg(j->result[0].kind != OUTCOME_REFUSE || j->result[0].code != 503, "%s: next: %d %s", name,
	    j->result[0].code, j->result[0].text);
	ck_assert_msg(provider_complaints(r->provider) == 0, "%s: %s", name, provider_transcript(r->provider));
	if (j->result[0].kind == OUTCOME_SENT)
		ck_assert_uint_eq(provider_count(r->provider), before + 1);
}

START_TEST(a_transaction)
{
	const struct row *row = &rows[_i / MODES];
	unsigned mode = (unsigned)_i % MODES;
	char name[80], script[400];
	struct job *j;
	struct rig r;

	if (!(row->modes & 1u << mode))
		return;
	snprintf(name, sizeof name, "%s (%s)", row->name, mode == 0 ? "pipelined" : mode == 1 ? "step by step" : "BDAT");
	snprintf(script, sizeof script, "%s;%s", row->script, caps[mode]);
	rig_open(&r, "me", row->config);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, script);
	ck_assert_int_eq(rig_race(&r, 1)->result, OPENED_UP);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x.test", row->to, str_of(small)));
	check(name, &r, j, row);
	ck_assert_msg(j->lane_lost == row->lost, "%s: lost", name);
	if (row->stored == 1) {
		const struct provider_message *m = provider_message(r.provider, 0);

		ck_assert_str_eq(m->text, small);
		ck_assert(m->chunked == (mode == 2));
	}
	if (!j->lane_lost)
		check_next(name, &r);
	rig_close(&r);
}
END_TEST

/* --- what is said ------------------------------------------------------------- */

static const struct said {
	const char *name, *caps;
	bool is_8bit, utf8, dsn;
	const char *sender, *text;
	const char *mail, *rcpt;	/* as the provider must hear it; NULL: it hears no MAIL at all */
	const char *outcome, *status;
} saids[] = {
	{ "nothing offered", "", false, false, true, "s@x", "a: b\r\n\r\n",
	  "<s@x>", "<a@x>", "S", "2.0.0" },
	{ "B-134 SIZE", "SIZE", false, false, false, "s@x", "a: b\r\n\r\n.\r\n",
	  "<s@x> SIZE=11", "<a@x>", "S", "2.0.0" },
	{ "null sender", "SIZE 0", false, false, false, "", "a: b\r\n\r\n",
	  "<> SIZE=8", "<a@x>", "S", "2.0.0" },
	{ "B-131 8BITMIME", "8BITMIME", true, false, false, "s@x", "a: b\r\n\r\n\xc3\xa4\r\n",
	  "<s@x> BODY=8BITMIME", "<a@x>", "S", "2.0.0" },
	{ "B-131 not offered", "SIZE", true, false, false, "s@x", "a: b\r\n\r\n\xc3\xa4\r\n", NULL, NULL, "R", "5.6.3" },
	{ "B-131 it was 7-bit", "", true, false, false, "s@x", "a: b\r\n\r\nplain\r\n", "<s@x>", "<a@x>", "S", "2.0.0" },
	{ "B-132 SMTPUTF8", "SMTPUTF8,8BITMIME", true, true, false, "s@x", "a: \xc3\xa4\r\n\r\n",
	  "<s@x> BODY=8BITMIME SMTPUTF8", "<a@x>", "S", "2.0.0" },
	{ "B-132 sender alone", "SMTPUTF8", false, false, false, "\xc3\xa4@x", "a: b\r\n\r\n",
	  "<\xc3\xa4@x> SMTPUTF8", "<a@x>", "S", "2.0.0" },
	{ "B-132 not offered", "8BITMIME", true, true, false, "s@x", "a: \xc3\xa4\r\n\r\n", NULL, NULL, "R", "5.6.7" },
	{ "B-135 DSN", "DSN,SIZE", false, false, true, "s@x", "a: b\r\n\r\n",
	  "<s@x> SIZE=8 RET=HDRS ENVID=e+2Bid", "<a@x> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+2Ba@x", "S", "2.0.0" },
	{ "B-135 nothing invented", "DSN", false, false, false, "s@x", "a: b\r\n\r\n", "<s@x>", "<a@x>", "S", "2.0.0" },
	{ "B-111 too large", "SIZE 7", false, false, false, "s@x", "a: b\r\n\r\n", NULL, NULL, "R", "5.3.4" },
	{ "B-111 just fits", "SIZE 8", false, false, false, "s@x", "a: b\r\n\r\n", "<s@x> SIZE=8", "<a@x>", "S", "2.0.0" },
	{ "C-17 sender", "SIZE", false, false, false, "s@x> SIZE=1\r\nRSET", "a: b\r\n\r\n", NULL, NULL, "R", "5.1.7" },
};

START_TEST(what_is_said)
{
	const struct said *t = &saids[_i];
	char script[200];
	struct job *j;
	struct rig r;

	snprintf(script, sizeof script, "caps: %s", t->caps);
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, script);
	rig_race(&r, 1);
	j = rig_job(&r, 1, t->sender, "a@x", str_of(t->text));
	j->envelope->is_8bit = t->is_8bit;
	j->envelope->is_utf8 = t->utf8;
	if (t->dsn) {
		j->envelope->envid = mem_text("e+2Bid");
		j->envelope->ret = RET_HDRS;
		j->envelope->rcpt[0].notify = NOTIFY_DELAY | NOTIFY_SUCCESS;
		j->envelope->rcpt[0].orcpt = mem_text("rfc822;o+2Ba@x");
	}
	rig_deliver(&r, j);
	ck_assert_msg(letter(j->result[0].kind) == *t->outcome, "%s: %d %s", t->name, j->result[0].code, j->result[0].text);
	ck_assert_msg(strcmp(j->result[0].status, t->status) == 0, "%s: %s", t->name, j->result[0].status);
	ck_assert(!j->lane_lost);
	if (t->mail == NULL) {
		ck_assert_uint_eq(provider_said(r.provider, "MAIL"), 0);
	} else {
		ck_assert_str_eq(provider_message(r.provider, 0)->sender, t->mail);
		ck_assert_str_eq(provider_message(r.provider, 0)->rcpt[0], t->rcpt);
	}
	rig_close(&r);
}
END_TEST

/* B-031: RCPT's parameters, refused as such, are left out from then on. */
START_TEST(dsn_not_understood)
{
	struct job *j;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, "rcpt/NOTIFY: 555 5.5.4 what");
	rig_race(&r, 1);
	for (unsigned i = 0; i < 2; i++) {
		j = rig_job(&r, 1, "s@x", "a@x", str_of(small));
		j->envelope->rcpt[0].notify = NOTIFY_NEVER;
		rig_deliver(&r, j);
		ck_assert_int_eq(j->result[0].kind, i == 0 ? OUTCOME_AGAIN : OUTCOME_SENT);
		ck_assert(!j->lane_lost);
	}
	rig_close(&r);
}
END_TEST

/* B-031: the same again begins anew, after RSET where BDAT has failed (RFC 3030 2); asked to close before that, what went
 * out with the refused MAIL is no message that may have been delivered. */
START_TEST(again_bare)
{
	bool closed = _i >= MODES;
	unsigned mode = (unsigned)_i % MODES;
	char script[200];
	struct memo *m;
	struct rig r;

	snprintf(script, sizeof script, "mail#1: 555 5.5.4 no;latency: 100;%s", caps[mode]);
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, script);
	rig_race(&r, 1);
	rig_send(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	while (provider_said(r.provider, "MAIL") == 0)
		loop_turn(r.loop, false);
	if (closed) {
		m = memo_new(MEMO_CLOSE, sizeof(struct lane_memo));
		((struct lane_memo *)m)->lane = 1;
		memo_post(relay_get_channel(r.relay), m);
	}
	rig_wait(&r, &r.nreport, 1);
	ck_assert_int_eq(r.report[0]->result[0].kind, closed ? OUTCOME_AGAIN : OUTCOME_SENT);
	ck_assert(!r.report[0]->result[0].maybe && r.report[0]->lane_lost == closed);
	ck_assert_uint_eq(provider_said(r.provider, "RSET"), !closed && mode == 2);
	rig_close(&r);
}
END_TEST

/* The flight of the transcript's first line that contains `text'. */
static int
flight_of(const char *transcript, const char *text)
{
	const char *at = strstr(transcript, text), *line = at;
	unsigned port, conn;
	int flight = -1;

	ck_assert_msg(at != NULL, "nobody said %s in %s", text, transcript);
	while (line > transcript && line[-1] != '\n')
		line--;
	ck_assert_int_eq(sscanf(line, "%u c%u f%d", &port, &conn, &flight), 3);
	return flight;
}

/* MAIL, RCPT and DATA go in one flight, with BDAT the content too; step by step nothing does. */
START_TEST(flights)
{
	char *said;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[_i]);
	rig_race(&r, 1);
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x,b@x", str_of(small)));
	said = provider_transcript(r.provider);
	if (_i == 1)
		ck_assert_int_eq(flight_of(said, "RCPT TO:<a"), flight_of(said, "MAIL") + 1);
	else {
		ck_assert_int_eq(flight_of(said, "RCPT TO:<b"), flight_of(said, "MAIL"));
		ck_assert_int_eq(flight_of(said, _i == 0 ? "DATA" : "BDAT"), flight_of(said, "MAIL"));
		ck_assert_int_eq(flight_of(said, "queued as"), flight_of(said, "MAIL") + (_i == 0 ? 1 : 0));
	}
	free(said);
	rig_close(&r);
}
END_TEST

/* B-112: with BDAT the next message does not wait for the answer to the first; without, it does. */
static const struct { const char *script; const char *outcomes; bool maybe[2]; unsigned stored; } pairs[] = {
	{ "", "SS", { false, false }, 2 },
	{ "eod#1: 451 4.3.0 hm", "DS", { false, false }, 1 },
	{ "mail#1: 550 5.1.8 no", "RS", { false, false }, 1 },
	{ "rcpt#1: 550 5.1.1 no", "RS", { false, false }, 1 },
	{ "mail#1: 555 5.5.4 no", "SS", { false, false }, 2 },
	{ "eod#1: !close", "D?", { true, false }, 1 },
	{ "eod#2: !close", "SD", { false, true }, 2 },
};

START_TEST(two_at_once)
{
	unsigned mode = (unsigned)_i % MODES;
	char script[300], *said;
	struct rig r;

	snprintf(script, sizeof script, "%s;%s", pairs[_i / MODES].script, caps[mode]);
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, script);
	rig_race(&r, 1);
	rig_send(&r, rig_job(&r, 1, "one@x", "a@x", str_of(small)));
	rig_send(&r, rig_job(&r, 1, "two@x", "a@x", str_of(small)));
	rig_wait(&r, &r.nreport, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct job *j = r.report[0]->envelope->sender[0] == 'o' ? r.report[i] : r.report[1 - i];
		char want = pairs[_i / MODES].outcomes[i], got = letter(j->result[0].kind);
		bool maybe = pairs[_i / MODES].maybe[i];

		if (want == '?') {	/* one flight: it may have got there; else it was never said */
			want = mode == 2 ? 'D' : 'A';
			maybe = mode == 2;
		}
		ck_assert_msg(got == want && j->result[0].maybe == maybe, "pair %d, mode %u: %c %s\n%s", _i / MODES, mode, got,
		    j->result[0].text, provider_transcript(r.provider));
	}
	ck_assert_uint_eq(provider_count(r.provider), pairs[_i / MODES].stored);
	ck_assert_msg(provider_complaints(r.provider) == 0, "%s", provider_transcript(r.provider));
	said = provider_transcript(r.provider);
	if (_i / MODES == 0 && mode == 2)
		ck_assert_int_eq(flight_of(said, "MAIL FROM:<two"), flight_of(said, "MAIL FROM:<one"));
	free(said);
	rig_close(&r);
}
END_TEST

/*
 * B-112: what becomes of the message that went behind BDAT LAST, when something goes wrong before it: it was not delivered
 * unless its own end was sent, nor where the server said good-bye first and kept its word.
 */
static const struct {
	const char *script, *outcomes;
	bool maybe[2], large;		/* large: the second waits for its RCPT before its content */
	unsigned quirks, suspect;
} behinds[] = {
	{ "eod#1: !last 421 4.3.2 bye", "DA", { false, false }, false, 0, 0 },
	{ "mail#1: !last 421 4.3.2 bye", "DA", { false, false }, false, 0, 0 },
	{ "rcpt#1: !last 421 4.3.2 bye", "DA", { false, false }, false, 0, 0 },
	{ "rset#1: !last 421 4.3.2 bye", "SA", { false, false }, false, 0, 0 },
	{ "mail#2: !last 421 4.3.2 bye", "SA", { false, false }, false, 0, 0 },
	{ "eod#1: 421 4.3.2 bye, and it goes on", "DS", { false, false }, false, 0, 0 },
	{ "eod#1: 421 4.3.2 bye;mail#2: !close", "DA", { false, false }, false, 0, 0 },
	{ "eod#1: 421 4.3.2 bye;rcpt#2: !close", "DD", { false, true }, false, 0, 0 },
	{ "eod#1: !close", "DD", { true, true }, false, 0, QUIRK_STEPS },
	{ "eod#1: !reset", "DD", { true, true }, false, 0, QUIRK_STEPS },
	{ "eod#1: !raw what|", "DD", { true, true }, false, 0, QUIRK_STEPS },
	{ "eod#1: !close", "DA", { true, false }, true, 0, QUIRK_STEPS },
	{ "eod#1: !raw what|", "DD", { true, false }, true, 0, QUIRK_STEPS },
	{ "rset#1: !close", "SD", { false, true }, false, 0, QUIRK_ALONE },
	{ "mail#2: !close", "SD", { false, true }, false, 0, QUIRK_ALONE },
	{ "rcpt#2: !close", "SD", { false, true }, false, 0, QUIRK_STEPS },
	{ "rset#1: 502 5.5.1 what", "SS", { false, false }, false, QUIRK_ALONE, 0 },
	{ "mail#2: 503 5.5.1 nested", "SA", { false, false }, false, QUIRK_ALONE, 0 },
	{ "rcpt#1: 503 5.5.1 what", "AS", { false, false }, false, QUIRK_STEPS, 0 },
};

START_TEST(the_one_behind)
{
	struct buf large = { 0 };
	char script[300];
	struct rig r;

	snprintf(script, sizeof script, "%s;latency: 30;%s", behinds[_i].script, caps[2]);
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, script);
	rig_race(&r, 1);
	while (large.len <= JOB_FLIGHT_OCTETS)
		buf_puts(&large, "one line of many\r\n");
	rig_send(&r, rig_job(&r, 1, "one@x", "a@x", str_of(small)));
	rig_send(&r, rig_job(&r, 1, "two@x", "a@x", behinds[_i].large ? buf_str(&large) : str_of(small)));
	rig_wait(&r, &r.nreport, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct job *j = r.report[0]->envelope->sender[0] == 'o' ? r.report[i] : r.report[1 - i];

		ck_assert_msg(letter(j->result[0].kind) == behinds[_i].outcomes[i] && j->result[0].maybe == behinds[_i].maybe[i],
		    "%u of \"%s\": %c, maybe %d: %s", i + 1, behinds[_i].script, letter(j->result[0].kind), j->result[0].maybe,
		    j->result[0].text);
		ck_assert_uint_eq(j->leaned, i == 0 ? QUIRK_STEPS : QUIRK_STEPS | QUIRK_ALONE);
		ck_assert(!j->untried);
	}
	ck_assert_uint_eq(r.report[1]->quirks, behinds[_i].quirks);
	ck_assert_uint_eq(r.report[0]->suspect | r.report[1]->suspect, behinds[_i].suspect);
	ck_assert_msg(provider_complaints(r.provider) == 0, "%s", provider_transcript(r.provider));
	buf_clear(&large);
	rig_close(&r);
}
END_TEST

/* A server that said 421, and then neither closes nor answers, is not waited for as long as another. */
START_TEST(a_long_good_bye)
{
	int64_t now;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT,
	    "eod#1: 421 4.3.2 bye;rset: !silent;caps: PIPELINING,CHUNKING");
	rig_race(&r, 1);
	rig_send(&r, rig_job(&r, 1, "one@x", "a@x", str_of(small)));
	rig_send(&r, rig_job(&r, 1, "two@x", "a@x", str_of(small)));
	rig_wait(&r, &r.nreport, 1);
	ck_assert_int_eq(r.report[0]->result[0].kind, OUTCOME_DEFER);
	ck_assert(!r.report[0]->result[0].maybe);
	now = clock_now_ms();
	clock_fake(now + 6000, clock_wall_s());
	rig_wait(&r, &r.nreport, 2);
	ck_assert_int_eq(r.report[1]->result[0].kind, OUTCOME_DEFER);
	ck_assert(r.report[1]->result[0].maybe && r.report[1]->lane_lost);
	rig_close(&r);
}
END_TEST

/* What is known of the server comes with the job, and is heeded: no content in a flight, nobody behind, or step by step. */
static const struct { unsigned quirks; const char *first, *second; int flights; } heeds[] = {
	{ 0, "MAIL FROM:<one", "MAIL FROM:<two", 0 },
	{ QUIRK_ALONE, "MAIL FROM:<one", "BDAT", 0 },
	{ QUIRK_ALONE, "MAIL FROM:<one", "MAIL FROM:<two", 1 },
	{ QUIRK_NO_BDAT, "MAIL FROM:<one", "DATA", 0 },
	{ QUIRK_NO_BDAT, "MAIL FROM:<one", "MAIL FROM:<two", 2 },
	{ QUIRK_STEPS, "MAIL FROM:<one", "RCPT TO:<b", 2 },
	{ QUIRK_STEPS | QUIRK_NO_BDAT, "MAIL FROM:<one", "DATA", 3 },
};

START_TEST(quirks_are_heeded)
{
	char *said;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[2]);
	rig_race(&r, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct job *j = rig_job(&r, 1, i == 0 ? "one@x" : "two@x", "a@x,b@x", str_of(small));

		j->quirks = heeds[_i].quirks;
		rig_send(&r, j);
	}
	rig_wait(&r, &r.nreport, 2);
	ck_assert(r.report[0]->result[0].kind == OUTCOME_SENT && r.report[1]->result[0].kind == OUTCOME_SENT);
	said = provider_transcript(r.provider);
	ck_assert_msg(flight_of(said, heeds[_i].second) == flight_of(said, heeds[_i].first) + heeds[_i].flights, "%s", said);
	free(said);
	rig_close(&r);
}
END_TEST

/* The second of two, when the connection may carry only one more: it is nobody's fault, and was not tried. */
START_TEST(the_second_is_untried)
{
	struct rig r;

	rig_open(&r, "me", "messages_per_connection = 1");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[_i]);
	rig_race(&r, 1);
	rig_send(&r, rig_job(&r, 1, "one@x", "a@x", str_of(small)));
	rig_send(&r, rig_job(&r, 1, "two@x", "a@x", str_of(small)));
	rig_wait(&r, &r.nreport, 2);
	ck_assert_int_eq(r.report[0]->result[0].kind, OUTCOME_SENT);
	ck_assert_int_eq(r.report[1]->result[0].kind, OUTCOME_AGAIN);
	ck_assert(r.report[1]->untried && !r.report[0]->untried && r.report[1]->suspect == 0);
	rig_close(&r);
}
END_TEST

/* --- content ------------------------------------------------------------------------ */

static void
make_lines(struct buf *b, size_t octets)
{
	for (unsigned i = 0; b->len < octets; i++)
		buf_printf(b, "%sline %u of a message that is larger than what one write takes\r\n", i % 3 == 0 ? "." : "", i);
}

START_TEST(large)
{
	const struct provider_message *m;
	struct buf b = { 0 };
	struct rig r;

	make_lines(&b, 3 * 1024 * 1024);
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, _i == 0 ? "caps: PIPELINING" : "caps: PIPELINING,CHUNKING");
	rig_race(&r, 1);
	ck_assert_int_eq(rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", buf_str(&b)))->result[0].kind, OUTCOME_SENT);
	m = provider_message(r.provider, 0);
	ck_assert_uint_eq(m->octets, b.len);
	ck_assert(memcmp(m->text, b.data, b.len) == 0);
	ck_assert(m->chunked == (_i == 1));
	if (_i == 1) {	/* a large content does not leave before its recipients are accepted */
		char *said = provider_transcript(r.provider);

		ck_assert_int_gt(flight_of(said, "BDAT"), flight_of(said, "MAIL"));
		free(said);
	}
	buf_clear(&b);
	rig_close(&r);
}
END_TEST

/* B-130: random lines of dots, CRLF and letters arrive as they were, and nothing else does. */
START_TEST(random_lines)
{
	static const char *const pieces[] = { ".", "..", "\r\n", "\r\n.\r\n", "a", "\r\n.", ".\r\n", "\xe4" };
	uint32_t seed = 20240917;
	struct rig r;

	rig_open(&r, "me", "messages_per_connection = 1000");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[_i]);
	rig_race(&r, 1);
	for (unsigned n = 0; n < 40; n++) {
		const struct provider_message *m;
		struct buf b = { 0 };
		struct job *j;

		for (unsigned i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			buf_puts(&b, pieces[seed >> 29]);
		}
		j = rig_job(&r, 1, "s@x", "a@x", buf_str(&b));
		j->envelope->is_8bit = true;
		r.nreport = 0;
		rig_deliver(&r, j);
		ck_assert_int_eq(j->result[0].kind, OUTCOME_SENT);
		if (_i != 2 && b.len > 0 && b.data[b.len - 1] != '\n')
			buf_puts(&b, "\r\n");
		m = provider_message(r.provider, n);
		ck_assert_uint_eq(m->octets, b.len);
		ck_assert(b.len == 0 || memcmp(m->text, b.data, b.len) == 0);
		buf_clear(&b);
		envelope_free(&j->envelope);
		memo_job_free(&j);
		r.nreport = 0;
	}
	ck_assert_uint_eq(provider_count(r.provider), 40);
	ck_assert_msg(provider_complaints(r.provider) == 0, "%s", provider_transcript(r.provider));
	rig_close(&r);
}
END_TEST

/* C-01: what is not clean lines is never sent to its end. */
START_TEST(unclean)
{
	static const char *const bad[] = { "a\nb\r\n", "a\rb\r\n", "a\r\n.\n", "a\r" };
	struct job *j;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[_i % MODES]);
	rig_race(&r, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(bad[_i / MODES])));
	if (_i / MODES == 3 && _i % MODES != 2) {	/* the line end that was missing */
		ck_assert_int_eq(j->result[0].kind, OUTCOME_SENT);
	} else {
		ck_assert_int_eq(j->result[0].kind, OUTCOME_REFUSE);
		ck_assert_str_eq(j->result[0].status, "5.6.0");
		ck_assert_uint_eq(provider_count(r.provider), 0);
		ck_assert(j->lane_lost);
	}
	rig_close(&r);
}
END_TEST

static int
spoil(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	char octet;
	FILE *f;

	(void)ftw;
	if (flag != FTW_F || st->st_size < 200000 || (f = fopen(path, "r+")) == NULL)
		return 0;
	fseek(f, 200000, SEEK_SET);
	octet = (char)fgetc(f);
	fseek(f, 200000, SEEK_SET);
	fputc(octet ^ 1, f);
	fclose(f);
	return 0;
}

/* A body that cannot be read is never sent to its end, and is reported as such.  The length is a multiple of all
 * buffers: what says that it is damaged comes after its last octet. */
START_TEST(damaged)
{
	enum { OCTETS = 5 * 128 * 1024 };
	struct buf b = { 0 };
	struct job *j;
	struct rig r;

	make_lines(&b, OCTETS - 200);
	while (b.len < OCTETS - 2)
		buf_putc(&b, 'x');
	buf_puts(&b, "\r\n");
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[_i]);
	rig_race(&r, 1);
	j = rig_job(&r, 1, "s@x", "a@x", buf_str(&b));
	nftw(r.dir, spoil, 16, FTW_PHYS);
	rig_deliver(&r, j);
	ck_assert(j->body_damaged && j->lane_lost);
	ck_assert_ptr_nonnull(j->result[0].text);
	ck_assert_uint_eq(provider_count(r.provider), 0);
	buf_clear(&b);
	rig_close(&r);
}
END_TEST

/* B-112: MAIL is refused while the content is still on its way: that goes to its end, and the next message after it. */
START_TEST(refused_in_flight)
{
	struct buf b = { 0 };
	struct rig r;

	make_lines(&b, 120 * 1024);
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT,
	    "mail#1: 550 5.1.8 no;body#1: !delay 300;window: 4096;caps: PIPELINING,CHUNKING");
	rig_race(&r, 1);
	rig_send(&r, rig_job(&r, 1, "one@x", "a@x", buf_str(&b)));
	rig_send(&r, rig_job(&r, 1, "two@x", "a@x", str_of(small)));
	rig_wait(&r, &r.nreport, 2);
	ck_assert_int_eq(r.report[0]->result[0].kind, OUTCOME_REFUSE);
	ck_assert_str_eq(r.report[0]->result[0].status, "5.1.8");
	ck_assert_int_eq(r.report[1]->result[0].kind, OUTCOME_SENT);
	ck_assert(!r.report[0]->lane_lost && !r.report[1]->lane_lost);
	ck_assert_uint_eq(provider_said(r.provider, "BDAT"), 2);
	ck_assert_uint_eq(provider_count(r.provider), 1);
	ck_assert_str_eq(provider_message(r.provider, 0)->text, small);
	ck_assert_uint_eq(provider_complaints(r.provider), 0);
	buf_clear(&b);
	rig_close(&r);
}
END_TEST

/* B-052: the server's answer in the middle of the content is the one that counts. */
START_TEST(refused_midway)
{
	struct buf b = { 0 };
	struct job *j;
	struct rig r;

	make_lines(&b, 4 * 1024 * 1024);
	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, _i == 0 ? "caps: PIPELINING;body: !last 552 5.3.4 enough" :
	    _i == 1 ? "caps: CHUNKING,PIPELINING;body: !last 552 5.3.4 enough" : "caps: PIPELINING;body: !close");
	rig_race(&r, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", buf_str(&b)));
	ck_assert_int_eq(j->result[0].kind, _i == 2 ? OUTCOME_AGAIN : OUTCOME_REFUSE);
	ck_assert_str_eq(j->result[0].status, _i == 2 ? "4.4.2" : "5.3.4");
	ck_assert(j->lane_lost && !j->result[0].maybe);
	buf_clear(&b);
	rig_close(&r);
}
END_TEST

/* B-113: a thousand recipients in one pipeline. */
START_TEST(many_recipients)
{
	struct buf to = { 0 };
	struct job *j;
	struct rig r;

	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&to, "%srecipient-with-a-long-name-%u@example.test", i > 0 ? "," : "", i);
	rig_open(&r, "me", "max_recipients = 1000");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[0]);
	rig_race(&r, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", to.data, str_of(small)));
	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(j->result[i].kind, OUTCOME_SENT);
	ck_assert_uint_eq(provider_message(r.provider, 0)->nrcpt, 1000);
	buf_clear(&to);
	rig_close(&r);
}
END_TEST

/* What this upstream wants in the header: the same key for the same recipients alone; From: with the name kept. */
START_TEST(edited)
{
	static const char text[] = "Subject: x\r\nFrom: Ann\r\n  Other <ann@inside>\r\nTo: b\r\n\r\nbody\r\n";
	static const char keyed[] = "idem-key: mine\r\n\r\nbody\r\n";
	const struct provider_message *m;
	struct upstream *u;
	char *first;
	struct rig r;

	rig_open(&r, "me", "idempotency_header = \"Idem-Key\"");
	u = &r.config->upstream[0];	/* the file does not offer the last two yet */
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[_i]);
	rig_race(&r, 1);
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x,b@x", str_of(text)));
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x,b@x", str_of(text)));
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(text)));
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(keyed)));
	free(u->sender);
	u->sender = mem_text("out@example.test");
	u->rewrite_from = true;
	rig_deliver(&r, rig_job(&r, 1, "out@example.test", "a@x", str_of(text)));
	ck_assert_uint_eq(provider_count(r.provider), 5);
	first = provider_message(r.provider, 0)->text;
	ck_assert_msg(strncmp(first, "Idem-Key: ", 10) == 0, "%s", first);
	ck_assert_str_eq(strchr(first, '\n') + 1, text);
	ck_assert_str_eq(provider_message(r.provider, 1)->text, first);
	ck_assert_int_ne(strncmp(provider_message(r.provider, 2)->text, first, 42), 0);
	ck_assert_str_eq(provider_message(r.provider, 3)->text, keyed);
	m = provider_message(r.provider, 4);
	ck_assert_ptr_nonnull(strstr(m->text, "Subject: x\r\nFrom: Ann\r\n  Other <out@example.test>\r\nTo: b\r\n\r\nbody\r\n"));
	ck_assert_ptr_null(strstr(m->text, "ann@inside"));
	rig_close(&r);
}
END_TEST

/* The key names those that the provider has accepted: when the others come in their turn, theirs is not a repeat (else the
 * provider would drop it), and when only the accepted come again, it is one. */
START_TEST(keyed_for_the_accepted)
{
	static const char text[] = "Subject: x\r\n\r\nbody\r\n";
	const char *key[4];
	struct rig r;

	rig_open(&r, "me", "idempotency_header = \"Idem-Key\"");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, _i == 0 ? "rcpt#1/b@x: 450 4.2.0 later;caps: PIPELINING,SIZE" : _i == 1 ?
	    "rcpt#1/b@x: 450 4.2.0 later;caps: SIZE" : "rcpt#1/b@x: 450 4.2.0 later;caps: PIPELINING,CHUNKING,SIZE");
	rig_race(&r, 1);
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x,b@x", str_of(text)));	/* b is put off */
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x,b@x", str_of(text)));
	rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(text)));
	rig_deliver(&r, rig_job(&r, 1, "s@x", "b@x", str_of(text)));
	ck_assert_uint_eq(provider_count(r.provider), 4);
	for (unsigned i = 0; i < 4; i++) {
		key[i] = provider_message(r.provider, i)->text;
		ck_assert_msg(strncmp(key[i], "Idem-Key: ", 10) == 0, "%s", key[i]);
		ck_assert_str_eq(strchr(key[i], '\n') + 1, text);
	}
	ck_assert_str_eq(key[0], key[2]);
	ck_assert_str_ne(key[0], key[1]);
	ck_assert_str_ne(key[0], key[3]);
	ck_assert_str_ne(key[1], key[3]);
	ck_assert_uint_eq(provider_complaints(r.provider), 0);
	rig_close(&r);
}
END_TEST

/* --- the life of a connection ------------------------------------------------------------ */

START_TEST(used_up)
{
	struct job *j;
	struct rig r;

	rig_open(&r, "me", "messages_per_connection = 2");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, caps[0]);
	rig_race(&r, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	ck_assert(!j->lane_lost && j->result[0].kind == OUTCOME_SENT);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	ck_assert(j->lane_lost && j->result[0].kind == OUTCOME_SENT && j->upstream == UPSTREAM_FINE);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));	/* too late */
	ck_assert(j->lane_lost && j->result[0].kind == OUTCOME_AGAIN);
	ck_assert_uint_eq(r.nclosed, 0);
	for (int i = 0; i < 1500 && provider_said(r.provider, "QUIT") == 0; i++) {
		loop_turn(r.loop, false);
		usleep(10000);
	}
	ck_assert_uint_eq(provider_said(r.provider, "QUIT"), 1);
	rig_close(&r);
}
END_TEST

/* Idle: QUIT after a while; B-057: 421, or the end, or anything unasked. */
static const struct { const char *script; bool refused; } idles[] = {
	{ "", false }, { "idle: !last 421 4.4.2 idle too long", true }, { "idle: !close", true }, { "idle: !reset", true },
};

START_TEST(idle)
{
	struct job *j;
	struct rig r;

	rig_open(&r, "me", "idle = \"2s\"");
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, idles[_i].script);
	rig_race(&r, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	ck_assert(!j->lane_lost && j->result[0].kind == OUTCOME_SENT);
	if (!idles[_i].refused)
		clock_fake(clock_now_ms() + 2100, clock_wall_s());
	rig_wait(&r, &r.nclosed, 1);
	ck_assert(r.refused == idles[_i].refused);
	rig_close(&r);
}
END_TEST

/* B-058: a connection that dies at MAIL, after it has served, costs the message nothing. */
START_TEST(dies_when_reused)
{
	static const char *const scripts[] = { "mail#2: !close", "mail#2: !reset", "mail#2: !last 421 4.4.2 bye" };
	struct job *j;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, scripts[_i]);
	rig_race(&r, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	ck_assert(!j->lane_lost);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x,b@x", str_of(small)));
	ck_assert(j->lane_lost && j->upstream == UPSTREAM_LOST);
	ck_assert_int_eq(j->result[0].kind, OUTCOME_AGAIN);
	ck_assert_int_eq(j->result[1].kind, OUTCOME_AGAIN);
	rig_close(&r);
}
END_TEST

/* B-055, too: five minutes for a reply, ten for the one to the end of data. */
static const struct { const char *script; int64_t early_ms, late_ms; enum outcome_kind kind; bool maybe; } silences[] = {
	{ "mail: !silent", 290000, 301000, OUTCOME_DEFER, false },
	{ "data: !silent", 290000, 301000, OUTCOME_DEFER, false },
	{ "eod: !silent", 590000, 601000, OUTCOME_DEFER, true },
};

START_TEST(a_silence)
{
	int64_t now;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, silences[_i].script);
	rig_race(&r, 1);
	rig_send(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	while (provider_said(r.provider, _i == 2 ? "." : _i == 1 ? "DATA" : "MAIL") == 0)
		loop_turn(r.loop, false);
	for (int i = 0; i < 150; i++) {	/* let what was answered come in */
		loop_turn(r.loop, false);
		usleep(2000);
	}
	now = clock_now_ms();
	clock_fake(now + silences[_i].early_ms, clock_wall_s());
	loop_turn(r.loop, false);
	loop_turn(r.loop, false);
	ck_assert_uint_eq(r.nreport, 0);
	clock_fake(now + silences[_i].late_ms, clock_wall_s());
	rig_wait(&r, &r.nreport, 1);
	ck_assert_int_eq(r.report[0]->result[0].kind, silences[_i].kind);
	ck_assert(r.report[0]->result[0].maybe == silences[_i].maybe && r.report[0]->lane_lost);
	rig_close(&r);
}
END_TEST

static void
post_lane(struct rig *r, enum memo_kind kind, uint32_t lane)
{
	struct lane_memo *m = (struct lane_memo *)memo_new(kind, sizeof *m);

	m->lane = lane;
	memo_post(relay_get_channel(r->relay), &m->memo);
}

START_TEST(closed_when_idle)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, NULL);
	rig_race(&r, 1);
	post_lane(&r, MEMO_CLOSE, 1);
	rig_wait(&r, &r.nclosed, 1);
	ck_assert(!r.refused);
	post_lane(&r, MEMO_CLOSE, 1);	/* it has gone: nothing */
	rig_close(&r);
	ck_assert_uint_eq(r.nclosed, 1);
}
END_TEST

/* A message on its way is finished before CLOSE or DRAIN ends its connection. */
START_TEST(closed_when_busy)
{
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, "eod: !delay 200");
	rig_race(&r, 1);
	rig_send(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	while (provider_said(r.provider, "MAIL") == 0)
		loop_turn(r.loop, false);
	post_lane(&r, _i == 0 ? MEMO_CLOSE : MEMO_DRAIN, 1);
	loop_turn(r.loop, true);
	loop_turn(r.loop, false);
	ck_assert_uint_eq(r.nreport + r.ndrained, 0);
	rig_wait(&r, &r.nreport, 1);
	ck_assert_int_eq(r.report[0]->result[0].kind, OUTCOME_SENT);
	ck_assert(r.report[0]->lane_lost);
	if (_i == 1) {
		rig_wait(&r, &r.ndrained, 1);
		rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
		ck_assert_int_eq(r.report[1]->result[0].kind, OUTCOME_AGAIN);
		relay_free(&r.relay);
		r.relay = relay_new(r.loop, r.queue, r.main);
		r.ndrained = 0;
	}
	rig_close(&r);
}
END_TEST

/* A server that announces CHUNKING and does not know it is spoken to by DATA from then on. */
START_TEST(chunking_is_unlearned)
{
	struct job *j;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, "caps: PIPELINING,CHUNKING;bdat: 503 5.5.1 what");
	rig_race(&r, 1);
	j = rig_deliver(&r, rig_job(&r, 1, "s@x", "a@x", str_of(small)));
	ck_assert(j->lane_lost && j->result[0].kind == OUTCOME_AGAIN);
	ck_assert_uint_eq(j->quirks, QUIRK_NO_BDAT);
	rig_race(&r, 2);
	j = rig_job(&r, 2, "s@x", "a@x", str_of(small));
	j->quirks = QUIRK_NO_BDAT;	/* the queue remembers */
	rig_deliver(&r, j);
	ck_assert_int_eq(j->result[0].kind, OUTCOME_SENT);
	ck_assert_uint_eq(provider_said(r.provider, "BDAT"), 1);
	rig_close(&r);
}
END_TEST

/* The end of the program, whatever is under way: no message is without its report, no race without its answer. */
START_TEST(stopped)
{
	const struct job *j;
	struct memo *m;
	struct rig r;

	rig_open(&r, "me", NULL);
	rig_port(&r, PROVIDER_IMPLICIT, TLS_IMPLICIT, _i == 0 ? "eod: !silent" : "data: !silent");
	rig_race(&r, 1);
	memo_open_free(&r.opened);
	rig_send(&r, rig_job(&r, 1, "one@x", "a@x", str_of(small)));
	rig_send(&r, rig_job(&r, 1, "two@x", "a@x", str_of(small)));
	while (provider_said(r.provider, _i == 0 ? "." : "DATA") == 0)
		loop_turn(r.loop, false);
	m = memo_new(MEMO_STOP, sizeof *m);
	memo_post(relay_get_channel(r.relay), m);
	loop_run(r.loop);
	rig_send(&r, rig_job(&r, 1, "three@x", "a@x", str_of(small)));
	rig_post_open(&r, 2, "secret");
	relay_free(&r.relay);
	channel_drain(r.queue);
	ck_assert_uint_eq(r.nreport, 3);
	for (unsigned i = 0; i < 3; i++) {
		j = r.report[i];
		ck_assert_int_eq(j->result[0].kind, i == 0 && _i == 0 ? OUTCOME_DEFER : OUTCOME_AGAIN);
		ck_assert(j->result[0].maybe == (i == 0 && _i == 0) && j->lane_lost);	/* B-055 */
		ck_assert_int_eq(j->upstream, UPSTREAM_LOST);
	}
	ck_assert_str_eq(r.report[0]->sender, "one@x");
	ck_assert_ptr_nonnull(r.opened);
	ck_assert_int_eq(r.opened->result, OPENED_CANCELLED);
	r.relay = relay_new(r.loop, r.queue, r.main);
	rig_close(&r);
}
END_TEST

#define COUNT(a) (int)(sizeof(a) / sizeof(a)[0])

Suite *
test_client(void)
{
	Suite *s = suite_create("test_client");
	TCase *t = tcase_create("rows");

	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, a_transaction, 0, COUNT(rows) * MODES);
	suite_add_tcase(s, t);
	t = tcase_create("said");
	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, what_is_said, 0, COUNT(saids));
	tcase_add_test(t, dsn_not_understood);
	tcase_add_loop_test(t, again_bare, 0, 2 * MODES);
	tcase_add_loop_test(t, flights, 0, MODES);
	tcase_add_loop_test(t, two_at_once, 0, COUNT(pairs) * MODES);
	tcase_add_loop_test(t, the_one_behind, 0, COUNT(behinds));
	tcase_add_test(t, a_long_good_bye);
	tcase_add_loop_test(t, quirks_are_heeded, 0, COUNT(heeds));
	tcase_add_loop_test(t, the_second_is_untried, 0, MODES);
	suite_add_tcase(s, t);
	t = tcase_create("content");
	tcase_set_timeout(t, 30);
	tcase_add_loop_test(t, large, 0, 2);
	tcase_add_loop_test(t, random_lines, 0, MODES);
	tcase_add_loop_test(t, unclean, 0, 4 * MODES);
	tcase_add_loop_test(t, damaged, 0, MODES);
	tcase_add_test(t, refused_in_flight);
	tcase_add_loop_test(t, refused_midway, 0, 3);
	tcase_add_test(t, many_recipients);
	tcase_add_loop_test(t, edited, 0, MODES);
	tcase_add_loop_test(t, keyed_for_the_accepted, 0, MODES);
	suite_add_tcase(s, t);
	t = tcase_create("life");
	tcase_set_timeout(t, 20);
	tcase_add_test(t, used_up);
	tcase_add_loop_test(t, idle, 0, COUNT(idles));
	tcase_add_loop_test(t, dies_when_reused, 0, 3);
	tcase_add_loop_test(t, a_silence, 0, COUNT(silences));
	tcase_add_test(t, closed_when_idle);
	tcase_add_loop_test(t, closed_when_busy, 0, 2);
	tcase_add_test(t, chunking_is_unlearned);
	tcase_add_loop_test(t, stopped, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
