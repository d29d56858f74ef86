/*
 * A login at a provider, which says what it likes.  The first octet chooses what it offers: 'p' PLAIN, 'l' LOGIN, 'c' CRAM-MD5,
 * 'x' XOAUTH2, 'o' OAUTHBEARER, 'a' the first three, 't' the last two with a long token; then its words, a line at a time; an
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

enum { LINES_MAX = 10, LINE_OCTETS = 512, TOKEN_OCTETS = 400 };

static struct play {
	struct loop *loop;
	struct exchange *x;
	struct login *login;
	const char *password;
	unsigned mechs;
	unsigned ended, lines, auths;
	int code;		/* of the last whole reply that it was given */
	bool up;
} play;
static struct upstream settings;

static void
on_end(void *arg, enum login_end end, const struct outcome *said)
{
	(void)arg;
	play.ended++;
	hold(end < LOGIN_ENDS && said != NULL);
	hold(end != LOGIN_OK || said->code / 100 == 2);
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
		(void)str_split(&rest, ' ', &word);
		(void)str_split(&rest, ' ', &word);
	}
	hold(str_is(line, "*") || base64_take(&raw, rest));
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
		{ 'a', MECH_PLAIN | MECH_LOGIN | MECH_CRAM_MD5 }, { 't', MECH_XOAUTH2 | MECH_OAUTHBEARER }
	};
	const struct candidate at = { .address = "127.0.0.1", .port = 587, .tls = TLS_IMPLICIT };
	unsigned which = choice % 7;

	for (unsigned i = 0; i < 7; i++)
		if ((unsigned char)offers[i].letter == choice)
			which = i;
	memset(token, 't', TOKEN_OCTETS);
	log_open(LOG_ERROR, LOG_LOGFMT);
	clock_fake(1000000, 1795298400);
	peer_reset();
	settings.username = user;
	settings.host = host;
	play = (struct play){ .password = offers[which].letter == 't' ? token : "secret", .mechs = offers[which].mechs };
	peers.on_said = on_said;
	play.loop = loop_new("fuzz");
	play.x = exchange_connect(play.loop, &at, NULL, on_exchange, NULL);
	peer_settle(play.loop);
	hold(play.up);
}

static void
say_lines(struct str part)
{
	while (part.n > 0) {
		const char *e = memchr(part.p, '\n', part.n);
		size_t n = e != NULL ? (size_t)(e + 1 - part.p) : part.n;
		struct peer_stream *p = peer_live();

		if (p != NULL)
			peer_say(p, (struct str){ part.p, n });
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
	loop_free(&play.loop);
	return 0;
}
