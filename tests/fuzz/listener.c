/*
 * A whole session: the listener's own code over a stream in memory.  The first octet chooses the port: '0' with AUTH in
 * plaintext, '1' for trusted clients, '2' with STARTTLS before anything.  Then the client's words; an octet 0xff ends a
 * piece, and the one behind it says what happens then: e the client's end, r a reset, t a minute passes, T six, s it reads
 * nothing, g it reads again, d we are told to stop, n f l the next verdicts (no space, too fast, local error), h they are
 * kept back, k they come; anything else: the next piece.
 *
 * Promises: replies are well-formed, one for each line and each content; what goes to the queue was accepted, line by line, and
 * by somebody who may; its bytes are clean; the session ends with its client; and how the client's words came in pieces
 * makes no difference (PROTOCOL.md, C-13, C-25).
 */
#include "fuzz/support/peer.h"
#include "fuzz/support/place.h"

#include <ctype.h>
#include <strings.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "listener/listener.h"
#include "listener/session.h"
#include "mail/address.h"

enum { PORTS = 3, RECIPIENTS = 5, SUBMITS_MAX = 64, START_MS = 1000000, ANOTHER_WAY_MAX = 700 };

static const char *const names[PORTS] = { "127.0.0.1:10025", "127.0.0.1:10026", "127.0.0.1:10587" };

static struct play {
	struct loop *loop;
	struct listener *listener;
	struct channel *queue, *main;
	struct submit *held;
	bool holding;
	enum verdict verdict;
	unsigned nsubmit, nkept;
	unsigned rcpts[SUBMITS_MAX];	/* of what was kept */
	struct buf client;	/* its words, as far as they were said */
	bool plain_flow;	/* nothing happened but words */
	bool ended;		/* by us, before the client went */
	unsigned port;
} play;
static struct config *config;
static struct tls *tls;

/* --- the queue ------------------------------------------------------------------- */

static void
answer(struct submit *m)
{
	m->verdict = play.verdict;
	if (play.verdict == VERDICT_KEPT) {
		if (play.nkept < SUBMITS_MAX)
			play.rcpts[play.nkept] = m->envelope->nrcpt;
		play.nkept++;
	}
	peers.doings++;
	m->memo.kind = MEMO_VERDICT;
	memo_post(m->back, &m->memo);
}

static void
check_submit(const struct submit *m)
{
	const struct envelope *e = m->envelope;
	struct buf all = { 0 };

	buf_putstr(&all, buf_str(&m->prefix));
	buf_putstr(&all, buf_str(&m->text));
	hold(fuzz_is_clean(buf_str(&all)) && memchr(all.data, '\0', all.len) == NULL);
	hold(strncmp(all.data, "Received:", 9) == 0);
	hold(m->blob == NULL && e->size == all.len && m->id != 0);
	buf_clear(&all);
	hold(e->nrcpt > 0 && e->nrcpt <= RECIPIENTS && !str_has_control(str_of(e->sender)) && str_is_utf8(str_of(e->sender)));
	for (unsigned i = 0; i < e->nrcpt; i++) {
		struct address a;

		hold(address_parse(str_of(e->rcpt[i].address), &a) == 0 && a.domain.n > 0);
		hold(e->rcpt[i].orcpt == NULL || !str_has_control(str_of(e->rcpt[i].orcpt)));
	}
	hold(play.port == 1 || strcmp(e->user, "u") == 0 || strcmp(e->user, "bound") == 0);
	if (e->user != NULL && strcmp(e->user, "bound") == 0 && e->sender[0] != '\0')
		hold(address_eq(str_of(e->sender), STR("bound@a.example")) || str_iis(address_domain(str_of(e->sender)), "mail.example"));
}

static void
on_submit(void *arg, struct link *link)
{
	struct submit *m = container_of(container_of(link, struct memo, link), struct submit, memo);

	(void)arg;
	hold(m->memo.kind == MEMO_SUBMIT);
	check_submit(m);
	play.nsubmit++;
	if (play.holding) {
		hold(play.held == NULL);	/* one message at a time */
		play.held = m;
	} else {
		answer(m);
	}
}

