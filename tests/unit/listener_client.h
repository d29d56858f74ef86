/*
 * The client of a listener under test: says a dialogue whole or in trickles, hears it to its end,
 * and sums its replies up.
 */
#ifndef TESTS_LISTENER_CLIENT_H
#define TESTS_LISTENER_CLIENT_H

#include "base/count.h"
#include "listener_rig.h"

#define HI "EHLO x\r\n"
#define IN HI "AUTH PLAIN AHUAcA==\r\n"
#define MAIL "MAIL FROM:<a@b.example>\r\n"
#define RCPT "RCPT TO:<c@d.example>\r\n"
#define TEXT "Subject: s\r\n\r\nhello\r\n.\r\n"

/* What stands before what a row is about. */
#define C_IN "220 250 235/2.7.0"
#define C_M C_IN " 250/2.1.0"
#define C_R C_M " 250/2.1.5"
#define C_KEPT " 354 250/2.0.0"

/* --- the client: plain -------------------------------------------------- */

static inline socklen_t
rig_address(const struct rig *r, enum rig_port port, struct sockaddr_storage *sa)
{
	socklen_t len = sizeof *sa;

	ck_assert_int_eq(getsockname(r->socket[port].fd, (struct sockaddr *)sa, &len), 0);
	return len;
}

static inline void
rig_connect(struct rig *r, enum rig_port port)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = rig_address(r, port, &sa);

	rig_hang_up(r);
	r->fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(r->fd >= 0);
	if (r->from != 0 && sa.ss_family == AF_INET) {
		struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { r->from } };

		ck_assert_int_eq(bind(r->fd, (struct sockaddr *)&from, sizeof from), 0);
	}
	ck_assert_int_eq(connect(r->fd, (struct sockaddr *)&sa, len), 0);
}

