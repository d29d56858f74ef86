/*
 * What an EHLO offers; each line of the input is a line of the reply's text, the first too.  Promises: case does not matter;
 * the first line offers nothing; each keyword and mechanism is a whole word; of sizes the smallest counts; nothing is left from an
 * earlier EHLO (PROTOCOL.md B-109-B-111).
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

/* --- the slow reading --------------------------------------------------------- */

static size_t
words_of(struct str line, struct str word[], size_t room)
{
	size_t n = 0;

	for (size_t i = 0; i < line.n; i++) {
		bool begins = i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t';

		if (line.p[i] == ' ' || line.p[i] == '\t')
			continue;
		if (begins && n == room)
			break;
		if (begins)
			word[n++] = (struct str){ line.p + i, 0 };
		word[n - 1].n++;
	}
	return n;
}

static unsigned
slow_mechs(const struct str word[], size_t n)
{
	static const char *const names[] = { "PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER" };
	unsigned mechs = 0;

	for (size_t w = 0; w < n; w++)
		for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
			mechs |= str_iis(word[w], names[i]) ? 1u << i : 0;
	return mechs;
}

static void
slow_size(struct caps *c, const char *digits)
{
	char *end;
	long long n = strtoll(digits, &end, 10);

	/* too large a number comes back as the largest, which limits as much: nothing */
	if (digits[0] >= '0' && digits[0] <= '9' && *end == '\0' && n > 0 && (c->size == 0 || n < (long long)c->size))
		c->size = (uint64_t)n;
}

static void
slow_keyword(struct caps *c, struct str word[], size_t n)
{
	char *second = str_dup(n == 2 ? word[1] : STR(""));

	c->starttls |= str_iis(word[0], "STARTTLS");
	c->pipelining |= str_iis(word[0], "PIPELINING");
	c->chunking |= str_iis(word[0], "CHUNKING");
	c->eightbit |= str_iis(word[0], "8BITMIME");
	c->utf8 |= str_iis(word[0], "SMTPUTF8");
	c->dsn |= str_iis(word[0], "DSN");
	c->enhanced |= str_iis(word[0], "ENHANCEDSTATUSCODES");
	c->size_given |= str_iis(word[0], "SIZE");
	if (str_iis(word[0], "SIZE"))
		slow_size(c, second);
	if (str_iis(word[0], "AUTH"))
		c->mechs |= slow_mechs(word + 1, n - 1);
	if (str_istarts(word[0], "AUTH=")) {
		word[0] = str_from(word[0], 5);
		c->mechs |= slow_mechs(word, n);
	}
	free(second);
}

static void
check_caps(const struct caps *c, const struct reply *r)
{
	enum { WORDS = 600 };	/* in a line of a reply there are no more */
	struct caps slow = { .esmtp = true, .rcpt_max = c->rcpt_max, .mail_max = c->mail_max };
	struct str line, word[WORDS];

	for (unsigned i = 1; reply_line(r, i, &line); i++) {
		size_t n = words_of(line, word, WORDS);

		if (n > 0)
			slow_keyword(&slow, word, n);
	}
	if (slow.size == INT64_MAX || c->size == INT64_MAX)
		slow.size = c->size;
	hold(is_same(c, &slow));
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
	check_caps(&a, &r);
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
