/*
 * A relay's whole life with one provider: the race, TLS, the login and up to three messages, over streams in memory; the input
 * is what the provider says.  The first octet chooses the upstream ('0'…'7', see `sections'), the second how its words come:
 * 'l' a reply at a time, else in the pieces that the input marks.  An octet 0xff ends a piece, and the one behind it says what
 * happens then: e the provider's end, r a reset, t a minute passes, T six, x y the next TLS handshake ends in a bad certificate
 * or not at all, z well again, s it reads nothing, g it reads again, j another message is given, o another connection asked for,
 * c ours is to be closed, d we are told to stop.
 *
 * Promises: nothing but EHLO, STARTTLS and QUIT before verified TLS, and no secret; each command is one line with one CRLF; the
 * content is what was given, ended once; every question is answered once, and nobody is called delivered whose message did not
 * go out whole (PROTOCOL.md D5, B-012-B-016, B-053-B-055, B-112, B-130, C-01, C-03, C-04, C-17).
 */
#include "fuzz/support/peer.h"
#include "fuzz/support/place.h"

#include "base/clock.h"
#include "base/log.h"
#include "crash/crashdisk.h"
#include "relay/relay.h"
#include "smtp/dot.h"

enum { CHOICES = 8, CONTENTS = 3, JOBS_MAX = 6, OPENS_MAX = 3, START_MS = 1000000, DISK_OCTETS = 8 << 20, COMMAND_MAX = 1000 };

static const struct section {
	const char *lines;
	enum tls_mode tls[2];
	unsigned ncandidate;
	bool edited;		/* the content is not as it was given */
} sections[CHOICES] = {
	{ "username = me password = \"secret\"", { TLS_STARTTLS }, 1, false },
	{ "username = me password = \"secret\"", { TLS_IMPLICIT }, 1, false },
	{ "chain = {\"2525/none\"} auth = none", { TLS_NONE }, 1, false },
	{ "username = me password = \"secret\" auth = \"cram-md5\"", { TLS_STARTTLS }, 1, false },
	{ "username = me password = \"secret\"", { TLS_STARTTLS, TLS_IMPLICIT }, 2, false },
	{ "auth = none idempotency_header = \"X-Key\" sender = \"me@x.test\" rewrite_from = true max_recipients = 1",
	    { TLS_STARTTLS }, 1, true },
	{ "username = me password = \"secret\" auth = \"login\" messages_per_connection = 2", { TLS_IMPLICIT }, 1, false },
	{ "username = me password = \"secret\" auth = \"xoauth2\"", { TLS_IMPLICIT }, 1, false },
};

static const char *const contents[CONTENTS] = {
	"Subject: hello\r\n\r\n.one\r\n..two\r\n.\r\nthree\r\n",
	"From: a@b.test\r\nSubject: J\xc3\xb6rg\r\n\r\n\xff\r\n",
	"Date: now\r\n\r\nno end of line"
};

/* What was heard on one connection. */
struct talk {
	struct buf rest, content;
	bool asked, pouring, quit;	/* asked: DATA was the last command */
	bool auth;		/* AUTH was: what a server asks for may be nothing */
	uint64_t chunk;
	bool last;
};

static struct play {
	struct loop *loop;
	struct relay *relay;
	struct channel *queue, *main;
	const struct section *section;
	struct upstream *settings;
	struct talk talk[PEERS_MAX];
	struct job *job[JOBS_MAX];	/* out; NULL: reported */
	unsigned njob, out, nopen, opening, complete, sent;
	uint32_t lane;
	bool up, flight, drained;
	bool stuck;		/* it may answer what it did not read: then it says what it likes */
} play;
static struct config *config;
static struct tls *tls;
static struct spool *spool;
static struct spool_item item[CONTENTS];

/* --- what the provider hears -------------------------------------------------------- */

static void
check_content(struct str got)
{
	bool same = play.section->edited;

	hold(fuzz_is_clean(got));
	for (unsigned i = 0; i < CONTENTS; i++) {
		struct str want = str_of(contents[i]);

		same = same || str_eq(got, want) || (got.n == want.n + 2 && memcmp(got.p, want.p, want.n) == 0);
	}
	hold(same);
	play.complete++;
}

/* What came since "354"; false: there is more to come. */
static bool
take_data(struct talk *t)
{
	struct str in = buf_str(&t->rest);
	struct buf out = { 0 };
	struct dot d;
	bool ended, lone = in.n >= 3 && memcmp(in.p, ".\r\n", 3) == 0;
	size_t before = in.n;

	dot_init(&d, false);
	ended = dot_feed(&d, &in, &out);
	if (ended) {
		hold(!d.bare_cr && !d.bare_lf && !d.nul);
		if (!lone)	/* all recipients were refused (B-045) */
			check_content(buf_str(&out));
		buf_drop(&t->rest, before - in.n);
	}
	buf_clear(&out);
	t->pouring = !ended;
	return ended;
}

