/*
 * Replies of a server, and our own.  Promises: any split of the input gives the same replies and the same verdict; no more is
 * kept than the limits allow; what is called a reply is one (PROTOCOL.md B-100-B-108); what we write is lines of at most 512
 * octets of printable ASCII that our own parser takes.
 */
#include "fuzz/support/fuzz.h"

#include "smtp/reply.h"

static void
check_reply(const struct reply *r)
{
	struct str line, text = buf_str(&r->text);
	unsigned n = 0;
	size_t octets = 0;

	hold(r->code >= 200 && r->code <= 599);
	hold(r->status[0] == '\0' || (r->status[0] == '0' + r->code / 100 && r->status[1] == '.'));
	hold(r->lines >= 1 && r->lines <= REPLY_LINES_MAX && text.n <= REPLY_BYTES_MAX);
	hold(memchr(text.n > 0 ? text.p : "", '\r', text.n) == NULL);
	hold(memchr(text.n > 0 ? text.p : "", '\0', text.n) == NULL);
	for (; reply_line(r, n, &line); n++) {
		hold(fuzz_is_within(line, text) && line.n <= REPLY_LINE_MAX);
		hold(memchr(line.n > 0 ? line.p : "", '\n', line.n) == NULL);
		octets += line.n + 1;
	}
	hold(n == r->lines && octets == text.n + 1);
}

static void
hear(struct str all, unsigned way, struct buf *out)
{
	struct pieces s = pieces_of(all, way);
	enum reply_result last = REPLY_MORE;
	struct str piece;
	struct reply r;

	reply_init(&r);
	while (last != REPLY_BAD && pieces_next(&s, &piece)) {
		while (piece.n > 0 && (last = reply_feed(&r, &piece)) != REPLY_BAD) {
			hold(last != REPLY_MORE || piece.n == 0);
			hold(r.text.len <= REPLY_BYTES_MAX && r.line.len <= REPLY_LINE_MAX);
			if (last == REPLY_MORE)
				continue;
			check_reply(&r);
			buf_printf(out, "%d/%s/%u/", r.code, r.status, r.lines);
			buf_put_text(out, buf_str(&r.text));
			reply_reset(&r);
		}
	}
	if (last == REPLY_BAD) {
		hold(r.bad != NULL && r.bad[0] != '\0');
		buf_printf(out, "bad %s", r.bad);
	}
	pieces_end(&s);
	reply_clear(&r);
}

static void
check_put(struct str in)
{
	char *text = str_dup(in);
	struct buf out = { 0 };
	struct str rest;
	struct reply r;
	size_t from = 0, lines = 0;

	reply_put(&out, 250, in.n % 2 == 0 ? "2.0.0" : NULL, text);
	rest = buf_str(&out);
	hold(fuzz_is_clean(rest));
	for (size_t i = 0; i < out.len; i++) {
		if (out.data[i] == '\n') {
			hold(i + 1 - from <= 512);
			from = i + 1;
			lines++;
		} else {
			hold(out.data[i] == '\r' || (out.data[i] >= ' ' && out.data[i] < 0x7f));
		}
	}
	reply_init(&r);
	if (lines <= REPLY_LINES_MAX && out.len <= REPLY_BYTES_MAX) {
		hold(reply_feed(&r, &rest) == REPLY_READY && rest.n == 0);
		hold(r.code == 250);
	}
	reply_clear(&r);
	buf_clear(&out);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n);
	struct buf whole = { 0 };

	hear(in, 0, &whole);
	for (unsigned way = 1; way < PIECES_WAYS; way++) {
		struct buf again = { 0 };

		hear(in, way, &again);
		hold(str_eq(buf_str(&whole), buf_str(&again)));
		buf_clear(&again);
	}
	buf_clear(&whole);
	check_put(in);
	return 0;
}
