/*
 * What an EHLO offers; each line of the input is a line of the reply's text, the first too.  Promises: case does not matter;
 * the first line offers nothing; nothing is left from an earlier EHLO (PROTOCOL.md B-109-B-111).
 */
#include "fuzz/support/fuzz.h"

#include <ctype.h>

#include "smtp/caps.h"

static void
make_reply(struct reply *r, struct str in, bool swapped)
{
	struct buf text = { 0 };
	struct str line, rest;

	reply_init(r);
	while (str_split(&in, '\n', &line) && text.len < REPLY_BYTES_MAX / 2) {
		buf_puts(&text, in.n > 0 ? "250-" : "250 ");
		for (size_t i = 0; i < line.n && i < 1000; i++) {
			int c = (unsigned char)line.p[i];

			if (c != '\r' && c != '\0')
				buf_putc(&text, (char)(!swapped || c > 0x7f ? c : islower(c) ? toupper(c) : tolower(c)));
		}
		buf_puts(&text, "\r\n");
	}
	rest = buf_str(&text);
	if (reply_feed(r, &rest) != REPLY_READY)
		reply_reset(r);
	buf_clear(&text);
}

static bool
is_same(const struct caps *a, const struct caps *b)
{
	return a->esmtp == b->esmtp && a->starttls == b->starttls && a->pipelining == b->pipelining &&
	    a->chunking == b->chunking && a->eightbit == b->eightbit && a->utf8 == b->utf8 && a->dsn == b->dsn &&
	    a->enhanced == b->enhanced && a->size_given == b->size_given && a->size == b->size &&
	    a->mechs == b->mechs && a->rcpt_max == b->rcpt_max && a->mail_max == b->mail_max;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct caps none = { .esmtp = true };
	struct str in = fuzz_str(p, n);
	struct caps a, b;
	struct reply r;

	make_reply(&r, in, false);
	memset(&a, 0xff, sizeof a);
	caps_parse(&a, &r);
	memset(&b, 0, sizeof b);
	caps_parse(&b, &r);
	hold(is_same(&a, &b));
	hold(a.size <= INT64_MAX && (a.size == 0 || a.size_given));
	hold((a.mechs & ~(unsigned)(MECH_PLAIN | MECH_LOGIN | MECH_CRAM_MD5 | MECH_XOAUTH2 | MECH_OAUTHBEARER)) == 0);
	hold(r.lines > 1 || is_same(&a, &none));
	reply_clear(&r);
	make_reply(&r, in, true);
	caps_parse(&b, &r);
	hold(is_same(&a, &b));
	reply_clear(&r);
	return 0;
}