static bool
take_chunk(struct talk *t)
{
	size_t n = t->chunk < t->rest.len ? t->chunk : t->rest.len;

	buf_put(&t->content, t->rest.data, n);
	buf_drop(&t->rest, n);
	t->chunk -= n;
	if (t->chunk > 0)
		return false;
	if (t->last) {
		check_content(buf_str(&t->content));
		buf_cut(&t->content, 0);
	}
	return true;
}

static void
check_command(const struct peer_stream *p, struct talk *t, struct str line)
{
	static const char *const harmless[] = { "EHLO ", "HELO ", "STARTTLS", "QUIT" };
	bool inside = p->secure || play.section->tls[0] == TLS_NONE, may = inside;
	unsigned long long chunk;
	char word[32] = "";

	hold(!t->quit && (line.n > 0 || t->auth) && line.n <= COMMAND_MAX && !str_has_control(line));
	for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
		may = may || str_istarts(line, harmless[i]);
	hold(may);
	hold(memmem(line.p, line.n, "evil@", 5) == NULL);	/* what stands in an address is no command */
	hold(inside || memmem(line.p, line.n, "secret", 6) == NULL);
	hold(!str_istarts(line, "AUTH ") || (line.n + 2 <= 512 && p->secure));
	t->auth = str_istarts(line, "AUTH ") || (t->auth && memchr(line.n > 0 ? line.p : "", ' ', line.n) == NULL);
	t->quit = str_is(line, "QUIT");
	t->asked = str_is(line, "DATA");
	if (!str_istarts(line, "BDAT "))
		return;
	memcpy(word, line.p, line.n < sizeof word - 1 ? line.n : sizeof word - 1);
	hold(sscanf(word, "BDAT %llu", &chunk) == 1);
	t->chunk = chunk;
	t->last = memmem(line.p, line.n, " LAST", 5) != NULL;
}

/* One thing off what was said; false: no more yet. */
static bool
take_one(const struct peer_stream *p, struct talk *t)
{
	const char *e;
	struct str line;

	if (t->rest.len == 0)
		return false;
	if (t->chunk > 0)
		return take_chunk(t);
	if (t->pouring)
		return take_data(t);
	e = memmem(t->rest.data, t->rest.len, "\r\n", 2);
	hold(e != NULL);
	line = (struct str){ t->rest.data, (size_t)(e - t->rest.data) };
	/* no command has a colon and a blank, every field has */
	if (t->asked && (str_is(line, ".") || memmem(line.p, line.n, ": ", 2) != NULL)) {
		t->asked = false;
		return take_data(t);
	}
	check_command(p, t, line);
	buf_drop(&t->rest, line.n + 2);
	return true;
}

static void
on_said(struct peer_stream *p, const char *bytes, size_t n)
{
	struct talk *t = &play.talk[p - peers.peer];

	buf_put(&t->rest, bytes, n);
	while (take_one(p, t))
		;
}

/* --- what the queue does ----------------------------------------------------------------- */

static void
ask_open(void)
{
	struct open *o;

	if (play.up || play.opening > 0 || play.nopen >= OPENS_MAX)
		return;
	o = memo_open_new();
	o->lane = play.lane = play.nopen++;
	o->upstream = 7;
	o->config = config_ref(config);
	o->settings = play.settings;
	o->tls = tls_ref(tls);
	o->password = mem_text("secret");
	o->ncandidate = play.section->ncandidate;
	for (unsigned i = 0; i < o->ncandidate; i++) {
		snprintf(o->candidate[i].address, sizeof o->candidate[i].address, "127.0.0.1");
		o->candidate[i].port = (uint16_t)(2525 + i);
		o->candidate[i].tls = play.section->tls[i];
		o->candidate[i].rank = i;
	}
	play.opening++;
	memo_post(relay_get_channel(play.relay), &o->memo);
}

static void
add_rcpts(struct envelope *e, unsigned kind)
{
	envelope_add(e, "a@x.test", NULL, 0);
	envelope_add(e, "b@x.test", kind == 2 ? "rfc822;b+40x" : NULL, kind == 2 ? NOTIFY_SUCCESS : 0);
	if (kind == 1)
		envelope_add(e, "\xc3\xb6@x.test", NULL, 0);
	if (kind == 2)	/* from a spool that somebody else wrote (C-17) */
		envelope_add(e, "c\r\nRCPT TO:<evil@x.test>@x.test", NULL, 0);
}