static void
release_verdict(void)
{
	struct submit *m = play.held;

	play.holding = false;
	play.held = NULL;
	if (m != NULL)
		answer(m);
}

static void
on_main(void *arg, struct link *link)
{
	(void)arg;
	free(container_of(link, struct memo, link));
}

/* --- beginning and end --------------------------------------------------------------- */

static void
configure(void)
{
	struct config_options o = { .no_upstream = true };
	struct buf text = { 0 };
	char path[128], key[128];
	struct why why;
	bool made;

	place_save("users", STR("u:$6$rounds=1000$saltsalt$x:\nbound:$6$rounds=1000$saltsalt$x:bound@a.example, *@mail.example\n"));
	buf_printf(&text, "hostname = \"mail.example\"\nspool_dir = \"%s/spool\"\nusers_file = \"%s/users\"\n"
	    "postmaster = \"me@x.example\"\n"
	    "listen \"%s\" { tls = \"starttls\" plaintext_auth = \"loopback\" }\n"
	    "listen \"%s\" { tls = \"starttls\" auth = \"trusted\" trusted = {\"127.0.0.0/8\"} }\n"
	    "listen \"%s\" { tls = \"starttls\" }\n"
	    "limits { message_size = 4K recipients = %d bare_newline = reject }\n",
	    place, place, names[0], names[1], names[2], RECIPIENTS);
	place_save("gatepost.conf", buf_str(&text));
	buf_clear(&text);
	snprintf(path, sizeof path, "%s/gatepost.conf", place);
	o.file = path;
	if (config_load(&config, &o, NULL, NULL, &why) < 0) {
		fprintf(stderr, "%s\n", why.text);
		abort();
	}
	snprintf(path, sizeof path, "%s/tls", place);
	hold(tls_local_ca(path, "mail.example", false, &made, &why) == 0);
	snprintf(path, sizeof path, "%s/tls/cert.pem", place);
	snprintf(key, sizeof key, "%s/tls/key.pem", place);
	hold(tls_server(&tls, path, key, TLS_1_2, "fuzz", &why) == 0);
}

static void
begin(unsigned port)
{
	static int never = -1;	/* a listening socket to which nobody comes */
	struct listener_socket socket[PORTS];
	struct listener_options o = { .count = 1, .config = config, .tls = tls, .socket = socket, .nsocket = PORTS };

	if (never < 0)
		never = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (unsigned i = 0; i < PORTS; i++)
		socket[i] = (struct listener_socket){ never, names[i], false };
	clock_fake(START_MS, 1795298400);
	memo_start_ids(1);
	peer_reset();
	play = (struct play){ .verdict = VERDICT_KEPT, .plain_flow = true, .port = port };
	play.loop = loop_new("fuzz");
	play.queue = channel_new(play.loop, on_submit, NULL);
	play.main = channel_new(play.loop, on_main, NULL);
	o.queue = play.queue;
	o.main = play.main;
	play.listener = listener_new(play.loop, &o);
	play.listener->limits.utf8 = true;
	session_start(play.listener, &play.listener->port[port], -1);
	peer_settle(play.loop);
}

static void
end(void)
{
	listener_free(&play.listener);
	channel_drain(play.queue);
	channel_free(&play.queue);
	channel_drain(play.main);
	channel_free(&play.main);
	loop_free(&play.loop);
	buf_clear(&play.client);
}

/* --- what happens ------------------------------------------------------------------------ */

static bool
is_late(void)
{
	for (uint32_t i = 0; i < play.listener->nslot; i++)
		if (play.listener->slot[i].session != NULL && play.listener->slot[i].session->late.len > 0)
			return true;
	return false;
}

/* Also waits for replies that are late on purpose. */
static void
settle(void)
{
	peer_settle(play.loop);
	for (unsigned i = 0; is_late(); i++) {
		hold(i < 1000);
		clock_fake_add(1000);
		peer_settle(play.loop);
	}
}

