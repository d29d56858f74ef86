/*
 * A login at a provider, which says what it likes.  The first octet chooses what it offers: 'p' PLAIN, 'l' LOGIN, 'c' CRAM-MD5,
 * 'x' XOAUTH2, 'o' OAUTHBEARER, 'a' the first three, 't' the last two with a long token, 'b' XOAUTH2
 * with one that makes the line a few octets too long; then its words, a line at a time; an
 * octet 0xff and e: it hangs up, t: a minute passes.  (What apps say to us is in the target `listener'.)
 *
 * Promises: it ends, once; every line is one that RFC 4954 has, the first ones short enough; after a refusal nothing is tried
 * again, but for one other mechanism where this one is not understood; nobody is logged in but by a 2xx to all that was to be
 * said (PROTOCOL.md B-019-B-024, B-114, C-10).
 */
#include "fuzz/support/peer.h"

#include <ctype.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "relay/login.h"

enum { LINES_MAX = 10, LINE_OCTETS = 512, TOKEN_OCTETS = 400, BORDER_OCTETS = 352 };

static struct play {
	struct loop *loop;
	struct exchange *x;
	struct login *login;
	const char *password;
	unsigned mechs;
	unsigned ended, lines, auths;
	unsigned due;		/* lines until all is said that this mechanism has to say */
	int code;		/* of the last line that it was given */
	struct buf heard;	/* of one */
	bool must_cancel;	/* it asks in no base 64, or when all is said (B-023) */
	bool up;
} play;
static struct upstream settings;

static void
on_end(void *arg, enum login_end end, const struct outcome *said)
{
	(void)arg;
	play.ended++;
	hold(end < LOGIN_ENDS && said != NULL);
	hold(end != LOGIN_OK || (said->code / 100 == 2 && play.due == 0));
	hold(end != LOGIN_REFUSED || said->code / 100 == 5 || said->code == 432);
	login_free(&play.login);
	exchange_close(&play.x);
}

static void
on_exchange(void *arg, struct exchange *x, enum exchange_event ev)
{
	(void)arg;
	if (ev != EXCHANGE_UP)
		return;
	play.up = true;
	x->owed = 0;		/* greet has heard the banner */
	play.login = login_start(x, &settings, 587, play.password, play.mechs, on_end, NULL);
}

static void
check_line(struct str line)
{
	struct buf raw = { 0 };
	struct str word, rest = line;

	hold(++play.lines <= LINES_MAX);
	if (str_istarts(line, "AUTH ")) {
		hold(++play.auths <= 2 && line.n + 2 <= LINE_OCTETS);
		hold(play.auths == 1 || (play.code >= 500 && play.code <= 504));
		(void)str_split(&rest, ' ', &word);
		(void)str_split(&rest, ' ', &word);
		play.due = str_iis(word, "LOGIN") ? 2 : rest.n == 0;
	} else if (play.due > 0) {
		play.due--;
	}
	hold(str_is(line, "*") || (!play.must_cancel && base64_take(&raw, rest)));
	hold(raw.len < 2 * TOKEN_OCTETS);
	buf_clear(&raw);
}

static void
on_said(struct peer_stream *p, const char *bytes, size_t n)
{
	struct str rest = { bytes, n }, line;

	(void)p;
	hold(n >= 2 && bytes[n - 2] == '\r' && fuzz_is_clean(rest));
	rest.n -= 2;
	hold(memchr(rest.p, '\n', rest.n) == NULL);	/* a line waits for its answer */
	line = rest;
	check_line(line);
}

static void
begin(unsigned choice)
{
	static char token[TOKEN_OCTETS + 1], user[] = "me", host[] = "h.example";
	static const struct { char letter; unsigned mechs; } offers[] = {
		{ 'p', MECH_PLAIN }, { 'l', MECH_LOGIN }, { 'c', MECH_CRAM_MD5 }, { 'x', MECH_XOAUTH2 }, { 'o', MECH_OAUTHBEARER },
		{ 'b', MECH_XOAUTH2 }, { 'a', MECH_PLAIN | MECH_LOGIN | MECH_CRAM_MD5 }, { 't', MECH_XOAUTH2 | MECH_OAUTHBEARER }
	};
	const struct candidate at = { .address = "127.0.0.1", .port = 587, .tls = TLS_IMPLICIT };
	enum { OFFERS = sizeof offers / sizeof offers[0] };
	unsigned which = choice % OFFERS;

	for (unsigned i = 0; i < OFFERS; i++)
		if ((unsigned char)offers[i].letter == choice)
			which = i;
	memset(token, 't', TOKEN_OCTETS);
	token[offers[which].letter == 'b' ? BORDER_OCTETS : TOKEN_OCTETS] = '\0';
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1795298400);
	peer_reset();
	settings.username = user;
	settings.host = host;
	play = (struct play){ .password = strchr("tb", offers[which].letter) != NULL ? token : "secret", .mechs = offers[which].mechs };
	peers.on_said = on_said;
	play.loop = loop_new("fuzz");
	play.x = exchange_connect(play.loop, &at, NULL, on_exchange, NULL);
	peer_settle(play.loop);
	hold(play.up);
}

/* Before it hears it: what it may do then. */
static void
note(struct str piece)
{
	struct buf raw = { 0 };
	struct str line;

	buf_putstr(&play.heard, piece);
	line = buf_str(&play.heard);
	if (line.n < 2 || line.p[line.n - 1] != '\n')
		return;
	line.n -= 2;
	play.code = atoi(play.heard.data);
	play.must_cancel = play.code == 334 && (play.mechs & (MECH_XOAUTH2 | MECH_OAUTHBEARER)) == 0 && play.due == 0;
	if (play.code == 334 && (play.mechs & (MECH_LOGIN | MECH_CRAM_MD5)) == play.mechs && line.n > 3 && line.p[3] == ' ')
		play.must_cancel = play.must_cancel || !base64_take(&raw, str_from(line, 4));
	buf_cut(&play.heard, 0);
	buf_clear(&raw);
}

static void
say_lines(struct str part)
{
	while (part.n > 0) {
		const char *e = memchr(part.p, '\n', part.n);
		size_t n = e != NULL ? (size_t)(e + 1 - part.p) : part.n;
		struct peer_stream *p = peer_live();

		if (p != NULL) {
			note((struct str){ part.p, n });
			peer_say(p, (struct str){ part.p, n });
		}
		peer_settle(play.loop);
		part = str_from(part, n);
	}
}

static void
happen(char what)
{
	struct peer_stream *p = peer_live();

	if (what == 'e' && p != NULL)
		peer_end(p);
	if (what == 't')
		clock_fake_add(61 * 1000);
	peer_settle(play.loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);

	begin(fuzz_choice(&in));
	while (in.n > 0) {
		const char *mark = memchr(in.p, 0xff, in.n);
		struct str part = { in.p, mark != NULL ? (size_t)(mark - in.p) : in.n };

		say_lines(part);
		in = str_from(in, part.n + (mark != NULL));
		if (mark != NULL && in.n > 0) {
			happen(in.p[0]);
			in = str_from(in, 1);
		}
	}
	happen('t');
	happen('t');
	hold(play.ended == 1);
	buf_clear(&play.heard);
	loop_free(&play.loop);
	return 0;
}