static void
give_job(void)
{
	unsigned kind = play.njob % CONTENTS;
	struct envelope *e;
	struct why why;
	struct job *j;

	if (!play.up || play.njob >= JOBS_MAX || play.out > (play.flight ? 1 : 0))
		return;
	e = envelope_new();
	free(e->sender);
	e->sender = mem_text(kind == 2 ? "" : "s@x.test");
	add_rcpts(e, kind);
	e->is_8bit = e->is_utf8 = kind == 1;
	e->ret = kind == 2 ? RET_HDRS : RET_NONE;
	j = memo_job_new(e->nrcpt);
	for (unsigned i = 0; i < e->nrcpt; i++)
		j->rcpt[i] = i;
	j->lane = play.lane;
	j->id = 4711 + play.njob;
	j->envelope = e;
	j->sender = mem_text(e->sender);
	j->second = play.out > 0;
	hold(spool_read_open(spool, &item[kind], &j->body, &why) == 0);
	play.job[play.njob++] = j;
	play.out++;
	memo_post(relay_get_channel(play.relay), &j->memo);
}

static void
on_opened(struct open *o)
{
	hold(play.opening == 1 && o->lane == play.lane);
	play.opening = 0;
	play.up = o->result == OPENED_UP;
	play.flight = play.up && o->caps.chunking && o->caps.pipelining;
	hold(play.up || o->outcome.text == NULL || o->outcome.kind != OUTCOME_SENT);
	memo_open_free(&o);
	give_job();
}

static void
on_report(struct job *j)
{
	bool sent = false, known = false;

	for (unsigned i = 0; i < play.njob; i++) {
		known = known || play.job[i] == j;
		if (play.job[i] == j)
			play.job[i] = NULL;
	}
	hold(known);
	play.out--;
	for (unsigned i = 0; i < j->nrcpt; i++) {
		const struct outcome *o = &j->result[i];

		hold(o->kind > OUTCOME_NONE && o->kind < OUTCOMES);
		hold(o->text == NULL || strchr(o->text, '\r') == NULL);
		sent = sent || o->kind == OUTCOME_SENT;
	}
	hold(!sent || !j->untried);
	play.sent += sent;
	hold(play.stuck || play.sent <= play.complete);
	if (j->lane_lost)
		play.up = false;
	envelope_free(&j->envelope);
	memo_job_free(&j);
	if (play.njob < 3)
		give_job();
}

static void
on_memo(void *arg, struct link *l)
{
	struct memo *m = container_of(l, struct memo, link);
	struct heard_memo *h = (struct heard_memo *)m;

	(void)arg;
	peers.doings++;
	switch (m->kind) {
	case MEMO_OPENED:
		on_opened((struct open *)m);
		break;
	case MEMO_REPORT:
		on_report((struct job *)m);
		break;
	case MEMO_HEARD:
		hold(!str_has_control(str_of(h->reason)));
		memo_heard_free(&h);
		break;
	case MEMO_CLOSED:
		hold(((struct lane_memo *)m)->lane == play.lane);
		play.up = false;
		free(m);
		break;
	case MEMO_DRAINED:
		hold(!play.drained);
		play.drained = true;
		free(m);
		break;
	default:
		hold(false);
	}
}

/* --- beginning and end -------------------------------------------------------------------- */