static void
pass(int64_t ms)
{
	clock_fake_add(ms);
	settle();
}

static void
say(struct str words)
{
	struct peer_stream *p = peer_live();

	if (p == NULL || words.n == 0)
		return;
	buf_putstr(&play.client, words);
	peer_say(p, words);
	settle();
}

static void
happen(char what)
{
	struct peer_stream *p = peer_live();

	play.plain_flow = play.plain_flow && strchr("ertTsgdnflhk", what) == NULL;
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
	case 's':
	case 'g':
		peers.stuck = what == 's';
		break;
	case 'd':
		memo_post(listener_get_channel(play.listener), memo_new(MEMO_DRAIN, sizeof(struct memo)));
		break;
	case 'n':
	case 'f':
	case 'l':
		play.verdict = what == 'n' ? VERDICT_NO_SPACE : what == 'f' ? VERDICT_TOO_FAST : VERDICT_LOCAL_ERROR;
		break;
	case 'h':
		play.holding = true;
		break;
	case 'k':
		release_verdict();
		break;
	}
	settle();
}

/* Whether its client has gone or all is said: it ends. */
static void
finish(void)
{
	struct peer_stream *p = peer_live();

	peers.stuck = false;
	release_verdict();
	settle();
	play.ended = peer_live() == NULL;
	if (p != NULL)
		peer_end(p);
	settle();
	hold(peer_live() == NULL);
	hold(play.listener->nsession == 0);
}

static void
perform(struct str in, size_t step)
{
	struct str part;

	while (in.n > 0) {
		const char *mark = memchr(in.p, 0xff, in.n);
		char what = 0;

		part = (struct str){ in.p, mark != NULL ? (size_t)(mark - in.p) : in.n };
		in = str_from(in, part.n + (mark != NULL));
		if (mark != NULL && in.n > 0) {
			what = in.p[0];
			in = str_from(in, 1);
		}
		for (size_t n; part.n > 0; part = str_from(part, n)) {
			n = step > 0 && step < part.n ? step : part.n;
			say((struct str){ part.p, n });
		}
		if (what != 0)
			happen(what);
	}
	finish();
}

/* --- what came of it ---------------------------------------------------------------------- */

static void
check_line(struct str line)
{
	bool has_status;

	hold(line.n >= 4 && line.n + 2 <= 512);
	for (size_t i = 0; i < line.n; i++)
		hold(line.p[i] >= ' ' && line.p[i] < 0x7f);
	for (int i = 0; i < 3; i++)
		hold(isdigit((unsigned char)line.p[i]));
	hold(line.p[3] == ' ' || line.p[3] == '-');
	has_status = line.n > 6 && line.p[5] == '.' && isdigit((unsigned char)line.p[4]);
	hold(!has_status || line.p[4] == line.p[0]);
	hold(has_status || strncmp(line.p, "220", 3) == 0 || strncmp(line.p, "250", 3) == 0 ||
	    strncmp(line.p, "334", 3) == 0 || strncmp(line.p, "354", 3) == 0);
}

/* The next reply's code; 0: there are no more. */
static int
next_reply(struct str *rest)
{
	while (rest->n > 0) {
		const char *e = memmem(rest->p, rest->n, "\r\n", 2);
		struct str line = { rest->p, 0 };

		hold(e != NULL);
		line.n = (size_t)(e - rest->p);
		check_line(line);
		*rest = str_from(*rest, line.n + 2);
		if (line.p[3] == ' ')
			return atoi(line.p);
	}
	return 0;
}

static bool
next_line(struct str *rest, struct str *line)
{
	const char *e = rest->n > 0 ? memmem(rest->p, rest->n, "\r\n", 2) : NULL;

	if (e == NULL)
		return false;
	*line = (struct str){ rest->p, (size_t)(e - rest->p) };
	*rest = str_from(*rest, line->n + 2);
	return true;
}

