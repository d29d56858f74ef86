/*
 * Command lines: what smtp/line cuts and smtp/verb takes apart.  Promises: the cuts do not depend on how the input came, and are those
 * of a slow reading; no line has a CR, LF or NUL; slices lie in the line; a refusal is a reply of the catalogue; what is accepted is within its limits
 * (PROTOCOL.md A.1-A.5, C-24).
 */
#include "fuzz/support/fuzz.h"

#include "mail/xtext.h"
#include "smtp/line.h"
#include "smtp/verb.h"

enum { LIMIT = 512 };

/* What the cutter made of the input, in one text. */
static void
cut(struct str all, unsigned way, struct buf *out)
{
	struct pieces s = pieces_of(all, way);
	struct str piece, text;
	struct line l;

	line_init(&l, LIMIT);
	while (pieces_next(&s, &piece)) {
		while (piece.n > 0) {
			enum line_result r = line_feed(&l, &piece, &text);

			if (r == LINE_MORE)
				hold(piece.n == 0);
			if (r == LINE_READY) {
				hold(text.n + 2 <= LIMIT);
				hold(memchr(text.n > 0 ? text.p : "", '\r', text.n) == NULL);
				buf_printf(out, "%d:", r);
				buf_put_text(out, text);
			} else if (r != LINE_MORE) {
				buf_printf(out, "%d;", r);
			}
			if (r == LINE_BAD)
				goto bad;
		}
	}
bad:
	hold(l.part.len + 2 <= LIMIT);
	pieces_end(&s);
	line_clear(&l);
}

/* The same, by looking for what ends a line. */
static void
slow_cut(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		struct str text = { in.p, i };

		if (in.p[i] != '\r' && in.p[i] != '\n' && in.p[i] != '\0')
			continue;
		if (in.p[i] == '\r' && i + 1 == in.n)
			return;
		if (in.p[i] != '\r' || in.p[i + 1] != '\n') {
			buf_printf(out, "%d;", LINE_BAD);
			return;
		}
		if (i + 2 > LIMIT) {
			buf_printf(out, "%d;", LINE_TOO_LONG);
		} else {
			buf_printf(out, "%d:", LINE_READY);
			buf_put_text(out, text);
		}
		in = str_from(in, i + 2);
		i = SIZE_MAX;	/* 0 is next */
	}
}

static void
check_error(const struct verb_error *e)
{
	hold(e->code >= 500 && e->code <= 559);
	hold(e->status != NULL && e->status[0] == '0' + e->code / 100 && e->status[1] == '.');
	hold(e->text != NULL && !str_has_control(str_of(e->text)) && strlen(e->text) < 500);
}

static void
check_address(const struct address *a, struct str args, bool utf8)
{
	char *text = address_print(a);

	hold(fuzz_is_within(a->local, args) && fuzz_is_within(a->domain, args));
	hold(strlen(text) == a->local.n + a->domain.n + (a->domain.n > 0));
	hold(a->local.n <= ADDRESS_LOCAL_MAX && a->domain.n <= ADDRESS_DOMAIN_MAX);
	hold(!str_has_control(str_of(text)) && str_is_utf8(str_of(text)));
	hold(utf8 || str_is_ascii(str_of(text)));
	hold(a->is_null == (text[0] == '\0'));
	free(text);
}

/* What stands behind the path: nothing, or a blank and ASCII. */
static void
check_behind(const struct address *a, struct str args)
{
	struct str last = a->domain.n > 0 ? a->domain : a->local, rest;

	if (a->is_null)
		return;
	rest = str_from(args, (size_t)(last.p + last.n - args.p));
	hold(rest.n > 0 && rest.p[0] == '>');
	rest = str_from(rest, 1);
	hold(rest.n == 0 || rest.p[0] == ' ');
	hold(str_is_ascii(rest));
}

static void
check_mail(struct str args, bool esmtp, bool utf8)
{
	struct verb_mail m;
	struct verb_error e = { 0 };

	if (verb_parse_mail(args, esmtp, utf8, &m, &e) < 0) {
		check_error(&e);
		return;
	}
	check_address(&m.sender, args, utf8 && m.utf8);
	check_behind(&m.sender, args);
	hold(esmtp || (!m.has_size && !m.is_8bit && !m.utf8 && m.ret == RET_NONE && m.envid.n == 0));
	hold(!m.utf8 || utf8);
	hold(m.envid.n <= 100 && fuzz_is_within(m.envid, args) && xtext_is_printable(m.envid));
	hold(m.has_size || m.size == 0);
}

static void
check_rcpt(struct str args, bool esmtp, bool utf8)
{
	struct verb_rcpt r;
	struct verb_error e = { 0 };

	if (verb_parse_rcpt(args, esmtp, utf8, &r, &e) < 0) {
		check_error(&e);
		return;
	}
	hold(!r.rcpt.is_null);
	check_address(&r.rcpt, args, utf8);
	check_behind(&r.rcpt, args);
	hold((r.notify & NOTIFY_NEVER) == 0 || r.notify == NOTIFY_NEVER);
	hold(esmtp || (r.notify == 0 && r.orcpt.n == 0));
	hold(r.orcpt.n <= 500 && fuzz_is_within(r.orcpt, args) && xtext_is_printable(r.orcpt));
}

static void
check_line(struct str line)
{
	struct str args;
	enum verb_id id = verb_parse(line, &args);

	hold(id < VERBS);
	hold(fuzz_is_within(args, line));
	hold(args.n == 0 || (args.p[args.n - 1] != ' ' && args.p[args.n - 1] != '\t'));
	for (unsigned i = 0; i < 4; i++) {
		if (id != VERB_RCPT)
			check_mail(args, (i & 1) != 0, (i & 2) != 0);
		if (id != VERB_MAIL)
			check_rcpt(args, (i & 1) != 0, (i & 2) != 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct str in = fuzz_str(p, n), text;
	struct buf whole = { 0 }, slow = { 0 };
	struct line l;

	cut(in, 0, &whole);
	slow_cut(in, &slow);
	hold(str_eq(buf_str(&whole), buf_str(&slow)));
	buf_clear(&slow);
	for (unsigned way = 1; way < PIECES_WAYS; way++) {
		struct buf again = { 0 };

		cut(in, way, &again);
		hold(str_eq(buf_str(&whole), buf_str(&again)));
		buf_clear(&again);
	}
	buf_clear(&whole);
	check_line(in);		/* also with what never gets through the cutter */
	line_init(&l, LIMIT);
	while (in.n > 0) {
		enum line_result r = line_feed(&l, &in, &text);

		if (r == LINE_READY)
			check_line(text);
		if (r == LINE_BAD)
			break;
	}
	line_clear(&l);
	return 0;
}