static void
configure(void)
{
	struct config_options o = { .secrets = true };
	struct buf text = { 0 };
	char path[128];
	struct why why;
	bool made;

	buf_puts(&text, "hostname = \"relay.example.org\"\n");
	for (unsigned i = 0; i < CHOICES; i++)
		buf_printf(&text, "upstream \"u%u\" { host = \"localhost\" %s }\n", i, sections[i].lines);
	place_save("gatepost.conf", buf_str(&text));
	buf_clear(&text);
	snprintf(path, sizeof path, "%s/gatepost.conf", place);
	o.file = path;
	if (config_load(&config, &o, NULL, NULL, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
	snprintf(path, sizeof path, "%s/tls", place);
	hold(tls_local_ca(path, "localhost", false, &made, &why) == 0);
	snprintf(path, sizeof path, "%s/tls/ca.pem", place);
	hold(tls_client(&tls, path, true, TLS_1_2, &why) == 0);
}

static void
store(void)
{
	static const struct spool_owner nobody;
	struct spool_sync *y;
	struct why why;

	crashdisk_install();
	crashdisk_use(crashdisk_new(DISK_OCTETS));
	hold(spool_open(&spool, &(struct spool_options){ "/spool", 64 * 1024, 0 }, &nobody, &why) == 0);
	for (unsigned i = 0; i < CONTENTS; i++) {
		struct str text = str_of(contents[i]);
		struct spool_blob *blob = NULL;

		hold(spool_put(spool, &item[i], i + 1, 1, STR("meta"), &text, 1, &blob, &why) == 0);
	}
	y = spool_write(spool, &why);
	hold(y != NULL && spool_sync_run(y, &why) == 0);
	spool_sync_end(spool, &y);
}

static void
begin(unsigned choice)
{
	clock_fake(START_MS, 1795298400);
	peer_reset();
	play = (struct play){ .section = &sections[choice], .settings = &config->upstream[choice] };
	peers.on_said = on_said;
	play.loop = loop_new("fuzz");
	play.queue = channel_new(play.loop, on_memo, NULL);
	play.main = channel_new(play.loop, on_memo, NULL);
	play.relay = relay_new(play.loop, play.queue, play.main);
	ask_open();
	peer_settle(play.loop);
}

static void
pass(int64_t ms)
{
	clock_fake_add(ms);
	peer_settle(play.loop);
}

/* Whatever was said, everything is answered when all peers have gone and time passes. */
static void
finish(void)
{
	struct peer_stream *p;

	peers.stuck = false;
	for (unsigned i = 0; i < 2 * PEERS_MAX && (play.opening > 0 || play.out > 0 || peer_live() != NULL); i++) {
		if ((p = peer_live()) != NULL)
			peer_end(p);
		pass(60 * 1000);
	}
	hold(play.opening == 0 && play.out == 0);
	memo_post(relay_get_channel(play.relay), memo_new(MEMO_DRAIN, sizeof(struct memo)));
	peer_settle(play.loop);
	pass(60 * 1000);
	hold(play.drained && peer_live() == NULL);
}

static void
end(void)
{
	relay_free(&play.relay);
	channel_drain(play.queue);
	channel_free(&play.queue);
	channel_drain(play.main);
	channel_free(&play.main);
	loop_free(&play.loop);
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		buf_clear(&play.talk[i].rest);
		buf_clear(&play.talk[i].content);
	}
}

/* --- what happens ----------------------------------------------------------------------------- */

static void
post_close(void)
{
	struct lane_memo *m = (struct lane_memo *)memo_new(MEMO_CLOSE, sizeof *m);

	m->lane = play.lane;
	memo_post(relay_get_channel(play.relay), &m->memo);
}

static void
happen(char what)
{
	struct peer_stream *p = peer_live();

	switch (what) {
	case 'e':
		if (p != NULL)
			peer_end(p);
		break;
	case 'r':
		if (p != NULL)
			peer_break(p, FAULT_RESET);
		break;
	case 't':
	case 'T':
		pass(what == 't' ? 61 * 1000 : 6 * 60 * 1000);
		break;
	case 'x':
	case 'y':
	case 'z':
		peers.tls = what == 'x' ? FAULT_CERTIFICATE : what == 'y' ? FAULT_TLS : FAULT_NONE;
		break;
	case 's':
	case 'g':
		peers.stuck = what == 's';
		play.stuck = play.stuck || peers.stuck;
		break;
	case 'j':
		give_job();
		break;
	case 'o':
		ask_open();
		break;
	case 'c':
		post_close();
		break;
	case 'd':
		if (!play.drained)
			memo_post(relay_get_channel(play.relay), memo_new(MEMO_DRAIN, sizeof(struct memo)));
		break;
	}
	peer_settle(play.loop);
}

/* How much of it comes at once: all, or up to the end of a reply. */
static size_t
cut(struct str s, bool by_reply)
{
	size_t from = 0;

	for (size_t i = 0; by_reply && i < s.n; i++) {
		if (s.p[i] != '\n')
			continue;
		if (i < from + 4 || s.p[from + 3] != '-')
			return i + 1;
		from = i + 1;
	}
	return s.n;
}

static void
perform(struct str in, bool by_reply)
{
	while (in.n > 0) {
		const char *mark = memchr(in.p, 0xff, in.n);
		struct str part = { in.p, mark != NULL ? (size_t)(mark - in.p) : in.n };

		in = str_from(in, part.n + (mark != NULL));
		for (size_t n; part.n > 0; part = str_from(part, n)) {
			struct peer_stream *p = peer_live();

			n = cut(part, by_reply);
			if (p != NULL)
				peer_say(p, (struct str){ part.p, n });
			peer_settle(play.loop);
		}
		if (mark != NULL && in.n > 0) {
			happen(in.p[0]);
			in = str_from(in, 1);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	unsigned choice = fuzz_choice(&in) % CHOICES;
	bool by_reply = fuzz_choice(&in) == 'l';

	if (place_make()) {
		log_open(LOG_ERROR, LOG_LOGFMT);
		configure();
		store();
	}
	begin(choice);
	perform(in, by_reply);
	finish();
	end();
	return 0;
}