static bool
skip_content(struct str *rest)
{
	const char *e;

	if (rest->n >= 3 && memcmp(rest->p, ".\r\n", 3) == 0) {
		*rest = str_from(*rest, 3);
		return true;
	}
	e = rest->n > 0 ? memmem(rest->p, rest->n, "\r\n.\r\n", 5) : NULL;
	if (e == NULL)
		return false;
	*rest = str_from(*rest, (size_t)(e - rest->p) + 5);
	return true;
}

static bool
is_verb(struct str line, const char *verb)
{
	size_t n = strlen(verb);

	return line.n >= n && strncasecmp(line.p, verb, n) == 0 && (line.n == n || line.p[n] == ' ' || line.p[n] == '\t');
}

struct model {
	bool known, sender, auth;	/* known: it may send */
	unsigned rcpts, kept;
};

/* One line and what it was answered; false: the rest says nothing (TLS, an end). */
static bool
follow(struct model *m, struct str line, int code, struct str *client, struct str *replies)
{
	if (m->auth) {
		m->auth = code == 334;
		m->known = m->known || code == 235;
	} else if (is_verb(line, "AUTH")) {
		m->auth = code == 334;
		m->known = m->known || code == 235;
	} else if (is_verb(line, "MAIL") && code == 250) {
		hold(m->known && !m->sender);
		m->sender = true;
		m->rcpts = 0;
	} else if (is_verb(line, "RCPT") && code == 250) {
		hold(m->sender);
		m->rcpts++;
	} else if (is_verb(line, "DATA") && code == 354) {
		hold(m->sender && m->rcpts > 0);
		m->sender = false;
		if (!skip_content(client))
			return false;
		code = next_reply(replies);
		hold(code != 0 || play.ended || !play.plain_flow);
		if (code == 250) {
			hold(m->kept < play.nkept);
			hold(m->kept >= SUBMITS_MAX || (play.rcpts[m->kept] > 0 && play.rcpts[m->kept] <= m->rcpts));
			m->kept++;
		}
		return code != 0 && code != 421;
	} else if ((is_verb(line, "EHLO") || is_verb(line, "HELO") || is_verb(line, "RSET")) && code == 250) {
		m->sender = false;
	} else {
		hold(code != 235 && code != 334 && code != 354);
		hold(code != 220 || str_iis(str_trim(line), "STARTTLS"));
		m->sender = m->sender && code != 220;
	}
	return code != 421 && code != 221;
}

static void
check_replies(struct str said)
{
	struct model m = { .known = play.port == 1 };
	struct str client = buf_str(&play.client), line;
	int code = next_reply(&said);
	bool more = client.n > 0 && client.p[0] != 0x16;

	hold(code == 220 || code == 421);
	while (more && next_line(&client, &line)) {
		code = next_reply(&said);
		hold(code != 0 || play.ended || !play.plain_flow);
		more = code != 0 && follow(&m, line, code, &client, &said);
	}
	while (next_reply(&said) != 0)
		;
	hold(m.kept <= play.nkept);
	if (play.plain_flow)
		hold(m.kept == play.nkept);
}

/* All that the session said; it was TLS that the client's pieces were about: false. */
static bool
run(struct str in, unsigned port, size_t step, struct buf *said)
{
	bool comparable;

	begin(port);
	perform(in, step);
	buf_putstr(said, buf_str(&peers.peer[0].said));
	check_replies(buf_str(said));
	comparable = play.plain_flow && !peers.peer[0].secure && memmem(said->data, said->len, "220 2.0.0", 9) == NULL &&
	    memmem(said->data, said->len, "554 5.5.1", 9) == NULL;
	end();
	return comparable;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	unsigned port = fuzz_choice(&in) % PORTS;
	struct buf whole = { 0 };

	if (place_make()) {
		log_open(LOG_ERROR, LOG_LOGFMT);
		configure();
	}
	if (run(in, port, 0, &whole) && in.n < ANOTHER_WAY_MAX) {
		struct buf again = { 0 };

		(void)run(in, port, 1, &again);
		hold(str_eq(buf_str(&whole), buf_str(&again)));
		buf_clear(&again);
	}
	buf_clear(&whole);
	return 0;
}
