/* mail/fixup: what is noted, what is taken out, and that nothing else moves. */
#include "unit/bytes.h"

#include <string.h>

#include "mail/fixup.h"

Suite *test_fixup(void);

#define OWN "Received: from x ([127.0.0.1])\r\n\tby mail.example with ESMTPSA id " \
	"0123456789ABC\r\n\t(TLSv1.3 X);\r\n\tThu, 15 Oct 2026 21:33:20 +0000\r\n"

/* `out' NULL: as it came in.  `notes' has a letter for each thing noted: d(ate)
 * f(rom) m(essage-id), 8 for 8-bit, h for that in the header, N for no header. */
static const struct {
	struct str in;
	const char *out, *notes, *from, *sender;
	unsigned received, own;
} cases[] = {
	{ STR(""), NULL, "", "", "", 0, 0 },
	{ STR("Subject: x\r\n\r\nbody\r\n"), NULL, "", "", "", 0, 0 },
	{ STR("Date: x\r\nFrom: a@b\r\nMessage-ID: <x@y>\r\n\r\nb\r\n"), NULL,
	    "dfm", " a@b", "", 0, 0 },
	{ STR("dAtE:\r\n x\r\nMESSAGE-id :\r\n\t<x>\r\nfrom\t: a\r\n\tb\r\n@c\r\n\r\n"),
	    NULL, "dfm", " a b", "", 0, 0 },			/* any case, folded */
	{ STR("Bcc: x@y\r\nSubject: x\r\n\r\nb\r\n"),		/* */
	    "Subject: x\r\n\r\nb\r\n", "", "", "", 0, 0 },
	{ STR("A: b\r\nbcc: x@y,\r\n\tz@y\r\n  \r\nC: d\r\n\r\nBcc: stays\r\n"),
	    "A: b\r\nC: d\r\n\r\nBcc: stays\r\n", "", "", "", 0, 0 },
	{ STR("Resent-Bcc: x\r\nReturn-Path: <x>\r\nBCC : x\r\nBccX: y\r\n\r\n"),
	    "BccX: y\r\n\r\n", "", "", "", 0, 0 },
	{ STR("Bcc: x\r\n\r\nb\r\n"), "\r\nb\r\n", "", "", "", 0, 0 },
	{ STR("Bcc: x\r\n"), "", "", "", "", 0, 0 },
	{ STR("Bcc: x"), "", "", "", "", 0, 0 },
	{ STR("Bcc"), NULL, "N", "", "", 0, 0 },
	{ STR("A: b\r\nBcc"), NULL, "", "", "", 0, 0 },
	{ STR("A: b\r\n\r"), NULL, "", "", "", 0, 0 },
	{ STR("\r\nDate: x\r\n"), NULL, "", "", "", 0, 0 },	/* empty header */
	{ STR("just text\r\nDate: x\r\n"), NULL, "N", "", "", 0, 0 }, /* */
	{ STR(" text\r\nDate: x\r\n"), NULL, "N", "", "", 0, 0 },
	{ STR("\ttext\r\n"), NULL, "N", "", "", 0, 0 },
	{ STR(": x\r\n\r\n"), NULL, "N", "", "", 0, 0 },
	{ STR("a b: x\r\nDate: y\r\n\r\n"), NULL, "N", "", "", 0, 0 },
	{ STR("From x Thu Jan  1 00:00:00 1970\r\nDate: x\r\n\r\n"), NULL,
	    "N", "", "", 0, 0 },
	{ STR("A: b\r\nno colon\r\nDate: x\r\nBcc: y\r\n\r\n"), NULL, "", "", "", 0, 0 },
	{ STR("A: b\r\nno colon\r\nFrom: a@b\r\n\tx\r\nDate: x\r\nSender: c\r\n\r\nFrom: d\r\n"),
	    NULL, "", " a@b x", " c", 0, 0 },			/* C-24: loose readers */
	{ STR("A: b\r\nno colon \xff\r\n" OWN "\r\n"), NULL, "8", "", "", 0, 0 },
	{ STR("no colon\r\nFrom: a@b\r\n\r\n"), NULL, "N", "", "", 0, 0 },
	{ STR("Bcc: x\r\nno colon\r\n"), "no colon\r\n", "N", "", "", 0, 0 },
	{ STR("A: b\r\n\r\n body\r\n\r\n  \r\n\r\n"), NULL, "", "", "", 0, 0 }, /* */
	{ STR("A: \xc3\xb6\r\n\r\nb\r\n"), NULL, "8h", "", "", 0, 0 },
	{ STR("A: b\r\n\r\n123456789\xff\r\n"), NULL, "8", "", "", 0, 0 }, /* */
	{ STR("A: b\r\n\r\n\xff" "12345678\r\n"), NULL, "8", "", "", 0, 0 },
	{ STR("Bcc: \xc3\xb6\r\nA: b\r\n\r\nb\r\n"), "A: b\r\n\r\nb\r\n", "", "", "", 0, 0 },
	{ STR("\xc3\xb6: x\r\n"), NULL, "8N", "", "", 0, 0 },
	{ STR("From: a@b\r\nSender: c@d\r\nFROM: e@f\r\n\r\n"), NULL,
	    "f", " a@b,  e@f", " c@d", 0, 0 },
	{ STR("Received: a\r\nReceived:\r\n b\r\n\r\nReceived: c\r\n"), NULL,
	    "", "", "", 2, 0 },					/* */
	{ STR(OWN OWN "A: b\r\n\r\n"), NULL, "", "", "", 2, 2 },	/* */
	{ STR(OWN), NULL, "", "", "", 1, 1 },
	{ STR("Received: from x by other.example with ESMTP id 0123456789ABC; x\r\n"
	    "Received: from x by mail.example with ESMTP id 4XyZ12abcde; x\r\n"
	    "Received: by mail.example (Postfix) with ESMTP id 0123456789ABC; x\r\n"
	    "Received: by mail.example id 0123456789ABC; x\r\n"
	    "Received: by MAIL.example with ESMTP id 0123456789ABC; x\r\n\r\n"), NULL,
	    "", "", "", 5, 1 },
	{ STR("A: b\r\n.\r\n"), NULL, "", "", "", 0, 0 },
	{ STR("A\x01: b\r\n\r\n"), NULL, "N", "", "", 0, 0 },
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void
note(struct buf *b, const struct fixup *f)
{
	buf_printf(b, "%s%s%s%s%s%s", f->has_date ? "d" : "", f->has_from ? "f" : "",
	    f->has_message_id ? "m" : "", f->has_8bit ? "8" : "",
	    f->has_8bit_header ? "h" : "", f->no_header ? "N" : "");
}

START_TEST(headers)
{
	int i = _i / BYTES_STEPS;
	struct bytes b = { cases[i].in, bytes_steps[_i % BYTES_STEPS], NULL };
	struct buf out = { 0 }, notes = { 0 };
	struct str piece;
	struct fixup f;

	fixup_init(&f, "mail.example");
	while (bytes_next(&b, &piece))
		fixup_feed(&f, piece.p, piece.n, &out);
	fixup_end(&f, &out);
	bytes_eq(buf_str(&out), cases[i].out != NULL ? str_of(cases[i].out) : cases[i].in);
	note(&notes, &f);
	bytes_eq(buf_str(&notes), str_of(cases[i].notes));
	bytes_eq(buf_str(&f.from), str_of(cases[i].from));
	bytes_eq(buf_str(&f.sender), str_of(cases[i].sender));
	ck_assert_uint_eq(f.received, cases[i].received);
	ck_assert_uint_eq(f.own, cases[i].own);
	ck_assert_uint_eq(f.octets, cases[i].in.n);
	fixup_clear(&f);
	buf_clear(&out);
	buf_clear(&notes);
}
END_TEST

/* 200 KiB of header, in one field, in many, and in a name without end. */
START_TEST(large)
{
	static const char *const units[] = { "x", "A: b\r\n", "Bcc: x\r\n", " \r\n", "x:" };
	static const char *const begin[] = { "A: ", "", "A: b\r\n", "A: b\r\n", "" };

	for (size_t u = 0; u < sizeof units / sizeof units[0] * BYTES_STEPS; u++) {
		size_t k = u / BYTES_STEPS;
		struct bytes b = { .step = bytes_steps[u % BYTES_STEPS] };
		struct buf in = { 0 }, out = { 0 };
		size_t held = 0;
		struct str piece;
		struct fixup f;

		buf_puts(&in, begin[k]);
		while (in.len < 200 * 1024)
			buf_puts(&in, units[k]);
		buf_puts(&in, "\r\n\r\nbody\r\n");
		b.rest = buf_str(&in);
		fixup_init(&f, "mail.example");
		while (bytes_next(&b, &piece)) {
			fixup_feed(&f, piece.p, piece.n, &out);
			held = f.held.len > held ? f.held.len : held;
		}
		fixup_end(&f, &out);
		ck_assert_uint_lt(held, 16);
		if (k == 2)
			bytes_eq(buf_str(&out), STR("A: b\r\n\r\n\r\nbody\r\n"));
		else
			bytes_eq(buf_str(&out), buf_str(&in));
		ck_assert(!f.no_header);
		fixup_clear(&f);
		buf_clear(&in);
		buf_clear(&out);
	}
}
END_TEST

/* A name that is longer than any line is none, and is not gathered for ever. */
START_TEST(endless_name)
{
	struct buf out = { 0 };
	struct fixup f;

	fixup_init(&f, "mail.example");
	for (int i = 0; i < 100000; i++)
		fixup_feed(&f, "xxx", 3, &out);
	ck_assert_uint_eq(f.held.len, 0);
	fixup_end(&f, &out);
	ck_assert_uint_eq(out.len, 300000);
	ck_assert(f.no_header);
	fixup_clear(&f);
	buf_clear(&out);
}
END_TEST

static void
count(void *arg, struct str addr)
{
	(void)addr;
	++*(unsigned *)arg;
}

/* Values that were cut cannot be checked, and so are refused: in one field or several. */
START_TEST(long_from)
{
	for (int several = 0; several < 2; several++) {
		struct buf in = { 0 }, out = { 0 };
		struct fixup f;
		unsigned n = 0;

		buf_puts(&in, "From: a@b");
		while (in.len < 4000)
			buf_puts(&in, several ? "\r\nFrom: a@b" : ",\r\n a@b");
		buf_puts(&in, "\r\n\r\n");
		fixup_init(&f, "mail.example");
		fixup_feed(&f, in.data, in.len, &out);
		ck_assert(fixup_addresses(buf_str(&f.from), count, &n));
		ck_assert_uint_gt(n, 300);
		fixup_clear(&f);
		buf_cut(&in, in.len - 4);
		while (in.len < 9000)
			buf_puts(&in, several ? "\r\nFrom: a@b" : ",\r\n a@b");
		fixup_init(&f, "mail.example");
		fixup_feed(&f, in.data, in.len, &out);
		fixup_end(&f, &out);
		ck_assert(!fixup_addresses(buf_str(&f.from), count, &n));
		ck_assert_uint_lt(f.from.len, 4200);
		fixup_clear(&f);
		buf_clear(&in);
		buf_clear(&out);
	}
}
END_TEST

/* whatever it is, what comes out is what went in without some whole fields, and
 * the pieces it came in make no difference. */
START_TEST(pieces)
{
	static const char *const tokens[] = {
		"\r\n", "Bcc", ": x", "From:", " ", "\t", "a", "\r\n\r\n", "Return-Path: y",
		"\r\n ", "Received: z\r\n", "\xff", "\r", "\n", ":",
	};
	uint32_t seed = 13;

	for (int i = 0; i < 20000; i++) {
		struct buf in = { 0 }, whole = { 0 }, out = { 0 }, a = { 0 }, b = { 0 };
		struct bytes bytes = { .step = 1 + bytes_random(&seed, 9) };
		struct str piece;
		struct fixup f, g;

		for (uint32_t n = bytes_random(&seed, 16); n > 0; n--)
			buf_puts(&in, tokens[bytes_random(&seed,
			    sizeof tokens / sizeof tokens[0])]);
		fixup_init(&f, "h");
		fixup_init(&g, "h");
		fixup_feed(&f, buf_str(&in).p, in.len, &whole);
		fixup_end(&f, &whole);
		bytes.rest = buf_str(&in);
		while (bytes_next(&bytes, &piece))
			fixup_feed(&g, piece.p, piece.n, &out);
		fixup_end(&g, &out);
		bytes_eq(buf_str(&out), buf_str(&whole));
		note(&a, &f);
		note(&b, &g);
		bytes_eq(buf_str(&a), buf_str(&b));
		bytes_eq(buf_str(&f.from), buf_str(&g.from));
		ck_assert(in.len > 0 || out.len == 0);
		ck_assert(memmem(buf_str(&in).p, in.len, "Bcc", 3) != NULL ||
		    memmem(buf_str(&in).p, in.len, "Return", 6) != NULL ||
		    str_eq(buf_str(&in), buf_str(&out)));
		fixup_clear(&f);
		fixup_clear(&g);
		buf_clear(&in);
		buf_clear(&whole);
		buf_clear(&out);
		buf_clear(&a);
		buf_clear(&b);
	}
}
END_TEST

Suite *
test_fixup(void)
{
	Suite *s = suite_create("test_fixup");
	TCase *t = tcase_create("fixup");

	tcase_add_loop_test(t, headers, 0, CASES * BYTES_STEPS);
	tcase_add_test(t, large);
	tcase_add_test(t, endless_name);
	tcase_add_test(t, long_from);
	tcase_add_test(t, pieces);
	suite_add_tcase(s, t);
	return s;
}