/* Reads what has come; true if that was anything. */
static inline bool
rig_listen(struct rig *r)
{
	char room[16384];
	ssize_t n;

	if (r->fd < 0 || r->ended)
		return false;
	n = recv(r->fd, room, sizeof room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	r->ended = n <= 0;
	r->failed = n < 0;
	if (n > 0)
		buf_put(&r->heard, room, (size_t)n);
	return true;
}

/* Is a reply held back by the clock? */
static inline bool
rig_is_late(const struct rig *r)
{
	for (uint32_t i = 0; r->listener != NULL && i < r->listener->nslot; i++)
		if (r->listener->slot[i].session != NULL && r->listener->slot[i].session->late.len > 0)
			return true;
	return false;
}

/* One turn.  The clock goes on only for what waits for it; for the password thread and the
 * kernel a moment of real time passes. */
static inline void
rig_turn(struct rig *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	size_t heard = r->heard.len;

	loop_turn(r->loop, false);
	if (rig_listen(r) || r->heard.len > heard)
		return;
	if (rig_is_late(r))
		clock_fake_add(250);
	else
		(void)poll(&p, 1, 1);
}

static inline void
rig_say(struct rig *r, const char *p, size_t n, size_t trickle)
{
	size_t piece;

	for (; n > 0 && !r->ended; p += piece, n -= piece) {
		piece = trickle > 0 && trickle < n ? trickle : n;
		ssize_t sent = send(r->fd, p, piece, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno != EAGAIN)
			break;
		piece = sent > 0 ? (size_t)sent : 0;
		loop_turn(r->loop, false);
		rig_listen(r);
	}
}

/* Until the other side has closed. */
static inline void
rig_finish(struct rig *r)
{
	if (r->fd >= 0)
		shutdown(r->fd, SHUT_WR);
	while (!r->ended)
		rig_turn(r);
}

/* Until so many octets were heard, or the end. */
static inline void
rig_await(struct rig *r, const char *text)
{
	while (!r->ended && (r->heard.data == NULL || strstr(r->heard.data, text) == NULL))
		rig_turn(r);
	ck_assert_msg(r->heard.data != NULL && strstr(r->heard.data, text) != NULL,
	    "no \"%s\" in \"%s\"", text,
	    r->heard.data != NULL ? r->heard.data : "");
}

/* Turns until nothing more happens, at the present time. */
static inline void
rig_settle(struct rig *r)
{
	for (int i = 0; i < 12; i++)
		rig_turn(r);
}

static inline void
rig_pass(struct rig *r, int64_t ms)
{
	clock_fake_add(ms);
	rig_settle(r);
}

static inline void
rig_say_text(struct rig *r, const char *text)
{
	rig_say(r, text, strlen(text), 0);
	rig_settle(r);
}

static inline int64_t
rig_sessions(void)
{
	return count_get(COUNT_SESSIONS);
}

/* Whose the only session is. */
static inline unsigned
rig_holder(const struct rig *r)
{
	for (uint32_t i = 0; i < r->listener->nslot; i++)
		if (r->listener->slot[i].session != NULL)
			return crowd_get_holder(r->listener->slot[i].session);
	ck_abort_msg("no session");
}

/* --- the client: TLS ---------------------------------------------------- */

static inline void
rig_on_stream(void *arg, struct stream *s, enum stream_event ev)
{
	struct rig *r = arg;

	switch (ev) {
	case STREAM_DATA:
		buf_putstr(&r->heard, stream_input(s));
		stream_consume(s, stream_input(s).n);
		break;
	case STREAM_SECURE:
		buf_puts(&r->heard, "SECURE\r\n");
		break;
	case STREAM_FAILED:
		r->failed = true;
		/* fallthrough */
	case STREAM_CLOSED:
		r->ended = true;
		stream_close(&r->stream);
		break;
	default:
		break;
	}
}

static inline void
rig_connect_stream(struct rig *r, enum rig_port port, bool implicit)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = rig_address(r, port, &sa);

	rig_hang_up(r);
	r->stream = stream_connect(r->loop, (struct sockaddr *)&sa, len, "", rig_on_stream, r);
	for (int i = 0; i < 10; i++)
		loop_turn(r->loop, false);
	if (implicit)
		ck_assert_int_eq(stream_start_tls(r->stream, r->trust, "mail.example"), 0);
}

static inline void
rig_stream_say(struct rig *r, const char *text)
{
	stream_write(r->stream, text, strlen(text));
}

/* --- what was heard ----------------------------------------------------- */

/* Every line of every reply: RFC 5321 4.2, 4.5.3.1.5, RFC 2034 4. */
static inline void
rig_check_line(const char *line, size_t n, bool bare)
{
	bool has_status = n > 6 && line[5] == '.' && line[4] >= '2' && line[4] <= '5';
	int code = atoi(line);

	ck_assert_msg(n + 2 <= 512 && n >= 4 && code >= 211 && code <= 555, "%.*s", (int)n, line);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(line[i] >= ' ' && line[i] < 0x7f, "%.*s", (int)n, line);
	if (has_status)
		ck_assert_msg(line[4] == line[0], "%.*s", (int)n, line);
	else
		ck_assert_msg(bare || code == 334 || code == 354, "no status: %.*s", (int)n,
		    line);
}

