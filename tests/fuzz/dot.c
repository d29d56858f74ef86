/*
 * The content of DATA, in and out.  Promises: any split of the input gives the same content, the same flags and the same end,
 * which are those of a slow reading of the rules written here; what normalizing lets out is clean lines; and what goes to a
 * provider has no bare CR or LF, ends once, at its end, and says what was to be said (PROTOCOL.md A-134-A-136, B-130, C-01).
 * The first octet: 'n' normalizes.
 */
#include "fuzz/support/fuzz.h"

#include "smtp/dot.h"

struct reading {
	struct buf content;
	size_t left;		/* octets behind the end */
	bool ended, bare_cr, bare_lf, nul;
};

static void
read_pieces(struct str all, unsigned way, bool normalize, struct reading *out)
{
	struct pieces s = pieces_of(all, way);
	struct str piece;
	struct dot d;

	dot_init(&d, normalize);
	while (!out->ended && pieces_next(&s, &piece)) {
		out->ended = dot_feed(&d, &piece, &out->content);
		hold(out->ended || piece.n == 0);
		out->left = piece.n + s.rest.n;
	}
	pieces_end(&s);
	out->bare_cr = d.bare_cr;
	out->bare_lf = d.bare_lf;
	out->nul = d.nul;
}

/* --- the slow reading --------------------------------------------------------- */

struct slow {
	struct reading r;
	struct str in;
	size_t at;
	bool normalize, hard;	/* the line began behind a true CRLF */
};

static int
peek(const struct slow *s, size_t ahead)	/* -1: not known yet */
{
	return s->at + ahead < s->in.n ? (unsigned char)s->in.p[s->at + ahead] : -1;
}

/* The dot that a line begins with.  False: nothing more can be said of this input. */
static bool
slow_dot(struct slow *s)
{
	int one = peek(s, 1), two = peek(s, 2);

	if (one < 0 || (one == '\r' && two < 0))
		return false;
	if (one == '\r' && two == '\n' && s->hard) {
		s->at += 3;
		s->r.ended = true;
		return false;
	}
	if (one == '\r' || one == '\n')
		buf_putc(&s->r.content, '.');
	s->at++;
	return true;
}

/* To the end of a line.  False: that is not in the input. */
static bool
slow_line(struct slow *s)
{
	for (;; s->at++) {
		int c = peek(s, 0);
		bool bare = c == '\n' || (c == '\r' && peek(s, 1) != '\n');

		if (c < 0 || (c == '\r' && peek(s, 1) < 0))
			return false;
		s->r.nul = s->r.nul || c == '\0';
		s->r.bare_cr = s->r.bare_cr || (bare && c == '\r');
		s->r.bare_lf = s->r.bare_lf || (bare && c == '\n');
		if (c != '\r' && c != '\n') {
			buf_putc(&s->r.content, (char)c);
		} else if (bare && !s->normalize) {
			buf_putc(&s->r.content, (char)c);
		} else {
			buf_puts(&s->r.content, "\r\n");
			s->at += bare ? 1 : 2;
			s->hard = !bare;
			return true;
		}
	}
}

static void
slow_read(struct slow *s)
{
	do {
		if (peek(s, 0) == '.' && !slow_dot(s))
			break;
	} while (slow_line(s));
	s->r.left = s->r.ended ? s->in.n - s->at : 0;
}

/* --- what goes out ------------------------------------------------------------- */

static bool
stuff(struct str content, unsigned way, struct buf *out)
{
	struct pieces s = pieces_of(content, way);
	struct dot_out d;
	struct str piece;
	bool ok = true;

	dot_stuff_init(&d);
	while (ok && pieces_next(&s, &piece))
		ok = dot_stuff(&d, piece.p, piece.n, out) == 0;
	pieces_end(&s);
	if (ok)
		dot_stuff_end(&d, out);
	return ok;
}

static void
check_out(struct str content)
{
	struct buf out = { 0 };
	struct reading back = { 0 };
	bool clean = fuzz_is_clean(content) && memchr(content.n > 0 ? content.p : "", '\0', content.n) == NULL;
	bool ok = stuff(content, 0, &out);

	if (clean)
		hold(ok);
	for (unsigned way = 1; way < PIECES_WAYS; way++) {
		struct buf again = { 0 };

		hold(stuff(content, way, &again) == ok);
		hold(!ok || str_eq(buf_str(&out), buf_str(&again)));
		buf_clear(&again);
	}
	if (ok) {
		/* a CR at the very end is the only thing that is mended */
		hold(clean || content.p[content.n - 1] == '\r');
		hold(fuzz_is_clean(buf_str(&out)));
		read_pieces(buf_str(&out), 0, false, &back);
		hold(back.ended && back.left == 0 && !back.bare_cr && !back.bare_lf && !back.nul);
		hold(back.content.len >= content.n && back.content.len <= content.n + 2);
		hold(content.n == 0 || memcmp(back.content.data, content.p, content.n) == 0);
		buf_clear(&back.content);
	}
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	bool normalize = fuzz_choice(&in) == 'n';
	struct slow slow = { .in = in, .normalize = normalize, .hard = true };

	slow_read(&slow);
	for (unsigned way = 0; way < PIECES_WAYS; way++) {
		struct reading r = { 0 };

		read_pieces(in, way, normalize, &r);
		hold(r.ended == slow.r.ended);
		hold(!r.ended || r.left == slow.r.left);
		hold(r.bare_cr == slow.r.bare_cr && r.bare_lf == slow.r.bare_lf && r.nul == slow.r.nul);
		hold(str_eq(buf_str(&r.content), buf_str(&slow.r.content)));
		buf_clear(&r.content);
	}
	hold(!normalize || fuzz_is_clean(buf_str(&slow.r.content)));
	check_out(buf_str(&slow.r.content));
	check_out(in);
	buf_clear(&slow.r.content);
	return 0;
}
