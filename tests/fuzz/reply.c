/*
 * Replies of a server, and our own.  Promises: any split of the input gives the same replies and the same verdict; no more is
 * kept than the limits allow; replies, enhanced codes and refusals are those of a slow reading of the rules written here (PROTOCOL.md
 * B-100-B-108); what we write is lines of at most 512 octets of printable ASCII that our own parser takes.
 */
#include "fuzz/support/fuzz.h"

#include <ctype.h>
#include <regex.h>

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
		hold(fuzz_is_within(line, text) && line.n + strlen("250 \r\n") <= REPLY_LINE_MAX);
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
			hold(r.text.len <= REPLY_BYTES_MAX && r.line.len + 2 <= REPLY_LINE_MAX);
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

/* --- the slow reading --------------------------------------------------------- */

/* A line off the input.  1: there was one; 0: it is not whole yet; -1: it cannot become one. */
static int
slow_line(struct str *in, struct str *line)
{
	for (size_t i = 0; i < in->n; i++) {
		if (in->p[i] == '\n' || in->p[i] == '\0')
			return -1;
		if (in->p[i] != '\r') {
			if (i + 1 + 2 > REPLY_LINE_MAX)
				return -1;
			continue;
		}
		if (i + 1 == in->n)
			return 0;
		*line = (struct str){ in->p, i };
		*in = str_from(*in, i + 2);
		return line->p[i + 1] == '\n' ? 1 : -1;
	}
	return 0;
}

/* The enhanced code that a first line's text begins with, if its class is the reply's (B-107). */
static void
slow_status(int code, struct str text, struct buf *out)
{
	static regex_t form;
	static bool made;
	struct str word;
	char *first;

	if (!made)
		hold(regcomp(&form, "^[245]\\.[0-9]{1,3}\\.[0-9]{1,3}$", REG_EXTENDED | REG_NOSUB) == 0);
	made = true;
	(void)str_split(&text, ' ', &word);
	first = str_dup(word);
	if (word.n > 0 && word.p[0] == '0' + code / 100 && regexec(&form, first, 0, NULL, 0) == 0)
		buf_puts(out, first);
	free(first);
}

/* One reply off the input, as hear() writes it; the same three answers. */
static int
slow_reply(struct str *in, struct buf *out)
{
	struct buf text = { 0 }, status = { 0 };
	struct str line, first = STR("");
	unsigned lines = 0;
	size_t octets = 0;
	int got;

	while ((got = slow_line(in, &line)) == 1) {
		bool last = line.n == 3 || (line.n > 3 && line.p[3] == ' ');

		octets += line.n + 2;
		if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !isdigit((unsigned char)line.p[1]) ||
		    !isdigit((unsigned char)line.p[2]) || (!last && line.p[3] != '-') ||
		    (lines > 0 && memcmp(line.p, first.p, 3) != 0) || ++lines > REPLY_LINES_MAX || octets > REPLY_BYTES_MAX) {
			got = -1;
			break;
		}
		if (lines == 1)
			slow_status(atoi(line.p), str_from(line, 4), &status);
		else
			buf_putc(&text, '\n');
		first = line;
		buf_putstr(&text, str_from(line, 4));
		if (!last)
			continue;
		buf_printf(out, "%d/%s/%u/", atoi(line.p), status.len > 0 ? status.data : "", lines);
		buf_put_text(out, buf_str(&text));
		break;
	}
	buf_clear(&text);
	buf_clear(&status);
	return got;
}

static void
check_heard(struct str in, struct str heard)
{
	struct buf slow = { 0 };
	int got;

	while ((got = slow_reply(&in, &slow)) == 1)
		continue;
	hold(heard.n >= slow.len && str_eq((struct str){ heard.p, slow.len }, buf_str(&slow)));
	heard = str_from(heard, slow.len);
	hold(got < 0 ? heard.n > 4 && memcmp(heard.p, "bad ", 4) == 0 : heard.n == 0);
	buf_clear(&slow);
}

/* --- our own -------------------------------------------------------------------- */

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
	check_heard(in, buf_str(&whole));
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