/* "220 250/2.0.0 …" of all that was heard. */
static inline const char *
rig_codes(const struct rig *r)
{
	static char out[65536];
	const char *p = r->heard.data, *end;
	bool begins = true, bare = false;
	size_t at = 0;

	out[0] = '\0';
	while (p != NULL && *p != '\0' && at + 32 < sizeof out) {
		end = strstr(p, "\r\n");
		ck_assert_msg(end != NULL && memchr(p, '\n', (size_t)(end - p)) == NULL,
		    "no CRLF: %s", p);
		if (begins)	/* the greeting, and what EHLO and HELO are answered */
			bare = strncmp(p, "220 mail.example ESMTP\r\n", 24) == 0 ||
			    (strncmp(p, "250", 3) == 0 && strncmp(p + 4, "mail.example\r\n", 14) == 0);
		begins = p[3] == ' ';
		rig_check_line(p, (size_t)(end - p), bare);
		ck_assert_msg(p[3] == ' ' || strncmp(p, end + 2, 3) == 0, "another code: %s", p);	/* */
		if (p[3] == ' ') {
			bool has_status = end - p > 6 && p[5] == '.';

			at += (size_t)snprintf(out + at, sizeof out - at, "%s%.3s", at > 0 ? " " :
			    "", p);
			if (has_status)
				at += (size_t)snprintf(out + at, sizeof out - at, "/%.*s",
				    (int)strcspn(p + 4, " \r"), p + 4);
		}
		p = end + 2;
	}
	return out;
}

/* A whole dialogue on one connection. */
static inline void
rig_play_n(struct rig *r, enum rig_port port, const char *say, size_t n, size_t trickle)
{
	r->kept = 0;
	buf_clear(&r->mail);
	buf_clear(&r->envelopes);
	rig_connect(r, port);
	rig_say(r, say, n, trickle);
	rig_finish(r);
}

/* --- tables ------------------------------------------------------------- */

struct rig_case {
	const char *id;		/* of the catalogue */
	const char *say;
	size_t n;
	const char *codes;
	unsigned kept;		/* messages */
};

/* Rows whose messages have another envelope than u's MAIL and RCPT. */
static const struct {
	const char *id, *envelope;
} rig_others[] = {
	{ "trusted", "<a@b.example> <c@d.example>\n" },
	{ "A-117", "u<a@b.example> <1@d> <2@d> <3@d> <4@d> <5@d>\n" },
};

#define SAY(text) (text), sizeof(text) - 1

/* Who sent each of them, to whom, and what was asked for. */
static inline void
rig_check_envelopes(const struct rig *r, const char *id, unsigned n)
{
	const char *one = "u<a@b.example> <c@d.example>\n", *got = r->envelopes.len > 0 ? r->envelopes.data : "";
	const char *all = got;

	for (size_t i = 0; i < sizeof rig_others / sizeof rig_others[0]; i++)
		if (strcmp(rig_others[i].id, id) == 0)
			one = rig_others[i].envelope;
	for (unsigned i = 0; i < n; i++, got += strlen(one))
		ck_assert_msg(strncmp(got, one, strlen(one)) == 0, "%s: \"%s\", and not %u of \"%s\"", id, all, n, one);
	ck_assert_msg(*got == '\0', "%s: \"%s\", and not %u of \"%s\"", id, all, n, one);
}

/* Whole, and in trickles of 1, 2 and 3 octets: the same replies. */
static inline void
rig_run(enum rig_port port, const char *options, const struct rig_case *c)
{
	struct rig r;

	rig_start(&r, options);
	for (size_t trickle = 0; trickle <= 3; trickle++) {
		rig_play_n(&r, port, c->say, c->n, trickle);
		ck_assert_msg(strcmp(rig_codes(&r), c->codes) == 0,
		    "%s, pieces of %zu: heard \"%s\" instead of \"%s\"",
		    c->id, trickle, rig_codes(&r), c->codes);
		ck_assert_msg(r.kept == c->kept, "%s, pieces of %zu: %u messages instead of %u",
		    c->id, trickle, r.kept, c->kept);
		rig_check_envelopes(&r, c->id, c->kept);
		ck_assert_msg(!r.failed, "%s: reset instead of closed", c->id);	/* */
	}
	rig_stop(&r);
}

#define TABLE(name, port, options)                                             \
	START_TEST(rows_##name)                                                \
	{                                                                      \
		rig_run(port, options, &name[_i]);                             \
	}                                                                      \
	END_TEST

#define LOOP(name) tcase_add_loop_test(t, rows_##name, 0, sizeof name / sizeof name[0])

#endif
